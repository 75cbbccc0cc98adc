//! The keys of all golden vectors. They are public: nothing but tests may use them.
#![allow(unreachable_pub, reason = "the fuzz targets use it from another crate")]

use loa_protocol::key::Secret;
use loa_protocol::{SigningKey, StreamId};

/// The server's key.
pub fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[0x42; 32])
}

/// The receiver's secret.
pub fn secret() -> Secret {
    Secret(core::array::from_fn(|i| i as u8))
}

/// The stream.
pub const STREAM: StreamId = StreamId([0xC3; 16]);

/// Its synchronisation source.
pub const SSRC: u32 = 0xDECA_FBAD;
