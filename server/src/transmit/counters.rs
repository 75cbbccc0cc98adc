//! What the media socket counts: for `/metrics`, and for whoever asks why it is silent.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        if n > 0 {
            self.0.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts since the server started.
#[derive(Debug, Default)]
pub struct Counters {
    /// Datagrams sent by UDP.
    pub sent: Counter,
    /// Datagrams handed to MQTT.
    pub tunnelled: Counter,
    /// Datagrams that the operating system refused.
    pub send_errors: Counter,
    /// Packets not sent because their receiver has not said where it is.
    pub nowhere: Counter,
    /// Packets not sent because a stall had made them useless.
    pub skipped: Counter,
    /// Hellos answered.
    pub hellos: Counter,
    /// Datagrams that are no hello at all.
    pub not_hello: Counter,
    /// Hellos in the name of a receiver that does not exist.
    pub unknown: Counter,
    /// Hellos in the name of a receiver that was revoked.
    pub revoked: Counter,
    /// Hellos whose MAC does not fit.
    pub forged: Counter,
    /// Hellos that were answered but moved no binding: replayed, or from a clock that is not set.
    pub unbound: Counter,
    worst_lateness: AtomicU64,
}

impl Counters {
    pub(super) fn lateness(&self, micros: u64) {
        self.worst_lateness.fetch_max(micros, Ordering::Relaxed);
    }

    /// The longest that a packet left after its time, in microseconds, since this was last asked.
    pub fn take_worst_lateness(&self) -> u64 {
        self.worst_lateness.swap(0, Ordering::Relaxed)
    }
}
