//! Enrolment: what a receiver is told. Here: putting the file together that goes into its flash, enrolling and enrolling again,
//! by file and by claim ([`claims`]); what it proves itself by afterwards ([`identity`]). Not here: the row (`store`), the bytes
//! (`loa_protocol::enrolment`).

pub mod claims;
pub mod identity;
pub mod uf2;

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use loa_protocol::agreement::{PrivateKey, PublicKey};
use loa_protocol::claim::Configuration;
use loa_protocol::command::MAX_AUTHORITY;
use loa_protocol::enrolment::{Enrolment, MAX_CERTIFICATE, MAX_DEPTH, MAX_ENROLMENT};
use loa_protocol::key::Secret;
use loa_protocol::succession::Trust;
use loa_protocol::{AreaId, ReceiverId, UnixMicros};

pub use claims::Network;
pub use identity::{Identity, Serials};

use crate::broker::tls::Trusted;
use crate::config::Config;
use crate::data::Keyring;
use crate::store::{self, Actor, ClaimKeys, Store};

/// Where receivers find this server, and the key that it signs with.
#[derive(Debug, Clone)]
pub struct Place {
    /// The key that commands are signed with.
    pub key: Trust,
    /// Host and TCP port of the MQTT broker.
    pub mqtt: (String, u16),
    /// Authorities for the broker; none: MQTT without TLS.
    pub trusted: Trusted,
    /// Host and UDP port of the media socket.
    pub media: (String, u16),
}

/// What a server knows of itself, for where the settings say nothing else.
#[derive(Debug, Clone)]
pub struct Known {
    /// The keys that commands are signed with.
    pub keys: Arc<Keyring>,
    /// Port of the embedded MQTT broker (TCP): the one with TLS if it has one.
    pub mqtt_port: u16,
    /// Port of the media socket (UDP).
    pub media_port: u16,
    /// Authorities for the broker, as they are now.
    pub trusted: Arc<ArcSwap<Trusted>>,
}

/// What a receiver is to be told under these settings. `host` is what this one calls the server, if not as the others do.
///
/// # Errors
/// [`EnrolError::Nowhere`] when the settings do not say where receivers find the server.
pub fn place(config: &Config, known: &Known, host: Option<&str>) -> Result<Place, EnrolError> {
    let definite = |listen: SocketAddr| (!listen.ip().is_unspecified()).then(|| listen.ip().to_string());
    let host = host.map(str::to_owned).or_else(|| config.public_host.clone());
    let outside = config.mqtt_url.as_ref();
    let listen = config.mqtt_tls_listen.unwrap_or(config.mqtt_listen);
    let mqtt = match outside {
        Some(url) => config.public_mqtt_host.clone().or_else(|| Some(url.host.clone())),
        None => config
            .public_mqtt_host
            .clone()
            .or_else(|| host.clone())
            .or_else(|| definite(listen)),
    };
    let media = host.or_else(|| definite(config.media_listen));
    let mqtt_port = config
        .public_mqtt_port
        .or(outside.map(|url| url.port))
        .unwrap_or(known.mqtt_port);
    let media_port = config.public_media_port.unwrap_or(known.media_port);
    let (Some(mqtt), Some(media), 1.., 1..) = (mqtt, media, mqtt_port, media_port) else {
        return Err(EnrolError::Nowhere);
    };
    Ok(Place {
        key: known.keys.trust(),
        mqtt: (mqtt, mqtt_port),
        trusted: Trusted::clone(&known.trusted.load()),
        media: (media, media_port),
    })
}

/// Why a receiver cannot be told where its server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnrolError {
    /// The server does not know its own address.
    #[error(
        "receivers could not be told where this server is: set public.host (and public.mqtt_port and public.media_port where a port is 0)"
    )]
    Nowhere,
    /// The broker's certificate does not fit into a receiver.
    #[error("the MQTT authority's certificate is longer than {MAX_CERTIFICATE} bytes (use an ECDSA P-256 key)")]
    Certificate,
    /// A host name does not fit, or the tree of areas is too deep.
    #[error("the {0} does not fit into an enrolment")]
    Long(&'static str),
    /// A device asked with a key that is the same for everybody.
    #[error("the device's key is of no use")]
    Device,
}

