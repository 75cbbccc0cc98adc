//! Reading columns and judging text. Here: what every table needs of that, once.

use loa_protocol::UnixMicros;
use sqlx::Row as _;
use sqlx::any::AnyRow;
use unicode_normalization::UnicodeNormalization as _;

use super::Error;
use super::error::Invalid;

/// Columns of a row by name.
pub(super) trait Columns {
    fn text(&self, column: &str) -> Result<String, Error>;
    fn maybe_text(&self, column: &str) -> Result<Option<String>, Error>;
    fn number(&self, column: &str) -> Result<u64, Error>;
    fn maybe_number(&self, column: &str) -> Result<Option<u64>, Error>;

    fn instant(&self, column: &str) -> Result<UnixMicros, Error> {
        Ok(UnixMicros(self.number(column)?))
    }

    fn flag(&self, column: &str) -> Result<bool, Error> {
        Ok(self.number(column)? != 0)
    }

    /// An identifier, read by `parse`.
    fn id<T>(&self, column: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Error> {
        parse(&self.text(column)?).ok_or(Error::Corrupt(column))
    }

    fn maybe_id<T>(&self, column: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Error> {
        self.maybe_text(column)?
            .map(|text| parse(&text).ok_or(Error::Corrupt(column)))
            .transpose()
    }
}

impl Columns for AnyRow {
    fn text(&self, column: &str) -> Result<String, Error> {
        Ok(self.try_get(column)?)
    }

    fn maybe_text(&self, column: &str) -> Result<Option<String>, Error> {
        Ok(self.try_get(column)?)
    }

    fn number(&self, column: &str) -> Result<u64, Error> {
        Ok(self.try_get::<i64, _>(column)?.cast_unsigned())
    }

    fn maybe_number(&self, column: &str) -> Result<Option<u64>, Error> {
        Ok(self.try_get::<Option<i64>, _>(column)?.map(i64::cast_unsigned))
    }
}

/// A number as the database keeps it; the largest that it can hold stands for those beyond.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// An instant as the database keeps it.
pub(super) fn micros(at: UnixMicros) -> i64 {
    integer(at.0)
}

/// Text that people wrote: composed (NFC), trimmed, not empty, of at most `most` characters, without control characters.
pub(super) fn written(field: &'static str, text: &str, most: usize) -> Result<String, Error> {
    let text: String = text.trim().nfc().collect();
    if text.is_empty() {
        return Err(Error::invalid(field, Invalid::Empty));
    }
    if text.chars().count() > most {
        return Err(Error::invalid(field, Invalid::Long(most)));
    }
    match text.chars().any(char::is_control) {
        true => {
            let form = Invalid::Form(
                "one line of text without control characters",
                "một dòng chữ, không có ký tự điều khiển",
            );
            Err(Error::invalid(field, form))
        }
        false => Ok(text),
    }
}
