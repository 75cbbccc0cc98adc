//! What receivers are told, ready to be published. Here: commands signed and numbered, topics; pure but for the key. Not
//! here: when something is to be told (`playout`), sending (`link`).
//!
//! A receiver obeys only numbers that rise, also after the server was started again: numbers are the time in
//! microseconds, or one more than the last.

use std::collections::HashMap;

use loa_protocol::command::{Command, Order, Play, Policy, Recipient};
use loa_protocol::topic::{Downlink, Topic, Uplink};
use loa_protocol::{BroadcastId, MAX_MESSAGE, ReceiverId, SigningKey, UnixMicros};

/// Commands other than to play are not obeyed any more after this, in microseconds: who was away is told anew.
const FRESH: u64 = 60_000_000;
/// Civil time in Việt Nam less UTC, in minutes.
const UTC_OFFSET: i16 = 7 * 60;

/// A message: topic and payload.
pub(super) type Message = (String, Vec<u8>);

/// Signs and numbers commands.
pub(super) struct Orders {
    key: SigningKey,
    last: HashMap<ReceiverId, u64>,
}

impl Orders {
    pub(super) fn new(key: SigningKey) -> Self {
        Self {
            key,
            last: HashMap::new(),
        }
    }

    /// To play; it holds for as long as the broadcast sounds.
    pub(super) fn play(&mut self, now: UnixMicros, to: ReceiverId, play: &Play) -> Message {
        self.command(now, to, play.end(), Order::Play(*play))
    }

    pub(super) fn stop(&mut self, now: UnixMicros, to: ReceiverId, broadcast: BroadcastId) -> Message {
        self.soon(now, to, Order::Stop(broadcast))
    }

    /// `percent` above 100 is 100.
    pub(super) fn volume(&mut self, now: UnixMicros, to: ReceiverId, percent: u8) -> Message {
        self.soon(now, to, Order::Volume(percent.min(100)))
    }

    pub(super) fn policy(&mut self, now: UnixMicros, to: ReceiverId) -> Message {
        self.soon(now, to, Order::Policy(policy_of(to)))
    }

    pub(super) fn reboot(&mut self, now: UnixMicros, to: ReceiverId) -> Message {
        self.soon(now, to, Order::Reboot)
    }

    fn soon(&mut self, now: UnixMicros, to: ReceiverId, order: Order) -> Message {
        self.command(now, to, UnixMicros(now.0.saturating_add(FRESH)), order)
    }

    fn command(&mut self, now: UnixMicros, to: ReceiverId, expires: UnixMicros, order: Order) -> Message {
        let last = self.last.entry(to).or_default();
        *last = now.0.max(*last + 1);
        let command = Command {
            to: Recipient::Receiver(to),
            number: *last,
            issued: now,
            expires,
            order,
        };
        let mut sealed = [0; MAX_MESSAGE];
        let length = command
            .seal(&self.key, &mut sealed)
            .expect("the stage orders only what a receiver can do");
        (
            Topic::Down(to, Downlink::Command).text().to_string(),
            sealed[..length].to_vec(),
        )
    }
}

/// What a receiver may do. The same for all as yet: the policies of areas are to come in here.
fn policy_of(_receiver: ReceiverId) -> Policy {
    Policy {
        utc_offset: UTC_OFFSET,
        ..Policy::unrestricted()
    }
}

/// Where media datagrams for `receiver` go.
pub(super) fn media_topic(receiver: ReceiverId) -> String {
    Topic::Down(receiver, Downlink::Media).text().to_string()
}

/// What the server listens to: filter, and whether each message must arrive (QoS 1).
pub(super) fn subscriptions() -> Vec<(String, bool)> {
    let sure = |kind| matches!(kind, Uplink::Presence | Uplink::Receipt);
    Uplink::ALL
        .map(|kind| (Topic::every(kind).to_string(), sure(kind)))
        .to_vec()
}
