//! One receiver in virtual time: no sockets, no clock, no waiting. Here: [`VirtualReceiver`], the real core and the real
//! decoder, given what arrives and when; the same arrivals always give the same sound, bit for bit. Its server answers hello
//! at once and knows the true time; everything else that it says is for the caller to give. Not here: many receivers at
//! once over real sockets (`simulation`).

use std::collections::VecDeque;

use loa_protocol::hello::{Answer, Hello};
use loa_protocol::report::{Receipt, Telemetry};
use loa_protocol::topic::{Downlink, Topic, Uplink};
use loa_protocol::{UnixMicros, topic};
use loa_receiver::{Enrolment, Input, Micros, Output, Receiver};

use crate::BUILD;
use crate::fault::{Faults, Link};
use crate::hearing::Hearing;
use crate::observer::{News, Observer};
use crate::random::Random;
use crate::recording::{Stretch, Stretches};
use crate::report::ReceiverReport;

/// Something that reaches a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// The MQTT session stands.
    MqttUp,
    /// The MQTT session has ended.
    MqttDown,
    /// A message over MQTT: topic and payload.
    Mqtt(String, Vec<u8>),
    /// A datagram by UDP; it passes the faults.
    Datagram(Vec<u8>),
}

/// What a receiver has done.
#[derive(Debug, Default)]
pub struct Done {
    /// All samples handed out, in order.
    pub pcm: Vec<i16>,
    /// When they sounded.
    pub stretches: Vec<Stretch>,
    /// Its receipts, in order.
    pub receipts: Vec<Receipt>,
    /// Its telemetry, in order.
    pub telemetry: Vec<Telemetry>,
    /// Topics that it subscribed to, in order.
    pub subscriptions: Vec<String>,
    /// What it said of itself, in order, and when.
    pub news: Vec<(UnixMicros, News)>,
    /// It asked for a reboot; it has done nothing since.
    pub rebooting: bool,
}

/// A receiver in virtual time.
pub struct VirtualReceiver {
    core: Box<Receiver<Hearing>>,
    observer: Observer,
    enrolment: Enrolment,
    booted: UnixMicros,
    now: Micros,
    link: Link,
    uplink: Link,
    /// Answers to hello that came over MQTT.
    answers: VecDeque<(String, Vec<u8>)>,
    stretches: Stretches,
    done: Done,
}

/// How often in a row a timer may be due at the same instant before it is taken for a fault of the core.
const PATIENCE: u32 = 10_000;

impl VirtualReceiver {
    /// A receiver that boots at the (true) time `at`, behind a network with `faults`, chosen by `seed`.
    #[must_use]
    pub fn boot(enrolment: Enrolment, at: UnixMicros, faults: Faults, seed: u64) -> Self {
        let mut observer = Observer::new(enrolment.clone(), None, true);
        observer.booted();
        Self {
            core: Box::new(Receiver::new(
                enrolment.clone(),
                BUILD,
                Random::new(seed, 2).seed(),
                Hearing::new(true),
            )),
            observer,
            enrolment,
            booted: at,
            now: Micros(0),
            link: Link::new(faults.clone(), seed, 0),
            uplink: Link::new(faults, seed, 1),
            answers: VecDeque::new(),
            stretches: Stretches::default(),
            done: Done::default(),
        }
    }

    /// Lets time pass until `at`, then gives it what arrives there.
    ///
    /// # Panics
    /// If `at` lies before what was given last, or if the core asks for timers that never end.
    pub fn give(&mut self, at: UnixMicros, arrival: Arrival) {
        self.run_until(at);
        match arrival {
            Arrival::MqttUp => self.handle(Input::MqttUp),
            Arrival::MqttDown => self.handle(Input::MqttDown),
            Arrival::Mqtt(topic, payload) => self.message(&topic, payload),
            Arrival::Datagram(datagram) => self.link.push(self.now, datagram),
        }
        self.run_until(at);
    }

    /// Lets time pass until `at`.
    ///
    /// # Panics
    /// As [`VirtualReceiver::give`].
    pub fn run_until(&mut self, at: UnixMicros) {
        let until = Micros(at.0.checked_sub(self.booted.0).expect("the receiver has booted"));
        assert!(until >= self.now, "time does not go back");
        let mut stuck = 0;
        while let Some(next) = self.next().filter(|next| *next <= until) {
            stuck = if next > self.now { 0 } else { stuck + 1 };
            assert!(
                stuck < PATIENCE,
                "the core's timer is always due: at {:?} it asks for {next:?}",
                self.now
            );
            self.now = self.now.max(next);
            self.step();
        }
        self.now = until;
    }

    /// What it has done so far.
    #[must_use]
    pub fn done(&self) -> &Done {
        &self.done
    }

    /// What was seen of it so far.
    #[must_use]
    pub fn report(&self) -> ReceiverReport {
        self.observer.report(&self.link, &self.uplink)
    }

    /// What it has done, when nothing more follows.
    #[must_use]
    pub fn finish(mut self) -> Done {
        self.done.stretches.extend(self.stretches.finish());
        self.done
    }

