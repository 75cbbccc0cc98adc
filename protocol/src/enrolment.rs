//! What a receiver is given once, by cable or in its flash image: who it is, whom it obeys, and where its server is.
//!
//! It changes when the server says so: the signing key by [`crate::succession`], areas and authorities by orders, the secret by
//! [`crate::rotation`]. A receiver stores what is new before it acts on it.
//!
//! In flash: `LOA1`, the length of what follows (two bytes, big-endian), then a CBOR map. Erased flash reads as not
//! enrolled.

use crate::agreement::PublicKey;
use crate::cbor::{self, Field, bytes};
use crate::command::MAX_AUTHORITY;
use crate::key::Secret;
use crate::succession::{FIRST, Trust};
use crate::{AreaId, Error, ReceiverId, VerifyingKey};
use heapless::{String, Vec};
use minicbor::Decoder;

/// Longest host name or address, in bytes (RFC 1035 §2.3.4 allows 253; what a server is called is shorter).
pub const MAX_HOST: usize = 128;
/// Longest certificate, in bytes of DER.
pub const MAX_CERTIFICATE: usize = 1024;
/// Deepest area: how many lie on the path from the root to the receiver's own.
pub const MAX_DEPTH: usize = 8;
/// Longest enrolment, framed, in bytes.
pub const MAX_ENROLMENT: usize = 2560;

const MARK: &[u8; 4] = b"LOA1";
pub(crate) const FRAME: usize = 6;

/// A receiver's enrolment. CBOR keys in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// Who it is. \[1\]
    pub receiver: ReceiverId,
    /// What it shares with its server. \[2\]
    pub secret: Secret,
    /// The key that its server signs commands with. \[3\]
    pub server_key: VerifyingKey,
    /// The areas that it lies in, the root first. \[4\]
    pub areas: Vec<AreaId, MAX_DEPTH>,
    /// Host of the MQTT broker: a name, or an address. \[5\]
    pub mqtt_host: String<MAX_HOST>,
    /// Its TCP port. \[6\]
    pub mqtt_port: u16,
    /// Certificate of the authority that signed the broker's (DER, ECDSA P-256). \[7\]; absent: MQTT without TLS
    pub mqtt_ca: Option<Vec<u8, MAX_CERTIFICATE>>,
    /// Host of the server's media socket. \[8\]
    pub media_host: String<MAX_HOST>,
    /// Its UDP port. \[9\]
    pub media_port: u16,
    /// Number of the signing key. \[11\], absent if [`FIRST`]
    pub key_number: u32,
    /// A newer authority, trusted beside the other. \[12\], absent if there is none
    pub next_ca: Option<Vec<u8, MAX_AUTHORITY>>,
    /// How often the secret was rotated. \[13\], absent if 0
    pub epoch: u32,
    /// The secret is new, and the server may not know it yet. \[14\], absent if it does
    pub unfinished: Option<Unfinished>,
}

/// What a receiver keeps of a rotation until the server has acknowledged the new secret. CBOR keys in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The secret before. \[1\]
    pub secret: Secret,
    /// The server's public key, as ordered. \[2\]
    pub server: PublicKey,
    /// The receiver's. The private one is gone: the secret is made. \[3\]
    pub receiver: PublicKey,
}

