//! What receivers are told, ready to be published. Here: commands signed and numbered, topics; pure but for the key. Not
//! here: when something is to be told (`playout`), sending (`link`).
//!
//! A receiver obeys only numbers that rise, also after the server was started again: numbers are the time in
//! microseconds, or one more than the last.

use std::collections::HashMap;
use std::sync::Arc;

use loa_protocol::agreement::PublicKey;
use loa_protocol::claim::Answer;
use loa_protocol::command::{Authority, Command, Order, Play, Policy, Recipient, Rotate};
use loa_protocol::topic::{ClaimWord, Downlink, Topic, Uplink};
use loa_protocol::{AreaId, BroadcastId, ClaimId, MAX_MESSAGE, ReceiverId, UnixMicros};

use crate::data::Keyring;
use crate::enrol;

/// Commands other than to play are not obeyed any more after this, in microseconds: who was away is told anew.
const FRESH: u64 = 60_000_000;

/// A message: topic and payload.
pub(super) type Message = (String, Vec<u8>);

/// Signs and numbers commands.
pub(super) struct Orders {
    keys: Arc<Keyring>,
    last: HashMap<ReceiverId, u64>,
}

impl Orders {
    pub(super) fn new(keys: Arc<Keyring>) -> Self {
        Self {
            keys,
            last: HashMap::new(),
        }
    }

    /// To play; it holds for as long as the broadcast sounds.
    pub(super) fn play(&mut self, now: UnixMicros, to: ReceiverId, play: &Play) -> Option<Message> {
        self.command(now, to, play.end(), Order::Play(*play))
    }

    pub(super) fn stop(&mut self, now: UnixMicros, to: ReceiverId, broadcast: BroadcastId) -> Option<Message> {
        self.soon(now, to, Order::Stop(broadcast))
    }

    /// `percent` above 100 is 100.
    pub(super) fn volume(&mut self, now: UnixMicros, to: ReceiverId, percent: u8) -> Option<Message> {
        self.soon(now, to, Order::Volume(percent.min(100)))
    }

    pub(super) fn policy(&mut self, now: UnixMicros, to: ReceiverId, policy: &Policy) -> Option<Message> {
        self.soon(now, to, Order::Policy(policy.clone()))
    }

    pub(super) fn reboot(&mut self, now: UnixMicros, to: ReceiverId) -> Option<Message> {
        self.soon(now, to, Order::Reboot)
    }

    /// The areas that it lies in from now on; nothing if they are more than it takes.
    pub(super) fn areas(&mut self, now: UnixMicros, to: ReceiverId, areas: &[AreaId]) -> Option<Message> {
        self.soon(now, to, Order::Areas(enrol::path(areas).ok()?))
    }

    /// An authority for the broker; nothing if its certificate is longer than it takes.
    pub(super) fn authority(
        &mut self,
        now: UnixMicros,
        to: ReceiverId,
        certificate: &[u8],
        alone: bool,
    ) -> Option<Message> {
        let certificate = certificate.try_into().ok()?;
        self.soon(now, to, Order::Authority(Authority { certificate, alone }))
    }

    /// To make the secret of that epoch.
    pub(super) fn rotate(&mut self, now: UnixMicros, to: ReceiverId, epoch: u32, server: PublicKey) -> Option<Message> {
        self.soon(now, to, Order::Rotate(Rotate { epoch, server }))
    }

    /// What leads from the signing key `number` to the newest.
    pub(super) fn steps(&self, number: u32, topic: Topic) -> Vec<Message> {
        let steps = self.keys.steps_from(number).into_iter();
        steps.map(|step| (topic.text().to_string(), step)).collect()
    }

    /// What a device is told that was claimed.
    pub(super) fn answer(&self, to: ClaimId, answer: &Answer) -> Option<Message> {
        let mut sealed = [0; MAX_MESSAGE];
        let length = answer.seal(&*self.keys.signer(), &mut sealed).ok()?;
        let topic = Topic::Claim(to, ClaimWord::Answer).text().to_string();
        Some((topic, sealed[..length].to_vec()))
    }

    fn soon(&mut self, now: UnixMicros, to: ReceiverId, order: Order) -> Option<Message> {
        self.command(now, to, UnixMicros(now.0.saturating_add(FRESH)), order)
    }

    fn command(&mut self, now: UnixMicros, to: ReceiverId, expires: UnixMicros, order: Order) -> Option<Message> {
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
        let length = match command.seal(&*self.keys.signer(), &mut sealed) {
            // A key in a token may be out of reach for a while.
            Err(loa_protocol::Error::Unsigned) => return None,
            sealed => sealed.expect("the stage orders only what a receiver can do"),
        };
        Some((
            Topic::Down(to, Downlink::Command).text().to_string(),
            sealed[..length].to_vec(),
        ))
    }
}

/// Where media datagrams for `receiver` go.
pub(super) fn media_topic(receiver: ReceiverId) -> String {
    Topic::Down(receiver, Downlink::Media).text().to_string()
}

/// What the server listens to: filter, and whether each message must arrive (QoS 1).
pub(super) fn subscriptions() -> Vec<(String, bool)> {
    let sure = |kind| matches!(kind, Uplink::Presence | Uplink::Receipt | Uplink::Rotation);
    let mut filters = Uplink::ALL
        .map(|kind| (Topic::every(kind).to_string(), sure(kind)))
        .to_vec();
    filters.push((Topic::every_claim().to_string(), true));
    filters
}
