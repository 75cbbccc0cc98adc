//! What a receiver is given once, by cable or in its flash image: who it is, whom it obeys, and where its server is.
//!
//! In flash: `LOA1`, the length of what follows (two bytes, big-endian), then a CBOR map. Erased flash reads as not
//! enrolled.

use crate::cbor::{self, Field, bytes};
use crate::key::Secret;
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
pub const MAX_ENROLMENT: usize = 2048;

const MARK: &[u8; 4] = b"LOA1";
const FRAME: usize = 6;

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
}

impl Enrolment {
    /// Writes it, framed, into `out`; returns its length.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, Error> {
        let (frame, body) = out.split_at_mut_checked(FRAME).ok_or(Error::BufferTooSmall)?;
        let length = cbor::encode(body, |e| {
            e.map(8 + u64::from(self.mqtt_ca.is_some()))?;
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
            Ok(())
        })?;
        frame[..4].copy_from_slice(MARK);
        frame[4..].copy_from_slice(&u16::try_from(length).map_err(|_| Error::BufferTooSmall)?.to_be_bytes());
        Ok(FRAME + length)
    }

    /// Reads what stands at the start of `flash`; `None` if it was never written.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(flash: &[u8]) -> Result<Option<Self>, Error> {
        let Some((frame, rest)) = flash.split_first_chunk::<FRAME>() else {
            return Ok(None);
        };
        if !frame.starts_with(MARK) {
            return Ok(None);
        }
        let length = usize::from(u16::from_be_bytes([frame[4], frame[5]]));
        let body = rest.get(..length).ok_or(Error::Malformed("enrolment: cut short"))?;
        let (mut receiver, mut secret, mut server_key, mut areas) = (None, None, None, Vec::new());
        let (mut mqtt_host, mut mqtt_port, mut mqtt_ca) = (None, None, None);
        let (mut media_host, mut media_port) = (None, None);
        cbor::decode(body, |field, d| {
            match field {
                1 => receiver = Some(ReceiverId(bytes(d, "receiver")?)),
                2 => secret = Some(Secret(bytes(d, "secret")?)),
                3 => {
                    let key = VerifyingKey::from_bytes(&bytes(d, "server key")?);
                    server_key = Some(key.map_err(|_| Error::OutOfRange("server key"))?);
                }
                4 => {
                    for _ in 0..d.array()?.ok_or(Error::Malformed("areas"))? {
                        areas
                            .push(AreaId(bytes(d, "area")?))
                            .map_err(|_| Error::OutOfRange("areas"))?;
                    }
                }
                5 => mqtt_host = Some(host(d)?),
                6 => mqtt_port = Some(d.u16()?),
                7 => mqtt_ca = Some(Vec::from_slice(d.bytes()?).map_err(|_| Error::OutOfRange("certificate"))?),
                8 => media_host = Some(host(d)?),
                9 => media_port = Some(d.u16()?),
                _ => return Ok(Field::Unknown),
            }
            Ok(Field::Known)
        })?;
        Ok(Some(Self {
            receiver: receiver.ok_or(Error::Missing("receiver"))?,
            secret: secret.ok_or(Error::Missing("secret"))?,
            server_key: server_key.ok_or(Error::Missing("server key"))?,
            areas,
            mqtt_host: mqtt_host.ok_or(Error::Missing("MQTT host"))?,
            mqtt_port: mqtt_port.ok_or(Error::Missing("MQTT port"))?,
            mqtt_ca,
            media_host: media_host.ok_or(Error::Missing("media host"))?,
            media_port: media_port.ok_or(Error::Missing("media port"))?,
        }))
    }
}

fn host(d: &mut Decoder<'_>) -> Result<String<MAX_HOST>, Error> {
    let text = d.str()?;
    match text.is_empty() {
        true => Err(Error::OutOfRange("host")),
        false => String::try_from(text).map_err(|_| Error::OutOfRange("host")),
    }
}
