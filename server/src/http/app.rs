//! What handlers share.

use std::collections::HashSet;
use std::ops::Deref;
use std::sync::Arc;

use loa_protocol::UnixMicros;
use tokio::sync::{Mutex, OnceCell, Semaphore, watch};

use super::ceremonies::Ceremonies;
use super::feed::Feed;
use super::limits::Limits;
use super::metrics::{Counters, Text};
use crate::config::Config;
use crate::data::DataFolder;
use crate::enrol::Known;
use crate::enrol::claims::Book;
use crate::https::Keeper;
use crate::oidc::Provider;
use crate::patience::Patience;
use crate::playout::{Heeded, Notice, Studio};
use crate::speech::Voices;
use crate::store::Store;

/// What a server is put together from.
pub struct Parts {
    /// The database.
    pub store: Arc<Store>,
    /// The data folder.
    pub data: DataFolder,
    /// The settings.
    pub config: Arc<Config>,
    /// Tells the time.
    pub clock: fn() -> UnixMicros,
    /// Tells the air what has changed.
    pub tell: Box<dyn Fn(Notice) -> Heeded + Send + Sync>,
    /// What new receivers are told.
    pub known: Known,
    /// Devices that ask to be enrolled.
    pub claims: Arc<std::sync::Mutex<Book>>,
    /// Where live sound comes in.
    pub studio: Arc<Studio>,
    /// Adds what other parts count to `/metrics`.
    pub measure: Box<dyn Fn(&mut Text) + Send + Sync>,
    /// The other door, where there is one.
    pub https: Option<Https>,
    /// By whose sign-in people may come in, beside their passwords.
    pub oidc: Option<Provider>,
    /// Turns true when the server ends.
    pub shutdown: watch::Receiver<bool>,
}

/// What is to be known of HTTPS.
pub struct Https {
    /// The port that it is served on.
    pub port: u16,
    /// What it shows.
    pub keeper: Arc<Keeper>,
    /// The authority's certificate (DER), where people have to install it.
    pub authority: Option<Vec<u8>>,
}

/// What handlers share; clones are the same one.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// See [`Parts`].
pub struct Shared {
    pub(super) parts: Parts,
    pub(super) feed: Feed,
    pub(super) counters: Counters,
    /// Who has to wait before the next attempt; read from the store at first use.
    pub(super) patience: OnceCell<Mutex<Patience>>,
    /// Second factors that are being set up or shown.
    pub(super) ceremonies: Ceremonies,
    pub(super) limits: Limits,
    /// Uploads that may be decoded at once: one core is left for what is on the air.
    pub(super) decoding: Arc<Semaphore>,
    /// Uploads that may come in at once.
    pub(super) uploading: Semaphore,
    /// What reads text aloud.
    pub(super) voices: Voices,
    /// Uploads in pieces that somebody is at.
    held: Arc<std::sync::Mutex<HashSet<String>>>,
}

/// An upload that nobody else is at, as long as this is held.
pub(super) struct Held {
    id: String,
    all: Arc<std::sync::Mutex<HashSet<String>>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.remove(&self.id);
    }
}

/// Uploads that may come in at once.
const UPLOADS: usize = 16;

impl App {
    /// Puts it together; [`App::run`] makes it live.
    pub fn new(parts: Parts) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let limits = Limits::new(&parts.config);
        let voices = Voices::new(&parts.config.speech);
        Self(Arc::new(Shared {
            parts,
            voices,
            limits,
            feed: Feed::default(),
            counters: Counters::default(),
            patience: OnceCell::new(),
            ceremonies: Ceremonies::default(),
            decoding: Arc::new(Semaphore::new(cores.saturating_sub(1).max(1))),
            uploading: Semaphore::new(UPLOADS),
            held: Arc::default(),
        }))
    }

    /// Tells who is watching what changes, and the air what other processes change, until shutdown.
    pub async fn run(self) {
        super::feed::run(&self).await;
    }

    /// What decoding waits for, so that a core is left for what is on the air.
    pub fn decoding(&self) -> Arc<Semaphore> {
        self.decoding.clone()
    }

    pub(super) fn now(&self) -> UnixMicros {
        (self.parts.clock)()
    }

    /// Devices that ask to be enrolled. Not to be held across an await.
    pub(super) fn claims(&self) -> std::sync::MutexGuard<'_, Book> {
        // It is whole between any two of its operations.
        self.parts
            .claims
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The upload of that identifier, unless somebody is at it.
    pub(super) fn hold(&self, id: &str) -> Option<Held> {
        let mut all = self.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.insert(id.to_owned()).then(|| Held {
            id: id.to_owned(),
            all: self.held.clone(),
        })
    }

    pub(super) fn store(&self) -> &Store {
        &self.parts.store
    }

    pub(super) fn tell(&self, notice: Notice) -> Heeded {
        (self.parts.tell)(notice)
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
