//! What names something: documents, abbreviations, codes, Roman numerals, addresses; and what stands between words. Not here:
//! patterns (`rules`), tables (`words`).

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::Dialect;
use super::numbers::{digits, roman, whole};
use super::rules::{Around, follows, last_word};
use super::words::{abbreviation, document, is_capitals, is_syllable, is_word, letter, spelled};

pub(super) fn document_number(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let parts: Vec<&str> = it["tail"].split(['-', '/', '.', '&']).collect();
    let known = |part: &str| document(part).is_some() || part.starts_with("QH") || abbreviation(part).is_some();
    if !parts.iter().any(|part| known(part))
        || (it.name("y").is_none() && parts.len() < 2 && document(parts[0]).is_none())
    {
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
            _ => abbreviation(part)
                .or_else(|| document(part))
                .map_or_else(|| spelled(part), str::to_owned),
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

/// Letters and digits, each run by itself.
pub(super) fn one_by_one(text: &str) -> String {
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
pub(super) fn capitals(around: &Around<'_>, word: &str) -> Option<String> {
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

pub(super) fn word(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
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
    let measures = around.before.trim_end().ends_with(char::is_alphanumeric)
        && around.after.trim_start().starts_with(|c: char| c.is_ascii_digit());
    if word == "x" && measures {
        return Some("nhân".into());
    }
    // One capital consonant alone is a letter: nhóm B, khu C.
    let mut letters = word.chars();
    match (letters.next(), letters.next()) {
        (Some(one), None) if one.is_uppercase() => letter(one).map(str::to_owned),
        _ => Some(word.to_owned()),
    }
}

/// A Roman numeral, where one is to be expected.
pub(super) fn numeral(around: &Around<'_>, word: &str) -> Option<String> {
    const EXPECTED: &[&str] = &[
        "khoá",
        "khóa",
        "thế kỷ",
        "thế kỉ",
        "thứ",
        "quý",
        "chương",
        "phần",
        "điều",
        "mục",
        "kỳ",
        "kì",
        "đại hội",
        "loại",
        "cấp",
        "hạng",
        "giai đoạn",
        "bậc",
        "quân khu",
        "vùng",
        "đợt",
        "học kỳ",
        "học kì",
        "phụ lục",
        "tập",
        "lần",
        "mức",
        "nhóm",
        "khối",
        "giải",
        "kỳ họp",
        "tuyến",
        "khu vực",
        "trung ương",
        "vua",
        "quốc hội",
        "khu",
        "số",
        "cụm",
    ];
    let value = roman(word)?;
    let sure = word.len() > 1 && word.bytes().all(|c| matches!(c, b'I' | b'V' | b'X'));
    let heads_line = around.before.trim_end_matches(' ').ends_with('\n') || around.before.trim().is_empty();
    let lists = heads_line
        && around.after.starts_with(['.', ')', '/'])
        && word.bytes().all(|c| matches!(c, b'I' | b'V' | b'X'));
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
pub(super) fn shortened(around: &Around<'_>, it: &Captures<'_>) -> Option<String> {
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
pub(super) fn bullet(around: &Around<'_>, _: &Captures<'_>) -> Option<String> {
    let head = around.before.trim_end_matches(' ');
    (head.is_empty() || head.ends_with('\n')).then(String::new)
}

/// A dash between words is a pause; between days of the week it is *đến*.
pub(super) fn dash(around: &Around<'_>) -> Option<String> {
    static DAY_BEFORE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)(?:thứ (?:\w+)|tháng \w+|năm \d+|ngày \w+|lớp \w+|chủ nhật)\z").expect("it is a constant")
    });
    static DAY_AFTER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\A(?:thứ (?:\w+)|tháng \w+|năm \d+|ngày \w+|lớp \w+|chủ nhật)").expect("it is a constant")
    });
    let both = DAY_BEFORE.is_match(around.before.trim_end()) && DAY_AFTER.is_match(around.after);
    Some(if both { " đến " } else { ", " }.into())
}

/// An address of the web or of mail.
pub(super) fn address(_: &Around<'_>, it: &Captures<'_>) -> Option<String> {
    let text = it[0]
        .trim_start_matches("https://")
        .trim_start_matches("http://")
        .trim_start_matches("www.");
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
            lower if is_syllable(lower) || lower.len() > 5 => lower.to_owned(),
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
