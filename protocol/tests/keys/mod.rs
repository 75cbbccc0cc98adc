//! The keys of all golden vectors. They are public: nothing but tests may use them.
#![allow(unreachable_pub, reason = "the fuzz targets use it from another crate")]

use std::sync::LazyLock;

use loa_protocol::agreement::PrivateKey;
use loa_protocol::key::Secret;
use loa_protocol::{SigningKey, StreamId};

/// The server's key.
pub fn signing_key() -> SigningKey {
    static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_bytes(&[0x42; 32]));
    KEY.clone()
}

/// The receiver's secret.
pub fn secret() -> Secret {
    Secret(core::array::from_fn(|i| i as u8))
}

/// The receiver's private key in a rotation, the device's in a claim.
pub fn device_key() -> PrivateKey {
    PrivateKey::new([0xD1; 32])
}

/// The server's private key in both.
pub fn ephemeral_key() -> PrivateKey {
    PrivateKey::new([0x5E; 32])
}

/// The stream.
pub const STREAM: StreamId = StreamId([0xC3; 16]);

/// Its synchronisation source.
pub const SSRC: u32 = 0xDECA_FBAD;
