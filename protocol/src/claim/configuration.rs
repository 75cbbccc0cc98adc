//! What a device is flashed with that has no identity yet: which server to ask, and how to know it. The same for all devices
//! of a server, until the device adds its key.
//!
//! In flash: `LOA0`, the length of what follows (two bytes, big-endian), then a CBOR map with the keys of an
//! [`Enrolment`](crate::enrolment::Enrolment).

use crate::Error;
use crate::VerifyingKey;
use crate::agreement::PrivateKey;
use crate::cbor::{self, Field, bytes};
use crate::command::MAX_AUTHORITY;
use crate::enrolment::{FRAME, MAX_CERTIFICATE, MAX_HOST, certificate, frame_up, framed, host, verifying_key};
use crate::succession::{FIRST, Trust};
use heapless::{String, Vec};

const MARK: &[u8; 4] = b"LOA0";

/// A claim configuration. CBOR keys in brackets.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// The device's own key, written by itself at its first boot, or beforehand so that its code can be printed on it. \[2\], absent
    /// if there is none yet
    pub device: Option<PrivateKey>,
    /// The key that the server signs with. \[3\]
    pub server_key: VerifyingKey,
    /// Host of the MQTT broker: a name, or an address. \[5\]
    pub mqtt_host: String<MAX_HOST>,
    /// Its TCP port. \[6\]
    pub mqtt_port: u16,
    /// Certificate of the authority that signed the broker's (DER, ECDSA P-256). \[7\]; absent: MQTT without TLS
    pub mqtt_ca: Option<Vec<u8, MAX_CERTIFICATE>>,
    /// Number of the signing key. \[11\], absent if [`FIRST`]
    pub key_number: u32,
    /// A newer authority, trusted beside the other. \[12\], absent if there is none
    pub next_ca: Option<Vec<u8, MAX_AUTHORITY>>,
}

impl PartialEq for Configuration {
    fn eq(&self, other: &Self) -> bool {
        let bytes = |it: &Self| it.device.as_ref().map(PrivateKey::to_bytes);
        bytes(self) == bytes(other)
            && self.trust() == other.trust()
            && (&self.mqtt_host, self.mqtt_port) == (&other.mqtt_host, other.mqtt_port)
            && (&self.mqtt_ca, &self.next_ca) == (&other.mqtt_ca, &other.next_ca)
    }
}

impl Configuration {
    /// Writes it, framed, into `out`; returns its length, at most [`MAX_ENROLMENT`](crate::enrolment::MAX_ENROLMENT).
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, Error> {
        let (frame, body) = out.split_at_mut_checked(FRAME).ok_or(Error::BufferTooSmall)?;
        let length = cbor::encode(body, |e| {
            let more = [
                self.device.is_some(),
                self.mqtt_ca.is_some(),
                self.key_number != FIRST,
                self.next_ca.is_some(),
            ];
            e.map(3 + more.map(u64::from).iter().sum::<u64>())?;
            if let Some(device) = &self.device {
                e.u8(2)?.bytes(&device.to_bytes())?;
            }
            e.u8(3)?.bytes(self.server_key.as_bytes())?;
            e.u8(5)?.str(&self.mqtt_host)?.u8(6)?.u16(self.mqtt_port)?;
            if let Some(ca) = &self.mqtt_ca {
                e.u8(7)?.bytes(ca)?;
            }
            if self.key_number != FIRST {
                e.u8(11)?.u32(self.key_number)?;
            }
            if let Some(ca) = &self.next_ca {
                e.u8(12)?.bytes(ca)?;
            }
            Ok(())
        })?;
        frame_up(MARK, frame, length)
    }

    /// Reads what stands at the start of `flash`; `None` if something else does.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(flash: &[u8]) -> Result<Option<Self>, Error> {
        let Some(body) = framed(MARK, flash)? else {
            return Ok(None);
        };
        let (mut device, mut server_key, mut mqtt_host, mut mqtt_port) = (None, None, None, None);
        let (mut mqtt_ca, mut key_number, mut next_ca) = (None, FIRST, None);
        cbor::decode(body, |field, d| {
            match field {
                2 => device = Some(PrivateKey::new(bytes(d, "private key")?)),
                3 => server_key = Some(verifying_key(d)?),
                5 => mqtt_host = Some(host(d)?),
                6 => mqtt_port = Some(d.u16()?),
                7 => mqtt_ca = Some(certificate(d)?),
                11 => key_number = d.u32()?,
                12 => next_ca = Some(certificate(d)?),
                _ => return Ok(Field::Unknown),
            }
            Ok(Field::Known)
        })?;
        Ok(Some(Self {
            device,
            server_key: server_key.ok_or(Error::Missing("server key"))?,
            mqtt_host: mqtt_host.ok_or(Error::Missing("MQTT host"))?,
            mqtt_port: mqtt_port.ok_or(Error::Missing("MQTT port"))?,
            mqtt_ca,
            key_number,
            next_ca,
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
}
