//! The words of Loa on the wire: what a server and a receiver say to each other.
//!
//! Here: identifiers, topics, keys, and every message as a value with `encode` and `decode`. Control messages are CBOR
//! maps with integer keys (RFC 8949) in COSE envelopes (RFC 9052); sound is RTP (RFC 3550) in SRTP (RFC 3711, RFC 7714).
//! Not here: sockets, clocks, state, memory allocation. Any byte sequence given to a decoder yields a value or an
//! [`Error`], never a panic. `docs/protocol.md` says the same in prose, for makers of other receivers.
//!
//! From the bottom up: [`id`], [`time`] → [`cbor`] → [`key`], [`agreement`], [`cose`] → [`command`], [`succession`], [`report`],
//! [`rotation`], [`hello`], [`enrolment`] → [`claim`] → [`flash`] on the control side; [`rtp`] → [`srtp`] on the media side; [`precedence`] decides what sounds.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod agreement;
pub mod cbor;
pub mod claim;
pub mod command;
pub mod cose;
pub mod enrolment;
pub mod flash;
pub mod hello;
pub mod id;
pub mod key;
pub mod precedence;
pub mod random;
pub mod report;
pub mod rotation;
pub mod rtp;
pub mod srtp;
pub mod succession;
pub mod time;
pub mod topic;

pub use ed25519_dalek::{Signature, SignatureError, Signer, SigningKey, VerifyingKey};
pub use id::{AreaId, BroadcastId, ClaimId, ReceiverId, StreamId};
pub use time::UnixMicros;

/// Sample rate of all sound and of the RTP clock, in hertz (RFC 7587 §4.1: always 48 000).
pub const SAMPLE_RATE: u32 = 48_000;

/// Longest media datagram that either side sends or accepts, in bytes: fits an Ethernet frame with room for a tunnel.
pub const MAX_DATAGRAM: usize = 1400;

/// Longest control message (command or report) in bytes, envelope included.
pub const MAX_MESSAGE: usize = 768;

/// Why bytes were not accepted, or a value could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The bytes are not what the named thing looks like; nothing was taken from them.
    Malformed(&'static str),
    /// A required field is absent.
    Missing(&'static str),
    /// A field is there, but outside its range.
    OutOfRange(&'static str),
    /// Signature, MAC or authentication tag does not fit: not from who it claims to be from, or changed on the way.
    Unauthentic,
    /// The buffer given cannot hold the message.
    BufferTooSmall,
    /// The key that was to sign it, which may lie in another device, did not.
    Unsigned,
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Error::Malformed(what) => write!(f, "malformed {what}"),
            Error::Missing(what) => write!(f, "{what} is missing"),
            Error::OutOfRange(what) => write!(f, "{what} is out of range"),
            Error::Unauthentic => f.write_str("not authentic"),
            Error::BufferTooSmall => f.write_str("the buffer is too small for the message"),
            Error::Unsigned => f.write_str("the key did not sign"),
        }
    }
}

impl core::error::Error for Error {}
