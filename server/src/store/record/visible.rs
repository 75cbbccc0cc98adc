//! Text that others wrote, made harmless. Here: what could fake a line, or the order of the letters in one, is written as
//! an escape; cells that a spreadsheet would take for a formula are marked as text.

use std::borrow::Cow;

/// Whether `c` changes where text goes instead of being text: control characters, line and paragraph separators, and the
/// marks that turn the direction of writing (UAX #9), visible or not.
pub(crate) fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// `text` on one line, as it would stand in a string of Rust: what steers is `\u{…}`, a backslash is two.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| steers(c) || c == '\\') {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\\' => safe.push_str("\\\\"),
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            c if steers(c) => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// `text` as a cell of a CSV file (RFC 4180), quoted, that no spreadsheet takes for a formula: one that begins like one gets
/// an apostrophe before it.
pub fn cell(text: &str) -> String {
    let text = visible(text);
    let formula = text.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']) && text != "-";
    let mark = if formula { "'" } else { "" };
    format!("\"{mark}{}\"", text.replace('"', "\"\""))
}
