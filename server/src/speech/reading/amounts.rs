//! Numbers in their places: ranges, fractions, what is counted, telephones. Not here: how a number becomes words (`numbers`),
//! patterns (`rules`).

use regex::Captures;

use super::numbers::{digits, number, whole};
use super::rules::{Around, follows, last_word};
use super::words::{per, spelled, unit};

pub(super) fn telephone(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let text = &it[0];
    let all: String = text.chars().filter(char::is_ascii_digit).collect();
    let abroad = text.starts_with('+');
    let short = all.starts_with("1900") || all.starts_with("1800");
    let fits = match (abroad, short) {
        (true, _) => (10..=12).contains(&all.len()),
        (_, true) => matches!(all.len(), 8 | 10),
        _ => matches!(all.len(), 10 | 11),
    };
    // A number of people, not of a telephone.
    if !fits || around.after.starts_with(',') && around.after[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut groups: Vec<String> = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|it| !it.is_empty())
        .map(str::to_owned)
        .collect();
    if groups.len() == 1 {
        groups = match all.len() {
            8 => vec![all[..4].into(), all[4..].into()],
            10 => vec![all[..4].into(), all[4..7].into(), all[7..].into()],
            _ => vec![all[..3].into(), all[3..7].into(), all[7..].into()],
        };
    }
    let said = groups.iter().map(|it| digits(it)).collect::<Vec<_>>().join(", ");
    Some(if abroad { format!("cộng {said}") } else { said })
}

/// A number that one calls, or that stands for somebody: digit by digit.
pub(super) fn called(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let text = &it[0];
    let numbers = [
        "tổng đài",
        "đường dây nóng",
        "hotline",
        "số điện thoại",
        "điện thoại",
        "gọi",
        "gọi số",
        "gọi ngay",
        "gọi ngay số",
        "số máy",
        "đầu số",
        "đt",
        "sđt",
        "gọi đến",
        "gọi tới",
        "gọi tổng đài",
        "tổng đài số",
        "mã số",
        "mã",
        "số tài khoản",
        "stk",
        "cccd",
        "số cccd",
        "tài khoản",
    ];
    // Police, fire brigade and ambulance.
    let well_known = matches!(text, "111" | "112" | "113" | "114" | "115")
        && follows(
            around.before,
            &[
                "cảnh sát",
                "công an",
                "cứu hỏa",
                "cứu hoả",
                "cấp cứu",
                "số",
                "hoặc",
                "và",
                "chữa cháy",
            ],
        )
        && !around.after.trim_start().starts_with(char::is_alphabetic);
    (well_known || follows(around.before, &numbers)).then(|| digits(text))
}

pub(super) fn fraction(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let parts = it[0].split('/').map(|part| {
        let number = part.trim_end_matches(char::is_alphabetic);
        let letter = &part[number.len()..];
        format!("{} {}", whole(number, around.dialect), spelled(letter))
            .trim_end()
            .to_owned()
    });
    Some(parts.collect::<Vec<_>>().join(" trên "))
}

/// The unit and what it is counted for.
pub(super) fn measured(it: &Captures<'_>) -> String {
    let mut said = it
        .name("u")
        .and_then(|u| unit(u.as_str()))
        .map_or_else(String::new, |u| format!(" {u}"));
    let each = it.name("per").map_or("", |it| it.as_str());
    for part in each.split('/').filter(|it| !it.is_empty()) {
        said += &format!(" {}", per(part));
    }
    said
}

pub(super) fn range(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let (a, b) = (&it["a"], &it["b"]);
    // More than two: no range.
    if around.after.starts_with('-') || around.before.ends_with(|c: char| c == '-' || c.is_alphanumeric()) {
        return None;
    }
    let score = follows(around.before, &["tỷ số", "tỉ số", "thắng", "thua", "hòa", "hoà"]);
    let bare = it.name("u").is_none() && it.name("ua").is_none();
    let falling = |a: &str, b: &str| a.parse::<u64>().ok() > b.parse::<u64>().ok();
    let link = match score || (bare && !a.contains(['.', ',']) && falling(a, b)) {
        true => " ",
        false => " đến ",
    };
    let first_unit = it
        .name("ua")
        .filter(|ua| it.name("u").is_none_or(|u| u.as_str() != ua.as_str()));
    let first_unit = first_unit
        .and_then(|it| unit(it.as_str()))
        .map(|it| format!(" {it}"))
        .unwrap_or_default();
    let (a, b) = (number(a, around.dialect), number(b, around.dialect));
    Some(format!("{a}{first_unit}{link}{b}") + &measured(it))
}

pub(super) fn plain(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let text = &it[0];
    let said = match (&*last_word(around.before), text) {
        ("tháng" | "quý", "4" | "04") => "tư".into(),
        ("thứ", "1") => "nhất".into(),
        ("thứ", "4") => "tư".into(),
        ("tháng" | "ngày" | "mùng" | "mồng", day) if day.len() == 2 && day.starts_with('0') => {
            whole(&day[1..], around.dialect)
        }
        _ => number(text, around.dialect),
    };
    Some(said)
}
