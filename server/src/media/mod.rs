//! Sound: what people upload becomes one kind of programme, once, at upload; what is live becomes packets while it sounds ([`live`]).
//!
//! Here: [`ingest`] (any supported file → 48 kHz mono → Opus packets in an Ogg file that other players open too) and
//! [`Programme`] (such a file, ready to be sent: packet `i` by index). Not here: when and where a programme plays
//! (`playout`), packets on the network (`transmit`), rows in the database.
//!
//! The way through: `decode` (mono at the file's own rate) → `resample` (48 kHz, nothing lost or shifted), once for `survey`
//! (loudness, peak, silence, fingerprint), and once more → `level` (one loudness for all, peaks under a ceiling by `limiter`)
//! → `encode` (Opus in Ogg, RFC 7845), `peaks` (an outline for the eye). All of it streams: memory does not grow with the
//! length of the file. [`compose`] makes one programme of several.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod attempts;
mod compose;
mod decode;
mod downmix;
mod encode;
mod error;
mod ingest;
mod level;
mod limiter;
pub mod live;
mod mp4_edit;
mod not_audio;
mod ogg_opus;
mod pages;
mod peaks;
mod programme;
pub mod relay;
mod resample;
mod sound;
mod survey;
#[cfg(test)]
mod tests;

pub use compose::{ComposeError, Piece, compose};
pub use error::IngestError;
pub use ingest::{Encoding, Format, Ingested, Limits, ingest, sound};
pub use not_audio::{HEAD, not_audio};
pub use pages::{Aired, Pages};
pub use programme::{OpenError, Programme};
pub use sound::Sound;
