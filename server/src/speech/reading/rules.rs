//! What is written and not read letter by letter. Here: each kind of thing with its pattern and how it is said, those that
//! are surer first. Not here: how a number becomes words (`numbers`), tables (`words`).

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::Dialect;
use super::numbers::{digits, number, roman, whole};
use super::words::{abbreviation, document, is_capitals, is_word, letter, per, spelled, unit, units};

/// What surrounds a find.
struct Around<'a> {
    before: &'a str,
    after: &'a str,
    dialect: Dialect,
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
    let time = format!(r"(?:(?P<h>{HOUR})(?:\s?[hH](?:(?P<min>{MINUTE})[p']?)?|g(?P<min3>{MINUTE})[p']?)|(?P<h2>{HOUR}):(?P<min2>{MINUTE})(?::(?P<s2>{MINUTE}))?)");
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
fn last_word(before: &str) -> String {
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
fn follows(before: &str, ends: &[&str]) -> bool {
    let before = before.trim_end_matches([' ', ':', '-', '(']).to_lowercase();
    let whole = |rest: &str| !rest.ends_with(char::is_alphanumeric);
    ends.iter().any(|end| before.strip_suffix(end).is_some_and(whole))
}

/// A month, a quarter or a day of the week: the fourth is *tư*.
fn month(text: &str) -> String {
    match text.trim_start_matches('0') {
        "4" => "tư".into(),
        other => whole(other, Dialect::North),
    }
}

fn day_month_year(day: &str, month: &str, year: Option<&str>, named: bool) -> String {
    let day = whole(day.trim_start_matches('0'), Dialect::North);
    let year = year.map(|year| format!(" năm {}", whole(year, Dialect::North)));
    let said = format!("{day} tháng {}{}", self::month(month), year.unwrap_or_default());
    if named { format!("ngày {said}") } else { said }
}

/// Whether a day needs *ngày* before it.
fn unnamed(around: &Around<'_>) -> bool {
    !matches!(&*last_word(around.before), "ngày" | "mùng" | "mồng" | "rằm" | "ngay")
}

fn one_date(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let part = |names: [&str; 3]| names.into_iter().find_map(|name| it.name(name)).map(|it| it.as_str());
    let (day, month, year) = (part(["d", "d2", "d3"])?, part(["m", "m2", "m3"])?, part(["y", "y2", "y3"]));
    if year.is_none() {
        let of_something = around.after.trim_start();
        let parts = [
            "thôn", "xã", "số", "diện tích", "dân số", "tiêu chí", "chỉ tiêu", "hộ", "đại biểu", "phiếu", "thành viên", "tổ", "khu", "ấp", "người",
            "em", "trường", "ca", "phường", "tổng",
        ];
        let fraction = ["chiếm", "đạt", "số", "được", "nhà", "hẻm", "ngõ", "ngách", "kiệt", "số nhà", "tỷ lệ", "tỉ lệ", "bằng"];
        let whole_word = |rest: &str| !rest.starts_with(char::is_alphanumeric);
        if parts.iter().any(|part| of_something.strip_prefix(part).is_some_and(whole_word)) || follows(around.before, &fraction) {
            return None;
        }
        if around.after.starts_with('/') {
            return None;
        }
    }
    Some(day_month_year(day, month, year, unnamed(around)))
}

fn days(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let first = whole(it["a"].trim_start_matches('0'), Dialect::North);
    let year = it.name("y").map(|it| it.as_str());
    let lead = if unnamed(around) { "ngày " } else { "" };
    let (link, named) = match it["to"].trim() {
        "," => (", ", false),
        "và" => (" và ", false),
        _ => (" đến ", true),
    };
    Some(format!("{lead}{first}{link}{}", day_month_year(&it["d"], &it["m"], year, named)))
}

fn clock(dialect: Dialect, hour: &str, minute: Option<&str>) -> String {
    let plain = |text: &str| match text.trim_start_matches('0') {
        "" => "không".to_owned(),
        text => whole(text, dialect),
    };
    match minute {
        None | Some("00") => format!("{} giờ", plain(hour)),
        Some(minute) => format!("{} giờ {} phút", plain(hour), plain(minute)),
    }
}

fn one_time(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    if let Some(hour) = it.name("h") {
        return Some(clock(around.dialect, hour.as_str(), it.name("min").or(it.name("min3")).map(|it| it.as_str())));
    }
    let (hour, minute) = (&it["h2"], &it["min2"]);
    let seconds = it.name("s2").map(|it| format!(" {} giây", whole(it.as_str(), around.dialect)));
    Some(clock(around.dialect, hour, Some(minute)) + &seconds.unwrap_or_default())
}

fn time_range(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let minute = |names: [&str; 2]| names.into_iter().find_map(|name| it.name(name)).map(|it| it.as_str());
    let first = clock(around.dialect, &it["a"], minute(["am", "am2"]));
    let second = clock(around.dialect, &it["b"], minute(["bm", "bm2"]));
    Some(format!("{first} đến {second}"))
}

fn document_number(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let parts: Vec<&str> = it["tail"].split(['-', '/', '.', '&']).collect();
    let known = |part: &str| document(part).is_some() || part.starts_with("QH") || abbreviation(part).is_some();
    if !parts.iter().any(|part| known(part)) || (it.name("y").is_none() && parts.len() < 2 && document(parts[0]).is_none()) {
        return None;
    }
    let before_kind = it.name("kind").map(|kind| kind.as_str());
    if before_kind.is_some_and(|kind| document(kind).is_none()) {
        return None;
    }
    let kind = before_kind.or(Some(parts[0])).and_then(document);
    let mut issuers = parts.iter().skip(usize::from(document(parts[0]).is_some()));
    let issuer = issuers.try_fold(String::new(), |said, part| {
        let one = match part.strip_prefix("QH") {
            Some(term) if !term.is_empty() => format!("Quốc hội khóa {}", whole(term, around.dialect)),
            _ => abbreviation(part).or_else(|| document(part)).map_or_else(|| spelled(part), str::to_owned),
        };
        Some(if said.is_empty() { one } else { format!("{said} {one}") })
    })?;
    let before = around.before.trim_end();
    let (counted, bare) = match before.strip_suffix("số") {
        Some(rest) => (true, rest.trim_end()),
        None => (false, before),
    };
    let said_already = kind.is_none_or(|kind| bare.to_lowercase().ends_with(&kind.to_lowercase()))
        || bare.rsplit(' ').next().and_then(document).is_some();
    let mut said = match (said_already || counted, kind) {
        (false, Some(kind)) => format!("{kind} "),
        _ => String::new(),
    };
    if !counted {
        said += "số ";
    }
    let n = it["n"].trim_end_matches(char::is_alphabetic);
    said += &whole(n, around.dialect);
    if let Some(letter) = it["n"].strip_prefix(n).filter(|it| !it.is_empty()) {
        said += &format!(" {}", spelled(letter));
    }
    if let Some(year) = it.name("y") {
        said += &format!(" năm {}", whole(year.as_str(), around.dialect));
    }
    static OF: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\A,?\s+(?:(?:ký\s+)?ngày\s+[\d/.-]+,?\s+)?của\b").expect("it is a constant"));
    if !issuer.is_empty() && !OF.is_match(around.after) {
        said += &format!(" của {issuer}");
    }
    Some(said)
}

fn telephone(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
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
fn called(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let text = &it[0];
    let numbers = [
        "tổng đài", "đường dây nóng", "hotline", "số điện thoại", "điện thoại", "gọi", "gọi số", "gọi ngay", "gọi ngay số", "số máy", "đầu số", "đt", "sđt",
        "gọi đến", "gọi tới", "gọi tổng đài", "tổng đài số", "mã số", "mã", "số tài khoản", "stk", "cccd", "số cccd", "tài khoản",
    ];
    // Police, fire brigade and ambulance.
    let well_known = matches!(text, "111" | "112" | "113" | "114" | "115")
        && follows(around.before, &["cảnh sát", "công an", "cứu hỏa", "cứu hoả", "cấp cứu", "số", "hoặc", "và", "chữa cháy"])
        && !around.after.trim_start().starts_with(char::is_alphabetic);
    (well_known || follows(around.before, &numbers)).then(|| digits(text))
}

fn fraction(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let parts = it[0].split('/').map(|part| {
        let number = part.trim_end_matches(char::is_alphabetic);
        let letter = &part[number.len()..];
        format!("{} {}", whole(number, around.dialect), spelled(letter)).trim_end().to_owned()
    });
    Some(parts.collect::<Vec<_>>().join(" trên "))
}

/// The unit and what it is counted for.
fn measured(it: &Captures<'_>) -> String {
    let mut said = it.name("u").and_then(|u| unit(u.as_str())).map_or_else(String::new, |u| format!(" {u}"));
    let each = it.name("per").map_or("", |it| it.as_str());
    for part in each.split('/').filter(|it| !it.is_empty()) {
        said += &format!(" {}", per(part));
    }
    said
}

fn range(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
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
    let first_unit = it.name("ua").filter(|ua| it.name("u").is_none_or(|u| u.as_str() != ua.as_str()));
    let first_unit = first_unit.and_then(|it| unit(it.as_str())).map(|it| format!(" {it}")).unwrap_or_default();
    let (a, b) = (number(a, around.dialect), number(b, around.dialect));
    Some(format!("{a}{first_unit}{link}{b}") + &measured(it))
}

fn plain(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let text = &it[0];
    let said = match (&*last_word(around.before), text) {
        ("tháng" | "quý", "4" | "04") => "tư".into(),
        ("thứ", "1") => "nhất".into(),
        ("thứ", "4") => "tư".into(),
        ("tháng" | "ngày" | "mùng" | "mồng", day) if day.len() == 2 && day.starts_with('0') => whole(&day[1..], around.dialect),
        _ => number(text, around.dialect),
    };
    Some(said)
}

/// Letters and digits, each run by itself.
fn one_by_one(text: &str) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let same = |c: char| c.is_ascii_digit() == first.is_ascii_digit();
        let end = rest.find(|c| !same(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        said.push(match first.is_ascii_digit() {
            true if run.len() <= 3 => whole(run, Dialect::North),
            true => digits(run),
            false if run.chars().all(char::is_uppercase) || run.chars().count() == 1 => {
                abbreviation(run).map_or_else(|| spelled(run), str::to_owned)
            }
            false => run.to_owned(),
        });
        rest = after;
    }
    said.join(" ")
}

/// What is said for a word of capital letters, if anything else than itself.
fn capitals(around: &Around<'_>, word: &str) -> Option<String> {
    if !is_capitals(word) {
        return abbreviation(word).map(str::to_owned);
    }
    // In a line of capitals a syllable is a word; among other words it is the abbreviation.
    let shouted = |text: Option<&str>| text.is_some_and(|it| it.chars().count() > 1 && is_capitals(it) && is_word(it));
    let letters = |c: char| !c.is_alphabetic();
    let before = around.before.trim_end().rsplit(letters).next();
    let after = around.after.trim_start().split(letters).next();
    match (is_word(word), shouted(before) || shouted(after)) {
        (true, true) => Some(word.to_lowercase()),
        (true, false) => Some(abbreviation(word).map_or_else(|| word.to_lowercase(), str::to_owned)),
        (false, _) => Some(abbreviation(word).map_or_else(|| spelled(word), str::to_owned)),
    }
}

fn word(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let word = &it[0];
    if let Some(said) = abbreviation(word).filter(|_| !is_capitals(word)) {
        return Some(said.into());
    }
    if let Some(number) = numeral(around, word) {
        return Some(number);
    }
    if word.contains(|c: char| c.is_ascii_digit()) {
        return Some(one_by_one(word));
    }
    if is_capitals(word) {
        return capitals(around, word);
    }
    // One capital consonant alone is a letter: nhóm B, khu C.
    let mut letters = word.chars();
    match (letters.next(), letters.next()) {
        (Some(one), None) if one.is_uppercase() => letter(one).map(str::to_owned),
        _ => Some(word.to_owned()),
    }
}

/// A Roman numeral, where one is to be expected.
fn numeral(around: &Around<'_>, word: &str) -> Option<String> {
    const EXPECTED: &[&str] = &[
        "khoá", "khóa", "thế kỷ", "thế kỉ", "thứ", "quý", "chương", "phần", "điều", "mục", "kỳ", "kì", "đại hội", "loại", "cấp", "hạng", "giai đoạn", "bậc",
        "quân khu", "vùng", "đợt", "học kỳ", "học kì", "phụ lục", "tập", "lần", "mức", "nhóm", "khối", "giải", "kỳ họp", "tuyến", "khu vực", "trung ương",
        "vua", "quốc hội", "khu", "số", "cụm",
    ];
    let value = roman(word)?;
    let sure = word.len() > 1 && word.bytes().all(|c| matches!(c, b'I' | b'V' | b'X'));
    let heads_line = around.before.trim_end_matches(' ').ends_with('\n') || around.before.trim().is_empty();
    let lists = heads_line && around.after.starts_with(['.', ')', '/']) && word.bytes().all(|c| matches!(c, b'I' | b'V' | b'X'));
    if !sure && !lists && !follows(around.before, EXPECTED) {
        return None;
    }
    // L, C, D and M are letters first: khu C.
    if !sure && !lists && !matches!(word, "I" | "V" | "X") && word.len() == 1 {
        return None;
    }
    Some(match (&*last_word(around.before), value) {
        ("thứ", 1) => "nhất".into(),
        ("thứ" | "quý" | "tháng", 4) => "tư".into(),
        _ => whole(&value.to_string(), around.dialect),
    })
}

/// A word cut short with a point: TP., Q., P.
fn shortened(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let next = around.after.chars().next();
    let named = next.is_some_and(|c| c.is_uppercase() || c.is_ascii_digit());
    let said = match it[0].trim_end().trim_end_matches('.') {
        "TP" | "Tp" | "tp" if named => "thành phố",
        "TX" | "Tx" | "tx" if named => "thị xã",
        "TT" | "tt" if named => "thị trấn",
        "Q" if named => "quận",
        "P" if named => "phường",
        "H" if named => "huyện",
        "X" if named => "xã",
        "Đ" if named => "đường",
        "ThS" | "Ths" if named => "thạc sĩ",
        "TS" if named => "tiến sĩ",
        "BS" | "Bs" if named => "bác sĩ",
        "GS" if named => "giáo sư",
        "PGS" if named => "phó giáo sư",
        "KS" if named => "kỹ sư",
        "CN" if named => "cử nhân",
        "Mr" if named => "ông",
        "Ms" | "Mrs" if named => "bà",
        "tr" => "trang",
        "No" if named => "số",
        _ => return None,
    };
    Some(format!("{said} "))
}

/// What begins an item of a list is not said.
fn bullet(around: &Around<'_>, _: &Captures<'_>) -> Option<String> {
    let head = around.before.trim_end_matches(' ');
    (head.is_empty() || head.ends_with('\n')).then(String::new)
}

/// A dash between words is a pause; between days of the week it is *đến*.
fn dash(around: &Around<'_>) -> Option<String> {
    static DAY_BEFORE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?i)(?:thứ (?:\w+)|tháng \w+|năm \d+|ngày \w+|lớp \w+|chủ nhật)\z").expect("it is a constant"));
    static DAY_AFTER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?i)\A(?:thứ (?:\w+)|tháng \w+|năm \d+|ngày \w+|lớp \w+|chủ nhật)").expect("it is a constant"));
    let both = DAY_BEFORE.is_match(around.before.trim_end()) && DAY_AFTER.is_match(around.after);
    Some(if both { " đến " } else { ", " }.into())
}

