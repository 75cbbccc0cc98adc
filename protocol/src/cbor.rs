//! CBOR maps with integer keys (RFC 8949), as all control messages are: unknown keys are skipped, so that a receiver in
//! the field for ten years understands a server ten years newer.

use crate::Error;
use minicbor::encode::write::Cursor;
use minicbor::{Decoder, Encoder};

/// Writes into a slice that the caller owns.
pub type Writer<'a> = Encoder<Cursor<&'a mut [u8]>>;

/// Runs `write` over `buffer` and returns how many bytes were written.
///
/// # Errors
/// [`Error::BufferTooSmall`] if they do not fit.
pub fn encode(
    buffer: &mut [u8],
    write: impl FnOnce(&mut Writer<'_>) -> Result<(), WriteError>,
) -> Result<usize, Error> {
    let mut encoder = Encoder::new(Cursor::new(buffer));
    write(&mut encoder).map_err(|_| Error::BufferTooSmall)?;
    Ok(encoder.writer().position())
}

/// What writing to a slice can fail with: its end.
pub type WriteError = minicbor::encode::Error<minicbor::encode::write::EndOfSlice>;

impl From<minicbor::decode::Error> for Error {
    fn from(_: minicbor::decode::Error) -> Self {
        Error::Malformed("CBOR")
    }
}

/// Reads the whole of `bytes` as one map: see [`map`].
///
/// # Errors
/// As [`map`], and [`Error::Malformed`] if anything follows the map.
pub fn decode<'b>(
    bytes: &'b [u8],
    field: impl FnMut(u64, &mut Decoder<'b>) -> Result<Field, Error>,
) -> Result<(), Error> {
    let mut decoder = Decoder::new(bytes);
    map(&mut decoder, field)?;
    match decoder.position() == bytes.len() {
        true => Ok(()),
        false => Err(Error::Malformed("CBOR: bytes after the map")),
    }
}

/// Whether a field's value was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The value was read.
    Known,
    /// The key is not known here, nothing was read: the value is to be skipped.
    Unknown,
}

/// Reads a map of definite length with unsigned integer keys and calls `field` for each.
///
/// # Errors
/// [`Error::Malformed`] for anything else, for a value of a type that was not expected, and for keys that do not rise:
/// keys are written in ascending order (RFC 8949 §4.2), so that none can stand twice.
pub fn map<'b>(
    decoder: &mut Decoder<'b>,
    mut field: impl FnMut(u64, &mut Decoder<'b>) -> Result<Field, Error>,
) -> Result<(), Error> {
    let length = decoder
        .map()?
        .ok_or(Error::Malformed("CBOR: map of indefinite length"))?;
    let mut last = None;
    for _ in 0..length {
        let key = decoder.u64()?;
        if last.is_some_and(|last| last >= key) {
            return Err(Error::Malformed("CBOR: keys out of order"));
        }
        last = Some(key);
        if field(key, decoder)? == Field::Unknown {
            decoder.skip()?;
        }
    }
    Ok(())
}

/// Reads a byte string of exactly `N` bytes.
///
/// # Errors
/// [`Error::Malformed`] with `what` for another length or type.
pub fn bytes<const N: usize>(decoder: &mut Decoder<'_>, what: &'static str) -> Result<[u8; N], Error> {
    decoder.bytes()?.try_into().map_err(|_| Error::Malformed(what))
}
