//! Where receivers are. Here: the table of receivers that may speak to the media socket and where each was last heard,
//! read by the sender without a lock. Not here: how a hello is checked (`hello`), who is online (`fleet`).
//!
//! A receiver whose secret is being replaced is the same under both: it is answered under the one it spoke under, and sound
//! goes to it under the old one until the new one is proven.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use loa_protocol::{ReceiverId, StreamId, UnixMicros};
use ring::digest::{SHA256, digest};

use super::bindings::Binding;
use crate::enrol::Identity;

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

/// Two places that are heard in turn, each again within this, in microseconds, are two devices under one name: hellos come every 5 s.
const TOGETHER: u64 = 12_000_000;

/// One receiver as the media socket knows it.
#[derive(Debug)]
pub struct Peer {
    /// Its identifier.
    pub id: ReceiverId,
    pub(super) identity: Identity,
    hello_key: [u8; 32],
    next_hello_key: Option<[u8; 32]>,
    /// Outlives a change of secrets.
    place: Arc<Place>,
}

/// Where a receiver was last heard.
#[derive(Debug, Default)]
struct Place {
    path: ArcSwapOption<Path>,
    last_t1: AtomicU64,
    heard_at: AtomicU64,
    /// Where it was before it came here, and when it was last heard there.
    other: ArcSwapOption<(Path, UnixMicros)>,
    /// Until then sound goes there, too.
    other_until: AtomicU64,
}

impl Peer {
    /// A receiver that has not been heard yet.
    pub fn new(identity: impl Into<Identity>) -> Self {
        Self::at(identity.into(), Arc::default())
    }

    fn at(identity: Identity, place: Arc<Place>) -> Self {
        Self {
            id: identity.id,
            hello_key: identity.secret.hello_key(),
            next_hello_key: identity.next.as_ref().map(|next| next.hello_key()),
            identity,
            place,
        }
    }

    /// The keys that its hellos may be made with.
    pub(super) fn hello_keys(&self) -> impl Iterator<Item = [u8; 32]> {
        std::iter::once(self.hello_key).chain(self.next_hello_key)
    }

    /// The stream that carries `stream` to it.
    pub fn stream(&self, stream: StreamId) -> StreamId {
        stream_under(stream, self.identity.epoch)
    }

    /// Where it is, if it said hello within the last minute.
    pub fn path(&self, now: UnixMicros) -> Option<Path> {
        let heard = self.place.heard_at.load(Ordering::Relaxed);
        (now.0.saturating_sub(heard) < BINDING_LIFE)
            .then(|| self.place.path.load().as_deref().copied())
            .flatten()
    }

    /// Where another device under its name is, which was heard in turn with it just now. Both are sent sound: a copy that is merely
    /// switched on does not silence the real one.
    pub fn other(&self, now: UnixMicros) -> Option<Path> {
        (now.0 < self.place.other_until.load(Ordering::Relaxed))
            .then(|| self.place.other.load().as_deref().map(|(path, _)| *path))
            .flatten()
    }

    /// Takes a hello sent at `t1` as the news of where the receiver is; `None`, and nothing changes, if it is not newer
    /// than the last one (a replay), or from the future.
    fn bind(&self, t1: UnixMicros, path: Path, now: UnixMicros) -> Option<Moved> {
        let latest = now.0.saturating_add(AHEAD);
        // What was heard in a future that never came, before the server's clock was put right, does not count.
        let newer = |last| ((last < t1.0 || last > latest) && t1.0 <= latest).then_some(t1.0);
        self.place
            .last_t1
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, newer)
            .ok()?;
        // Only a change allocates: a hello every few seconds from the same place does not.
        let before = self.place.path.load_full();
        let moved = before.as_deref() != Some(&path);
        if moved {
            self.place.path.store(Some(Arc::new(path)));
            self.place.left(before, path, now);
        }
        self.place.heard_at.store(now.0, Ordering::Relaxed);
        Some(Moved(moved))
    }
}

