//! Numbers as words. Here: whole numbers, decimals and digits one by one. Not here: what kind of number it is (`rules`).

use super::Dialect;

const DIGITS: [&str; 10] = ["không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín"];
/// More digits than that are no amount: nobody could follow it.
const AMOUNT: usize = 15;

/// Digits one by one.
pub(super) fn digits(text: &str) -> String {
    let words = text
        .bytes()
        .filter(u8::is_ascii_digit)
        .map(|c| DIGITS[usize::from(c - b'0')]);
    words.collect::<Vec<_>>().join(" ")
}

/// A whole number of decimal digits. With a zero in front, or too long to be an amount, digit by digit.
pub(super) fn whole(text: &str, dialect: Dialect) -> String {
    if text.len() > AMOUNT || (text.len() > 1 && text.starts_with('0')) {
        return digits(text);
    }
    match text.parse() {
        Ok(0) | Err(_) => DIGITS[0].into(),
        Ok(number) => {
            let mut words = Vec::new();
            amount(number, false, dialect, &mut words);
            words.join(" ")
        }
    }
}

/// A number as it is written in Vietnamese: points between thousands, a comma before the decimals.
pub(super) fn number(text: &str, dialect: Dialect) -> String {
    let (before, after) = match text.split_once(',') {
        // As in English, which accountants write.
        Some((_, after)) if after.contains(',') => return whole(&text.replace(',', ""), dialect),
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    };
    let groups = before.contains('.') && before.split('.').skip(1).all(|group| group.len() == 3);
    let mut said = match groups {
        true => whole(&before.replace('.', ""), dialect),
        false => {
            let parts = before.split('.').map(|part| whole(part, dialect));
            parts.collect::<Vec<_>>().join(" chấm ")
        }
    };
    if let Some(after) = after {
        let decimals = match after.len() {
            1 | 2 => whole(after, dialect),
            _ => digits(after),
        };
        said = format!("{said} phẩy {decimals}");
    }
    said
}

/// `inside`: something larger stands before it, so that every place is named.
fn amount(number: u64, inside: bool, dialect: Dialect, words: &mut Vec<&'static str>) {
    const BILLION: u64 = 1_000_000_000;
    let mut inside = inside;
    if number >= BILLION {
        amount(number / BILLION, inside, dialect, words);
        words.push("tỷ");
        inside = true;
    }
    let scales = [(1_000_000, "triệu"), (1_000, dialect.thousand()), (1, "")];
    for (scale, name) in scales {
        let group = number % BILLION / scale % 1_000;
        if group == 0 {
            continue;
        }
        below_thousand(group as usize, inside, dialect, words);
        words.extend((!name.is_empty()).then_some(name));
        inside = true;
    }
}

fn below_thousand(number: usize, inside: bool, dialect: Dialect, words: &mut Vec<&'static str>) {
    let (hundreds, tens, ones) = (number / 100, number / 10 % 10, number % 10);
    let named = hundreds > 0 || inside;
    if named {
        words.extend([DIGITS[hundreds], "trăm"]);
    }
    match tens {
        0 if named && ones > 0 => words.push(dialect.zero_tens()),
        0 => {}
        1 => words.push("mười"),
        _ => words.extend([DIGITS[tens], "mươi"]),
    }
    match (tens, ones) {
        (_, 0) => {}
        (2.., 1) => words.push("mốt"),
        (2.., 4) => words.push("tư"),
        (1.., 5) => words.push("lăm"),
        _ => words.push(DIGITS[ones]),
    }
}

/// A Roman numeral of capital letters, written the one right way.
pub(super) fn roman(text: &str) -> Option<u64> {
    const VALUES: [(u64, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let (mut rest, mut value) = (text, 0);
    for (worth, letters) in VALUES {
        let most = if letters.len() == 1 && matches!(letters, "M" | "C" | "X" | "I") {
            3
        } else {
            1
        };
        for _ in 0..most {
            if let Some(shorter) = rest.strip_prefix(letters) {
                (rest, value) = (shorter, value + worth);
            }
        }
    }
    (rest.is_empty() && value > 0).then_some(value)
}
