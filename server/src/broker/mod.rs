//! The embedded MQTT broker. Here: its sockets and who may come in through them; what each may read and write
//! (`credentials`, `gate`), certificates ([`tls`]), the same rules for an outside broker ([`mosquitto`], [`emqx`]). Not here: what
//! messages mean (`fleet`).
//!
//! Packets, subscriptions and retained messages are the crate mqtt5's; nothing outside this module names it. Accepting
//! connections is our own: its loop waits for each TLS handshake before it accepts the next connection, so that one
//! silent client would shut everybody out. Nothing is stored: sessions end with their connection, and whoever comes back
//! is told anew.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod attempts;
mod credentials;
pub mod emqx;
mod gate;
pub mod mosquitto;
#[cfg(test)]
mod tests;
pub mod tls;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use mqtt5::broker::client_handler::ClientHandler;
use mqtt5::broker::config::{BrokerConfig, StorageConfig};
use mqtt5::broker::resource_monitor::{ResourceLimits, ResourceMonitor};
use mqtt5::broker::router::MessageRouter;
use mqtt5::broker::sys_topics::BrokerStats;
use mqtt5::broker::tls_acceptor::TlsStreamWrapper;
use mqtt5::broker::transport::BrokerTransport;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub use credentials::{Counters, Credentials, SERVER};

use gate::Gate;

/// Connections that may wait to be accepted: after a power cut a whole province comes back at once.
const BACKLOG: u32 = 4096;
/// Connections at once.
const CONNECTIONS: usize = 20_000;
/// A TLS handshake must be done within this.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After the system has refused a connection (out of file descriptors, say), the next is awaited this much later.
const REST: Duration = Duration::from_millis(100);
/// A connection whose place another has taken has this long to hand over; one that is stuck, because nobody reads what it
/// writes, would keep the other waiting for half a minute.
const HANDOVER: Duration = Duration::from_secs(1);
/// Connections have this long to end when the broker does.
const FAREWELL: Duration = Duration::from_secs(2);
/// Longest MQTT packet in bytes: a media datagram with its topic, and room.
const PACKET: usize = 4096;
/// Longest retained payload in bytes: only presence is retained.
const RETAINED: usize = 64;
/// Messages that may wait for one client.
const WAITING: usize = 4096;

/// Where to listen; port 0 takes a free one.
#[derive(Debug, Clone, Default)]
pub struct Listen {
    /// For MQTT as it is: for the server itself, and for networks that are secure by other means.
    pub plain: Option<SocketAddr>,
    /// For MQTT in TLS, with the certificate to show.
    pub tls: Option<(SocketAddr, Arc<tls::Shown>)>,
}

/// A socket could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("the MQTT broker cannot listen on {address}: {reason}")]
pub struct BindError {
    /// Where.
    pub address: SocketAddr,
    /// Why.
    #[source]
    pub reason: io::Error,
}

/// A broker whose sockets are bound; [`Broker::run`] serves them.
pub struct Broker {
    plain: Option<TcpListener>,
    tls: Option<(TcpListener, Arc<tls::Shown>)>,
    house: Arc<House>,
}

/// What all connections share.
struct House {
    config: Arc<BrokerConfig>,
    router: Arc<MessageRouter>,
    stats: Arc<BrokerStats>,
    monitor: Arc<ResourceMonitor>,
    credentials: Arc<Credentials>,
}

