//! Enrolment: what a new receiver is told. Here: putting the file together that goes into its flash. Not here: the row
//! (`store`), the bytes (`loa_protocol::enrolment`).

use std::net::SocketAddr;

use loa_protocol::enrolment::{Enrolment, MAX_CERTIFICATE, MAX_ENROLMENT};
use loa_protocol::key::Secret;
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

/// Ports as they are bound, for where the settings say nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// Of the embedded MQTT broker (TCP): the one with TLS if it has one.
    pub mqtt: u16,
    /// Of the media socket (UDP).
    pub media: u16,
}

impl Ports {
    /// As the settings ask for; 0 is a port that nobody knows yet.
    pub fn of(config: &Config) -> Self {
        Self {
            mqtt: config.mqtt_tls_listen.unwrap_or(config.mqtt_listen).port(),
            media: config.media_listen.port(),
        }
    }
}

/// What receivers are to be told under these settings. `mqtt_ca`: the authority's certificate (DER) where the broker has
/// TLS.
///
/// # Errors
/// [`EnrolError::Nowhere`] when the settings do not say where receivers find the server.
pub fn place(
    config: &Config,
    server_key: VerifyingKey,
    ports: Ports,
    mqtt_ca: Option<Vec<u8>>,
) -> Result<Place, EnrolError> {
    let definite = |listen: SocketAddr| (!listen.ip().is_unspecified()).then(|| listen.ip().to_string());
    let host = config.public_host.clone();
    let media = host
        .clone()
        .or_else(|| definite(config.media_listen))
        .ok_or(EnrolError::Nowhere)?;
    let outside = config.mqtt_url.as_ref();
    let mqtt = config
        .public_mqtt_host
        .clone()
        .or_else(|| outside.map(|url| url.host.clone()))
        .or(host);
    let mqtt = mqtt.or_else(|| definite(config.mqtt_tls_listen.unwrap_or(config.mqtt_listen)));
    let mqtt_port = config
        .public_mqtt_port
        .or(outside.map(|url| url.port))
        .unwrap_or(ports.mqtt);
    let media_port = config.public_media_port.unwrap_or(ports.media);
    if mqtt_port == 0 || media_port == 0 {
        return Err(EnrolError::Nowhere);
    }
    Ok(Place {
        server_key,
        mqtt: (mqtt.ok_or(EnrolError::Nowhere)?, mqtt_port),
        mqtt_ca,
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

/// Base64 (RFC 4648 §4), with padding.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for digit in 0..4 {
            let index = (word >> (18 - 6 * digit)) as usize & 63;
            text.push(if digit <= three.len() {
                char::from(DIGITS[index])
            } else {
                '='
            });
        }
    }
    text
}