impl Enrolment {
    /// Writes it, framed, into `out`; returns its length.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, Error> {
        let (frame, body) = out.split_at_mut_checked(FRAME).ok_or(Error::BufferTooSmall)?;
        let length = cbor::encode(body, |e| {
            let more = [
                self.mqtt_ca.is_some(),
                self.key_number != FIRST,
                self.next_ca.is_some(),
                self.epoch != 0,
                self.unfinished.is_some(),
            ];
            e.map(8 + more.map(u64::from).iter().sum::<u64>())?;
            e.u8(1)?
                .bytes(&self.receiver.0)?
                .u8(2)?
                .bytes(&self.secret.0)?
                .u8(3)?
                .bytes(self.server_key.as_bytes())?;
            e.u8(4)?.array(self.areas.len() as u64)?;
            for area in &self.areas {
                e.bytes(&area.0)?;
            }
            e.u8(5)?.str(&self.mqtt_host)?.u8(6)?.u16(self.mqtt_port)?;
            if let Some(ca) = &self.mqtt_ca {
                e.u8(7)?.bytes(ca)?;
            }
            e.u8(8)?.str(&self.media_host)?.u8(9)?.u16(self.media_port)?;
            if self.key_number != FIRST {
                e.u8(11)?.u32(self.key_number)?;
            }
            if let Some(ca) = &self.next_ca {
                e.u8(12)?.bytes(ca)?;
            }
            if self.epoch != 0 {
                e.u8(13)?.u32(self.epoch)?;
            }
            if let Some(it) = &self.unfinished {
                e.u8(14)?.map(3)?.u8(1)?.bytes(&it.secret.0)?;
                e.u8(2)?.bytes(&it.server.0)?.u8(3)?.bytes(&it.receiver.0)?;
            }
            Ok(())
        })?;
        frame_up(MARK, frame, length)
    }

    /// Reads what stands at the start of `flash`; `None` if it was never written.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(flash: &[u8]) -> Result<Option<Self>, Error> {
        let Some(body) = framed(MARK, flash)? else {
            return Ok(None);
        };
        let (mut receiver, mut secret, mut server_key, mut path) = (None, None, None, Vec::new());
        let (mut mqtt_host, mut mqtt_port, mut mqtt_ca) = (None, None, None);
        let (mut media_host, mut media_port) = (None, None);
        let (mut key_number, mut next_ca, mut epoch, mut unfinished) = (FIRST, None, 0, None);
        cbor::decode(body, |field, d| {
            match field {
                1 => receiver = Some(ReceiverId(bytes(d, "receiver")?)),
                2 => secret = Some(Secret(bytes(d, "secret")?)),
                3 => server_key = Some(verifying_key(d)?),
                4 => path = areas(d)?,
                5 => mqtt_host = Some(host(d)?),
                6 => mqtt_port = Some(d.u16()?),
                7 => mqtt_ca = Some(certificate(d)?),
                8 => media_host = Some(host(d)?),
                9 => media_port = Some(d.u16()?),
                11 => key_number = d.u32()?,
                12 => next_ca = Some(certificate(d)?),
                13 => epoch = d.u32()?,
                14 => unfinished = Some(rest_of_rotation(d)?),
                _ => return Ok(Field::Unknown),
            }
            Ok(Field::Known)
        })?;
        Ok(Some(Self {
            receiver: receiver.ok_or(Error::Missing("receiver"))?,
            secret: secret.ok_or(Error::Missing("secret"))?,
            server_key: server_key.ok_or(Error::Missing("server key"))?,
            areas: path,
            mqtt_host: mqtt_host.ok_or(Error::Missing("MQTT host"))?,
            mqtt_port: mqtt_port.ok_or(Error::Missing("MQTT port"))?,
            mqtt_ca,
            media_host: media_host.ok_or(Error::Missing("media host"))?,
            media_port: media_port.ok_or(Error::Missing("media port"))?,
            key_number,
            next_ca,
            epoch,
            unfinished,
        }))
    }

    /// The signing key that it trusts.
    #[must_use]
    pub fn trust(&self) -> Trust {
        Trust {
            number: self.key_number,
            key: self.server_key,
        }
    }

    /// The newest authority that it trusts.
    #[must_use]
    pub fn newest_ca(&self) -> Option<&[u8]> {
        self.next_ca.as_deref().or(self.mqtt_ca.as_deref())
    }
}

/// What stands in flash after `mark`, cut to its length; `None` if something else does.
pub(crate) fn framed<'f>(mark: &[u8; 4], flash: &'f [u8]) -> Result<Option<&'f [u8]>, Error> {
    let Some((frame, rest)) = flash.split_first_chunk::<FRAME>() else {
        return Ok(None);
    };
    if !frame.starts_with(mark) {
        return Ok(None);
    }
    let length = usize::from(u16::from_be_bytes([frame[4], frame[5]]));
    let body = rest.get(..length).ok_or(Error::Malformed("enrolment: cut short"))?;
    Ok(Some(body))
}

/// Writes mark and length before a body of `length` bytes; returns the length of both.
pub(crate) fn frame_up(mark: &[u8; 4], frame: &mut [u8], length: usize) -> Result<usize, Error> {
    frame[..4].copy_from_slice(mark);
    frame[4..].copy_from_slice(&u16::try_from(length).map_err(|_| Error::BufferTooSmall)?.to_be_bytes());
    Ok(FRAME + length)
}

pub(crate) fn verifying_key(d: &mut Decoder<'_>) -> Result<VerifyingKey, Error> {
    VerifyingKey::from_bytes(&bytes(d, "server key")?).map_err(|_| Error::OutOfRange("server key"))
}

pub(crate) fn areas(d: &mut Decoder<'_>) -> Result<Vec<AreaId, MAX_DEPTH>, Error> {
    let mut path = Vec::new();
    for _ in 0..d.array()?.ok_or(Error::Malformed("areas"))? {
        path.push(AreaId(bytes(d, "area")?))
            .map_err(|_| Error::OutOfRange("areas"))?;
    }
    Ok(path)
}

pub(crate) fn certificate<const N: usize>(d: &mut Decoder<'_>) -> Result<Vec<u8, N>, Error> {
    Vec::from_slice(d.bytes()?).map_err(|_| Error::OutOfRange("certificate"))
}

fn rest_of_rotation(d: &mut Decoder<'_>) -> Result<Unfinished, Error> {
    let (mut secret, mut server, mut receiver) = (None, None, None);
    cbor::map(d, |field, d| {
        match field {
            1 => secret = Some(Secret(bytes(d, "secret")?)),
            2 => server = Some(PublicKey(bytes(d, "public key")?)),
            3 => receiver = Some(PublicKey(bytes(d, "public key")?)),
            _ => return Ok(Field::Unknown),
        }
        Ok(Field::Known)
    })?;
    Ok(Unfinished {
        secret: secret.ok_or(Error::Missing("secret"))?,
        server: server.ok_or(Error::Missing("public key"))?,
        receiver: receiver.ok_or(Error::Missing("public key"))?,
    })
}

pub(crate) fn host(d: &mut Decoder<'_>) -> Result<String<MAX_HOST>, Error> {
    let text = d.str()?;
    match text.is_empty() {
        true => Err(Error::OutOfRange("host")),
        false => String::try_from(text).map_err(|_| Error::OutOfRange("host")),
    }
}
