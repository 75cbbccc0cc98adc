//! Dates and times as they are said. Here: what each way of writing them means. Not here: their patterns (`rules`).

use regex::Captures;

use super::Dialect;
use super::numbers::whole;
use super::rules::{Around, follows, last_word};

/// A month, a quarter or a day of the week: the fourth is *tư*.
pub(super) fn month(text: &str) -> String {
    match text.trim_start_matches('0') {
        "4" => "tư".into(),
        other => whole(other, Dialect::North),
    }
}

pub(super) fn day_month_year(day: &str, month: &str, year: Option<&str>, named: bool) -> String {
    let day = whole(day.trim_start_matches('0'), Dialect::North);
    let year = year.map(|year| format!(" năm {}", whole(year, Dialect::North)));
    let said = format!("{day} tháng {}{}", self::month(month), year.unwrap_or_default());
    if named { format!("ngày {said}") } else { said }
}

/// Whether a day needs *ngày* before it.
pub(super) fn unnamed(around: &Around<'_>) -> bool {
    !matches!(&*last_word(around.before), "ngày" | "mùng" | "mồng" | "rằm" | "ngay")
}

pub(super) fn one_date(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let part = |names: [&str; 3]| names.into_iter().find_map(|name| it.name(name)).map(|it| it.as_str());
    let (day, month, year) = (
        part(["d", "d2", "d3"])?,
        part(["m", "m2", "m3"])?,
        part(["y", "y2", "y3"]),
    );
    if year.is_none() {
        let of_something = around.after.trim_start();
        let parts = [
            "thôn",
            "xã",
            "số",
            "diện tích",
            "dân số",
            "tiêu chí",
            "chỉ tiêu",
            "hộ",
            "đại biểu",
            "phiếu",
            "thành viên",
            "tổ",
            "khu",
            "ấp",
            "người",
            "em",
            "trường",
            "ca",
            "phường",
            "tổng",
        ];
        let fraction = [
            "chiếm",
            "đạt",
            "số",
            "được",
            "nhà",
            "hẻm",
            "ngõ",
            "ngách",
            "kiệt",
            "số nhà",
            "tỷ lệ",
            "tỉ lệ",
            "bằng",
        ];
        let whole_word = |rest: &str| !rest.starts_with(char::is_alphanumeric);
        if parts
            .iter()
            .any(|part| of_something.strip_prefix(part).is_some_and(whole_word))
            || follows(around.before, &fraction)
        {
            return None;
        }
        if around.after.starts_with('/') {
            return None;
        }
    }
    Some(day_month_year(day, month, year, unnamed(around)))
}

/// `ngày 20-11`; days from one to the other they are only after *từ ngày*, or before a month.
pub(super) fn day_and_month(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let range = follows(around.before, &["từ ngày", "các ngày"]) || around.after.trim_start().starts_with("tháng");
    let date = last_word(around.before) == "ngày" && !range && !around.after.starts_with(['/', '-']);
    date.then(|| day_month_year(&it["d"], &it["m"], None, false))
}

pub(super) fn days(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let first = whole(it["a"].trim_start_matches('0'), Dialect::North);
    let year = it.name("y").map(|it| it.as_str());
    let lead = if unnamed(around) { "ngày " } else { "" };
    let (link, named) = match it["to"].trim() {
        "," => (", ", false),
        "và" => (" và ", false),
        _ => (" đến ", true),
    };
    Some(format!(
        "{lead}{first}{link}{}",
        day_month_year(&it["d"], &it["m"], year, named)
    ))
}

pub(super) fn clock(dialect: Dialect, hour: &str, minute: Option<&str>) -> String {
    let plain = |text: &str| match text.trim_start_matches('0') {
        "" => "không".to_owned(),
        text => whole(text, dialect),
    };
    match minute {
        None | Some("00") => format!("{} giờ", plain(hour)),
        Some(minute) => format!("{} giờ {} phút", plain(hour), plain(minute)),
    }
}

pub(super) fn one_time(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    if let Some(hour) = it.name("h") {
        return Some(clock(
            around.dialect,
            hour.as_str(),
            it.name("min").or(it.name("min3")).map(|it| it.as_str()),
        ));
    }
    let (hour, minute) = (&it["h2"], &it["min2"]);
    let seconds = it
        .name("s2")
        .map(|it| format!(" {} giây", whole(it.as_str(), around.dialect)));
    Some(clock(around.dialect, hour, Some(minute)) + &seconds.unwrap_or_default())
}

pub(super) fn time_range(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let minute = |names: [&str; 2]| names.into_iter().find_map(|name| it.name(name)).map(|it| it.as_str());
    let first = clock(around.dialect, &it["a"], minute(["am", "am2"]));
    let second = clock(around.dialect, &it["b"], minute(["bm", "bm2"]));
    Some(format!("{first} đến {second}"))
}
