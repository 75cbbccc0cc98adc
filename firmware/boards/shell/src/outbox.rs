//! Messages on their way from the receiver's state machine to the MQTT session.

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use heapless::{String, Vec};
use loa_protocol::MAX_MESSAGE;
use loa_protocol::topic::MAX_TOPIC;

/// What may wait: everything that a receiver says at once when it comes online (its subscriptions down the path of areas, its
/// state), and reports.
pub(crate) type Outbox = Channel<CriticalSectionRawMutex, Message, 24>;

/// One thing for the MQTT session to do.
#[expect(clippy::large_enum_variant, reason = "there is no heap to put the large one on")]
pub(crate) enum Message {
    /// Ask for a topic.
    Subscribe {
        /// The topic, without wildcards.
        topic: String<MAX_TOPIC>,
    },
    /// Publish a message.
    Publish {
        topic: String<MAX_TOPIC>,
        payload: Vec<u8, MAX_MESSAGE>,
        /// QoS 1 instead of 0.
        at_least_once: bool,
        retain: bool,
    },
}

impl Message {
    pub(crate) fn topic(&self) -> &str {
        match self {
            Self::Subscribe { topic } | Self::Publish { topic, .. } => topic,
        }
    }

    /// Whether it must not get lost.
    pub(crate) fn matters(&self) -> bool {
        match self {
            Self::Subscribe { .. } => true,
            Self::Publish { at_least_once, .. } => *at_least_once,
        }
    }
}
