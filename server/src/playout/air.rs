//! The air as one piece. Here: putting fleet, transmitter and stage together, so that starting a server is one call.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use loa_protocol::{SigningKey, UnixMicros};
use tokio::sync::watch;

use super::archive::Archive;
use super::stage::{Notifier, Stage};
use crate::broker::Credentials;
use crate::fleet::{self, Broker, Fleet, FleetLine};
use crate::transmit::Transmitter;

/// What the air stands on.
pub struct Ground {
    /// The MQTT broker, embedded or another.
    pub broker: Broker,
    /// The embedded broker's, to be kept up to date with the receivers; none with another broker.
    pub credentials: Option<Arc<Credentials>>,
    /// Where the media socket listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// File that keeps where receivers are across a restart.
    pub bindings: PathBuf,
    /// Signs commands.
    pub key: SigningKey,
    /// From a packet's sending to its sounding.
    pub latency: Duration,
    /// Tells the time.
    pub clock: fn() -> UnixMicros,
}

/// A running air: what others use of it.
pub struct Air {
    /// Tells it what has changed.
    pub notifier: Notifier,
    /// Where the media socket is bound.
    pub media: SocketAddr,
    /// What the media socket counts.
    pub transmitted: Arc<crate::transmit::Counters>,
    /// What the line to the receivers counts.
    pub refused: Arc<fleet::Counters>,
}

/// An air that is ready to run.
pub struct Program<A: Archive> {
    stage: Stage<A>,
    line: FleetLine,
}

/// Binds the media socket and builds everything; nothing is sent before [`Program::run`].
///
/// # Errors
/// When the media socket cannot be bound.
pub fn prepare<A: Archive>(ground: Ground, archive: Arc<A>) -> io::Result<(Air, Program<A>)> {
    let Ground {
        broker,
        credentials,
        listen,
        bindings,
        key,
        latency,
        clock,
    } = ground;
    let (fleet, line, outbox) = Fleet::new(&broker, key, clock);
    let transmitter = Transmitter::start(listen, bindings, fleet::tunnel(outbox), clock)?;
    let (media, transmitted) = (transmitter.address(), transmitter.counters().clone());
    let refused = fleet.counters().clone();
    let latency = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
    let (stage, notifier) = Stage::new(archive, transmitter, fleet, credentials, clock, latency);
    Ok((
        Air {
            notifier,
            media,
            transmitted,
            refused,
        },
        Program { stage, line },
    ))
}

impl<A: Archive> Program<A> {
    /// Runs until `shutdown` turns true.
    ///
    /// # Errors
    /// When the archive cannot be read at the start.
    pub async fn run(self, shutdown: watch::Receiver<bool>) -> Result<(), A::Error> {
        let line = self.line.run(shutdown.clone());
        let stage = self.stage.run(shutdown);
        let ((), outcome) = tokio::join!(line, stage);
        outcome
    }
}