impl Place {
    /// It was `before`, and is heard from `path` now.
    fn left(&self, before: Option<Arc<Path>>, path: Path, now: UnixMicros) {
        let there = self.heard_at.load(Ordering::Relaxed);
        let lately = |(other, at): &(Path, UnixMicros)| *other == path && now.0.saturating_sub(at.0) < TOGETHER;
        let back = self.other.load().as_deref().is_some_and(lately);
        // One that goes over to MQTT and back is one.
        let by_udp = matches!((before.as_deref(), path), (Some(Path::Udp(_)), Path::Udp(_)));
        let until = if back && by_udp { there + TOGETHER } else { 0 };
        self.other
            .store(before.map(|before| Arc::new((*before, UnixMicros(there)))));
        self.other_until.store(until, Ordering::Relaxed);
    }
}

/// The stream that a receiver is told of a broadcast's: another one under each secret, so that a play command under a new
/// secret is seen to replace the one before. Under the first secret it is the broadcast's own.
pub fn stream_under(stream: StreamId, epoch: u32) -> StreamId {
    if epoch == 0 {
        return stream;
    }
    let named = [b"loa stream", &stream.0[..], &epoch.to_be_bytes()].concat();
    let digest = digest(&SHA256, &named);
    StreamId(std::array::from_fn(|at| digest.as_ref()[at]))
}

/// Whether a hello came from elsewhere than the last one.
struct Moved(bool);

/// All receivers, by identifier.
#[derive(Debug, Default)]
pub struct Peers {
    table: ArcSwap<HashMap<ReceiverId, Arc<Peer>>>,
    /// What the last server knew, for receivers that are not in the table yet.
    restored: ArcSwap<(HashMap<ReceiverId, Binding>, UnixMicros)>,
    /// Who was revoked: not answered, and counted as such.
    revoked: ArcSwap<HashSet<ReceiverId>>,
    changes: AtomicU64,
}

impl Peers {
    /// Makes `receivers` all that there are; who stays keeps its binding.
    pub fn replace(&self, receivers: impl IntoIterator<Item = impl Into<Identity>>) {
        let old = self.table.load();
        let entry = |identity: Identity| (identity.id, self.entry(identity, &old));
        let table = receivers.into_iter().map(Into::into).map(entry).collect();
        self.table.store(Arc::new(table));
    }

    /// Puts one receiver in place of what was known of it.
    pub fn put(&self, identity: Identity) {
        self.table.rcu(|old| {
            let mut table = HashMap::clone(old);
            table.insert(identity.id, self.entry(identity.clone(), old));
            table
        });
    }

    /// Makes `receivers` all that were revoked.
    pub fn revoke(&self, receivers: impl IntoIterator<Item = ReceiverId>) {
        self.revoked.store(Arc::new(receivers.into_iter().collect()));
    }

    /// Whether there was such a receiver, and it was revoked.
    pub fn is_revoked(&self, id: ReceiverId) -> bool {
        self.revoked.load().contains(&id)
    }

    fn entry(&self, identity: Identity, old: &HashMap<ReceiverId, Arc<Peer>>) -> Arc<Peer> {
        let before = old.get(&identity.id);
        if let Some(same) = before.filter(|peer| alike(&peer.identity, &identity)) {
            return same.clone();
        }
        let known = before.filter(|peer| identity.continues(&peer.identity.secret, peer.identity.next.as_ref()));
        if let Some(peer) = known {
            return Arc::new(Peer::at(identity, peer.place.clone()));
        }
        let peer = Peer::new(identity);
        // Whoever had the name under another secret was somewhere else.
        if before.is_none() {
            let restored = self.restored.load();
            if let Some((path, t1)) = restored.0.get(&peer.id) {
                peer.bind(*t1, *path, restored.1);
            }
        }
        Arc::new(peer)
    }

    /// Takes what the last server knew, as of `now`.
    pub(super) fn restore(&self, bindings: HashMap<ReceiverId, Binding>, now: UnixMicros) {
        self.restored.store(Arc::new((bindings, now)));
    }

    /// Takes a hello that `peer` sent at `t1`, and says whether it has moved; `None` if it is a replay.
    pub(super) fn bind(&self, peer: &Peer, t1: UnixMicros, path: Path, now: UnixMicros) -> Option<bool> {
        let Moved(moved) = peer.bind(t1, path, now)?;
        self.changes.fetch_add(u64::from(moved), Ordering::Relaxed);
        Some(moved)
    }

