//! Words that are not read as they are written. Here: abbreviations, units, the names of letters, and which words of capital letters
//! are words all the same. Not here: numbers, what the officer's own table says (`super`).

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

fn table(text: &'static str) -> HashMap<&'static str, &'static str> {
    let rows = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    rows.map(|line| line.split_once('\t').expect("two columns")).collect()
}

/// What an abbreviation stands for.
pub(super) fn abbreviation(word: &str) -> Option<&'static str> {
    static TABLE: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| table(include_str!("abbreviations.tsv")));
    TABLE.get(word).copied()
}

/// What a kind of document's abbreviation stands for.
pub(super) fn document(word: &str) -> Option<&'static str> {
    Some(match word {
        "BB" => "Biên bản",
        "BC" => "Báo cáo",
        "CĐ" => "Công điện",
        "CT" => "Chỉ thị",
        "CTr" => "Chương trình",
        "CV" => "Công văn",
        "ĐA" => "Đề án",
        "GM" => "Giấy mời",
        "GP" => "Giấy phép",
        "HD" => "Hướng dẫn",
        "KH" => "Kế hoạch",
        "KL" => "Kết luận",
        "L" => "Luật",
        "NĐ" => "Nghị định",
        "NQ" => "Nghị quyết",
        "PA" => "Phương án",
        "PL" => "Pháp lệnh",
        "QC" => "Quy chế",
        "QĐ" => "Quyết định",
        "QyĐ" | "QyĐi" => "Quy định",
        "TB" => "Thông báo",
        "TT" => "Thông tư",
        "TTLT" => "Thông tư liên tịch",
        "TTr" => "Tờ trình",
        "VBHN" => "Văn bản hợp nhất",
        _ => return None,
    })
}

/// Units, as they are written behind a number, and how they are said. Those with more letters come first.
const UNITS: &[(&str, &str)] = &[
    ("km²", "ki lô mét vuông"),
    ("km³", "ki lô mét khối"),
    ("km2", "ki lô mét vuông"),
    ("km3", "ki lô mét khối"),
    ("cm²", "xăng ti mét vuông"),
    ("cm³", "xăng ti mét khối"),
    ("cm2", "xăng ti mét vuông"),
    ("cm3", "xăng ti mét khối"),
    ("mm²", "mi li mét vuông"),
    ("m²", "mét vuông"),
    ("m³", "mét khối"),
    ("m2", "mét vuông"),
    ("m3", "mét khối"),
    ("kWh", "ki lô oát giờ"),
    ("MWh", "mê ga oát giờ"),
    ("kWp", "ki lô oát pích"),
    ("kVA", "ki lô vôn am pe"),
    ("kHz", "ki lô héc"),
    ("MHz", "mê ga héc"),
    ("GHz", "gi ga héc"),
    ("µg/m³", "mi crô gam trên mét khối"),
    ("Mbps", "mê ga bít một giây"),
    ("kW", "ki lô oát"),
    ("KW", "ki lô oát"),
    ("MW", "mê ga oát"),
    ("kV", "ki lô vôn"),
    ("KV", "ki lô vôn"),
    ("Hz", "héc"),
    ("km", "ki lô mét"),
    ("Km", "ki lô mét"),
    ("kg", "ki lô gam"),
    ("Kg", "ki lô gam"),
    ("mg", "mi li gam"),
    ("µg", "mi crô gam"),
    ("ml", "mi li lít"),
    ("mm", "mi li mét"),
    ("cm", "xăng ti mét"),
    ("dm", "đề xi mét"),
    ("ha", "héc ta"),
    ("GB", "gi ga bai"),
    ("MB", "mê ga bai"),
    ("TB", "tê ra bai"),
    ("dB", "đề xi ben"),
    ("°C", "độ xê"),
    ("ºC", "độ xê"),
    ("oC", "độ xê"),
    ("°F", "độ ép"),
    ("°", "độ"),
    ("%", "phần trăm"),
    ("‰", "phần nghìn"),
    ("vnđ", "đồng"),
    ("VNĐ", "đồng"),
    ("VND", "đồng"),
    ("vnd", "đồng"),
    ("USD", "đô la Mỹ"),
    ("EUR", "ơ rô"),
    ("euro", "ơ rô"),
    ("$", "đô la"),
    ("€", "ơ rô"),
    ("₫", "đồng"),
    ("trđ", "triệu đồng"),
    ("tr.đ", "triệu đồng"),
    ("tr", "triệu"),
    ("đ", "đồng"),
    ("m", "mét"),
    ("g", "gam"),
    ("l", "lít"),
    ("L", "lít"),
    ("W", "oát"),
    ("V", "vôn"),
    ("s", "giây"),
    ("h", "giờ"),
];