/// A secret for a new receiver.
pub fn fresh_secret() -> Secret {
    Secret(crate::data::random())
}

/// The enrolment of a receiver, as it is written to its flash. `areas`: the root first, its own last; `epoch`: how often its
/// secret was replaced.
///
/// # Errors
/// When something does not fit.
pub fn enrolment(
    place: &Place,
    receiver: ReceiverId,
    secret: Secret,
    epoch: u32,
    areas: &[AreaId],
) -> Result<Vec<u8>, EnrolError> {
    let (mqtt_ca, next_ca) = place.authorities()?;
    let enrolment = Enrolment {
        receiver,
        secret,
        server_key: place.key.key,
        areas: path(areas)?,
        mqtt_host: host(&place.mqtt.0, "MQTT host")?,
        mqtt_port: place.mqtt.1,
        mqtt_ca,
        media_host: host(&place.media.0, "media host")?,
        media_port: place.media.1,
        key_number: place.key.number,
        next_ca,
        epoch,
        unfinished: None,
    };
    let mut bytes = [0; MAX_ENROLMENT];
    let length = enrolment.encode(&mut bytes).map_err(|_| EnrolError::Long("whole"))?;
    Ok(bytes[..length].to_vec())
}

/// What devices without identity are flashed with, the same for all: which server to ask. Holds no secret; with `device`, a
/// device's key made beforehand, it holds that one's.
///
/// # Errors
/// When something does not fit.
pub fn claim_configuration(place: &Place, device: Option<PrivateKey>) -> Result<Vec<u8>, EnrolError> {
    let (mqtt_ca, next_ca) = place.authorities()?;
    let configuration = Configuration {
        device,
        server_key: place.key.key,
        mqtt_host: host(&place.mqtt.0, "MQTT host")?,
        mqtt_port: place.mqtt.1,
        mqtt_ca,
        key_number: place.key.number,
        next_ca,
    };
    let mut bytes = [0; MAX_ENROLMENT];
    let length = configuration
        .encode(&mut bytes)
        .map_err(|_| EnrolError::Long("whole"))?;
    Ok(bytes[..length].to_vec())
}

type Certificate<const N: usize> = Option<heapless::Vec<u8, N>>;

impl Place {
    fn authorities(&self) -> Result<(Certificate<MAX_CERTIFICATE>, Certificate<MAX_AUTHORITY>), EnrolError> {
        let wrong = |_| EnrolError::Certificate;
        let current = self.trusted.current.as_deref().map(|it| it.try_into().map_err(wrong));
        let next = self.trusted.next.as_deref().map(|it| it.try_into().map_err(wrong));
        Ok((current.transpose()?, next.transpose()?))
    }
}

fn host<const N: usize>(text: &str, what: &'static str) -> Result<heapless::String<N>, EnrolError> {
    text.try_into().map_err(|_| EnrolError::Long(what))
}

/// Areas from the root down, as a receiver is told them.
///
/// # Errors
/// When there are more than a receiver takes.
pub fn path(areas: &[AreaId]) -> Result<heapless::Vec<AreaId, MAX_DEPTH>, EnrolError> {
    areas.try_into().map_err(|_| EnrolError::Long("tree of areas"))
}

/// A receiver to be enrolled.
#[derive(Debug, Clone)]
pub struct New {
    /// Its name.
    pub name: String,
    /// The area that it lies in.
    pub area: AreaId,
    /// Its volume in per cent.
    pub volume: u8,
    /// Where it stands, if that is known.
    pub position: Option<store::Position>,
}

