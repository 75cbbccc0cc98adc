//! Many receivers in one process. Here: starting them, watching them, doing things to them, ending them. Not here: what one of
//! them does (`device`).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use loa_protocol::{BroadcastId, ReceiverId};
use loa_receiver::{Enrolment, Micros};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;

use crate::claim::ClaimFailed;
use crate::clock::Clock;
use crate::device::{Device, Order, Shared};
use crate::enrolments::WrongEnrolments;
use crate::fault::{Faults, Link, WrongFault};
use crate::mqtt::{Authorities, WrongAuthority};
use crate::observer::{News, Observer};
use crate::random::Random;
use crate::recording::{Gaps, Recording, RecordingError};
use crate::report::Report;

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Config {
    /// One receiver each.
    pub enrolments: Vec<Enrolment>,
    /// Where each keeps its enrolment when it changes, in the same order; those that have no file keep it as long as the simulation lasts.
    pub files: Vec<PathBuf>,
    /// What is wrong with the network of each, chosen for each by itself.
    pub faults: Faults,
    /// What chance follows from: the same seed, the same faults.
    pub seed: u64,
    /// Where to keep what they sound, a WAV file and an index each (see [`crate::recording`]); made if it is not there.
    pub wav_folder: Option<PathBuf>,
    /// What stands in the WAV files between stretches of a broadcast.
    pub gaps: Gaps,
    /// Decode what arrives. Without it packets become silence of their length: for thousands of receivers.
    pub decode: bool,
    /// Measure the level of what sounds: about 200 KB for each receiver that plays.
    pub measure: bool,
    /// Over how long the receivers are switched on, one after the other.
    pub spread: Duration,
}

impl Config {
    /// Receivers with these enrolments, and nothing wrong with them; nothing is kept in files.
    #[must_use]
    pub fn new(enrolments: Vec<Enrolment>) -> Self {
        Self {
            enrolments,
            files: Vec::new(),
            faults: Faults::default(),
            seed: 0,
            wav_folder: None,
            gaps: Gaps::default(),
            decode: true,
            measure: true,
            spread: Duration::ZERO,
        }
    }
}

/// A simulation that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing to simulate.
    #[error("no receiver was given: at least one enrolment is needed")]
    Nobody,
    /// See there.
    #[error(transparent)]
    Enrolments(#[from] WrongEnrolments),
    /// See there.
    #[error(transparent)]
    Claim(#[from] ClaimFailed),
    /// See there.
    #[error(transparent)]
    Fault(#[from] WrongFault),
    /// See there.
    #[error(transparent)]
    Authority(#[from] WrongAuthority),
    /// See there.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// A file or folder cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The system allows too few sockets.
    #[error(
        "{receivers} receivers need {needed} open files, the system allows {allowed}: raise it (ulimit -n {needed}) or simulate fewer"
    )]
    TooFewFiles {
        /// How many receivers there are.
        receivers: usize,
        /// How many files they need.
        needed: usize,
        /// How many there may be.
        allowed: usize,
    },
}

/// News of one receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its place in [`Config::enrolments`].
    pub receiver: usize,
    /// What happened.
    pub news: News,
}

/// Events that may wait for a slow listener; it is told how many it missed.
const EVENTS: usize = 4096;

/// Running receivers. Dropping it ends them too, but only [`Simulation::stop`] waits for it and makes recordings whole.
pub struct Simulation {
    seed: u64,
    receivers: Vec<Handle>,
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    events: broadcast::Sender<Event>,
    progress: watch::Receiver<u64>,
}

struct Handle {
    id: ReceiverId,
    shared: Arc<Shared>,
    orders: mpsc::Sender<Order>,
}

impl Simulation {
    /// Switches the receivers on. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// What cannot be; nothing runs then.
    pub fn start(config: Config) -> Result<Self, Error> {
        let count = config.enrolments.len();
        if count == 0 {
            return Err(Error::Nobody);
        }
        config.faults.check()?;
        let files = if config.wav_folder.is_some() { 4 } else { 2 };
        enough_files(count, count * files + 64)?;
        if let Some(folder) = &config.wav_folder {
            std::fs::create_dir_all(folder).map_err(|source| Error::Unwritable {
                path: folder.clone(),
                source,
            })?;
        }
        let clock = Clock::start();
        let (stop, stopped) = watch::channel(false);
        let (events, _) = broadcast::channel(EVENTS);
        let (advance, progress) = watch::channel(0);
        let mut authorities = Authorities::default();
        let mut devices = Vec::with_capacity(count);
        let mut receivers = Vec::with_capacity(count);
        for (number, enrolment) in config.enrolments.into_iter().enumerate() {
            for ca in [enrolment.mqtt_ca.as_deref(), enrolment.next_ca.as_deref()] {
                ca.map(|ca| authorities.trust(ca)).transpose()?;
            }
            let digits = enrolment.receiver.hex();
            let mut name: String = digits.iter().map(|digit| char::from(*digit)).collect();
            if receivers.iter().any(|other: &Handle| other.id == enrolment.receiver) {
                name += "-clone";
            }
            let recording = match &config.wav_folder {
                Some(folder) => Some(Recording::create(folder, &name, config.gaps)?),
                None => None,
            };
            // Three streams of chance for each: down, up, and pauses.
            let stream = number as u64 * 3;
            let link = |stream| Link::new(config.faults.clone(), config.seed, stream);
            let observer = Observer::new(enrolment.clone(), recording, config.measure && config.decode);
            let shared = Arc::new(Shared::new(observer, link(stream), link(stream + 1)));
            let (orders, ordered) = mpsc::channel(4);
            let spread = u64::try_from(config.spread.as_micros()).unwrap_or(u64::MAX);
            receivers.push(Handle {
                id: enrolment.receiver,
                shared: shared.clone(),
                orders,
            });
            devices.push(Device {
                number,
                enrolment,
                shared,
                clock,
                faults: config.faults.clone(),
                decode: config.decode,
                power_on: Micros((u128::from(spread) * number as u128 / count as u128) as u64),
                random: Random::new(config.seed, stream + 2),
                file: config.files.get(number).cloned(),
                authorities: authorities.clone(),
                orders: ordered,
                events: events.clone(),
                progress: advance.clone(),
            });
        }
        // Nothing can go wrong any more.
        let mut tasks = JoinSet::new();
        for device in devices {
            tasks.spawn(device.run(stopped.clone()));
        }
        Ok(Self {
            seed: config.seed,
            receivers,
            tasks,
            stop,
            events,
            progress,
        })
    }

