//! What a voice says for what is written. Here: Vietnamese as bulletins have it, with numbers, dates, times, units, money,
//! abbreviations and documents written out as words; and the officer's own table, which goes before all of it. Pure: text in,
//! text out. Not here: sound (`super::engine`), where the table is kept (`store`).
//!
//! The text is walked once, from left to right. At each place where a word may begin the first that fits says it: the
//! officer's table, then `rules`, with what they say in
//! `dates`, `amounts`, `names` and the tables of `words`; what nothing fits stays as it is, since a voice knows how to say Vietnamese.

mod amounts;
mod dates;
mod names;
mod numbers;
mod rules;
#[cfg(test)]
mod tests;
mod words;

use unicode_normalization::UnicodeNormalization as _;

/// How numbers are said where usage differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// *một trăm linh năm nghìn*
    #[default]
    North,
    /// *một trăm lẻ năm ngàn*
    South,
}

impl Dialect {
    fn thousand(self) -> &'static str {
        match self {
            Self::North => "nghìn",
            Self::South => "ngàn",
        }
    }

    fn zero_tens(self) -> &'static str {
        match self {
            Self::North => "linh",
            Self::South => "lẻ",
        }
    }
}

/// An officer's own readings: each word or phrase with what is said for it.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Composed (NFC), those with more letters first.
    entries: Vec<(String, String)>,
}

impl Table {
    /// Of two entries for the same word the first holds.
    pub fn new(entries: impl IntoIterator<Item = (String, String)>) -> Self {
        let composed = |(word, reading): (String, String)| (word.nfc().collect(), reading.nfc().collect());
        let mut entries: Vec<(String, String)> = entries.into_iter().map(composed).collect();
        entries.retain(|it| !it.0.is_empty());
        entries.sort_by_key(|it| std::cmp::Reverse(it.0.len()));
        Self { entries }
    }

    /// The entry that `text` begins with, as long as a word ends there. A word in small letters also stands for itself at the
    /// beginning of a sentence; one with capitals only for itself.
    fn at(&self, text: &str) -> Option<(usize, &str)> {
        self.entries.iter().find_map(|(word, reading)| {
            let end = begins(text, word)?;
            let mut after = text[end..].chars();
            let (next, second) = (after.next(), after.next());
            let goes_on = match word.chars().next_back() {
                // 15/7 is not the beginning of 15/7/2026.
                Some('0'..='9') => {
                    next.is_some_and(char::is_alphanumeric)
                        || (matches!(next, Some('/' | '.' | ',' | '-')) && second.is_some_and(|c| c.is_ascii_digit()))
                }
                Some(last) if last.is_alphanumeric() => next.is_some_and(char::is_alphanumeric),
                _ => false,
            };
            (!goes_on).then_some((end, &**reading))
        })
    }
}

/// How far `word` reaches in `text`, if it begins so.
fn begins(text: &str, word: &str) -> Option<usize> {
    let small = !word.chars().any(char::is_uppercase);
    let mut rest = text.char_indices();
    for wanted in word.chars() {
        let (_, found) = rest.next()?;
        let same = found == wanted || (small && found.to_lowercase().eq(std::iter::once(wanted)));
        if !same {
            return None;
        }
    }
    Some(rest.next().map_or(text.len(), |it| it.0))
}

/// What a voice says for `text`: one line.
pub fn read(text: &str, table: &Table, dialect: Dialect) -> String {
    let text: String = text
        .nfc()
        .filter(|c| !matches!(c, '\u{200b}' | '\u{feff}' | '\u{ad}'))
        .collect();
    let text = text
        .replace(['\u{a0}', '\u{202f}', '\u{2009}', '\t'], " ")
        .replace('\r', "\n");
    let (mut said, mut at) = (String::with_capacity(text.len() * 2), 0);
    while let Some(next) = text[at..].chars().next() {
        let (before, rest) = text.split_at(at);
        let begins = !(before.ends_with(char::is_alphanumeric) && next.is_alphanumeric());
        let found = begins
            .then(|| {
                let own = table.at(rest).map(|(end, reading)| (end, reading.to_owned()));
                own.or_else(|| rules::at(before, rest, dialect))
            })
            .flatten();
        match found {
            Some((end, reading)) => {
                // What is written together, such as 12A, is said apart.
                if said.ends_with(char::is_alphanumeric) {
                    said.push(' ');
                }
                said += &reading;
                if reading.ends_with(char::is_alphanumeric) && text[at + end..].starts_with(char::is_alphanumeric) {
                    said.push(' ');
                }
                at += end;
            }
            None => {
                said.push(next);
                at += next.len_utf8();
            }
        }
    }
    tidy(&said)
}

/// One space between words, one mark where several meet, none at the beginning.
fn tidy(said: &str) -> String {
    let mut line = String::with_capacity(said.len());
    for c in said.chars() {
        match c {
            ' ' | '\n' => {
                if !line.is_empty() && !line.ends_with(' ') {
                    line.push(' ');
                }
            }
            ',' | '.' | '!' | '?' => {
                let trimmed = line.trim_end().len();
                line.truncate(trimmed);
                match line.chars().next_back() {
                    None => {}
                    // The stronger pause stays.
                    Some(',') => {
                        line.pop();
                        line.push(c);
                    }
                    Some('.' | '!' | '?') => {}
                    Some(_) => line.push(c),
                }
            }
            _ => {
                if line.ends_with([',', '.', '!', '?']) {
                    line.push(' ');
                }
                line.push(c);
            }
        }
    }
    line.trim_end().to_owned()
}
