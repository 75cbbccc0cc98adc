//! The newest packets of a live stream. Here: a ring that its desk writes and the media thread reads, neither waiting for the
//! other. An index gets its bytes once, for good, and indexes only rise, so that no nonce serves two messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

/// Packets that are kept: 2.5 s, far more than a sender may lag.
const KEPT: usize = 128;

/// The newest packets of a live stream.
#[derive(Debug)]
pub struct Ring {
    slots: Vec<ArcSwapOption<Packet>>,
    /// One above the newest.
    next: AtomicU64,
    nominal: u64,
}

#[derive(Debug)]
struct Packet {
    index: u64,
    bytes: Vec<u8>,
}

impl Ring {
    /// An empty one, for packets of `nominal` bytes on average.
    pub(super) fn new(nominal: u64) -> Self {
        Self {
            slots: (0..KEPT).map(|_| ArcSwapOption::empty()).collect(),
            next: AtomicU64::new(0),
            nominal,
        }
    }

    /// Puts packet `index` in its place; one that is not above all before it is refused. For one writer.
    pub(super) fn put(&self, index: u64, bytes: &[u8]) -> bool {
        if index < self.next.load(Ordering::Relaxed) {
            return false;
        }
        self.next.store(index + 1, Ordering::Relaxed);
        let bytes = bytes.to_vec();
        self.slots[index as usize % KEPT].store(Some(Arc::new(Packet { index, bytes })));
        true
    }

    /// Copies packet `index` to the start of `out` and gives its length; none if it is not there.
    pub(crate) fn copy(&self, index: u64, out: &mut [u8]) -> Option<usize> {
        let packet = self.slots[index as usize % KEPT].load();
        let packet = packet.as_ref().filter(|packet| packet.index == index)?;
        out.get_mut(..packet.bytes.len())?.copy_from_slice(&packet.bytes);
        Some(packet.bytes.len())
    }

    /// Bytes of a packet on average.
    pub(crate) fn nominal(&self) -> u64 {
        self.nominal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_keeps_its_bytes_and_is_never_given_others() {
        let ring = Ring::new(80);
        let mut out = [0; 8];
        assert_eq!(ring.copy(0, &mut out), None);
        assert!(ring.put(3, &[1, 2]));
        assert!(!ring.put(3, &[9]) && !ring.put(0, &[9]));
        assert_eq!(
            ring.copy(3, &mut out).map(|length| out[..length].to_vec()),
            Some(vec![1, 2])
        );
        // Its place is taken by another index in time: it is gone then, and not that one.
        assert!(ring.put(3 + KEPT as u64, &[7]));
        assert_eq!(ring.copy(3, &mut out), None);
        assert!(!ring.put(3, &[1, 2]));
    }
}
