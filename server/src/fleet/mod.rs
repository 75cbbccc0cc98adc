//! The receivers, as people have them: orders to them, and what they say. Here: the line to the MQTT broker (`link`),
//! signed and numbered commands (`orders`), verified reports (`mailbox`), who is online (`presence`), who is two ([`clones`]). Not here: sound (`transmit`), what should be
//! on the air (`playout`), rows (`store`).

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod attempts;
pub mod clones;
mod counters;
#[cfg(test)]
mod line_tests;
mod link;
mod mailbox;
mod orders;
mod presence;
#[cfg(test)]
pub(crate) mod test_receiver;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use loa_protocol::agreement::PublicKey;
use loa_protocol::claim::Answer;
use loa_protocol::command::{Play, Policy};
use loa_protocol::topic::{ClaimWord, Downlink, Topic};
use loa_protocol::{AreaId, BroadcastId, ClaimId, ReceiverId, UnixMicros};
use rumqttc::QoS;
use tokio::sync::{mpsc, watch};

pub use counters::Counters;
pub use link::{Broker, Outbox};
pub use mailbox::News;

use crate::data::Keyring;
use crate::enrol::Identity;

use clones::Watch;
use link::{Arrival, Line};
use mailbox::Mailbox;
use orders::Orders;
use presence::Presence;

/// Messages that may wait to be read; more stay with the broker.
const ARRIVALS: usize = 4096;

/// All receivers: sends them orders and gives what they say. Owned by the stage.
pub struct Fleet {
    outbox: Outbox,
    orders: Orders,
    mailbox: Mailbox,
    presence: Presence,
    arrivals: mpsc::Receiver<Arrival>,
    counters: Arc<Counters>,
    watch: Watch,
    /// To be given before anything else arrives.
    next: VecDeque<News>,
    clock: fn() -> UnixMicros,
}

/// The line that [`Fleet`] speaks over; run it as a task of its own.
pub struct FleetLine {
    line: Line,
    arrivals: mpsc::Sender<Arrival>,
}

impl FleetLine {
    /// Keeps the line to the broker up until `shutdown` turns true.
    pub async fn run(self, shutdown: watch::Receiver<bool>) {
        let subscriptions = orders::subscriptions()
            .into_iter()
            .map(|(topic, at_least_once)| {
                (
                    topic,
                    if at_least_once {
                        QoS::AtLeastOnce
                    } else {
                        QoS::AtMostOnce
                    },
                )
            })
            .collect();
        self.line.run(subscriptions, self.arrivals, shutdown).await;
    }
}

impl Fleet {
    /// A fleet that speaks over `broker`, its line, and how to send over it. `keys` sign the commands, `watch` is told who reports.
    pub fn new(
        broker: &Broker,
        keys: Arc<Keyring>,
        watch: Watch,
        clock: fn() -> UnixMicros,
    ) -> (Self, FleetLine, Outbox) {
        let (line, outbox) = link::open(broker);
        let (sender, arrivals) = mpsc::channel(ARRIVALS);
        let fleet = Self {
            outbox: outbox.clone(),
            orders: Orders::new(keys),
            mailbox: Mailbox::default(),
            presence: Presence::default(),
            arrivals,
            counters: Arc::default(),
            watch,
            next: VecDeque::new(),
            clock,
        };
        (fleet, FleetLine { line, arrivals: sender }, outbox)
    }

    /// What was counted.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Makes `receivers` all that there are.
    pub fn replace(&mut self, receivers: impl IntoIterator<Item = impl Into<Identity>>) {
        self.mailbox.replace(receivers);
    }

    /// Puts one receiver in place of what was known of it.
    pub fn put(&mut self, identity: Identity) {
        self.mailbox.put(identity);
    }

    /// Makes `receivers` all that were revoked.
    pub fn revoke(&mut self, receivers: impl IntoIterator<Item = ReceiverId>) {
        self.mailbox.revoke(receivers);
    }

