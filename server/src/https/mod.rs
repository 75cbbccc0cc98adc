//! What HTTPS shows: certificates, and when they are changed. Here: three sources: files that were given ([`files`]), an
//! ACME directory ([`acme`]), or else the server's own authority, so that browsers have a secure context (microphone,
//! camera, passkeys) from the first day; [`Keeper`] gives TLS whichever is in force, without breaking a connection. Not
//! here: sockets (`http::listen`).

pub mod acme;
mod files;
mod keeper;
mod own;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use loa_protocol::UnixMicros;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::CertifiedKey;
use tokio::sync::watch;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::broker::tls;
use crate::config::Config;
use files::Files;
pub use keeper::{ACME_TLS, Keeper, Source};
use own::Own;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{file}: {why}")]
    File {
        /// Which file.
        file: String,
        /// Why.
        why: String,
    },
    /// The server's own authority could not sign.
    #[error(transparent)]
    Own(#[from] tls::Error),
    /// A certificate or a request for one could not be made.
    #[error("a certificate could not be made: {0}")]
    Make(#[from] rcgen::Error),
    /// TLS will not have it.
    #[error("a certificate could not be used: {0}")]
    Use(#[from] rustls::Error),
}

/// From when to when a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Not before.
    pub from: UnixMicros,
    /// Not after.
    pub until: UnixMicros,
}

impl Validity {
    /// Of a certificate.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of(certificate: &[u8]) -> Result<Self, String> {
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
        let micros = |time: x509_parser::time::ASN1Time| {
            UnixMicros(u64::try_from(time.timestamp()).unwrap_or(0).saturating_mul(1_000_000))
        };
        let it = parsed.validity();
        Ok(Self {
            from: micros(it.not_before),
            until: micros(it.not_after),
        })
    }

    /// When to have another: with a third of its life left, as authorities ask for.
    pub fn renew(&self) -> UnixMicros {
        UnixMicros(self.until.0 - self.until.0.saturating_sub(self.from.0) / 3)
    }
}

/// HTTPS, made ready: [`Https::run`] keeps its certificate good.
pub struct Https {
    /// What TLS shows.
    pub keeper: Arc<Keeper>,
    /// The authority's certificate (DER), where people have to install it.
    pub authority: Option<Vec<u8>>,
    renewal: Renewal,
}

enum Renewal {
    Files(Files),
    Acme(Box<acme::Acme>),
    Own(Box<Own>),
}

impl Https {
    /// Opens what the settings say; `None` while HTTPS is off.
    ///
    /// # Errors
    /// [`enum@Error`]: what was given is not right, or nothing could be made.
    pub fn open(config: &Config, keys: &Path, now: UnixMicros) -> Result<Option<Self>, Error> {
        let Some(listen) = config.https_listen else {
            return Ok(None);
        };
        if let (Some(certificate), Some(key)) = (&config.https_certificate, &config.https_key) {
            let files = Files::new(certificate.clone(), key.clone());
            let shown = files.load(now, true)?;
            return Ok(Some(Self {
                keeper: Arc::new(Keeper::new(shown, Source::Given)),
                authority: None,
                renewal: Renewal::Files(files),
            }));
        }
        let own = Own::open(keys, names(config, listen))?;
        let keeper = Arc::new(Keeper::new(own.certified(now)?, Source::Own));
        let Some(directory) = &config.https_acme_directory else {
            return Ok(Some(Self {
                keeper,
                authority: Some(own.authority()),
                renewal: Renewal::Own(Box::new(own)),
            }));
        };
        // Until the directory has given one, people reach the server all the same.
        let order = acme::Order {
            directory: directory.clone(),
            domains: config.https_acme_domains.clone(),
            contact: config.https_acme_contact.clone(),
            root: config.https_acme_ca.clone(),
        };
        let acme = acme::Acme::open(order, keys, keeper.clone(), now)?;
        Ok(Some(Self {
            keeper,
            authority: None,
            renewal: Renewal::Acme(Box::new(acme)),
        }))
    }

    /// What TLS is served with: 1.2 and 1.3; HTTP/2 for who knows it.
    ///
    /// # Errors
    /// None that settings could cause.
    pub fn tls(&self) -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self.keeper.clone());
        config.alpn_protocols = [&b"h2"[..], b"http/1.1", ACME_TLS].map(<[u8]>::to_vec).into();
        Ok(config)
    }

    /// Keeps the certificate good until shutdown. `changed` is told to look at the files at once (SIGHUP).
    pub async fn run(
        self,
        clock: fn() -> UnixMicros,
        changed: Arc<tokio::sync::Notify>,
        mut shutdown: watch::Receiver<bool>,
    ) {
        let keep = async {
            match self.renewal {
                Renewal::Files(files) => files.run(&self.keeper, clock, &changed).await,
                Renewal::Acme(acme) => acme.run(clock).await,
                Renewal::Own(own) => own.run(&self.keeper, clock).await,
            }
        };
        tokio::select! {
            () = keep => {}
            // Whoever could signal being gone is a signal as well.
            _ = shutdown.wait_for(|ending| *ending) => {}
        }
    }
}

/// Sleeps until it is time, in steps, since clocks are set.
async fn until(at: UnixMicros, clock: fn() -> UnixMicros) {
    const STEP: Duration = Duration::from_secs(600);
    loop {
        let left = Duration::from_micros(at.0.saturating_sub(clock().0));
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(STEP)).await;
    }
}

/// All names that browsers may know the server by.
fn names(config: &Config, listen: SocketAddr) -> Vec<String> {
    let url = config.public_url.as_deref().and_then(host_of);
    let mut names: Vec<String> = url.into_iter().map(str::to_owned).collect();
    names.extend(config.https_acme_domains.iter().cloned());
    names.extend(config.public_host.iter().chain(&config.public_name).cloned());
    if !listen.ip().is_unspecified() {
        names.push(listen.ip().to_string());
    }
    names.extend(["localhost", "127.0.0.1", "::1"].map(String::from));
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// The host in a URL.
fn host_of(url: &str) -> Option<&str> {
    let place = url.split_once("://")?.1.split(['/', '?', '#']).next()?;
    let host = match place.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => place.split(':').next()?,
    };
    Some(host).filter(|host| !host.is_empty())
}

/// Chain and key (PEM) as TLS wants them, the key being the certificate's.
fn certified(chain: &[u8], key: &[u8]) -> Result<(CertifiedKey, Validity), String> {
    let chain: Vec<_> = rustls::pki_types::CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("not certificates in PEM form: {error}"))?;
    let first = chain.first().ok_or("it holds no certificate in PEM form")?;
    let validity = Validity::of(first)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "it holds no private key in PEM form".to_owned())?;
    let certified = CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => "the key is not the certificate's".to_owned(),
        other => other.to_string(),
    })?;
    Ok((certified, validity))
}
