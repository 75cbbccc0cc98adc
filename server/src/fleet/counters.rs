//! What was refused on the line to the receivers: counted always, told at most once a minute for each reason.

use std::sync::atomic::{AtomicU64, Ordering};

use loa_protocol::UnixMicros;

use super::mailbox::Rejected;
use crate::transmit::Counter;

/// Counts since the server started.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages under topics that no receiver writes to.
    pub wrong_topic: Counter,
    /// Messages in the name of a receiver that does not exist.
    pub unknown: Counter,
    /// Messages in the name of a receiver that was revoked.
    pub revoked: Counter,
    /// Messages that cannot be read.
    pub malformed: Counter,
    /// Reports whose MAC does not fit.
    pub forged: Counter,
    /// Reports not newer than the last one.
    pub replayed: Counter,
    /// Halves of new secrets that nobody ordered.
    pub uncalled: Counter,
    /// Devices that asked to be enrolled and found no room, or were refused before.
    pub claims: Counter,
    /// Orders that the signing key did not sign.
    pub unsigned: Counter,
    /// Alarms that two devices were seen under one name.
    pub clones: Counter,
    /// Orders dropped because the broker was away for long.
    pub unsent: Counter,
    told: AtomicU64,
}

/// Between two lines in the log, in microseconds.
const SILENCE: u64 = 60_000_000;

impl Counters {
    pub(super) fn reject(&self, rejected: Rejected, topic: &str, now: UnixMicros) {
        match rejected {
            Rejected::Topic => &self.wrong_topic,
            Rejected::Unknown => &self.unknown,
            Rejected::Revoked => &self.revoked,
            Rejected::Uncalled => &self.uncalled,
            Rejected::Malformed => &self.malformed,
            Rejected::Forged => &self.forged,
            Rejected::Replayed => &self.replayed,
        }
        .add(1);
        let told = self.told.load(Ordering::Relaxed);
        let silent = now.0.saturating_sub(told) >= SILENCE;
        if silent
            && self
                .told
                .compare_exchange(told, now.0, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            tracing::warn!(?rejected, topic, "a message was refused; more are counted in silence");
        }
    }
}
