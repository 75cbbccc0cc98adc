//! What runs between the two halves of the shell.

use crate::board::Login;
use crate::line::Line;
use crate::outbox::{Message, Outbox};
use core::sync::atomic::{AtomicU32, Ordering};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::signal::Signal;
use embassy_time::Instant;
use heapless::{String, Vec};
use loa_protocol::topic::MAX_TOPIC;

/// Longest payload that is taken from MQTT: the longest packet without its header.
pub(crate) const MAX_PAYLOAD: usize = crate::mqtt::MAX_PACKET as usize;
/// Of the outbox's places, those kept for what must not get lost.
const RESERVE: usize = 8;
/// A session that does not run for so many milliseconds is stuck.
const STUCK: u32 = 8_000;

/// Carries messages and bytes between [`crate::attend`] or [`crate::claim`] and [`crate::converse`], which may run at different priorities.
///
/// What happens when something is full: towards the receiver, the sender waits, and with it the broker (TCP). From the receiver, which
/// cannot wait, messages that may get lost (QoS 0) get lost while there is still room for others; when there is none for
/// others either, the session is given up and begun anew: the receiver then says again what is still worth saying.
pub struct Wires {
    pub(crate) heard: Channel<CriticalSectionRawMutex, Heard, 2>,
    pub(crate) outbox: Outbox,
    /// The outbox had no room for something that must not get lost.
    pub(crate) overrun: Signal<CriticalSectionRawMutex, ()>,
    pub(crate) line: Line,
    /// How to log in is asked for, after so many attempts in a row that failed.
    pub(crate) asked: Signal<CriticalSectionRawMutex, u32>,
    /// The answer.
    pub(crate) login: Signal<CriticalSectionRawMutex, Login>,
    /// When [`crate::converse`] was last seen running, in milliseconds since boot.
    conversed: AtomicU32,
}

/// What the MQTT session has to tell.
#[expect(clippy::large_enum_variant, reason = "there is no heap to put the large one on")]
pub(crate) enum Heard {
    Up,
    Down,
    Message {
        topic: String<MAX_TOPIC>,
        payload: Vec<u8, MAX_PAYLOAD>,
    },
}

impl Wires {
    /// Wires that carry nothing yet: make them a `static`.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            heard: Channel::new(),
            outbox: Channel::new(),
            overrun: Signal::new(),
            line: Line::new(),
            asked: Signal::new(),
            login: Signal::new(),
            conversed: AtomicU32::new(0),
        }
    }

    /// Hands a message of the receiver to the session.
    pub(crate) fn post(&self, message: Message) {
        if !message.matters() && self.outbox.free_capacity() <= RESERVE {
            return;
        }
        if self.outbox.try_send(message).is_err() {
            self.overrun.signal(());
        }
    }

    pub(crate) fn conversing(&self) {
        self.conversed.store(milliseconds(), Ordering::Relaxed);
    }

    /// [`crate::converse`] has not run for so long that the watchdog is to be fed no longer.
    pub(crate) fn stuck(&self) -> bool {
        milliseconds().wrapping_sub(self.conversed.load(Ordering::Relaxed)) >= STUCK
    }
}

impl Default for Wires {
    fn default() -> Self {
        Self::new()
    }
}

/// Milliseconds since boot; wraps after 49 days.
fn milliseconds() -> u32 {
    Instant::now().as_millis() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(at_least_once: bool) -> Message {
        let topic = String::try_from("loa/1/topic").unwrap();
        Message::Publish {
            topic,
            payload: Vec::new(),
            at_least_once,
            retain: false,
        }
    }

    #[test]
    fn what_may_get_lost_leaves_room_for_what_may_not() {
        let wires = Wires::new();
        for _ in 0..100 {
            wires.post(message(false));
        }
        assert_eq!(wires.outbox.free_capacity(), RESERVE);
        for _ in 0..RESERVE {
            wires.post(message(true));
        }
        assert!(!wires.overrun.signaled());
        wires.post(message(false));
        assert!(!wires.overrun.signaled(), "lost, and nothing else");
        wires.post(message(true));
        assert!(wires.overrun.signaled(), "the session is given up");
    }
}
