//! The receiver as one piece. Here: what goes to whom, and in what order consequences come out. Not here: the behaviour itself.
//!
//! Outputs are not queued: each is the difference between how things are and what was told, so that nothing overflows, and what is
//! signed carries the time at which it leaves.

use crate::broadcast::Account;
use crate::clock::{Clock, Local};
use crate::commands::Gate;
use crate::identity::{Change, Identity, fitting};
use crate::path::{Path, Said, Way};
use crate::player::{Player, Step};
use crate::receipts::Receipts;
use crate::{Build, Counters, Decoder, Enrolment, Input, Micros, Output, Session, Status};
use loa_protocol::command::{Command, Order, Play};
use loa_protocol::hello::Hello;
use loa_protocol::report::{MediaPath, Outcome, Receipt, Serial, Telemetry};
use loa_protocol::rotation::Rotation;
use loa_protocol::topic::{self, Downlink, Topic, Uplink};
use loa_protocol::{BroadcastId, MAX_MESSAGE, UnixMicros, rtp};

/// From one telemetry to the next, in microseconds.
const TELEMETRY: Local = 30_000_000;
/// What it subscribes to of its own, before its areas: keys first, what they sign afterwards.
const OWN_TOPICS: [Downlink; 3] = [Downlink::Succession, Downlink::Command, Downlink::Media];
/// Latest local time that is told from later ones: arithmetic stays far from its ends.
const LATEST: u64 = 1 << 60;

/// A receiver; see the crate. About 50 KB without its decoder: build it where it shall stay.
pub struct Receiver<D: Decoder> {
    identity: Identity,
    build: Build,
    now: Local,
    /// Local time of the first input.
    born: Option<Local>,
    clock: Clock,
    path: Path,
    gate: Gate,
    player: Player<D>,
    receipts: Receipts,
    counters: Counters,
    /// The MQTT session, if it stands.
    mqtt: Option<Line>,
    /// Reports sealed.
    reports: u64,
    /// Sound that waits for the amplifier to be switched on.
    sound: Option<(Local, usize, usize)>,
    amplifier: bool,
    status: Status,
    /// What the last telemetry said to be sounding.
    told_sounding: Option<BroadcastId>,
    reboot: Reboot,
    /// Everything that follows from the last input came out.
    settled: bool,
    turns: u64,
    message: [u8; MAX_MESSAGE],
}

/// What was said in an MQTT session.
struct Line {
    /// How many of the topics were subscribed to.
    subscribed: usize,
    present: bool,
    telemetry_due: Local,
    /// When the report of an unfinished rotation is due (again).
    rotation_due: Local,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reboot {
    No,
    Ordered,
    Told,
}

impl<D: Decoder> Receiver<D> {
    /// A receiver that has just booted. `seed`: random bytes from the board's generator, others after each boot; whoever knows them can set
    /// its clock to any time at which the server's answers were recorded.
    pub fn new(enrolment: Enrolment, build: Build, seed: [u8; 32], decoder: D) -> Self {
        Self {
            identity: Identity::new(enrolment, seed),
            build,
            now: 0,
            born: None,
            clock: Clock::default(),
            path: Path::default(),
            gate: Gate::default(),
            player: Player::new(decoder),
            receipts: Receipts::default(),
            counters: Counters::default(),
            mqtt: None,
            reports: 0,
            sound: None,
            amplifier: false,
            status: Status::default(),
            told_sounding: None,
            reboot: Reboot::No,
            settled: false,
            turns: 0,
            message: [0; MAX_MESSAGE],
        }
    }

    /// How to open the MQTT session. `attempt`: how many in a row have failed; while secret or authority are changing, another
    /// one is tried each time.
    pub fn session(&self, attempt: u32) -> Session<'_> {
        let enrolment = self.identity.enrolment();
        let (password, ca) = self.identity.login(attempt);
        let digits = enrolment.receiver.hex();
        Session {
            host: &enrolment.mqtt_host,
            port: enrolment.mqtt_port,
            ca,
            name: digits.iter().map(|digit| char::from(*digit)).collect(),
            password,
            will: self.up(Uplink::Presence),
            media_host: &enrolment.media_host,
            media_port: enrolment.media_port,
        }
    }