impl Broker {
    /// Binds the sockets. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When one of them cannot be bound; none is then.
    pub fn bind(listen: Listen, credentials: Arc<Credentials>) -> Result<Self, BindError> {
        let plain = listen.plain.map(bind).transpose()?;
        let tls = match listen.tls {
            Some((address, shown)) => Some((bind(address)?, shown)),
            None => None,
        };
        let config = BrokerConfig {
            bind_addresses: Vec::new(),
            max_clients: CONNECTIONS,
            max_packet_size: PACKET,
            topic_alias_maximum: 0,
            maximum_qos: 1,
            shared_subscription_available: false,
            max_retained_message_size: RETAINED,
            client_channel_capacity: WAITING,
            storage_config: StorageConfig {
                enable_persistence: false,
                ..StorageConfig::default()
            },
            sys_topics_enabled: false,
            ..BrokerConfig::default()
        };
        let limits = ResourceLimits {
            max_connections: CONNECTIONS,
            // Hundreds of receivers share the address of a carrier's NAT.
            max_connections_per_ip: CONNECTIONS,
            max_connection_rate: u32::MAX,
            max_message_rate_per_client: 0,
            max_bandwidth_per_client: 0,
            ..ResourceLimits::default()
        };
        let house = House {
            config: Arc::new(config),
            router: Arc::new(MessageRouter::new().with_retained_limits(2 * CONNECTIONS, RETAINED)),
            stats: Arc::new(BrokerStats::new()),
            monitor: Arc::new(ResourceMonitor::new(limits)),
            credentials,
        };
        Ok(Self {
            plain,
            tls,
            house: Arc::new(house),
        })
    }

    /// Where MQTT without TLS is served.
    pub fn address(&self) -> Option<SocketAddr> {
        self.plain.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Where MQTT in TLS is served.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls.as_ref().and_then(|(listener, _)| listener.local_addr().ok())
    }

    /// Serves until `shutdown` turns true; all connections are closed when it returns.
    pub async fn run(self, shutdown: watch::Receiver<bool>) {
        let Self { plain, tls, house } = self;
        let plain = async {
            if let Some(listener) = plain {
                serve(listener, None, &house, shutdown.clone()).await;
            }
        };
        let tls = async {
            if let Some((listener, shown)) = tls {
                serve(listener, Some(shown), &house, shutdown.clone()).await;
            }
        };
        tokio::join!(plain, tls);
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    let listen = || {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // A restarted server takes the port of the one that was killed.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|reason| BindError { address, reason })
}

async fn serve(
    listener: TcpListener,
    tls: Option<Arc<tls::Shown>>,
    house: &Arc<House>,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut guests = JoinSet::new();
    loop {
        tokio::select! {
            () = ended(&mut shutdown) => break,
            Some(_) = guests.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) if guests.len() < CONNECTIONS => {
                    guests.spawn(receive(stream, from, tls.as_ref().map(|shown| TlsAcceptor::from(shown.load_full())), house.clone(), shutdown.clone()));
                }
                Ok((_, from)) => tracing::warn!(%from, "too many MQTT connections: one was turned away"),
                Err(error) => {
                    tracing::warn!(%error, "an MQTT connection could not be accepted");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }
    drop(listener);
    // What is left after that is dropped with the set.
    let _ = tokio::time::timeout(FAREWELL, async { while guests.join_next().await.is_some() {} }).await;
}

async fn ended(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|ending| *ending).await;
}

/// One connection, from its first byte to its last.
async fn receive(
    stream: TcpStream,
    from: SocketAddr,
    tls: Option<TlsAcceptor>,
    house: Arc<House>,
    mut shutdown: watch::Receiver<bool>,
) {
    // Commands are small and urgent.
    let _ = stream.set_nodelay(true);
    let transport = match tls {
        None => BrokerTransport::tcp(stream),
        Some(acceptor) => match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => BrokerTransport::tls(TlsStreamWrapper::new(stream)),
            failed => {
                house.credentials.counters().handshakes.add(1);
                let reason = failed.map(|outcome| outcome.err());
                return tracing::debug!(%from, ?reason, "a TLS handshake failed");
            }
        },
    };
    let (kick, kicked) = broadcast::channel(1);
    let gate = Arc::new(Gate::new(house.credentials.clone(), kick.clone(), from.ip()));
    let handler = ClientHandler::new(
        transport,
        from,
        house.config.clone(),
        house.router.clone(),
        gate.clone(),
        None,
        house.stats.clone(),
        house.monitor.clone(),
        kicked,
    );
    let mut conversation = pin!(handler.run());
    let outcome = tokio::select! {
        outcome = &mut conversation => Ok(outcome),
        () = ended(&mut shutdown) => {
            let _ = kick.send(());
            Ok(conversation.await)
        }
        () = gate.until_lost() => tokio::time::timeout(HANDOVER, conversation).await,
    };
    gate.leave();
    tracing::debug!(%from, ?outcome, "an MQTT connection ended");
}
