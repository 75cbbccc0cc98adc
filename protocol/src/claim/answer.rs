//! What the server answers once a claim is approved: everything of an enrolment but the secret, signed.

use super::Configuration;
use crate::agreement::{PrivateKey, PublicKey};
use crate::cbor::{self, Field, bytes};
use crate::enrolment::{self, Enrolment, MAX_DEPTH, MAX_HOST, host};
use crate::succession::Trust;
use crate::{AreaId, Error, MAX_MESSAGE, ReceiverId, Signature, Signer, VerifyingKey, cose};
use heapless::{String, Vec};
use minicbor::Decoder;

const CONTEXT: &[u8] = b"loa/1 claim";

/// An answer. CBOR keys in brackets. What it leaves out of the enrolment (server's key, broker, authorities) is as the device was
/// configured and as it walked from there: it has just been found to work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The device's key, as in its request. \[1\]
    pub device: PublicKey,
    /// The server's, made for this answer alone. \[2\]
    pub server: PublicKey,
    /// Who it is. \[3\]: a map with the keys of an enrolment; \[3\]\[1\]
    pub receiver: ReceiverId,
    /// The areas that it lies in, the root first. \[3\]\[4\]
    pub areas: Vec<AreaId, MAX_DEPTH>,
    /// Host of the server's media socket. \[3\]\[8\]
    pub media_host: String<MAX_HOST>,
    /// Its UDP port. \[3\]\[9\]
    pub media_port: u16,
    /// Epoch that the secret counts from. \[3\]\[13\], absent if 0
    pub epoch: u32,
}

impl Answer {
    /// Writes it into `out`, signed by `key`; returns its length.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn seal(&self, key: &(impl Signer<Signature> + ?Sized), out: &mut [u8]) -> Result<usize, Error> {
        let mut payload = [0; MAX_MESSAGE];
        let length = cbor::encode(&mut payload, |e| {
            e.map(3)?.u8(1)?.bytes(&self.device.0)?.u8(2)?.bytes(&self.server.0)?;
            e.u8(3)?.map(4 + u64::from(self.epoch != 0))?;
            e.u8(1)?.bytes(&self.receiver.0)?;
            e.u8(4)?.array(self.areas.len() as u64)?;
            for area in &self.areas {
                e.bytes(&area.0)?;
            }
            e.u8(8)?.str(&self.media_host)?.u8(9)?.u16(self.media_port)?;
            if self.epoch != 0 {
                e.u8(13)?.u32(self.epoch)?;
            }
            Ok(())
        })?;
        cose::sign1(key, CONTEXT, &payload[..length], out)
    }

    /// Opens an answer that `key`'s owner signed.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] for another signature, otherwise what is wrong with it.
    pub fn open(key: &VerifyingKey, message: &[u8]) -> Result<Self, Error> {
        let (mut device, mut server, mut place) = (None, None, None);
        cbor::decode(cose::verify1(key, CONTEXT, message)?, |field, d| {
            match field {
                1 => device = Some(PublicKey(bytes(d, "public key")?)),
                2 => server = Some(PublicKey(bytes(d, "public key")?)),
                3 => place = Some(Place::read(d)?),
                _ => return Ok(Field::Unknown),
            }
            Ok(Field::Known)
        })?;
        let device = device.ok_or(Error::Missing("public key"))?;
        let server = server.ok_or(Error::Missing("public key"))?;
        let place = place.ok_or(Error::Missing("enrolment"))?;
        Ok(Self {
            device,
            server,
            receiver: place.receiver.ok_or(Error::Missing("receiver"))?,
            areas: place.areas,
            media_host: place.media_host.ok_or(Error::Missing("media host"))?,
            media_port: place.media_port.ok_or(Error::Missing("media port"))?,
            epoch: place.epoch,
        })
    }

    /// The enrolment of the device that `private` and `configuration` belong to, which trusts `trust` by now.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] if the answer is for another device, [`Error::OutOfRange`] for a public key of no use.
    pub fn enrolment(
        self,
        private: &PrivateKey,
        trust: &Trust,
        configuration: &Configuration,
    ) -> Result<Enrolment, Error> {
        if self.device != private.public() {
            return Err(Error::Unauthentic);
        }
        Ok(Enrolment {
            receiver: self.receiver,
            secret: private.claimed_secret(&self.server)?,
            server_key: trust.key,
            areas: self.areas,
            mqtt_host: configuration.mqtt_host.clone(),
            mqtt_port: configuration.mqtt_port,
            mqtt_ca: configuration.mqtt_ca.clone(),
            media_host: self.media_host,
            media_port: self.media_port,
            key_number: trust.number,
            next_ca: configuration.next_ca.clone(),
            epoch: self.epoch,
            unfinished: None,
        })
    }
}

/// The map of \[3\].
#[derive(Default)]
struct Place {
    receiver: Option<ReceiverId>,
    areas: Vec<AreaId, MAX_DEPTH>,
    media_host: Option<String<MAX_HOST>>,
    media_port: Option<u16>,
    epoch: u32,
}

impl Place {
    fn read(d: &mut Decoder<'_>) -> Result<Self, Error> {
        let mut it = Self::default();
        cbor::map(d, |field, d| {
            match field {
                1 => it.receiver = Some(ReceiverId(bytes(d, "receiver")?)),
                4 => it.areas = enrolment::areas(d)?,
                8 => it.media_host = Some(host(d)?),
                9 => it.media_port = Some(d.u16()?),
                13 => it.epoch = d.u32()?,
                _ => return Ok(Field::Unknown),
            }
            Ok(Field::Known)
        })?;
        Ok(it)
    }
}
