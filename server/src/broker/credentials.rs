//! Who may come in. Here: the table of user names and passwords, and which connection each receiver has at present. Not
//! here: what those who are in may do (`gate`).
//!
//! A receiver's user name and client identifier are its identifier, 32 hexadecimal digits, and its password follows from
//! the secret that it was enrolled with; while that is being replaced, from both. The server has a name of its own and a
//! password of this run. Devices that ask to be enrolled come in as `claim`: nobody's secret, and good for one question.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use loa_protocol::claim::{PASSWORD as CLAIM_PASSWORD, USER as CLAIM};
use loa_protocol::{ClaimId, ReceiverId, UnixMicros};
use ring::digest::{SHA256, digest};
use tokio::sync::{Notify, broadcast};

use crate::enrol::{Identity, Network};
use crate::fleet::clones::Watch;
use crate::transmit::Counter;

/// The server's user name.
pub const SERVER: &str = "loa-server";

/// Passwords are compared by their digests: how long that takes says nothing about the password.
type Digest = [u8; 32];

/// The passwords that a receiver may come in with.
type Passwords = [Option<Digest>; 2];

/// Devices that may be connected at once to ask to be enrolled: in all, and from one network.
const CLAIMANTS: usize = 512;
const CLAIMANTS_OF_A_NETWORK: usize = 32;

/// Who may come in; shared by the broker and whoever knows the receivers.
pub struct Credentials {
    password: String,
    table: ArcSwap<HashMap<ReceiverId, Passwords>>,
    seats: Mutex<HashMap<ReceiverId, Arc<Seat>>>,
    claimants: Mutex<HashMap<ClaimId, Arc<Seat>>>,
    clones: OnceLock<Clones>,
    counters: Counters,
}

/// Who is told which receiver took whose place.
struct Clones {
    watch: Watch,
    clock: fn() -> UnixMicros,
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
    /// Devices that asked to be enrolled and were turned away because too many did.
    pub crowded: Counter,
    /// Connections that took the place of one that had not ended.
    pub takeovers: Counter,
}

/// Somebody who proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Server,
    Receiver(ReceiverId),
    Claimant(ClaimId),
}

/// A connection.
pub(super) struct Seat {
    lost: AtomicBool,
    told: Notify,
    kick: broadcast::Sender<()>,
    from: IpAddr,
}

