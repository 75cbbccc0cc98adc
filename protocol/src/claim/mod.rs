//! How a device that has no identity yet gets one: it shows a code, a person who may approves it, and the server answers. No
//! secret travels and none is shared beforehand: both sides agree on it by [`crate::agreement`].
//!
//! The device is flashed with a [`Configuration`] (which server, and nothing secret), makes a key, shows the [`Code`] of its
//! public key, and sends a [`Request`] until the server sends an [`Answer`]. The code binds the person's approval to the device's key;
//! the signature binds the answer to the server; so the broker and the network can only withhold.

mod answer;
mod code;
mod configuration;

pub use answer::Answer;
pub use code::{Code, QR};
pub use configuration::Configuration;

use crate::agreement::PublicKey;
use crate::cbor::{self, Field, bytes};
use crate::report::{MAX_NAME, name};
use crate::{ClaimId, Error};
use heapless::String;
use sha2::{Digest, Sha256};

/// MQTT user name of every device that asks to be enrolled.
pub const USER: &str = "claim";
/// Its password, which some brokers want there to be: it is no secret.
pub const PASSWORD: &str = "claim";
/// What its MQTT client identifier begins with; the 32 digits of its [`ClaimId`] follow.
pub const CLIENT: &str = "claim-";

/// What a device says that asks to be enrolled. Nobody vouches for it but the code that a person compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The device's key. \[1\]
    pub device: PublicKey,
    /// Version of the firmware. \[2\]
    pub firmware: String<MAX_NAME>,
    /// Kind of board. \[3\]
    pub board: String<MAX_NAME>,
    /// Number of the server's signing key that it trusts: successions from there on have to come before the answer. \[4\]
    pub key_number: u32,
}

impl Request {
    /// Writes it into `out`; returns its length.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, Error> {
        cbor::encode(out, |e| {
            e.map(4)?.u8(1)?.bytes(&self.device.0)?;
            e.u8(2)?.str(&self.firmware)?.u8(3)?.str(&self.board)?;
            e.u8(4)?.u32(self.key_number)?;
            Ok(())
        })
    }

    /// Reads what came as the request of `id`.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] if the key is not that of `id`, otherwise what is wrong with it.
    pub fn decode(id: ClaimId, message: &[u8]) -> Result<Self, Error> {
        let (mut device, mut firmware, mut board, mut key_number) = (None, None, None, None);
        cbor::decode(message, |field, d| {
            match field {
                1 => device = Some(PublicKey(bytes(d, "public key")?)),
                2 => firmware = Some(name(d)?),
                3 => board = Some(name(d)?),
                4 => key_number = Some(d.u32()?),
                _ => return Ok(Field::Unknown),
            }
            Ok(Field::Known)
        })?;
        let device = device.ok_or(Error::Missing("public key"))?;
        if device.claim() != id {
            return Err(Error::Unauthentic);
        }
        Ok(Self {
            device,
            firmware: firmware.ok_or(Error::Missing("firmware"))?,
            board: board.ok_or(Error::Missing("board"))?,
            key_number: key_number.ok_or(Error::Missing("number"))?,
        })
    }
}

impl PublicKey {
    /// Who asks to be enrolled with this key: the first 16 bytes of its SHA-256.
    #[must_use]
    pub fn claim(&self) -> ClaimId {
        let digest: [u8; 32] = Sha256::digest(self.0).into();
        ClaimId(core::array::from_fn(|i| digest[i]))
    }
}

impl ClaimId {
    /// MQTT client identifier: `claim-` and 32 digits.
    #[must_use]
    pub fn client(&self) -> String<38> {
        let digits = self.hex();
        CLIENT
            .chars()
            .chain(digits.iter().map(|digit| char::from(*digit)))
            .collect()
    }

    /// Reads an MQTT client identifier, in the one form that it has.
    #[must_use]
    pub fn from_client(client: &str) -> Option<Self> {
        let id = Self::parse(client.strip_prefix(CLIENT)?)?;
        (id.client() == client).then_some(id)
    }

    /// The code that people compare: of the first 10 bytes.
    #[must_use]
    pub fn code(&self) -> Code {
        Code(core::array::from_fn(|i| self.0[i]))
    }
}