    /// How often a receiver has moved.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Everyone that was heard of within the last minute.
    pub(super) fn bindings(&self, now: UnixMicros) -> Vec<(ReceiverId, Binding)> {
        let table = self.table.load();
        let bound = |peer: &Peer| Some((peer.path(now)?, UnixMicros(peer.place.last_t1.load(Ordering::Relaxed))));
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

/// Whether nothing that the media socket uses has changed.
fn alike(one: &Identity, other: &Identity) -> bool {
    (&one.secret, &one.next, one.epoch) == (&other.secret, &other.next, other.epoch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use loa_protocol::key::Secret;

    #[test]
    fn a_replayed_hello_moves_nothing() {
        let peers = Peers::default();
        let peer = Peer::new((ReceiverId([7; 16]), Secret([0; 32])));
        let now = UnixMicros(1_000_000_000);
        let (home, thief) = ("10.0.0.1:5".parse().unwrap(), "10.9.9.9:5".parse().unwrap());
        assert_eq!(peer.path(now), None);
        assert!(peers.bind(&peer, UnixMicros(5), Path::Udp(home), now).is_some());
        assert!(peers.bind(&peer, UnixMicros(5), Path::Udp(thief), now).is_none());
        assert!(peers.bind(&peer, UnixMicros(4), Path::Mqtt, now).is_none());
        assert_eq!(peer.path(now), Some(Path::Udp(home)));
        assert!(peers.bind(&peer, UnixMicros(6), Path::Mqtt, now).is_some());
        assert_eq!(peer.path(now), Some(Path::Mqtt));
        assert_eq!(peer.path(now.offset(60_000_000)), None);
    }

    #[test]
    fn two_that_are_heard_in_turn_are_both_sent_to() {
        let peers = Peers::default();
        let peer = Peer::new((ReceiverId([7; 16]), Secret([0; 32])));
        let udp = |port: u16| Path::Udp(std::net::SocketAddr::from(([10, 0, 0, 1], port)));
        let at = |seconds: u64| UnixMicros(1_000_000_000 + seconds * 1_000_000);
        let hear = |path, seconds| peers.bind(&peer, at(seconds), path, at(seconds));
        // One whose NAT moves, or that goes over to MQTT and back, is in one place.
        for (path, seconds) in [(udp(1), 0), (udp(2), 3), (Path::Mqtt, 6), (udp(2), 9), (udp(3), 10)] {
            hear(path, seconds);
            assert_eq!((peer.path(at(seconds)), peer.other(at(seconds))), (Some(path), None));
        }
        // Two are in two, as long as both are heard.
        for (path, other, seconds) in [
            (udp(4), None, 11),
            (udp(3), Some(udp(4)), 12),
            (udp(4), Some(udp(3)), 14),
        ] {
            hear(path, seconds);
            assert_eq!((peer.path(at(seconds)), peer.other(at(seconds))), (Some(path), other));
        }
        hear(udp(4), 20);
        assert_eq!(peer.other(at(23)), Some(udp(3)));
        assert_eq!(peer.other(at(24)), None);
        // Who comes back after a while is one again.
        hear(udp(3), 30);
        assert_eq!(peer.other(at(30)), None);
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

    #[test]
    fn a_new_secret_does_not_move_a_receiver_but_another_device_is_elsewhere() {
        let peers = Peers::default();
        let (me, now) = (ReceiverId([1; 16]), UnixMicros(9));
        let mut identity = Identity::from((me, Secret([1; 32])));
        peers.replace([identity.clone()]);
        let lane = peers.get(me).unwrap();
        identity.next = Some(Secret([2; 32]));
        peers.put(identity.clone());
        assert_eq!(peers.get(me).unwrap().hello_keys().count(), 2);
        peers.bind(&peers.get(me).unwrap(), UnixMicros(1), Path::Mqtt, now);
        // Who holds on to what it was is told, too.
        assert_eq!(lane.path(now), Some(Path::Mqtt));
        identity.secret = identity.next.take().unwrap();
        identity.epoch = 1;
        peers.put(identity.clone());
        let proven = peers.get(me).unwrap();
        assert_eq!((proven.path(now), proven.hello_keys().count()), (Some(Path::Mqtt), 1));
        assert_ne!(proven.stream(StreamId([4; 16])), lane.stream(StreamId([4; 16])));
        peers.put(Identity::from((me, Secret([3; 32]))));
        assert_eq!(peers.get(me).unwrap().path(now), None);
    }
}