/// An address of the web or of mail.
fn address(_: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let text = it[0].trim_start_matches("https://").trim_start_matches("http://").trim_start_matches("www.");
    let text = text.trim_end_matches('/');
    let mut said = Vec::new();
    let mut word = String::new();
    let finish = |word: &mut String, said: &mut Vec<String>| {
        if word.is_empty() {
            return;
        }
        let one = std::mem::take(word);
        said.push(match one.to_lowercase().as_str() {
            "vn" => "vi en".into(),
            "com" => "com".into(),
            "gov" => "gốp".into(),
            "edu" => "e đu".into(),
            "org" => "oóc".into(),
            "net" => "nét".into(),
            "gmail" => "gi meo".into(),
            lower if super::words::is_syllable(lower) || lower.len() > 5 => lower.to_owned(),
            lower => spelled(lower),
        });
    };
    for c in text.chars() {
        let mark = match c {
            '.' => "chấm",
            '/' => "gạch chéo",
            '@' => "a còng",
            '-' => "gạch ngang",
            '_' => "gạch dưới",
            '0'..='9' => {
                finish(&mut word, &mut said);
                said.push(digits(&c.to_string()));
                continue;
            }
            _ if c.is_alphabetic() => {
                word.push(c);
                continue;
            }
            _ => "",
        };
        finish(&mut word, &mut said);
        said.extend((!mark.is_empty()).then(|| mark.to_owned()));
    }
    finish(&mut word, &mut said);
    Some(said.join(" "))
}