    /// The next thing that a receiver says; `None` once the line has ended. Safe to cancel.
    pub async fn news(&mut self) -> Option<News> {
        loop {
            if let Some(next) = self.next.pop_front() {
                return Some(next);
            }
            if let Some(missing) = self.presence.overdue((self.clock)()) {
                return Some(News::Presence(missing, false));
            }
            let now = (self.clock)();
            let wait = self
                .presence
                .next_wakeup()
                .map(|at| Duration::from_micros(at.0.saturating_sub(now.0)));
            let arrival = tokio::select! {
                arrival = self.arrivals.recv() => arrival?,
                () = tokio::time::sleep(wait.unwrap_or(Duration::MAX)), if wait.is_some() => continue,
            };
            match arrival {
                Arrival::Up => self.presence.line_up((self.clock)()),
                Arrival::Message(topic, payload) => {
                    let (opened, now) = (self.mailbox.open(&topic, &payload), (self.clock)());
                    if let Some((id, serial, made)) = self.mailbox.take_trace() {
                        self.watch.look(|clones| clones.report(id, serial, made, now));
                    }
                    match opened {
                        Ok(news) => {
                            // First that it is there, whatever the broker says; then who it is, then what it says.
                            match news {
                                News::Presence(receiver, online) => self.presence.heard(receiver, online, now),
                                News::Telemetry(receiver, _) | News::Receipt(receiver, _)
                                    if self.presence.spoke(receiver, now) =>
                                {
                                    self.next.push_back(News::Presence(receiver, true));
                                }
                                _ => {}
                            }
                            self.next.extend(self.mailbox.take_proven().map(News::Proven));
                            self.next.push_back(news);
                        }
                        Err(rejected) => self.counters.reject(rejected, &topic, now),
                    }
                }
            }
        }
    }

    /// Orders `receiver` to play.
    pub fn play(&mut self, receiver: ReceiverId, play: &Play) {
        let order = self.orders.play((self.clock)(), receiver, play);
        self.send(order);
    }

    /// Orders `receiver` to stop playing `broadcast`.
    pub fn stop(&mut self, receiver: ReceiverId, broadcast: BroadcastId) {
        let order = self.orders.stop((self.clock)(), receiver, broadcast);
        self.send(order);
    }

    /// Sets the volume of `receiver`, in per cent.
    pub fn volume(&mut self, receiver: ReceiverId, percent: u8) {
        let order = self.orders.volume((self.clock)(), receiver, percent);
        self.send(order);
    }

    /// Tells `receiver` what it may do.
    pub fn policy(&mut self, receiver: ReceiverId, policy: &Policy) {
        let order = self.orders.policy((self.clock)(), receiver, policy);
        self.send(order);
    }

    /// Orders `receiver` to start afresh.
    pub fn reboot(&mut self, receiver: ReceiverId) {
        let order = self.orders.reboot((self.clock)(), receiver);
        self.send(order);
    }

    /// Tells `receiver` which areas it lies in from now on.
    pub fn areas(&mut self, receiver: ReceiverId, areas: &[AreaId]) {
        let order = self.orders.areas((self.clock)(), receiver, areas);
        self.send(order);
    }

    /// Tells `receiver` of an authority for the broker (DER): to be trusted beside the present one, or `alone`.
    pub fn authority(&mut self, receiver: ReceiverId, certificate: &[u8], alone: bool) {
        let order = self.orders.authority((self.clock)(), receiver, certificate, alone);
        self.send(order);
    }

    /// Orders `receiver` to make the secret of `epoch` with the server's half `server`.
    pub fn rotate(&mut self, receiver: ReceiverId, epoch: u32, server: PublicKey) {
        let order = self.orders.rotate((self.clock)(), receiver, epoch, server);
        self.send(order);
    }

    /// Leads `receiver` from the signing key that it trusts to the newest.
    pub fn succession(&self, receiver: ReceiverId, trusts: u32) {
        let steps = self.orders.steps(trusts, Topic::Down(receiver, Downlink::Succession));
        steps.into_iter().for_each(|step| self.send(Some(step)));
    }

    /// Answers a device that was claimed and trusts the signing key `trusts`.
    pub fn answer(&self, claim: ClaimId, trusts: u32, answer: &Answer) {
        let steps = self.orders.steps(trusts, Topic::Claim(claim, ClaimWord::Answer));
        steps.into_iter().for_each(|step| self.send(Some(step)));
        self.send(self.orders.answer(claim, answer));
    }

    /// Sends a media datagram to `receiver` over MQTT; lost if there is no room, as datagrams are.
    pub fn media(&self, receiver: ReceiverId, datagram: &[u8]) {
        self.outbox.try_send(orders::media_topic(receiver), datagram.to_vec());
    }

    fn send(&self, order: Option<orders::Message>) {
        let Some((topic, payload)) = order else {
            // It is told again when it comes.
            return self.counters.unsigned.add(1);
        };
        // Without room the broker is away for long: once it is back, every receiver says so and is told anew.
        if !self.outbox.try_send_surely(topic, payload) {
            self.counters.unsent.add(1);
        }
    }
}

/// Sends media datagrams over MQTT, for [`crate::transmit::Transmitter`].
pub fn tunnel(outbox: Outbox) -> crate::transmit::Tunnel {
    Box::new(move |receiver, datagram| {
        outbox.try_send(orders::media_topic(receiver), datagram.to_vec());
    })
}