/// How a unit is said.
pub(super) fn unit(text: &str) -> Option<&'static str> {
    UNITS.iter().find(|it| it.0 == text).map(|it| it.1)
}

/// A pattern of all units.
pub(super) fn units() -> String {
    let one = |it: &(&str, &str)| {
        let end = if it.0.ends_with(|c: char| c.is_alphanumeric() && !"²³".contains(c)) {
            r"\b"
        } else {
            ""
        };
        format!("{}{end}", regex::escape(it.0))
    };
    UNITS.iter().map(one).collect::<Vec<_>>().join("|")
}

/// What "so much of this for each of that" sounds like: `km/h`, `đồng/người/tháng`.
pub(super) fn per(unit: &str) -> String {
    const COUNTED: &[&str] = &[
        "h", "giờ", "ngày", "tuần", "tháng", "quý", "năm", "đêm", "phút", "buổi", "vụ", "người", "hộ", "khẩu", "suất",
        "lượt", "lần", "ha", "sào", "mẫu", "kg", "tạ", "tấn", "lít", "con", "cây", "bao", "em", "cháu", "học", "đoàn",
        "thôn", "xã", "gia", "phiếu", "chiếc", "cái", "cặp", "ca", "liều", "m2", "m²", "km2", "km²", "kWh", "số", "hồ",
    ];
    let said = self::unit(unit).unwrap_or(unit);
    let link = if COUNTED.contains(&unit) { "một" } else { "trên" };
    format!("{link} {said}")
}

/// A letter's name.
pub(super) fn letter(letter: char) -> Option<&'static str> {
    Some(match letter.to_lowercase().next()? {
        'a' => "a",
        'ă' => "á",
        'â' => "ớ",
        'b' => "bê",
        'c' => "xê",
        'd' | 'đ' => "đê",
        'e' => "e",
        'ê' => "ê",
        'f' => "ép",
        'g' => "giê",
        'h' => "hát",
        'i' => "i",
        'j' => "gi",
        'k' => "ca",
        'l' => "lờ",
        'm' => "mờ",
        'n' => "nờ",
        'o' => "o",
        'ô' => "ô",
        'ơ' => "ơ",
        'p' => "pê",
        'q' => "quy",
        'r' => "rờ",
        's' => "ét",
        't' => "tê",
        'u' => "u",
        'ư' => "ư",
        'v' => "vê",
        'w' => "vê kép",
        'x' => "ích",
        'y' => "i dài",
        'z' => "dét",
        _ => return None,
    })
}

/// Letters one by one.
pub(super) fn spelled(text: &str) -> String {
    text.chars().filter_map(letter).collect::<Vec<_>>().join(" ")
}

/// Whether it has two letters at least, all capitals.
pub(super) fn is_capitals(word: &str) -> bool {
    word.chars().count() > 1 && word.chars().all(char::is_uppercase)
}

/// Whether a word without tone marks could be a syllable of Vietnamese.
pub(super) fn is_syllable(word: &str) -> bool {
    static SYLLABLE: LazyLock<Regex> = LazyLock::new(|| {
        let onset = "ngh|ng|nh|n|gh|gi|g|kh|k|ch|c|ph|p|qu|th|tr|t|b|d|đ|h|l|m|r|s|v|x";
        let nucleus = "uoi|uou|uye|uya|oai|oay|oeo|ieu|yeu|uay|ai|ao|au|ay|eo|eu|ia|ie|iu|oa|oe|oi|oo|ua|ue|ui|uo|uu|uy|ye|a|e|i|o|u|y";
        Regex::new(&format!("^(?i:{onset})?(?i:{nucleus})(?i:ch|ng|nh|c|m|n|p|t)?$")).expect("it is a constant")
    });
    SYLLABLE.is_match(word)
}

/// Whether it is read as a word though all its letters are capitals: `THÔNG BÁO`.
pub(super) fn is_word(word: &str) -> bool {
    let marked = |c: char| !c.is_ascii() && !matches!(c, 'Đ' | 'đ');
    word.chars().any(marked) || is_syllable(word)
}
