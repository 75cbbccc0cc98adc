//! Requests to the provider. Here: https alone (plain HTTP to this machine where the settings allow it for trials), no redirects,
//! bounded in time and size, trusting the system's authorities or the one that is set.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use openidconnect::{HttpRequest, HttpResponse};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use url::{Host, Url};

/// Largest answer, in bytes.
const MOST: u64 = 256 << 10;

/// Why there is no answer that can be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error("it takes too long")]
    Slow,
    #[error("it is too large")]
    TooLarge,
    #[error("elsewhere: {0}")]
    Elsewhere(String),
    #[error("{0}")]
    Failed(String),
}

pub(super) struct Web {
    agent: ureq::Agent,
    plain_loopback: bool,
}

impl Web {
    /// `ca`: the authorities to trust (PEM) instead of the system's.
    pub(super) fn new(ca: Option<&[u8]>, plain_loopback: bool, patience: Duration) -> io::Result<Self> {
        let roots: Vec<CertificateDer<'static>> = match ca {
            Some(pem) => CertificateDer::pem_slice_iter(pem)
                .collect::<Result<_, _>>()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        if roots.is_empty() && !plain_loopback {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "there is no certificate in it",
            ));
        }
        let roots: Vec<_> = roots.iter().map(|it| Certificate::from_der(it).to_owned()).collect();
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .root_certs(RootCerts::new_with_certs(&roots))
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(patience))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .build();
        Ok(Self {
            agent: config.into(),
            plain_loopback,
        })
    }

    /// Whether that is an address to go to.
    pub(super) fn allows(&self, url: &Url) -> Result<(), Unanswered> {
        let here = match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        match url.scheme() {
            "https" => Ok(()),
            "http" if here && self.plain_loopback => Ok(()),
            _ => Err(Unanswered::Elsewhere(format!("{url} is not https"))),
        }
    }

    pub(super) fn call(&self, request: HttpRequest) -> Result<HttpResponse, Unanswered> {
        let uri = request.uri().to_string();
        let url = uri
            .parse::<Url>()
            .map_err(|error| Unanswered::Elsewhere(error.to_string()))?;
        self.allows(&url)?;
        let answer = match request.body().is_empty() {
            true => self.agent.run(request.map(|_| ())),
            false => self.agent.run(request),
        };
        let (head, body) = answer.map_err(unanswered)?.into_parts();
        if head.status.is_redirection() {
            let to = head
                .headers
                .get("location")
                .and_then(|it| it.to_str().ok())
                .unwrap_or_default();
            return Err(Unanswered::Elsewhere(to.to_owned()));
        }
        if head.status.is_server_error() {
            return Err(Unanswered::Failed(format!("HTTP {}", head.status.as_u16())));
        }
        let body = body.into_with_config().limit(MOST).read_to_vec().map_err(unanswered)?;
        Ok(HttpResponse::from_parts(head, body))
    }
}

fn unanswered(error: ureq::Error) -> Unanswered {
    match error {
        ureq::Error::Timeout(_) => Unanswered::Slow,
        ureq::Error::BodyExceedsLimit(_) => Unanswered::TooLarge,
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => Unanswered::Slow,
        error => Unanswered::Failed(error.to_string()),
    }
}