/// Why a receiver was not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum NotEnrolled {
    /// Its row could not be kept.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// What it would be told does not fit.
    #[error(transparent)]
    Enrolment(#[from] EnrolError),
}

/// Enrols a receiver: its row, and what goes into its flash.
///
/// # Errors
/// When it cannot be kept or told; nothing was changed then.
pub async fn enrol(
    store: &Store,
    place: &Place,
    actor: &Actor,
    now: UnixMicros,
    new: New,
) -> Result<(store::Receiver, Vec<u8>), NotEnrolled> {
    let secret = fresh_secret();
    let areas = areas_of(store, new.area).await?;
    // Tried before anything is kept: only the identifier is not known yet, and all are of one length.
    enrolment(place, ReceiverId::default(), secret.clone(), 0, &areas)?;
    let row = store::NewReceiver {
        area: new.area,
        name: new.name,
        volume: new.volume,
        position: new.position,
        secret: secret.clone(),
    };
    let receiver = store.add_receiver(actor, now, row, None).await?;
    let told = enrolment(place, receiver.id, secret, 0, &areas)?;
    Ok((receiver, told))
}

/// Enrols a receiver again, in the same hardware or in another: a new secret; the old one is dead at once. Name, area and history
/// stay, and one that was revoked is a receiver again.
///
/// # Errors
/// When it cannot be kept or told; nothing was changed then.
pub async fn enrol_again(
    store: &Store,
    place: &Place,
    actor: &Actor,
    now: UnixMicros,
    id: ReceiverId,
) -> Result<(store::Receiver, Vec<u8>), NotEnrolled> {
    let secret = fresh_secret();
    let receiver = store.receiver(id).await?;
    let areas = areas_of(store, receiver.area).await?;
    enrolment(place, id, secret.clone(), receiver.epoch + 1, &areas)?;
    let receiver = store.replace_secret(actor, now, id, &secret, None).await?;
    let told = enrolment(place, id, secret, receiver.epoch, &areas)?;
    Ok((receiver, told))
}

/// What a device that was approved is to be.
#[derive(Debug, Clone)]
pub enum Become {
    /// A new receiver.
    New(New),
    /// This one: its hardware is replaced.
    Instead(ReceiverId),
}

/// Enrols the device that asked with the key `device`: what it shares with the server follows from both sides' keys, and nobody
/// else learns it. It is answered when it asks again.
///
/// # Errors
/// When it cannot be kept; nothing was changed then.
pub async fn enrol_claimed(
    store: &Store,
    place: &Place,
    actor: &Actor,
    now: UnixMicros,
    device: PublicKey,
    wanted: Become,
) -> Result<store::Receiver, NotEnrolled> {
    let server = PrivateKey::new(crate::data::random());
    let secret = server.granted_secret(&device).map_err(|_| EnrolError::Device)?;
    let keys = ClaimKeys {
        device,
        server: server.public(),
        media: place.media.clone(),
    };
    // Tried before anything is kept.
    host::<{ loa_protocol::enrolment::MAX_HOST }>(&place.media.0, "media host")?;
    match wanted {
        Become::New(new) => {
            path(&areas_of(store, new.area).await?)?;
            let row = store::NewReceiver {
                area: new.area,
                name: new.name,
                volume: new.volume,
                position: new.position,
                secret,
            };
            Ok(store.add_receiver(actor, now, row, Some(keys)).await?)
        }
        Become::Instead(id) => {
            path(&areas_of(store, store.receiver(id).await?.area).await?)?;
            Ok(store.replace_secret(actor, now, id, &secret, Some(keys)).await?)
        }
    }
}

/// The areas from the root down to `area`.
async fn areas_of(store: &Store, area: AreaId) -> Result<Vec<AreaId>, store::Error> {
    let known = store.paths().await?.remove(&area);
    known.ok_or(store::Error::Invalid {
        field: "area_id",
        why: store::Invalid::Unknown,
    })
}