    /// What happens from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// The place of a receiver in [`Config::enrolments`].
    #[must_use]
    pub fn find(&self, id: ReceiverId) -> Option<usize> {
        self.receivers.iter().position(|receiver| receiver.id == id)
    }

    /// Waits until every receiver has a session, a clock, and listens.
    pub async fn wait_ready(&self) {
        self.wait(|shared| shared.lock().observer.ready()).await;
    }

    /// Waits until every receiver has done with `broadcast`: played it, or said why not.
    pub async fn wait_ended(&self, broadcast: BroadcastId) {
        self.wait(|shared| shared.lock().observer.has_ended(broadcast)).await;
    }

    /// Waits until every receiver has done with `broadcasts` broadcasts, whichever they are.
    pub async fn wait_played(&self, broadcasts: u64) {
        self.wait(|shared| shared.lock().observer.ended() >= broadcasts).await;
    }

    /// Cuts a receiver's mains for a moment; `receiver` is its place in [`Config::enrolments`].
    pub async fn reboot(&self, receiver: usize) {
        self.order(receiver, Order::Reboot).await;
    }

    /// Gives a receiver another UDP port, as a NAT does after a while.
    pub async fn rebind(&self, receiver: usize) {
        self.order(receiver, Order::Rebind).await;
    }

    /// What they have played, and what was done to them, until now.
    #[must_use]
    pub fn report(&self) -> Report {
        let report = |handle: &Handle| {
            let shared = handle.shared.lock();
            shared.observer.report(&shared.down, &shared.up)
        };
        Report {
            seed: self.seed,
            receivers: self.receivers.iter().map(report).collect(),
        }
    }

    /// Switches the receivers off, makes their recordings whole, and says what they have played.
    ///
    /// # Errors
    /// A recording could not be written to its end.
    pub async fn stop(mut self) -> Result<Report, Error> {
        self.stop.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                // A receiver that panicked is a fault of the core: as loud as in a test that calls it.
                std::panic::resume_unwind(error.into_panic());
            }
        }
        let report = self.report();
        for receiver in &self.receivers {
            if let Some(error) = receiver.shared.lock().observer.finish() {
                return Err(error.into());
            }
        }
        Ok(report)
    }

    async fn order(&self, receiver: usize, order: Order) {
        if let Some(handle) = self.receivers.get(receiver) {
            // Its task ends only with the simulation.
            let _ = handle.orders.send(order).await;
        }
    }

    async fn wait(&self, done: impl Fn(&Shared) -> bool) {
        let mut progress = self.progress.clone();
        // Those before this one have done: nobody is looked at again and again.
        let mut next = 0;
        loop {
            progress.mark_unchanged();
            while self.receivers.get(next).is_some_and(|receiver| done(&receiver.shared)) {
                next += 1;
            }
            if next == self.receivers.len() {
                return;
            }
            if progress.changed().await.is_err() {
                // All tasks have ended, so it never comes true: whoever waits has a time limit.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Looks whether the system allows as many open files.
fn enough_files(receivers: usize, needed: usize) -> Result<(), Error> {
    // Where there is no such file, the system has no such limit, or it shows when sockets are opened.
    let Ok(limits) = std::fs::read_to_string("/proc/self/limits") else {
        return Ok(());
    };
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let allowed = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    match allowed {
        Some(allowed) if allowed < needed => Err(Error::TooFewFiles {
            receivers,
            needed,
            allowed,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_receivers_than_sockets_are_refused_with_what_is_needed() {
        assert!(enough_files(1, 66).is_ok());
        // No system has as many.
        let error = enough_files(1 << 60, 1 << 61).err().map(|error| error.to_string());
        let unlimited =
            std::fs::read_to_string("/proc/self/limits").map_or(true, |text| !text.contains("Max open files"));
        assert!(unlimited || error.is_some_and(|error| error.contains("ulimit -n 2305843009213693952")));
    }
}
