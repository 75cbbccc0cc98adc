//! What is written and not read letter by letter. Here: each kind of thing with its pattern and how it is said, those that
//! are surer first. Not here: how a number becomes words (`numbers`), tables (`words`).

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::Dialect;
use super::amounts::{called, fraction, measured, plain, range, telephone};
use super::dates::{clock, day_and_month, day_month_year, days, month, one_date, one_time, time_range};
use super::names::{address, bullet, capitals, dash, document_number, one_by_one, shortened, word};
use super::numbers::{digits, number, roman, whole};
use super::words::{abbreviation, per, spelled, unit, units};

/// What surrounds a find.
pub(super) struct Around<'a> {
    pub(super) before: &'a str,
    pub(super) after: &'a str,
    pub(super) dialect: Dialect,
}

type Say = fn(&Around<'_>, &Captures<'_>) -> Option<String>;

struct Rule {
    pattern: Regex,
    say: Say,
}

/// What is said for the beginning of `rest`, and how far that reaches.
pub(super) fn at(before: &str, rest: &str, dialect: Dialect) -> Option<(usize, String)> {
    // No rule looks further back.
    let near = before.char_indices().rev().nth(80).map_or(0, |it| it.0);
    let before = &before[near..];
    RULES.iter().find_map(|rule| {
        let found = rule.pattern.captures(rest)?;
        let end = found.get(0)?.end();
        let around = Around {
            before,
            after: &rest[end..],
            dialect,
        };
        let cut = rest[..end].ends_with(char::is_alphanumeric) && around.after.starts_with(char::is_alphanumeric);
        let said = (!cut).then(|| (rule.say)(&around, &found))??;
        Some((end, said))
    })
}

