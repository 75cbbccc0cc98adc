//! Where live sound comes in. Here: one wire for each live broadcast, for who speaks and for the stage alike, whoever comes first;
//! and the desks at their other ends. Not here: who may speak (`http`), what becomes of it on the air (`stage`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use loa_protocol::{BroadcastId, UnixMicros};

use super::archive::{BroadcastRow, Live};
use crate::media::live::{Beat, Desk, Feed, JudgeLimits, Microphone, News, Patience, Plan, Ring, Switch, Wire};
use crate::media::relay::{self, Address};
use crate::media::{self, Encoding, Limits, Programme};

/// How live sound is dealt with.
#[derive(Debug, Clone)]
pub struct Manner {
    /// How what is sent is encoded, and recordings after it.
    pub encoding: Encoding,
    /// What a recording may cost.
    pub limits: Limits,
    /// How long a studio is kept for who says nothing.
    pub patience: Patience,
    /// When a relay is no good.
    pub judge: JudgeLimits,
    /// Hosts that may be relayed though they are no public ones.
    pub allowed: Vec<String>,
}

/// All live sound that comes in.
#[derive(Debug)]
pub struct Studio {
    manner: Manner,
    recordings: PathBuf,
    wires: Mutex<HashMap<BroadcastId, Arc<Wire>>>,
    /// What is being sent, for who listens in.
    rings: Mutex<HashMap<BroadcastId, Weak<Ring>>>,
}

impl Studio {
    /// One in which nobody speaks yet; `recordings` is the folder where what is said is kept.
    pub fn new(manner: Manner, recordings: PathBuf) -> Self {
        let wires = Mutex::default();
        Self {
            manner,
            recordings,
            wires,
            rings: Mutex::default(),
        }
    }

    /// One for tests in which nobody speaks.
    #[cfg(test)]
    pub(crate) fn silent(recordings: PathBuf) -> Arc<Self> {
        use std::time::Duration;
        let second = Duration::from_secs(1);
        let manner = Manner {
            encoding: Encoding::default(),
            limits: Limits {
                bytes: 1 << 20,
                duration: second,
            },
            patience: Patience {
                silent: second,
                gone: second,
            },
            judge: JudgeLimits { silence: second },
            allowed: Vec::new(),
        };
        Arc::new(Self::new(manner, recordings))
    }

    /// The wire of a broadcast that somebody speaks in.
    pub fn wire(&self, id: BroadcastId) -> Arc<Wire> {
        self.wires().entry(id).or_default().clone()
    }

    /// The packets of a live broadcast that sounds.
    pub fn on_air(&self, id: BroadcastId) -> Option<Arc<Ring>> {
        let rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        rings.get(&id)?.upgrade()
    }

    /// Nothing comes in for that broadcast any more.
    pub(super) fn close(&self, id: BroadcastId) {
        if let Some(wire) = self.wires().remove(&id) {
            wire.close();
        }
    }

    /// The desk of a live broadcast; blocking.
    pub(super) fn desk(
        &self,
        row: &BroadcastRow,
        live: &Live,
        latency: u64,
        clock: fn() -> UnixMicros,
        tell: Box<dyn Fn(News) + Send>,
    ) -> Result<Desk, String> {
        let (feed, record): (Box<dyn Feed>, _) = match live {
            Live::Microphone { chime, bed } => {
                let voice = Microphone::new(self.wire(row.id), *chime && !row.begun, self.manner.patience);
                let voice = voice.over(programmes(bed)?).map_err(|error| error.to_string())?;
                (Box::new(voice), self.recording(&row.programme))
            }
            Live::Relay { url, fallback } => {
                let address = Address::parse(url, &self.manner.allowed).map_err(|why| why.to_string())?;
                let fallback = programmes(fallback)?;
                let wire = Arc::new(Wire::default());
                self.wires().insert(row.id, wire.clone());
                // It ends when the wire is closed.
                tokio::runtime::Handle::current().spawn(relay::run(address, wire.clone()));
                let switch = Switch::new(wire, self.manner.judge, fallback).map_err(|error| error.to_string())?;
                (Box::new(switch), None)
            }
        };
        let beat = Beat {
            start: row.start,
            latency,
        };
        let plan = Plan {
            beat,
            bitrate: self.manner.encoding.bitrate,
            feed,
            record,
            clock,
            tell,
        };
        let desk = Desk::start(plan).map_err(|error| error.to_string())?;
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        rings.retain(|_, ring| ring.strong_count() > 0);
        rings.insert(row.id, Arc::downgrade(desk.ring()));
        Ok(desk)
    }

    /// Makes `programme` of what was recorded for it; blocking. Gives how many samples it has.
    pub(super) fn keep(&self, programme: &Path) -> Option<u64> {
        let recording = self.recording(programme).filter(|path| path.exists())?;
        match media::ingest(&recording, programme, self.manner.encoding, self.manner.limits) {
            Ok(made) => Some(made.samples),
            Err(error) => {
                tracing::error!(%error, path = %recording.display(), "no bulletin can be made of a recording");
                None
            }
        }
    }

    /// Where what is said is kept, as it went out.
    fn recording(&self, programme: &Path) -> Option<PathBuf> {
        Some(self.recordings.join(programme.file_stem()?))
    }

    fn wires(&self) -> MutexGuard<'_, HashMap<BroadcastId, Arc<Wire>>> {
        self.wires.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads programmes; blocking.
fn programmes(paths: &[PathBuf]) -> Result<Vec<Programme>, String> {
    let open = |path: &PathBuf| Programme::open(path).map_err(|error| error.to_string());
    paths.iter().map(open).collect()
}
