//! Sound: what people upload becomes one kind of programme, once, at upload; what is live becomes packets while it sounds ([`live`]).
//!
//! Here: [`ingest`] (any supported file → 48 kHz mono → Opus packets in an Ogg file that other players open too) and
//! [`Programme`] (such a file, ready to be sent: packet `i` by index). Not here: when and where a programme plays
//! (`playout`), packets on the network (`transmit`), loudness, rows in the database.
//!
//! The way through: `decode` (mono at the file's own rate) → `resample` (48 kHz, nothing lost or shifted) → `encode`
//! (Opus in Ogg, RFC 7845). All of it streams: memory does not grow with the length of the file.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod attempts;
mod decode;
mod downmix;
mod encode;
mod error;
mod ingest;
pub mod live;
mod mp4_edit;
mod not_audio;
mod ogg_opus;
mod programme;
pub mod relay;
mod resample;
mod sound;
#[cfg(test)]
mod tests;

pub use error::IngestError;
pub use ingest::{Encoding, Format, Ingested, Limits, ingest};
pub use not_audio::{HEAD, not_audio};
pub use programme::{OpenError, Programme};
pub use sound::Sound;
