//! The air as one piece. Here: putting fleet, transmitter and stage together, so that starting a server is one call.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use loa_protocol::UnixMicros;
use tokio::sync::watch;

use super::archive::Archive;
use super::stage::{Cast, Notifier, Stage};
use super::studio::Studio;
use crate::broker::Credentials;
use crate::broker::tls::Trusted;
use crate::data::Keyring;
use crate::enrol::claims::Book;
use crate::fleet::clones::Watch;
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
    /// Sign commands.
    pub keys: Arc<Keyring>,
    /// Authorities for the broker, as they are now.
    pub trusted: Arc<ArcSwap<Trusted>>,
    /// Looks what has changed about them.
    pub refresh: Box<dyn Fn() + Send + Sync>,
    /// Devices that ask to be enrolled.
    pub claims: Arc<Mutex<Book>>,
    /// Where live sound comes in.
    pub studio: Arc<Studio>,
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
        keys,
        trusted,
        refresh,
        claims,
        studio,
        latency,
        clock,
    } = ground;
    let (watch, alarms) = Watch::new();
    if let Some(credentials) = &credentials {
        credentials.report_to(watch.clone(), clock);
    }
    let (fleet, line, outbox) = Fleet::new(&broker, keys.clone(), watch.clone(), clock);
    let transmitter = Transmitter::start(listen, bindings, fleet::tunnel(outbox), watch.clone(), clock)?;
    let (media, transmitted) = (transmitter.address(), transmitter.counters().clone());
    let refused = fleet.counters().clone();
    let latency = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
    let (stage, notifier) = Stage::new(Cast {
        archive,
        transmitter,
        fleet,
        credentials,
        keys,
        trusted,
        refresh,
        claims,
        watch,
        alarms,
        studio,
        clock,
        latency,
    });
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
