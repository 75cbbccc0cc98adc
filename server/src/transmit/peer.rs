//! Where receivers are. Here: the table of receivers that may speak to the media socket and where each was last heard,
//! read by the sender without a lock. Not here: how a hello is checked (`hello`), who is online (`fleet`).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use loa_protocol::key::Secret;
use loa_protocol::{ReceiverId, UnixMicros};

use super::bindings::Binding;

/// How media reaches a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// Datagrams to this address, which the receiver's last hello came from.
    Udp(SocketAddr),
    /// The same datagrams over MQTT: UDP is shut where the receiver is.
    Mqtt,
}

/// A binding is good for this long without another hello, in microseconds.
const BINDING_LIFE: u64 = 60_000_000;

/// A receiver's clock follows the server's; one that is further ahead, in microseconds, is not to be relied on.
const AHEAD: u64 = 60_000_000;

/// One receiver as the media socket knows it.
#[derive(Debug)]
pub struct Peer {
    /// Its identifier.
    pub id: ReceiverId,
    pub(super) secret: Secret,
    pub(super) hello_key: [u8; 32],
    path: ArcSwapOption<Path>,
    last_t1: AtomicU64,
    heard_at: AtomicU64,
}

impl Peer {
    /// A receiver that has not been heard yet.
    pub fn new(id: ReceiverId, secret: Secret) -> Self {
        let hello_key = secret.hello_key();
        let (last_t1, heard_at) = (AtomicU64::new(0), AtomicU64::new(0));
        Self {
            id,
            secret,
            hello_key,
            path: ArcSwapOption::empty(),
            last_t1,
            heard_at,
        }
    }

    /// Where it is, if it said hello within the last minute.
    pub fn path(&self, now: UnixMicros) -> Option<Path> {
        let heard = self.heard_at.load(Ordering::Relaxed);
        (now.0.saturating_sub(heard) < BINDING_LIFE)
            .then(|| self.path.load().as_deref().copied())
            .flatten()
    }

    /// Takes a hello sent at `t1` as the news of where the receiver is; `None`, and nothing changes, if it is not newer
    /// than the last one (a replay), or from the future.
    fn bind(&self, t1: UnixMicros, path: Path, now: UnixMicros) -> Option<Moved> {
        let latest = now.0.saturating_add(AHEAD);
        // What was heard in a future that never came, before the server's clock was put right, does not count.
        let newer = |last| ((last < t1.0 || last > latest) && t1.0 <= latest).then_some(t1.0);
        self.last_t1
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, newer)
            .ok()?;
        // Only a change allocates: a hello every few seconds from the same place does not.
        let moved = self.path.load().as_deref() != Some(&path);
        if moved {
            self.path.store(Some(Arc::new(path)));
        }
        self.heard_at.store(now.0, Ordering::Relaxed);
        Some(Moved(moved))
    }
}

/// Whether a hello came from elsewhere than the last one.
struct Moved(bool);

/// All receivers, by identifier.
#[derive(Debug, Default)]
pub struct Peers {
    table: ArcSwap<HashMap<ReceiverId, Arc<Peer>>>,
    /// What the last server knew, for receivers that are not in the table yet.
    restored: ArcSwap<(HashMap<ReceiverId, Binding>, UnixMicros)>,
    changes: AtomicU64,
}

impl Peers {
    /// Makes `receivers` all that there are; who stays keeps its binding.
    pub fn replace(&self, receivers: impl IntoIterator<Item = (ReceiverId, Secret)>) {
        let (old, restored) = (self.table.load(), self.restored.load());
        let table = receivers
            .into_iter()
            .map(|(id, secret)| {
                let kept = old.get(&id).filter(|peer| peer.secret == secret).cloned();
                let peer = kept.unwrap_or_else(|| {
                    let peer = Peer::new(id, secret);
                    if let Some((path, t1)) = restored.0.get(&id) {
                        peer.bind(*t1, *path, restored.1);
                    }
                    Arc::new(peer)
                });
                (id, peer)
            })
            .collect();
        self.table.store(Arc::new(table));
    }

    /// Takes what the last server knew, as of `now`.
    pub(super) fn restore(&self, bindings: HashMap<ReceiverId, Binding>, now: UnixMicros) {
        self.restored.store(Arc::new((bindings, now)));
    }

    /// Takes a hello that `peer` sent at `t1`; `false` if it is a replay.
    pub(super) fn bind(&self, peer: &Peer, t1: UnixMicros, path: Path, now: UnixMicros) -> bool {
        let bound = peer.bind(t1, path, now);
        if matches!(bound, Some(Moved(true))) {
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
        bound.is_some()
    }

    /// How often a receiver has moved.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Everyone that was heard of within the last minute.
    pub(super) fn bindings(&self, now: UnixMicros) -> Vec<(ReceiverId, Binding)> {
        let table = self.table.load();
        let bound = |peer: &Peer| Some((peer.path(now)?, UnixMicros(peer.last_t1.load(Ordering::Relaxed))));
        table
            .values()
            .filter_map(|peer| Some((peer.id, bound(peer)?)))
            .collect()
    }

    /// The receiver `id`, if there is such a one.
    pub fn get(&self, id: ReceiverId) -> Option<Arc<Peer>> {
        self.table.load().get(&id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replayed_hello_moves_nothing() {
        let peers = Peers::default();
        let peer = Peer::new(ReceiverId([7; 16]), Secret([0; 32]));
        let now = UnixMicros(1_000_000_000);
        let (home, thief) = ("10.0.0.1:5".parse().unwrap(), "10.9.9.9:5".parse().unwrap());
        assert_eq!(peer.path(now), None);
        assert!(peers.bind(&peer, UnixMicros(5), Path::Udp(home), now));
        assert!(!peers.bind(&peer, UnixMicros(5), Path::Udp(thief), now));
        assert!(!peers.bind(&peer, UnixMicros(4), Path::Mqtt, now));
        assert_eq!(peer.path(now), Some(Path::Udp(home)));
        assert!(peers.bind(&peer, UnixMicros(6), Path::Mqtt, now));
        assert_eq!(peer.path(now), Some(Path::Mqtt));
        assert_eq!(peer.path(now.offset(60_000_000)), None);
    }

    #[test]
    fn a_receiver_that_stays_keeps_its_binding() {
        let peers = Peers::default();
        let (a, b) = (ReceiverId([1; 16]), ReceiverId([2; 16]));
        peers.replace([(a, Secret([1; 32]))]);
        peers.bind(&peers.get(a).unwrap(), UnixMicros(1), Path::Mqtt, UnixMicros(1));
        peers.replace([(a, Secret([1; 32])), (b, Secret([2; 32]))]);
        assert_eq!(peers.get(a).unwrap().path(UnixMicros(2)), Some(Path::Mqtt));
        peers.replace([(b, Secret([2; 32]))]);
        assert!(peers.get(a).is_none());
    }
}
