//! A receiver's half of a new secret: the report that answers an order to rotate, in a `COSE_Mac0` under the report key of the
//! secret *before*.
//!
//! The server orders ([`Rotate`](crate::command::Rotate)) with a public key made for it; the receiver makes one of its own,
//! computes the new secret ([`PrivateKey::next_secret`](crate::agreement::PrivateKey::next_secret)), stores it beside the old
//! one, and sends this, again and again, until hello is answered under the new one. The server takes words under either until
//! it has taken a report under the new one. What is stored where is in `docs/protocol.md`.

use crate::agreement::PublicKey;
use crate::cbor::{self, Field, bytes};
use crate::report::{Required, Serial, seal};
use crate::{Error, UnixMicros, cose};

const CONTEXT: &[u8] = b"loa/1 rotation";

/// The report. CBOR keys in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// Which report this is. \[1, 2\]
    pub serial: Serial,
    /// When it was made, by the receiver's clock. \[3\]
    pub at: UnixMicros,
    /// The epoch that was ordered. \[4\]
    pub epoch: u32,
    /// The receiver's public key. \[5\]
    pub receiver: PublicKey,
    /// The server's, as it was in the order that this answers. \[6\]
    pub server: PublicKey,
}

impl Rotation {
    /// Writes the report into `out`, authenticated by `key`, the report key of the secret before; returns its length.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn seal(&self, key: &[u8; 32], out: &mut [u8]) -> Result<usize, Error> {
        seal(key, CONTEXT, out, |e| {
            e.map(6)?.u8(1)?.u64(self.serial.boot)?.u8(2)?.u64(self.serial.number)?;
            e.u8(3)?.u64(self.at.0)?.u8(4)?.u32(self.epoch)?;
            e.u8(5)?.bytes(&self.receiver.0)?.u8(6)?.bytes(&self.server.0)?;
            Ok(())
        })
    }

    /// Opens a report; its serial, and whether it answers an order that was given, are for the caller to check.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] if it is not from who has `key`, otherwise what is wrong with it.
    pub fn open(key: &[u8; 32], message: &[u8]) -> Result<Self, Error> {
        let (mut at, mut epoch, mut receiver, mut server) = (None, None, None, None);
        let (mut it, mut serial) = (Serial::default(), Required::default());
        cbor::decode(cose::verify0(key, CONTEXT, message)?, |field, d| {
            match field {
                1 => it.boot = serial.boot(d)?,
                2 => it.number = serial.number(d)?,
                3 => at = Some(UnixMicros(d.u64()?)),
                4 => epoch = Some(d.u32()?),
                5 => receiver = Some(PublicKey(bytes(d, "public key")?)),
                6 => server = Some(PublicKey(bytes(d, "public key")?)),
                _ => return Ok(Field::Unknown),
            }
            Ok(Field::Known)
        })?;
        serial.check()?;
        Ok(Self {
            serial: it,
            at: at.ok_or(Error::Missing("time"))?,
            epoch: epoch.ok_or(Error::Missing("epoch"))?,
            receiver: receiver.ok_or(Error::Missing("public key"))?,
            server: server.ok_or(Error::Missing("public key"))?,
        })
    }
}