    /// When there is something to do; never after a reboot was asked for.
    fn next(&self) -> Option<Micros> {
        if self.done.rebooting {
            return None;
        }
        let answers = (!self.answers.is_empty()).then_some(self.now);
        [
            self.core.next_wakeup(),
            self.link.next_wakeup(),
            self.uplink.next_wakeup(),
            answers,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn step(&mut self) {
        if let Some(datagram) = self.uplink.poll(self.now) {
            if let Some(answer) = self.answer(&datagram) {
                self.link.push(self.now, answer);
            }
        } else if let Some(mut datagram) = self.link.poll(self.now) {
            self.handle(Input::Datagram(&mut datagram));
        } else if let Some((topic, payload)) = self.answers.pop_front() {
            self.message(&topic, payload);
        } else {
            self.handle(Input::Timer);
        }
    }

    fn message(&mut self, topic: &str, mut payload: Vec<u8>) {
        self.observer.message(topic, &payload);
        self.handle(Input::Mqtt {
            topic,
            payload: &mut payload,
        });
    }

    fn handle(&mut self, input: Input<'_>) {
        if self.done.rebooting {
            return;
        }
        self.core.handle(self.now, input);
        let now = unix(self.booted, self.now);
        let mut stored = false;
        loop {
            if std::mem::take(&mut stored) {
                self.core.handle(self.now, Input::Stored(true));
            }
            let Some(output) = self.core.poll() else { break };
            let mut news = None;
            match output {
                Output::Subscribe(topic) => self.done.subscriptions.push(topic.as_str().to_owned()),
                Output::Publish { topic, payload, .. } => {
                    news = self.observer.published(&topic, payload, Some(&self.link));
                    let key = self.enrolment.secret.report_key();
                    match Topic::parse(&topic) {
                        Some(Topic::Up(_, Uplink::Receipt)) => self.done.receipts.extend(Receipt::open(&key, payload)),
                        Some(Topic::Up(_, Uplink::Telemetry)) => {
                            self.done.telemetry.extend(Telemetry::open(&key, payload));
                        }
                        Some(Topic::Up(id, Uplink::Media)) => {
                            let answer = answer(&self.enrolment, now, payload);
                            let topic = Topic::Down(id, Downlink::Media).text();
                            self.answers
                                .extend(answer.map(|answer| (topic.as_str().to_owned(), answer)));
                        }
                        _ => {}
                    }
                }
                Output::Datagram(datagram) => self.uplink.push(self.now, datagram.to_vec()),
                Output::Sound { at, pcm } => {
                    let sounds = unix(self.booted, at);
                    self.observer.sound(sounds, at < self.now, pcm);
                    let first = self.done.pcm.len() as u64;
                    self.done
                        .stretches
                        .extend(self.stretches.add(sounds, None, first, pcm.len() as u64));
                    self.done.pcm.extend_from_slice(pcm);
                }
                Output::Amplifier(on) => self.observer.amplifier(on),
                Output::Status(status) => news = self.observer.status(status),
                Output::Store(enrolment) => {
                    self.observer.enrolled(enrolment);
                    self.enrolment = enrolment.clone();
                    stored = true;
                }
                Output::Reboot => self.done.rebooting = true,
            }
            self.done.news.extend(news.map(|news| (now, news)));
        }
    }

    fn answer(&self, datagram: &[u8]) -> Option<Vec<u8>> {
        answer(&self.enrolment, unix(self.booted, self.now), datagram)
    }

    /// The topic of commands to this receiver, for [`Arrival::Mqtt`].
    #[must_use]
    pub fn command_topic(&self) -> topic::Text {
        Topic::Down(self.enrolment.receiver, Downlink::Command).text()
    }

    /// Whether it has a session, a clock, and listens.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.observer.ready()
    }
}

/// The time of day at the local time `at` of a receiver that booted at `booted`.
fn unix(booted: UnixMicros, at: Micros) -> UnixMicros {
    UnixMicros(booted.0 + at.0)
}

/// What a server with the true time answers at once.
fn answer(enrolment: &Enrolment, now: UnixMicros, datagram: &[u8]) -> Option<Vec<u8>> {
    let key = enrolment.secret.hello_key();
    let hello = Hello::open(&key, datagram).ok()?;
    Some(
        Answer {
            t1: hello.t1,
            t2: now,
            t3: now,
        }
        .seal(&key)
        .to_vec(),
    )
}

/// Gives a receiver everything that was recorded, and returns what it has done by `until`.
#[must_use]
pub fn replay(
    enrolment: Enrolment,
    booted: UnixMicros,
    arrivals: impl IntoIterator<Item = (UnixMicros, Arrival)>,
    until: UnixMicros,
) -> Done {
    let mut receiver = VirtualReceiver::boot(enrolment, booted, Faults::default(), 0);
    for (at, arrival) in arrivals {
        receiver.give(at, arrival);
    }
    receiver.run_until(until);
    receiver.finish()
}
