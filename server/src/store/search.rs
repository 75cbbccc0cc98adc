//! Finding Vietnamese text. Here: what text is searched by, and what a query looks for in it. Words match in any order and in
//! part; a word without marks matches all that it may stand for (`tiem` finds `tiêm` and `tiếm`), one with marks what has
//! them, wherever its tone is written (`hoà`, `hòa`). Not here: SQL.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Words of a query that are looked at; more make nothing clearer.
const WORDS: usize = 8;
/// The five tones: grave, acute, tilde, hook, dot below.
const TONES: [char; 5] = ['\u{300}', '\u{301}', '\u{303}', '\u{309}', '\u{323}'];

/// What `text` is searched by: as it is, with its tones moved, and without marks.
pub(super) fn index(text: &str) -> String {
    let text = lower(text);
    let moved: Vec<String> = text.split_whitespace().map(tone_last).collect();
    format!("{text}\n{}\n{}", moved.join(" "), bare(&text))
}

/// Patterns for `LIKE … ESCAPE '\'`: of each pair one has to match.
pub(super) fn patterns(query: &str) -> Vec<[String; 2]> {
    let query = lower(query);
    let words = query.split_whitespace().take(WORDS);
    let other = |word: &str| match word.nfd().any(is_combining_mark) {
        true => tone_last(word),
        false => bare(word),
    };
    words.map(|word| [within(word), within(&other(word))]).collect()
}

/// A pattern for text that has `part` in it.
pub(super) fn within(part: &str) -> String {
    let mut pattern = String::from("%");
    for c in part.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

fn lower(text: &str) -> String {
    text.nfc().collect::<String>().to_lowercase()
}

/// Without marks, `đ` as `d`.
fn bare(text: &str) -> String {
    let letters = text.nfd().filter(|c| !is_combining_mark(*c));
    letters.map(|c| if c == 'đ' { 'd' } else { c }).collect()
}

/// A word with its tone behind it: people write it on either vowel.
fn tone_last(word: &str) -> String {
    let (tones, letters): (Vec<char>, Vec<char>) = word.nfd().partition(|c| TONES.contains(c));
    letters.into_iter().chain(tones).nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the database would.
    fn finds(query: &str, text: &str) -> bool {
        let index = index(text);
        let one = |pattern: &String| index.contains(pattern.trim_matches('%'));
        patterns(query).iter().all(|pair| pair.iter().any(one))
    }

    #[test]
    fn with_marks_without_them_and_in_either_form() {
        let title = "Lịch TIÊM CHỦNG ở trạm y tế Đồng Hoà, Thuỷ Nguyên";
        for query in [
            "tiêm chủng",
            "tiem chung",
            "CHUNG tiem",
            "tie",
            "tiê",
            "chủ",
            "đồng hoà",
            "đồng hòa",
            "dong hoa",
            "Đong",
            "thủy nguyên",
            "thuỷ",
            "tie\u{302}m chu\u{309}ng",
            "",
            "  ",
        ] {
            assert!(finds(query, title), "{query}");
        }
        for query in ["tiếm", "chúng", "tiêm phòng", "đống", "hoả", "100%", "_"] {
            assert!(!finds(query, title), "{query}");
        }
        // What was typed without marks is found with none only.
        assert!(finds("lu quet", "lu quet") && !finds("lũ quét", "lu quet"));
    }

    #[test]
    fn what_means_something_to_the_database_is_escaped() {
        assert_eq!(
            patterns("50%_\\"),
            [["%50\\%\\_\\\\%", "%50\\%\\_\\\\%"].map(String::from)]
        );
        assert_eq!(patterns(&"a ".repeat(100)).len(), WORDS);
    }
}