    /// Its enrolment, as it was stored last.
    pub fn enrolment(&self) -> &Enrolment {
        self.identity.enrolment()
    }

    /// Takes what happened at `now`; what follows from it comes out of [`Receiver::poll`]. A `now` before the last one counts as
    /// the last one.
    pub fn handle(&mut self, now: Micros, input: Input<'_>) {
        self.now = self.now.max(now.0.min(LATEST).cast_signed());
        self.settled = false;
        let now = self.now;
        self.born.get_or_insert(now);
        self.receipts.tick(now);
        match input {
            Input::MqttUp => {
                self.session_ended();
                self.mqtt = Some(Line {
                    subscribed: 0,
                    present: false,
                    telemetry_due: now,
                    rotation_due: now,
                });
                self.path.mqtt_up(now);
            }
            Input::MqttDown => {
                self.session_ended();
                self.path.mqtt_down(now);
            }
            Input::Mqtt { topic, payload } => self.message(topic, payload),
            Input::Datagram(datagram) => self.datagram(datagram, Way::Udp),
            Input::Stored(done) => self.stored(done),
            Input::Timer => {}
        }
    }

    /// The next thing to be done, in order; `None` when there is nothing.
    pub fn poll(&mut self) -> Option<Output<'_>> {
        let now = self.now;
        loop {
            if self.reboot == Reboot::Told {
                return self.settle();
            }
            if self.identity.is_to_store() {
                return Some(Output::Store(self.identity.storing()));
            }
            let amplifier = self.player.amplifier();
            if amplifier != self.amplifier {
                self.amplifier = amplifier;
                return Some(Output::Amplifier(amplifier));
            }
            if self.reboot == Reboot::Ordered {
                self.reboot = Reboot::Told;
                return Some(Output::Reboot);
            }
            let status = self.status_now();
            if status != self.status {
                self.status = status;
                return Some(Output::Status(status));
            }
            if let Some((at, from, length)) = self.sound.take() {
                let at = Micros(u64::try_from(at).unwrap_or(0));
                return Some(Output::Sound {
                    at,
                    pcm: self.player.pcm(from, length),
                });
            }
            if let Some(topic) = self.next_subscription() {
                return Some(Output::Subscribe(topic));
            }
            if let Some((way, probe)) = self.path.next(now, self.mqtt.is_some()) {
                return Some(self.hello(way, probe));
            }
            if self.next_presence() {
                let topic = self.up(Uplink::Presence);
                return Some(Output::Publish {
                    topic,
                    payload: topic::PRESENT,
                    at_least_once: true,
                    retain: true,
                });
            }
            if let Some(receipt) = self.next_receipt() {
                let Ok(length) = receipt.seal(self.identity.report_key(), &mut self.message) else {
                    continue;
                };
                return Some(self.publish(Uplink::Receipt, length, true));
            }
            if let Some(telemetry) = self.next_telemetry() {
                let Ok(length) = telemetry.seal(self.identity.report_key(), &mut self.message) else {
                    continue;
                };
                return Some(self.publish(Uplink::Telemetry, length, false));
            }
            if let Some(rotation) = self.next_rotation() {
                let Ok(length) = rotation.seal(self.identity.report_key(), &mut self.message) else {
                    continue;
                };
                return Some(self.publish(Uplink::Rotation, length, true));
            }
            let Some(offset) = self.clock.offset() else {
                return self.settle();
            };
            match self.player.step(now, offset, &mut self.counters) {
                Step::Sound { at, from, length } => self.sound = Some((at, from, length)),
                Step::Over(over) => self.receipts.keep(over),
                Step::Idle if self.is_told() => return self.settle(),
                Step::Idle => {}
            }
        }
    }

    /// When [`Input::Timer`] is due.
    pub fn next_wakeup(&self) -> Option<Micros> {
        if self.reboot == Reboot::Told {
            return None;
        }
        if !self.settled {
            return Some(Micros(u64::try_from(self.now).unwrap_or(0)));
        }
        let line = self.mqtt.as_ref().filter(|line| line.present);
        let telemetry = line.map(|line| line.telemetry_due);
        let unfinished = self.identity.unfinished().is_some();
        let rotation = line.filter(|_| unfinished).map(|line| line.rotation_due);
        let instants = [
            Some(self.path.due()),
            self.player.wakeup(),
            self.receipts.due(self.now),
            telemetry,
            rotation,
        ];
        let next = instants.into_iter().flatten().min()?;
        Some(Micros(u64::try_from(next).unwrap_or(0)))
    }

    /// What the status LED shows.
    pub fn status(&self) -> Status {
        self.status
    }

    /// What it has counted since it booted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The broadcast that sounds.
    pub fn sounding(&self) -> Option<BroadcastId> {
        self.player.sounding()
    }

    /// The broadcasts that it knows and that are not over, each with what was heard of it so far.
    pub fn broadcasts(&self) -> impl Iterator<Item = (&Play, &Account)> {
        self.player
            .broadcasts
            .iter()
            .flatten()
            .map(|broadcast| (&broadcast.play, &broadcast.account))
    }

    /// Wall time at `now`, once the clock is set.
    pub fn wall(&self, now: Micros) -> Option<UnixMicros> {
        self.clock.wall(now.0.min(LATEST).cast_signed())
    }

    /// How far its clock may be off, in microseconds: half the round trip of the exchange that set it.
    pub fn clock_error(&self) -> u32 {
        self.clock.round_trip() / 2
    }

    /// How sound reaches it.
    pub fn media_path(&self) -> MediaPath {
        self.path.media()
    }

    /// How often everything that followed from an input came out: rises as long as the receiver is alive, for
    /// [`hardware::Guard`](crate::hardware::Guard).
    pub fn turns(&self) -> u64 {
        self.turns
    }

    fn session_ended(&mut self) {
        if self.mqtt.take().is_some() {
            self.receipts.session_ended();
        }
    }

    fn message(&mut self, text: &str, payload: &mut [u8]) {
        let me = self.enrolment().receiver;
        match Topic::parse(text) {
            Some(Topic::Down(id, Downlink::Media)) if id == me => self.datagram(payload, Way::Mqtt),
            Some(Topic::Down(id, Downlink::Command)) if id == me => self.command(payload),
            Some(Topic::Down(id, Downlink::Succession)) if id == me => {
                let taken = self.identity.succession(payload);
                self.counters.refused_commands += u32::from(!taken);
            }
            Some(Topic::Area(_)) => self.command(payload),
            _ => self.counters.refused_commands += 1,
        }
    }

    fn datagram(&mut self, datagram: &mut [u8], way: Way) {
        if !rtp::is_media(datagram) {
            return self.answer(datagram, way);
        }
        match self.clock.offset() {
            Some(offset) => self.player.media(datagram, self.now, offset, &mut self.counters),
            None => self.counters.refused_media += 1,
        }
    }

    fn answer(&mut self, datagram: &[u8], way: Way) {
        let now = self.now;
        let answer = self.identity.answer(datagram);
        let said = answer.and_then(|(answer, anew)| Some((answer, anew, self.path.take(answer.t1, way)?)));
        let learnt = said.filter(|(answer, _, said)| self.clock.learn(said.at, answer, now));
        match learnt {
            Some((_, anew, said)) => {
                self.counters.answers += 1;
                self.path.answered(&said, now);
                if anew {
                    self.identity.acknowledged();
                }
            }
            None => self.counters.refused_media += 1,
        }
    }

    fn command(&mut self, message: &[u8]) {
        let now = self.now;
        let times = self
            .clock
            .offset()
            .zip(self.clock.wall(now))
            .zip(self.clock.first_set());
        let command = Command::open(&self.enrolment().server_key, message).ok();
        let admitted = command.zip(times).filter(|(command, ((_, wall), booted))| {
            self.gate.admits(self.identity.enrolment(), command, *wall, *booted)
        });
        let Some((command, ((offset, wall), _))) = admitted else {
            self.counters.refused_commands += 1;
            return;
        };
        let taken = match &command.order {
            Order::Areas(areas) => self.identity.areas(areas),
            Order::Authority(authority) => self.identity.authority(authority),
            Order::Rotate(rotate) => {
                if let Some(line) = &mut self.mqtt {
                    line.rotation_due = now;
                }
                self.identity.rotate(rotate)
            }
            _ => true,
        };
        if !taken {
            self.counters.refused_commands += 1;
            return;
        }
        self.counters.obeyed += 1;
        match command.order {
            Order::Play(play) if play.end() <= wall => self.counters.too_late += 1,
            Order::Play(play) => {
                if let Some(over) = self.player.play(play, self.identity.sound(), now, offset) {
                    self.counters.crowded_out += u32::from(over.outcome != Outcome::Refused);
                    self.receipts.keep(over);
                }
            }
            Order::Stop(broadcast) => {
                if self.player.sounding() == Some(broadcast) {
                    self.sound = None;
                }
                if let Some(over) = self.player.stop(broadcast, now) {
                    self.receipts.keep(over);
                }
            }
            Order::Volume(volume) => {
                self.player.limits.set_volume(volume);
                self.tell_soon();
            }
            Order::Policy(policy) => {
                self.player.set_policy(policy, now, offset);
                self.tell_soon();
            }
            Order::Areas(_) | Order::Authority(_) | Order::Rotate(_) => {}
            Order::Reboot => {
                self.player.silence();
                self.sound = None;
                self.reboot = Reboot::Ordered;
            }
        }
    }

    fn stored(&mut self, done: bool) {
        self.counters.not_stored += u32::from(!done);
        let Some(change) = self.identity.stored(done) else {
            return;
        };
        if change == Change::Areas {
            // Those that it has are asked for again, which changes nothing.
            if let Some(line) = &mut self.mqtt {
                line.subscribed = line.subscribed.min(OWN_TOPICS.len());
            }
            if let Some(now) = self.clock.wall(self.now) {
                self.gate.moved(now);
            }
        }
        self.tell_soon();
    }

    fn hello(&mut self, way: Way, probe: bool) -> Output<'_> {
        let clock_set = self.clock.offset().is_some();
        let t1 = self.clock.t1(self.now, || self.identity.random());
        self.path.said(Said {
            t1,
            at: self.now,
            way,
            probe,
            clock_set,
        });
        self.counters.hellos += 1;
        let datagram = Hello {
            receiver: self.identity.enrolment().receiver,
            t1,
            clock_set,
            probe,
        }
        .seal(self.identity.hello_key());
        self.message[..datagram.len()].copy_from_slice(&datagram);
        match way {
            Way::Udp => Output::Datagram(&self.message[..datagram.len()]),
            Way::Mqtt => self.publish(Uplink::Media, datagram.len(), false),
        }
    }

    fn next_subscription(&mut self) -> Option<topic::Text> {
        let line = self.mqtt.as_mut()?;
        let enrolment = self.identity.enrolment();
        let topic = match OWN_TOPICS.get(line.subscribed) {
            Some(kind) => Topic::Down(enrolment.receiver, *kind),
            None => Topic::Area(*enrolment.areas.get(line.subscribed - OWN_TOPICS.len())?),
        };
        line.subscribed += 1;
        Some(topic.text())
    }

    /// Whether presence is to be told: commands that follow can be checked, since the clock is set.
    fn next_presence(&mut self) -> bool {
        let set = self.clock.offset().is_some();
        match &mut self.mqtt {
            Some(line) if set && !line.present => {
                (line.present, line.telemetry_due) = (true, self.now);
                true
            }
            _ => false,
        }
    }

    fn next_receipt(&mut self) -> Option<Receipt> {
        self.mqtt.as_ref().filter(|line| line.present)?;
        // One of the broadcasts that go on first: after the final one nothing may follow.
        let going_on = self.player.broadcasts.iter_mut().flatten().find_map(|broadcast| {
            let outcome = broadcast.owed.take()?;
            Some(broadcast.account.receipt(&broadcast.play, outcome))
        });
        let receipt = going_on.or_else(|| {
            let over = self.receipts.next(self.now)?;
            Some(over.account.receipt(&over.play, over.outcome))
        })?;
        let (serial, at) = self.serial()?;
        Some(Receipt { serial, at, ..receipt })
    }

    fn next_telemetry(&mut self) -> Option<Telemetry> {
        let now = self.now;
        let sounding = self.player.sounding();
        let line = self.mqtt.as_mut().filter(|line| line.present)?;
        if now < line.telemetry_due && sounding == self.told_sounding {
            return None;
        }
        line.telemetry_due = now + TELEMETRY;
        self.told_sounding = sounding;
        let (serial, at) = self.serial()?;
        let uptime = (now - self.born.unwrap_or(now)) / 1_000_000;
        let mut telemetry = Telemetry {
            serial,
            at,
            uptime: u32::try_from(uptime).unwrap_or(u32::MAX),
            playing: sounding,
            volume: self.player.limits.volume(Default::default(), at),
            path: self.path.media(),
            round_trip: self.clock.round_trip(),
            clock_error: self.clock_error(),
            expected: self.counters.expected,
            lost: self.counters.lost,
            refused_media: self.counters.refused_media,
            refused_commands: self.counters.refused_commands,
            firmware: fitting(self.build.firmware),
            board: fitting(self.build.board),
            ..Telemetry::default()
        };
        self.identity.tell(&mut telemetry);
        Some(telemetry)
    }

    fn next_rotation(&mut self) -> Option<Rotation> {
        let now = self.now;
        let line = self.mqtt.as_mut().filter(|line| line.present)?;
        if now < line.rotation_due || self.identity.unfinished().is_none() {
            return None;
        }
        line.rotation_due = now + TELEMETRY;
        let (serial, at) = self.serial()?;
        let (epoch, it) = self.identity.unfinished()?;
        Some(Rotation {
            serial,
            at,
            epoch,
            receiver: it.receiver,
            server: it.server,
        })
    }

    /// Telemetry is due as soon as it can be told.
    fn tell_soon(&mut self) {
        if let Some(line) = &mut self.mqtt {
            line.telemetry_due = self.now;
        }
    }

    fn serial(&mut self) -> Option<(Serial, UnixMicros)> {
        let (boot, at) = self.clock.boot().zip(self.clock.wall(self.now))?;
        self.reports += 1;
        Some((
            Serial {
                boot: boot.0,
                number: self.reports,
            },
            at,
        ))
    }

    fn status_now(&self) -> Status {
        if self.player.sounding().is_some() {
            return Status::Streaming;
        }
        match &self.mqtt {
            None => Status::Enrolled,
            Some(line) if !line.present => Status::Connected,
            Some(_) if self.receipts.on_the_way(self.now) => Status::Draining,
            Some(_) => Status::Ready,
        }
    }

    /// Whether what the player came to is told: it changes by looking at the time.
    fn is_told(&self) -> bool {
        let present = self.mqtt.as_ref().is_some_and(|line| line.present);
        self.player.amplifier() == self.amplifier
            && self.status_now() == self.status
            && (!present || self.player.sounding() == self.told_sounding)
    }

    fn settle(&mut self) -> Option<Output<'_>> {
        if !self.settled {
            self.settled = true;
            self.turns += 1;
        }
        None
    }

    fn up(&self, kind: Uplink) -> topic::Text {
        Topic::Up(self.enrolment().receiver, kind).text()
    }

    fn publish(&self, kind: Uplink, length: usize, at_least_once: bool) -> Output<'_> {
        Output::Publish {
            topic: self.up(kind),
            payload: &self.message[..length],
            at_least_once,
            retain: false,
        }
    }
}