impl Seat {
    pub(super) fn new(kick: broadcast::Sender<()>, from: IpAddr) -> Self {
        Self {
            lost: AtomicBool::new(false),
            told: Notify::new(),
            kick,
            from,
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

    /// It has no place any more, and its connection ends now.
    fn throw_out(&self) {
        self.lose();
        let _ = self.kick.send(());
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
            claimants: Mutex::default(),
            clones: OnceLock::new(),
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

    /// From now on `watch` is told which receiver takes whose place.
    pub fn report_to(&self, watch: Watch, clock: fn() -> UnixMicros) {
        // A second one would be of the same server.
        let _ = self.clones.set(Clones { watch, clock });
    }

    /// Makes `receivers` all that may come in; who may not any more is thrown out.
    pub fn replace(&self, receivers: impl IntoIterator<Item = impl Into<Identity>>) {
        let entry = |it: Identity| (it.id, passwords(&it));
        let table: HashMap<_, _> = receivers.into_iter().map(Into::into).map(entry).collect();
        let old = self.table.swap(Arc::new(table));
        let table = self.table.load();
        self.seats().retain(|id, seat| {
            let stays = table
                .get(id)
                .is_some_and(|new| old.get(id).is_some_and(|old| same_device(old, new)));
            if !stays {
                seat.throw_out();
            }
            stays
        });
    }

    /// Puts one receiver in place of what was known of it; if it is another device now, the one that is in is thrown out.
    pub fn put(&self, identity: &Identity) {
        let new = passwords(identity);
        let old = self.table.load().get(&identity.id).copied();
        self.table.rcu(|table| {
            let mut table = HashMap::clone(table);
            table.insert(identity.id, new);
            table
        });
        if !old.is_some_and(|old| same_device(&old, &new))
            && let Some(seat) = self.seats().remove(&identity.id)
        {
            seat.throw_out();
        }
    }

    /// Who has this name and password; a receiver's client identifier must be its name, a claimant's its claim, the server's must
    /// be nobody's.
    pub(super) fn login(&self, client: &str, user: &str, password: &[u8]) -> Option<Who> {
        let given = digest_of(password);
        if user == SERVER {
            let strange = ReceiverId::parse(client).is_none() && ClaimId::from_client(client).is_none();
            let fits = given == digest_of(self.password.as_bytes()) && strange;
            return fits.then_some(Who::Server);
        }
        if user == CLAIM {
            let known = password == CLAIM_PASSWORD.as_bytes();
            return ClaimId::from_client(client).filter(|_| known).map(Who::Claimant);
        }
        let id = ReceiverId::parse(user).filter(|id| user.as_bytes() == id.hex() && client == user)?;
        let known = self.table.load().get(&id)?.contains(&Some(given));
        known.then_some(Who::Receiver(id))
    }

    /// Gives `id`'s place to this connection; the one that had it, if any, loses it.
    pub(super) fn sit(&self, id: ReceiverId, seat: &Arc<Seat>) {
        let old = {
            let mut seats = self.seats();
            let old = seats.insert(id, seat.clone());
            if let Some(old) = &old {
                old.lose();
            }
            // It may have been removed since it proved who it is.
            if !self.table.load().contains_key(&id) {
                seat.throw_out();
            }
            old
        };
        if let Some(old) = old {
            self.counters.takeovers.add(1);
            if let Some(clones) = self.clones.get() {
                let now = (clones.clock)();
                clones.watch.look(|it| it.session(id, old.from, seat.from, now));
            }
        }
    }

    /// Gives a claimant's place to this connection; `false` if there are too many of them.
    pub(super) fn queue(&self, id: ClaimId, seat: &Arc<Seat>) -> bool {
        let mut claimants = self.claimants();
        let network = Network::of(seat.from);
        let near = claimants.iter().filter(|(_, it)| Network::of(it.from) == network);
        let room = claimants.contains_key(&id) || claimants.len() < CLAIMANTS && near.count() < CLAIMANTS_OF_A_NETWORK;
        match room {
            true => {
                if let Some(old) = claimants.insert(id, seat.clone()) {
                    old.lose();
                }
            }
            false => self.counters.crowded.add(1),
        }
        room
    }

    /// Where a device that is connected to ask to be enrolled comes from.
    pub fn claimant(&self, id: ClaimId) -> Option<IpAddr> {
        self.claimants().get(&id).map(|seat| seat.from)
    }

    /// The connection has ended.
    pub(super) fn stand_up(&self, who: Who, seat: &Arc<Seat>) {
        fn leave<K: std::hash::Hash + Eq>(seats: &mut HashMap<K, Arc<Seat>>, id: &K, seat: &Arc<Seat>) {
            if seats.get(id).is_some_and(|present| Arc::ptr_eq(present, seat)) {
                seats.remove(id);
            }
        }
        match who {
            Who::Server => {}
            Who::Receiver(id) => leave(&mut self.seats(), &id, seat),
            Who::Claimant(id) => leave(&mut self.claimants(), &id, seat),
        }
    }

    fn claimants(&self) -> std::sync::MutexGuard<'_, HashMap<ClaimId, Arc<Seat>>> {
        self.claimants.lock().unwrap_or_else(PoisonError::into_inner)
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

fn passwords(it: &Identity) -> Passwords {
    let digest = |secret: &loa_protocol::key::Secret| digest_of(&secret.mqtt_password());
    [Some(digest(&it.secret)), it.next.as_ref().map(digest)]
}

/// Whether whoever came in by one of the `old` passwords may stay: one of them still holds.
fn same_device(old: &Passwords, new: &Passwords) -> bool {
    old.iter().flatten().any(|old| new.contains(&Some(*old)))
}
