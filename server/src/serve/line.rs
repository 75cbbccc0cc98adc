//! The MQTT broker that a server speaks over: the embedded one, or another by its URL. Here: choosing, and what receivers
//! have to trust on the way to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use loa_protocol::UnixMicros;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::ServeError;
use crate::broker::tls::{self, Authority};
use crate::broker::{self, Credentials, Listen, SERVER};
use crate::config::{Config, MqttUrl};
use crate::data::DataFolder;
use crate::fleet;

/// A broker to speak over.
pub(super) struct Line {
    /// Where it is, and as whom to speak to it.
    pub(super) broker: fleet::Broker,
    /// The embedded one, its sockets bound, and who may come in; none with another.
    pub(super) embedded: Option<(broker::Broker, Arc<Credentials>)>,
    /// The port that receivers are told unless the settings say another.
    pub(super) port: u16,
}

/// Binds the embedded broker, or learns how to reach the other.
pub(super) fn open(config: &Config, data: &DataFolder, now: UnixMicros) -> Result<Line, ServeError> {
    match &config.mqtt_url {
        Some(url) => outside(config, url),
        None => embedded(config, data, now),
    }
}

/// The certificate (DER) of the authority that receivers trust on the way to the broker; `None` where it has no TLS.
///
/// # Errors
/// When it cannot be read, or made at first start.
pub(crate) fn authority(config: &Config, data: &DataFolder) -> Result<Option<Vec<u8>>, ServeError> {
    Ok(match (&config.mqtt_url, &config.mqtt_ca) {
        (None, _) if config.mqtt_tls_listen.is_none() => None,
        (None, _) => Some(Authority::open(&data.keys())?.certificate().to_vec()),
        (Some(_), None) => None,
        (Some(_), Some(file)) => {
            let first = CertificateDer::from_pem_slice(&read(file)?);
            Some(first.map_err(|error| tls::Error::Trust(error.to_string()))?.to_vec())
        }
    })
}

fn embedded(config: &Config, data: &DataFolder, now: UnixMicros) -> Result<Line, ServeError> {
    let tls = match config.mqtt_tls_listen {
        None => None,
        Some(address) => {
            let names = names(config, address);
            Some((address, Authority::open(&data.keys())?.broker(&names, now)?))
        }
    };
    let credentials = Arc::new(Credentials::default());
    let listen = Listen {
        plain: Some(config.mqtt_listen),
        tls,
    };
    let broker = broker::Broker::bind(listen, credentials.clone())?;
    let own = broker.address().expect("it listens without TLS, for this server");
    let line = fleet::Broker {
        host: reachable(own).to_string(),
        port: own.port(),
        username: SERVER.into(),
        password: credentials.password().into(),
        tls: None,
    };
    let port = broker.tls_address().unwrap_or(own).port();
    Ok(Line {
        broker: line,
        embedded: Some((broker, credentials)),
        port,
    })
}

fn outside(config: &Config, url: &MqttUrl) -> Result<Line, ServeError> {
    let trusted = config.mqtt_ca.as_deref().map(read).transpose()?;
    let broker = fleet::Broker {
        host: url.host.clone(),
        port: url.port,
        username: url.username.clone(),
        password: url.password.clone(),
        tls: trusted.map(|pem| tls::trust(&pem)).transpose()?,
    };
    Ok(Line {
        broker,
        embedded: None,
        port: url.port,
    })
}

/// All names that receivers may know the embedded broker by.
fn names(config: &Config, listen: SocketAddr) -> Vec<String> {
    let mut names: Vec<String> = config
        .public_mqtt_host
        .iter()
        .chain(&config.public_host)
        .cloned()
        .collect();
    names.extend(config.public_name.iter().cloned());
    if !listen.ip().is_unspecified() {
        names.push(listen.ip().to_string());
    }
    names.extend(["localhost", "127.0.0.1"].map(String::from));
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// Where this machine reaches a socket of its own.
fn reachable(own: SocketAddr) -> IpAddr {
    match own.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

fn read(file: &Path) -> Result<Vec<u8>, ServeError> {
    let told = |source| ServeError::Trust {
        file: file.display().to_string(),
        source,
    };
    std::fs::read(file).map_err(told)
}