/// A number as it is written in Vietnamese.
const N: &str = r"(?:\d+\.\d{4,}|\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d{1,3}(?:,\d{3}){2,}|\d+,\d+|\d+\.\d+|\d+)";
/// What stands between the ends of a range.
const TO: &str = r"(?:\s?[–—]\s?|-|\s-\s)";
const RATIO: &[&str] = &["tỷ lệ", "tỉ lệ", "tỷ số", "tỉ số"];
const DAY: &str = r"(?:3[01]|[12]\d|0?[1-9])";
const MONTH: &str = r"(?:1[0-2]|0?[1-9])";
const YEAR: &str = r"(?:1[89]\d\d|20\d\d)";
const HOUR: &str = r"(?:2[0-4]|[01]?\d)";
const MINUTE: &str = r"[0-5]\d";

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let units = units();
    // A date in each of the ways of writing it; its parts are named.
    let date = format!(
        r"(?:(?P<d>{DAY})/(?P<m>{MONTH})(?:/(?P<y>{YEAR}))?|(?P<d2>{DAY})-(?P<m2>{MONTH})-(?P<y2>{YEAR})|(?P<d3>{DAY})\.(?P<m3>{MONTH})\.(?P<y3>{YEAR}))"
    );
    let time = format!(
        r"(?:(?P<h>{HOUR})(?:\s?[hH](?:(?P<min>{MINUTE})[p']?)?|g(?P<min3>{MINUTE})[p']?)|(?P<h2>{HOUR}):(?P<min2>{MINUTE})(?::(?P<s2>{MINUTE}))?)"
    );
    let times = format!(
        r"(?P<a>{HOUR})(?:\s?[hH](?P<am>{MINUTE})?|[g:](?P<am2>{MINUTE}))?{TO}(?P<b>{HOUR})(?:\s?[hH](?P<bm>{MINUTE})?|[g:](?P<bm2>{MINUTE}))"
    );
    let rules: Vec<(String, Say)> = vec![
        (r"(?:https?://|www\.)[^\s,;()<>]*[\w/]".into(), address),
        (r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+".into(), address),
        (r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:vn|com|net|org|gov|edu|info)(?:/[^\s,;()<>]*[\w/])?".into(), address),
        (
            r"(?:(?P<kind>[A-ZĐ][A-Za-zĐđ]{0,4})\s+(?:số\s+)?)?(?P<n>\d+[a-z]?)(?:/(?P<y>\d{4}))?[/-](?P<tail>[A-ZĐƯ][A-Za-zĐđƯ]*\d*(?:[-/.&][A-ZĐƯ][A-Za-zĐđƯ]*\d*)*)".into(),
            document_number,
        ),
        // Days of one month: 15–20/7.
        (
            format!(r"(?P<a>{DAY})(?P<to>{TO}|,|, | và )(?P<d>{DAY})/(?P<m>{MONTH})(?:/(?P<y>{YEAR}))?"),
            days,
        ),
        (format!(r"(?P<iso>{YEAR})-(?P<m>0[1-9]|1[0-2])-(?P<d>0[1-9]|[12]\d|3[01])"), |_, it| {
            Some(day_month_year(&it["d"], &it["m"], Some(&it["iso"]), true))
        }),
        (format!(r"{date}{TO}(?P<rest>{DAY}/{MONTH}(?:/{YEAR})?)"), |around, it| {
            let first = one_date(around, it)?;
            let mut parts = it["rest"].split('/');
            let (day, month) = (parts.next()?, parts.next()?);
            Some(format!("{first} đến {}", day_month_year(day, month, parts.next(), true)))
        }),
        (date, one_date),
        (format!("(?P<d>{DAY})-(?P<m>{MONTH})"), day_and_month),
        (format!(r"(?P<a>{MONTH}){TO}(?P<b>{MONTH})/(?P<y>{YEAR})"), |around, it| {
            let said = |text: &str| month(text);
            last_word(around.before).eq("tháng").then(|| {
                format!("{} đến tháng {} năm {}", said(&it["a"]), said(&it["b"]), whole(&it["y"], around.dialect))
            })
        }),
        (format!(r"(?P<m>{MONTH})/(?P<y>{YEAR})"), |around, it| {
            let named = if last_word(around.before) == "tháng" { "" } else { "tháng " };
            Some(format!("{named}{} năm {}", month(&it["m"]), whole(&it["y"], around.dialect)))
        }),
        (format!(r"(?P<q>I|II|III|IV|[1-4])/(?P<y>{YEAR})"), |around, it| {
            let quarter = roman(&it["q"]).map_or_else(|| it["q"].to_owned(), |it| it.to_string());
            (last_word(around.before) == "quý").then(|| format!("{} năm {}", month(&quarter), whole(&it["y"], around.dialect)))
        }),
        (r"(?P<a>\d+):(?P<b>\d+)".into(), |around, it| {
            let said = || format!("{} trên {}", whole(&it["a"], around.dialect), whole(&it["b"], around.dialect));
            follows(around.before, RATIO).then(said)
        }),
        (times, time_range),
        (time, one_time),
        (format!(r"(?P<h>{HOUR}) giờ (?P<min>0\d)( phút)?"), |around, it| {
            Some(clock(around.dialect, &it["h"], it.name("min").map(|it| it.as_str())))
        }),
        (r"(?:\(?(?:\+84|0\d{1,3})\)?|1[89]00)(?:[ .-]?\d{1,8}){1,5}".into(), telephone),
        (r"\d{3,8}".into(), called),
        // An address in a street.
        (r"\d+[A-Z]?(?:/\d+[A-Z]?)+".into(), fraction),
        (format!(r"(?P<sign>[-−])(?P<n>{N})(?:{TO}(?P<m>[-−]?{N}))?\s?(?P<u>°C?|ºC|oC\b|độ)"), |around, it| {
            let bound = it.name("m").map(|m| m.as_str());
            let signed = |text: &str| match text.strip_prefix(['-', '−']) {
                Some(rest) => format!("âm {}", number(rest, around.dialect)),
                None => number(text, around.dialect),
            };
            let upto = bound.map(|m| format!(" đến {}", signed(m))).unwrap_or_default();
            Some(format!("âm {}{upto} {}", number(&it["n"], around.dialect), unit(&it["u"]).unwrap_or(&it["u"])))
        }),
        (r"(?P<a>\d+)m(?P<b>\d\d|[14-9])".into(), |around, it| {
            let (a, b) = (whole(&it["a"], around.dialect), whole(&it["b"], around.dialect));
            Some(format!("{a} mét {b}"))
        }),
        (format!(r"(?P<a>{N})\s?(?P<ua>%|°C)?{TO}(?P<b>{N})(?:\s?(?P<u>{units}))?(?P<per>(?:/(?:[kc]?m[23²³]|\p{{L}}+))*)"), range),
        (format!(r"(?P<a>{N})(?:\s?[x×]\s?(?P<b>{N}))(?:\s?[x×]\s?(?P<c>{N}))?(?:\s?(?P<u>{units}))?"), |around, it| {
            let parts = ["a", "b", "c"].into_iter().filter_map(|name| it.name(name));
            let parts = parts.map(|part| number(part.as_str(), around.dialect)).collect::<Vec<_>>();
            Some(parts.join(" nhân ") + &measured(it))
        }),
        (r"\d+(?:\.\d{1,2}){2,}".into(), |around, it| {
            let parts = it[0].split('.').map(|part| whole(part, around.dialect));
            Some(parts.collect::<Vec<_>>().join(" chấm "))
        }),
        (format!(r"(?P<a>{N})k\b"), |around, it| {
            Some(format!("{} {}", number(&it["a"], around.dialect), around.dialect.thousand()))
        }),
        (format!(r"\$(?P<a>{N})"), |around, it| Some(format!("{} đô la", number(&it["a"], around.dialect)))),
        (format!(r"(?P<a>{N})\s?(?P<u>{units})(?P<per>(?:/(?:[kc]?m[23²³]|\p{{L}}+))*)"), |around, it| {
            Some(number(&it["a"], around.dialect) + &measured(it))
        }),
        (N.into(), plain),
        // Plates of vehicles: 29A-123.45.
        (r"(?P<a>\d{2}[A-ZĐ]{1,2}\d?)[- ](?P<b>\d{3}\.?\d{2}|\d{4})\b".into(), |_, it| {
            Some(format!("{}, {}", one_by_one(&it["a"]), digits(&it["b"])))
        }),
        (r"(?P<a>QL|TL|ĐT|ĐH|CT)\.?\s?(?P<b>\d+)(?P<c>[A-Z]?)\b".into(), |around, it| {
            let road = match &it["a"] {
                "QL" => "quốc lộ",
                "TL" | "ĐT" => "đường tỉnh",
                "ĐH" => "đường huyện",
                _ => "cao tốc",
            };
            let letter = spelled(&it["c"]);
            Some(format!("{road} {} {letter}", whole(&it["b"], around.dialect)).trim_end().to_owned())
        }),
        (r"[Qq]uý (?P<a>[1-4])".into(), |_, it| Some(format!("quý {}", month(&it["a"])))),
        (r"(?P<a>[Tt]hứ) (?P<b>[1-7])\b".into(), |_, it| {
            let nth = match &it["b"] {
                "1" => "nhất".to_owned(),
                other => month(other),
            };
            Some(format!("{} {nth}", &it["a"]))
        }),
        (r"(?:TP|Tp|tp)\.\s?HCM\b".into(), |_, _| Some("thành phố Hồ Chí Minh".into())),
        (r"[A-ZĐa-zđ]{1,4}\.\s?".into(), shortened),
        (r"[ĐđD]/c\b\s?".into(), |_, _| Some("đồng chí ".into())),
        (r"[Vv]/v\b\s?".into(), |_, _| Some("về việc ".into())),
        (r"v\.v(?:\.{1,3}|…)?".into(), |_, _| Some("vân vân".into())),
        (r"(?P<a>[A-ZĐƯ]{2,})(?P<join>\s?&\s?|[-/])(?P<b>[A-ZĐƯ]{2,})".into(), |around, it| {
            let both = abbreviation(&it[0]).map(str::to_owned);
            both.or_else(|| {
                let join = if it["join"].trim() == "&" { " và " } else { " " };
                let said = |word: &str| capitals(around, word).unwrap_or_else(|| word.to_owned());
                Some(format!("{}{join}{}", said(&it["a"]), said(&it["b"])))
            })
        }),
        (r"[\p{Alphabetic}\p{N}]+".into(), word),
        (r"(?:\.{3,}|…)+".into(), |_, _| Some(". ".into())),
        (r"[\n]+".into(), |_, _| Some(". ".into())),
        (r"[-–—•+*●▪◦→»]+\s+".into(), bullet),
        (r"\s*[–—]\s*|\s-+\s".into(), |around, _| dash(around)),
        (r"/(?P<n>\d+)\s?(?:h|giờ)".into(), |around, it| Some(format!(" trong {} giờ", whole(&it["n"], around.dialect)))),
        (r"/(?P<u>[kc]?m[23²³]|\p{L}+)".into(), |around, it| {
            let counted = ["đồng", "người", "hộ", "lượt", "tấn", "tạ", "kg", "em", "suất", "đ", "lít", "triệu", "nghìn", "tỷ", "con", "cây", "ca"];
            let each = counted.contains(&&*last_word(around.before)) || unit(last_word(around.before).as_str()).is_some();
            each.then(|| format!(" {}", per(&it["u"])))
        }),
        (r"\s?&\s?".into(), |_, _| Some(" và ".into())),
        (r"\s?(?P<op>≥|≤|>=|<=|>|<|=|±|~|≈|\+|×)\s?".into(), |_, it| {
            let said = match &it["op"] {
                "≥" | ">=" => "lớn hơn hoặc bằng",
                "≤" | "<=" => "nhỏ hơn hoặc bằng",
                ">" => "lớn hơn",
                "<" => "nhỏ hơn",
                "=" => "bằng",
                "±" => "cộng trừ",
                "~" | "≈" => "khoảng",
                "+" => "cộng",
                _ => "nhân",
            };
            Some(format!(" {said} "))
        }),
        (r#"[/;:|_()\[\]{}]"#.into(), |_, _| Some(", ".into())),
        (r#"["“”„«»*#^`<>\\]|''"#.into(), |_, _| Some(" ".into())),
        (r"%".into(), |_, _| Some(" phần trăm".into())),
        (r"-".into(), |around, _| {
            let inside = around.before.ends_with(char::is_alphanumeric) && around.after.starts_with(char::is_alphanumeric);
            Some(if inside { " " } else { ", " }.into())
        }),
    ];
    let rule = |(pattern, say): (String, Say)| Rule {
        pattern: Regex::new(&format!(r"\A(?:{pattern})")).expect("it is a constant"),
        say,
    };
    rules.into_iter().map(rule).collect()
});

/// The last word before here, in small letters; empty if something else stands between.
pub(super) fn last_word(before: &str) -> String {
    let before = before.trim_end_matches([' ', ':']);
    let start = before
        .char_indices()
        .rev()
        .take_while(|(_, c)| c.is_alphabetic())
        .last()
        .map_or(before.len(), |it| it.0);
    before[start..].to_lowercase()
}

/// Whether the text before here ends with one of these, whole words.
pub(super) fn follows(before: &str, ends: &[&str]) -> bool {
    let before = before.trim_end_matches([' ', ':', '-', '(']).to_lowercase();
    let whole = |rest: &str| !rest.ends_with(char::is_alphanumeric);
    ends.iter().any(|end| before.strip_suffix(end).is_some_and(whole))
}
