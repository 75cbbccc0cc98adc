//! Secrets that two sides agree on without sending them: X25519 (RFC 7748 §6.1), then HKDF-SHA-256 (RFC 5869).
//!
//! Here: the keys, and the two secrets made with them, of [`crate::claim`] and of [`crate::rotation`]. Not here: who
//! is on the other side: that is proven by the signature or the MAC around the public keys.

use crate::Error;
use crate::key::Secret;
use hkdf::Hkdf;
use sha2::Sha256;
use x25519_dalek::{PublicKey as Point, StaticSecret};

/// What a side shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub [u8; 32]);

/// What a side keeps. Not printed by `Debug`.
#[derive(Clone)]
pub struct PrivateKey(StaticSecret);

impl PrivateKey {
    /// From 32 random bytes, any of which make a key.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self(StaticSecret::from(random))
    }

    /// The bytes that it was made from: to be kept where nobody else reads.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// What to show of it.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(Point::from(&self.0).to_bytes())
    }

    /// The secret that follows `old` as number `epoch`: salt `old`, info string `loa/1 next secret` followed by the epoch (4 bytes,
    /// big-endian). Both sides compute it, each with its own private and the other's public key.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a public key that gives the same to everybody (RFC 7748 §6.1).
    pub fn next_secret(&self, other: &PublicKey, old: &Secret, epoch: u32) -> Result<Secret, Error> {
        self.agree(other, Some(&old.0), &[b"loa/1 next secret", &epoch.to_be_bytes()])
    }

    /// The secret of a device that is enrolled by a claim, computed by the device: no salt, info string `loa/1 claim` followed by
    /// the device's and the server's public keys.
    ///
    /// # Errors
    /// As [`PrivateKey::next_secret`].
    pub fn claimed_secret(&self, server: &PublicKey) -> Result<Secret, Error> {
        let device = self.public();
        self.agree(server, None, &[b"loa/1 claim", &device.0, &server.0])
    }

    /// The same, computed by the server.
    ///
    /// # Errors
    /// As [`PrivateKey::next_secret`].
    pub fn granted_secret(&self, device: &PublicKey) -> Result<Secret, Error> {
        let server = self.public();
        self.agree(device, None, &[b"loa/1 claim", &device.0, &server.0])
    }

    fn agree(&self, other: &PublicKey, salt: Option<&[u8]>, info: &[&[u8]]) -> Result<Secret, Error> {
        let shared = self.0.diffie_hellman(&Point::from(other.0));
        if !shared.was_contributory() {
            return Err(Error::OutOfRange("public key"));
        }
        let mut secret = [0; 32];
        Hkdf::<Sha256>::new(salt, shared.as_bytes())
            .expand_multi_info(info, &mut secret)
            .expect("32 bytes are asked for, HKDF gives 8160");
        Ok(Secret(secret))
    }
}

impl core::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_get_the_same_and_nobody_else_does() {
        let [device, server, stranger] = [1, 2, 3].map(|n| PrivateKey::new([n; 32]));
        let old = Secret([9; 32]);
        let next = device.next_secret(&server.public(), &old, 5).unwrap();
        assert_eq!(server.next_secret(&device.public(), &old, 5).unwrap(), next);
        assert_ne!(server.next_secret(&device.public(), &old, 6).unwrap(), next);
        assert_ne!(server.next_secret(&device.public(), &Secret([8; 32]), 5).unwrap(), next);
        assert_ne!(stranger.next_secret(&device.public(), &old, 5).unwrap(), next);

        let claimed = device.claimed_secret(&server.public()).unwrap();
        assert_eq!(server.granted_secret(&device.public()).unwrap(), claimed);
        assert_ne!(stranger.granted_secret(&device.public()).unwrap(), claimed);
    }

    #[test]
    fn a_point_of_small_order_is_refused() {
        let key = PrivateKey::new([1; 32]);
        let mut one = [0; 32];
        one[0] = 1;
        for point in [[0; 32], one] {
            let refused = Err(Error::OutOfRange("public key"));
            assert_eq!(key.next_secret(&PublicKey(point), &Secret([9; 32]), 1), refused);
            assert_eq!(key.granted_secret(&PublicKey(point)), refused);
        }
        assert_eq!(format!("{key:?}"), "PrivateKey(…)");
    }
}
