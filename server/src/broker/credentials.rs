//! Who may come in. Here: the table of user names and passwords, and which connection each receiver has at present. Not
//! here: what those who are in may do (`gate`).
//!
//! A receiver's user name and client identifier are its identifier, 32 hexadecimal digits, and its password follows from
//! the secret that it was enrolled with. The server has a name of its own and a password of this run.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use loa_protocol::ReceiverId;
use loa_protocol::key::Secret;
use ring::digest::{SHA256, digest};
use tokio::sync::{Notify, broadcast};

use crate::transmit::Counter;

/// The server's user name.
pub const SERVER: &str = "loa-server";

/// Passwords are compared by their digests: how long that takes says nothing about the password.
type Digest = [u8; 32];

/// Who may come in; shared by the broker and whoever knows the receivers.
pub struct Credentials {
    password: String,
    table: ArcSwap<HashMap<ReceiverId, Digest>>,
    seats: Mutex<HashMap<ReceiverId, Arc<Seat>>>,
    counters: Counters,
}

/// Counts since the server started.
#[derive(Debug, Default)]
pub struct Counters {
    /// TLS handshakes that failed or took too long.
    pub handshakes: Counter,
    /// Connections with a wrong name, password or client identifier.
    pub logins: Counter,
    /// Messages and subscriptions that topic rules forbid.
    pub topics: Counter,
}

/// Somebody who proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Server,
    Receiver(ReceiverId),
}

/// A receiver's connection.
pub(super) struct Seat {
    lost: AtomicBool,
    told: Notify,
    kick: broadcast::Sender<()>,
}

impl Seat {
    pub(super) fn new(kick: broadcast::Sender<()>) -> Self {
        Self {
            lost: AtomicBool::new(false),
            told: Notify::new(),
            kick,
        }
    }

    /// Another connection has taken its place, or the receiver exists no more.
    pub(super) fn lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Waits until that is so; for one task.
    pub(super) async fn until_lost(&self) {
        self.told.notified().await;
    }

    fn lose(&self) {
        self.lost.store(true, Ordering::Release);
        self.told.notify_one();
    }
}

impl Default for Credentials {
    /// Nobody but the server, with a password that nobody has had before.
    fn default() -> Self {
        let random: [u8; 32] = rand::random();
        let password = loa_protocol::id::hex::<64>(&random);
        Self {
            password: password.iter().map(|digit| char::from(*digit)).collect(),
            table: ArcSwap::default(),
            seats: Mutex::default(),
            counters: Counters::default(),
        }
    }
}

impl Credentials {
    /// The server's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// What was counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Makes `receivers` all that may come in; who may not any more is thrown out.
    pub fn replace(&self, receivers: impl IntoIterator<Item = (ReceiverId, Secret)>) {
        let entry = |(id, secret): (ReceiverId, Secret)| (id, digest_of(&secret.mqtt_password()));
        let table: HashMap<_, _> = receivers.into_iter().map(entry).collect();
        let old = self.table.swap(Arc::new(table));
        let table = self.table.load();
        self.seats().retain(|id, seat| {
            let stays = table.get(id).is_some_and(|digest| old.get(id) == Some(digest));
            if !stays {
                seat.lose();
                let _ = seat.kick.send(());
            }
            stays
        });
    }

    /// Who has this name and password; a receiver's client identifier must be its name, the server's must be nobody's.
    pub(super) fn login(&self, client: &str, user: &str, password: &[u8]) -> Option<Who> {
        let given = digest_of(password);
        if user == SERVER {
            let fits = given == digest_of(self.password.as_bytes()) && ReceiverId::parse(client).is_none();
            return fits.then_some(Who::Server);
        }
        let id = ReceiverId::parse(user).filter(|id| user.as_bytes() == id.hex() && client == user)?;
        (self.table.load().get(&id) == Some(&given)).then_some(Who::Receiver(id))
    }

    /// Gives `id`'s place to this connection; the one that had it, if any, loses it.
    pub(super) fn sit(&self, id: ReceiverId, seat: &Arc<Seat>) {
        let mut seats = self.seats();
        if let Some(old) = seats.insert(id, seat.clone()) {
            old.lose();
        }
        // It may have been removed since it proved who it is.
        if !self.table.load().contains_key(&id) {
            seat.lose();
            let _ = seat.kick.send(());
        }
    }

    /// The connection has ended.
    pub(super) fn stand_up(&self, id: ReceiverId, seat: &Arc<Seat>) {
        let mut seats = self.seats();
        if seats.get(&id).is_some_and(|present| Arc::ptr_eq(present, seat)) {
            seats.remove(&id);
        }
    }

    fn seats(&self) -> std::sync::MutexGuard<'_, HashMap<ReceiverId, Arc<Seat>>> {
        // The map is whole between any two of its operations.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest_of(password: &[u8]) -> Digest {
    digest(&SHA256, password)
        .as_ref()
        .try_into()
        .expect("SHA-256 has 32 bytes")
}
