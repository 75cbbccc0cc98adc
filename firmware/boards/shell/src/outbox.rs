//! Messages on their way from the receiver's state machine to the MQTT session.

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::channel::Channel;
use heapless::{String, Vec};

/// Longest topic and payload that a receiver sends, in bytes.
const TOPIC: usize = 96;
const PAYLOAD: usize = 768;

/// What may wait: everything that a receiver says at once when it comes online (its subscriptions down the path of areas, its
/// state), and a report.
pub(crate) type Outbox = Channel<NoopRawMutex, Message, 16>;

/// One thing for the MQTT session to do.
pub(crate) enum Message {
    /// Ask for a topic.
    Subscribe {
        /// The topic, without wildcards.
        topic: String<TOPIC>,
    },
    /// Publish a message.
    Publish {
        topic: String<TOPIC>,
        payload: Vec<u8, PAYLOAD>,
        /// QoS 1 instead of 0.
        at_least_once: bool,
        retain: bool,
    },
}

impl Message {
    /// `None` if the topic is longer than any of the protocol's.
    pub(crate) fn subscribe(topic: &str) -> Option<Self> {
        Some(Self::Subscribe { topic: String::try_from(topic).ok()? })
    }

    /// `None` if topic or payload are longer than any of the protocol's.
    pub(crate) fn publish(topic: &str, payload: &[u8], at_least_once: bool, retain: bool) -> Option<Self> {
        let topic = String::try_from(topic).ok()?;
        Some(Self::Publish { topic, payload: Vec::from_slice(payload).ok()?, at_least_once, retain })
    }

    pub(crate) fn topic(&self) -> &str {
        match self {
            Self::Subscribe { topic } | Self::Publish { topic, .. } => topic,
        }
    }
}
