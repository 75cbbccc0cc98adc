//! Enrolment: what a new receiver is told. Here: putting the file together that goes into its flash. Not here: the row
//! (`store`), the bytes (`loa_protocol::enrolment`).

use std::net::SocketAddr;

use loa_protocol::enrolment::{Enrolment, MAX_CERTIFICATE, MAX_ENROLMENT};
use loa_protocol::key::Secret;
use loa_protocol::succession::FIRST;
use loa_protocol::{AreaId, ReceiverId, UnixMicros, VerifyingKey};

use crate::config::Config;
use crate::store::{self, Actor, Store};

/// Where receivers find this server, and the key that it signs with.
#[derive(Debug, Clone)]
pub struct Place {
    /// The key that commands are signed with.
    pub server_key: VerifyingKey,
    /// Host and TCP port of the MQTT broker.
    pub mqtt: (String, u16),
    /// Certificate (DER) of the authority that signed the broker's; absent: MQTT without TLS.
    pub mqtt_ca: Option<Vec<u8>>,
    /// Host and UDP port of the media socket.
    pub media: (String, u16),
}

/// What a server knows of itself, for where the settings say nothing else.
#[derive(Debug, Clone)]
pub struct Known {
    /// The key that commands are signed with.
    pub server_key: VerifyingKey,
    /// Port of the embedded MQTT broker (TCP): the one with TLS if it has one.
    pub mqtt_port: u16,
    /// Port of the media socket (UDP).
    pub media_port: u16,
    /// Certificate (DER) of the authority that signed the broker's, where it has TLS.
    pub mqtt_ca: Option<Vec<u8>>,
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
        server_key: known.server_key,
        mqtt: (mqtt, mqtt_port),
        mqtt_ca: known.mqtt_ca.clone(),
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
}

/// A secret for a new receiver.
pub fn fresh_secret() -> Secret {
    Secret(crate::data::random())
}

/// The enrolment of a receiver, as it is written to its flash. `areas`: the root first, its own last.
///
/// # Errors
/// When something does not fit.
pub fn enrolment(place: &Place, receiver: ReceiverId, secret: Secret, areas: &[AreaId]) -> Result<Vec<u8>, EnrolError> {
    let ca = place
        .mqtt_ca
        .as_deref()
        .map(|ca| ca.try_into().map_err(|_| EnrolError::Certificate))
        .transpose()?;
    let enrolment = Enrolment {
        receiver,
        secret,
        server_key: place.server_key,
        areas: areas.try_into().map_err(|_| EnrolError::Long("tree of areas"))?,
        mqtt_host: place
            .mqtt
            .0
            .as_str()
            .try_into()
            .map_err(|_| EnrolError::Long("MQTT host"))?,
        mqtt_port: place.mqtt.1,
        mqtt_ca: ca,
        media_host: place
            .media
            .0
            .as_str()
            .try_into()
            .map_err(|_| EnrolError::Long("media host"))?,
        media_port: place.media.1,
        key_number: FIRST,
        next_ca: None,
        epoch: 0,
        unfinished: None,
    };
    let mut bytes = [0; MAX_ENROLMENT];
    let length = enrolment.encode(&mut bytes).map_err(|_| EnrolError::Long("whole"))?;
    Ok(bytes[..length].to_vec())
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
    let area = store.areas().await?.into_iter().find(|area| area.id == new.area);
    let areas = area
        .ok_or(store::Error::Invalid {
            field: "area_id",
            why: store::Invalid::Unknown,
        })?
        .path;
    // Tried before anything is kept: only the identifier is not known yet, and all are of one length.
    enrolment(place, ReceiverId::default(), secret.clone(), &areas)?;
    let row = store::NewReceiver {
        area: new.area,
        name: new.name,
        volume: new.volume,
        secret: secret.clone(),
    };
    let receiver = store.add_receiver(actor, now, row).await?;
    let told = enrolment(place, receiver.id, secret, &areas)?;
    Ok((receiver, told))
}
