//! A simulated receiver's line to the MQTT broker: TCP, or TLS that the enrolled authority vouches for. Here: opening it, and
//! opening it again for as long as it takes. Not here: what is said over it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use loa_protocol::topic::ABSENT;
use loa_receiver::Session;
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, LastWill, MqttOptions, QoS, TlsConfiguration, Transport,
};
use rustls::pki_types::CertificateDer;

use crate::random::Random;

/// As the boards have it.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Messages that may wait to be sent, and that the broker may owe an acknowledgement for.
const QUEUE: usize = 64;
const IN_FLIGHT: u16 = 16;
/// Longest packet: a tunnelled datagram with its topic.
const MAX_PACKET: usize = 2048;
/// Between attempts to connect: the first pause, and the longest. Half of each is chance, so that thousands do not come at once.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A certificate that is none.
#[derive(Debug, thiserror::Error)]
#[error("the certificate of the MQTT broker's authority cannot be used: {0}")]
pub struct WrongAuthority(#[from] rustls::Error);

/// How to check brokers, for each authority once.
#[derive(Default, Clone)]
pub(crate) struct Authorities(HashMap<Vec<u8>, Arc<rustls::ClientConfig>>);

impl Authorities {
    /// How to check a broker that the authority with this certificate (DER) vouches for.
    pub(crate) fn trust(&mut self, certificate: &[u8]) -> Result<Arc<rustls::ClientConfig>, WrongAuthority> {
        if let Some(known) = self.0.get(certificate) {
            return Ok(known.clone());
        }
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from(certificate.to_vec()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let config = Arc::new(config);
        self.0.insert(certificate.to_vec(), config.clone());
        Ok(config)
    }
}

/// The line, and how many attempts in a row have failed.
pub(crate) struct Line {
    events: EventLoop,
    attempts: u32,
    random: Random,
}

/// A line that is not connected yet, and how to send over it.
pub(crate) fn open(
    session: &Session<'_>,
    tls: Option<Arc<rustls::ClientConfig>>,
    random: Random,
) -> (Line, AsyncClient) {
    let mut options = MqttOptions::new(session.name.as_str(), session.host, session.port);
    let password = String::from_utf8_lossy(&session.password);
    options
        .set_credentials(session.name.as_str(), password)
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_session(true)
        .set_inflight(IN_FLIGHT)
        .set_max_packet_size(MAX_PACKET, MAX_PACKET)
        .set_last_will(LastWill::new(session.will.as_str(), ABSENT, QoS::AtLeastOnce, true));
    if let Some(tls) = tls {
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
    }
    let (client, mut events) = AsyncClient::new(options, QUEUE);
    events.network_options.set_tcp_nodelay(true);
    (
        Line {
            events,
            attempts: 0,
            random,
        },
        client,
    )
}

impl Line {
    /// Waits for what happens next on the line; after a failure it first waits a while. Gives the line back: a wait that is
    /// kept, rather than begun anew, loses nothing.
    pub(crate) async fn next(mut self) -> (Self, Result<Event, ConnectionError>) {
        if self.attempts > 0 {
            let pause = FIRST_PAUSE
                .saturating_mul(1 << (self.attempts - 1).min(8))
                .min(LONGEST_PAUSE);
            tokio::time::sleep(pause.mul_f64(0.5 + self.random.fraction() / 2.0)).await;
        }
        let event = self.events.poll().await;
        self.attempts = if event.is_ok() { 0 } else { self.attempts + 1 };
        (self, event)
    }

    /// Gives the next attempt other credentials and another authority.
    pub(crate) fn log_in(&mut self, name: &str, password: &[u8], tls: Option<Arc<rustls::ClientConfig>>) {
        let options = &mut self.events.mqtt_options;
        options.set_credentials(name, String::from_utf8_lossy(password));
        if let Some(tls) = tls {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
        }
    }

    /// How many attempts in a row have failed.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether the last attempt was the first to fail: worth a word.
    pub(crate) fn just_failed(&self) -> bool {
        self.attempts == 1
    }
}
