//! Keys: everything that a receiver needs, derived from the one secret that it was enrolled with.
//!
//! HKDF-SHA-256 (RFC 5869) without salt; the info string names the use, so that no key serves two.

use crate::{StreamId, id};
use hkdf::Hkdf;
use sha2::Sha256;

/// The 32 random bytes that a receiver shares with its server and with nobody else. Not printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub [u8; 32]);

/// Master key and salt of a stream for one receiver (RFC 7714 §12: AEAD_AES_128_GCM, 128 and 96 bits).
#[derive(Clone, PartialEq, Eq)]
pub struct SrtpMaster {
    /// The master key.
    pub key: [u8; 16],
    /// The master salt.
    pub salt: [u8; 12],
}

impl Secret {
    /// Password for the MQTT broker: 64 hexadecimal digits. Info string `loa/1 mqtt password`.
    pub fn mqtt_password(&self) -> [u8; 64] {
        id::hex(&self.derive::<32>(&[b"loa/1 mqtt password"]))
    }

    /// Key that authenticates hello and answer. Info string `loa/1 hello`.
    pub fn hello_key(&self) -> [u8; 32] {
        self.derive(&[b"loa/1 hello"])
    }

    /// Key that authenticates telemetry and receipts. Info string `loa/1 report`.
    pub fn report_key(&self) -> [u8; 32] {
        self.derive(&[b"loa/1 report"])
    }

    /// Master key and salt of `stream`. Info string `loa/1 srtp` followed by the stream's 16 bytes; 28 bytes are
    /// derived, the key first.
    pub fn srtp(&self, stream: StreamId) -> SrtpMaster {
        let okm: [u8; 28] = self.derive(&[b"loa/1 srtp", &stream.0]);
        let mut master = SrtpMaster {
            key: [0; 16],
            salt: [0; 12],
        };
        master.key.copy_from_slice(&okm[..16]);
        master.salt.copy_from_slice(&okm[16..]);
        master
    }

    pub(crate) fn derive<const N: usize>(&self, info: &[&[u8]]) -> [u8; N] {
        let mut okm = [0; N];
        Hkdf::<Sha256>::new(None, &self.0)
            .expand_multi_info(info, &mut okm)
            .expect("at most 64 bytes are asked for, HKDF gives 8160");
        okm
    }
}

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl core::fmt::Debug for SrtpMaster {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SrtpMaster(…)")
    }
}
