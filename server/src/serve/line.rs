//! The MQTT broker that a server speaks over: the embedded one, or another by its URL. Here: choosing, and what receivers
//! have to trust on the way to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use loa_protocol::UnixMicros;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::ServeError;
use crate::broker::tls::{self, Authority, Trusted};
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
    /// What the embedded one shows in TLS.
    pub(super) shown: Option<Arc<tls::Shown>>,
}

/// Binds the embedded broker, or learns how to reach the other.
pub(super) fn open(config: &Config, data: &DataFolder, now: UnixMicros) -> Result<Line, ServeError> {
    match &config.mqtt_url {
        Some(url) => outside(config, url),
        None => embedded(config, data, now),
    }
}

/// The authorities that receivers trust on the way to the broker; none where it has no TLS.
///
/// # Errors
/// When they cannot be read, or made at first start.
pub(crate) fn trusted(config: &Config, data: &DataFolder) -> Result<Trusted, ServeError> {
    let keys = data.keys();
    Ok(match (&config.mqtt_url, &config.mqtt_ca) {
        (None, _) if config.mqtt_tls_listen.is_none() => Trusted::default(),
        (None, _) => Trusted {
            current: Some(Authority::open(&keys)?.certificate().to_vec()),
            next: tls::next(&keys)?,
            alone: tls::had_another(&keys),
        },
        (Some(_), None) => Trusted::default(),
        // A file may hold two: the one that counts, and the one that will follow.
        (Some(_), Some(file)) => {
            let pem = read(file)?;
            let mut all = CertificateDer::pem_slice_iter(&pem);
            let mut one = || {
                all.next()
                    .transpose()
                    .map_err(|error| tls::Error::Trust(error.to_string()))
            };
            let first = one()?.ok_or_else(|| tls::Error::Trust("it holds none".to_owned()))?;
            Trusted {
                current: Some(first.to_vec()),
                next: one()?.map(|it| it.to_vec()),
                alone: false,
            }
        }
    })
}

/// Looks what has changed about authorities, for who tells receivers (`trusted`) and for who shows certificates (`shown`).
pub(super) fn refresh(
    config: Config,
    data: DataFolder,
    trusted: Arc<ArcSwap<Trusted>>,
    shown: Option<Arc<tls::Shown>>,
    clock: fn() -> UnixMicros,
) -> impl Fn() + Send + Sync {
    move || {
        let now = match self::trusted(&config, &data) {
            Ok(now) => now,
            Err(error) => return tracing::error!(%error, "authorities for the broker cannot be read"),
        };
        let before = trusted.load();
        if now == **before {
            return;
        }
        if let (Some(shown), true) = (&shown, now.current != before.current) {
            match certificate(&config, &data, clock()) {
                Ok(Some((_, certificate))) => shown.store(certificate),
                Ok(None) => {}
                Err(error) => return tracing::error!(%error, "the broker has no new certificate"),
            }
        }
        trusted.store(Arc::new(now));
    }
}

/// Where the embedded broker listens in TLS, and what it shows.
fn certificate(
    config: &Config,
    data: &DataFolder,
    now: UnixMicros,
) -> Result<Option<(SocketAddr, Arc<rustls::ServerConfig>)>, ServeError> {
    let Some(address) = config.mqtt_tls_listen else {
        return Ok(None);
    };
    let names = names(config, address);
    Ok(Some((address, Authority::open(&data.keys())?.broker(&names, now)?)))
}

fn embedded(config: &Config, data: &DataFolder, now: UnixMicros) -> Result<Line, ServeError> {
    let tls = certificate(config, data, now)?.map(|(address, it)| (address, Arc::new(tls::Shown::new(it))));
    let shown = tls.as_ref().map(|(_, shown)| shown.clone());
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
        shown,
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
        shown: None,
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
