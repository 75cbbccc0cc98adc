//! A receiver on a virtual clock, and a server that signs, answers and seals as the real one does. What is simulated: the network,
//! as a queue of what arrives when, and the codec, unless a test takes the real one.

use aes_gcm::{AeadInPlace, Aes128Gcm, KeyInit};
use loa_protocol::command::{Command, Order, Play, Policy, Recipient};
use loa_protocol::enrolment::Enrolment;
use loa_protocol::hello::{Answer, Hello};
use loa_protocol::key::Secret;
use loa_protocol::precedence::Class;
use loa_protocol::report::{Receipt, Serial, Telemetry};
use loa_protocol::rotation::Rotation;
use loa_protocol::srtp::{SessionKeys, rtcp_nonce, rtp_nonce};
use loa_protocol::topic::{Downlink, Topic, Uplink};
use loa_protocol::{AreaId, BroadcastId, MAX_MESSAGE, ReceiverId, SigningKey, StreamId, UnixMicros};
use loa_receiver::{Build, DecodeError, Decoder, Input, Micros, Output, Receiver, Status};
use std::collections::BTreeMap;

/// Random bytes, as good as any.
pub(crate) const SEED: [u8; 32] = [0x5E; 32];
/// Wall time less local time: 2027-01-15, 08:00 UTC on the hour, so that quiet hours are easy to place.
pub(crate) const OFFSET: u64 = 1_800_000_000_000_000;
/// One way through the network.
pub(crate) const DELAY: u64 = 5_000;
pub(crate) const ME: ReceiverId = ReceiverId([0x11; 16]);
pub(crate) const PROVINCE: AreaId = AreaId([0x21; 16]);
pub(crate) const COMMUNE: AreaId = AreaId([0x22; 16]);
pub(crate) const SECOND: u64 = 1_000_000;

pub(crate) fn secret() -> Secret {
    Secret([7; 32])
}

pub(crate) fn server_key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

pub(crate) fn enrolment() -> Enrolment {
    Enrolment {
        receiver: ME,
        secret: secret(),
        server_key: server_key().verifying_key(),
        areas: heapless::Vec::from_slice(&[PROVINCE, COMMUNE]).unwrap(),
        mqtt_host: "broker.example".try_into().unwrap(),
        mqtt_port: 8883,
        mqtt_ca: None,
        media_host: "media.example".try_into().unwrap(),
        media_port: 5004,
        key_number: 1,
        next_ca: None,
        epoch: 0,
        unfinished: None,
    }
}

#[derive(Clone)]
pub(crate) enum Event {
    Datagram(Vec<u8>),
    Mqtt(String, Vec<u8>),
    MqttUp,
    MqttDown,
}

/// What came out, and when.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) sound: Vec<(u64, Vec<i16>)>,
    /// When each sound was handed out.
    pub(crate) handed_out: Vec<u64>,
    pub(crate) amplifier: Vec<(u64, bool)>,
    pub(crate) status: Vec<(u64, Status)>,
    pub(crate) hellos: Vec<(u64, &'static str, Hello)>,
    pub(crate) subscribed: Vec<String>,
    pub(crate) present: Vec<u64>,
    pub(crate) receipts: Vec<(u64, Receipt)>,
    pub(crate) telemetry: Vec<(u64, Telemetry)>,
    pub(crate) rebooted: bool,
    pub(crate) serials: Vec<Serial>,
    pub(crate) rotations: Vec<Rotation>,
    /// Every enrolment that was stored, in order.
    pub(crate) stored: Vec<Enrolment>,
    /// Everything that was given to it, from the network.
    pub(crate) recorded: Vec<(u64, Event)>,
}

pub(crate) struct World<D: Decoder = TestDecoder> {
    pub(crate) receiver: Receiver<D>,
    pub(crate) now: u64,
    pub(crate) log: Log,
    /// Whether hellos by UDP arrive and are answered.
    pub(crate) udp: bool,
    /// Whether the server answers at all.
    pub(crate) alive: bool,
    pub(crate) mqtt: bool,
    /// How much longer hellos take than their answers.
    pub(crate) uphill: u64,
    /// Added to the server's clock.
    pub(crate) clock_error: i64,
    /// The secrets that the server knows: words under any of them are taken. The first is the newest.
    pub(crate) secrets: Vec<Secret>,
    /// The key that commands are signed with.
    pub(crate) key: SigningKey,
    /// Whether the receiver's flash takes what is to be stored.
    pub(crate) storage: bool,
    numbers: BTreeMap<[u8; 16], u64>,
    events: BTreeMap<(u64, u64), Event>,
    count: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(TestDecoder)
    }

    /// Booted, connected, ready, everything allowed.
    pub(crate) fn ready() -> Self {
        Self::ready_with(TestDecoder)
    }
}

impl<D: Decoder> World<D> {
    pub(crate) fn with(decoder: D) -> Self {
        Self::boot_as(enrolment(), SEED, decoder)
    }

    /// Booted with this enrolment in its flash, and these random numbers.
    pub(crate) fn boot_as(enrolment: Enrolment, seed: [u8; 32], decoder: D) -> Self {
        Self {
            secrets: vec![enrolment.secret.clone()],
            key: server_key(),
            storage: true,
            receiver: Receiver::new(
                enrolment,
                Build {
                    firmware: "1.2.3",
                    board: "virtual",
                },
                seed,
                decoder,
            ),
            now: 0,
            log: Log::default(),
            udp: true,
            alive: true,
            mqtt: false,
            uphill: 0,
            clock_error: 0,
            numbers: BTreeMap::new(),
            events: BTreeMap::new(),
            count: 0,
        }
    }

    pub(crate) fn ready_with(decoder: D) -> Self {
        let mut world = Self::with(decoder);
        world.boot();
        world.order(Order::Policy(Policy::unrestricted()));
        world.run(SECOND);
        assert_eq!(world.receiver.status(), Status::Ready);
        world
    }

    pub(crate) fn boot(&mut self) {
        self.at(0, Event::MqttUp);
        self.run(SECOND);
    }

    pub(crate) fn wall(&self, local: u64) -> UnixMicros {
        UnixMicros((local + OFFSET).checked_add_signed(self.clock_error).unwrap())
    }

    /// Local time of a wall time.
    pub(crate) fn local(&self, wall: UnixMicros) -> u64 {
        (wall.0 - OFFSET).checked_add_signed(-self.clock_error).unwrap()
    }

    pub(crate) fn at(&mut self, time: u64, event: Event) {
        self.count += 1;
        self.events.insert((time.max(self.now), self.count), event);
    }

    /// Lets so much time pass.
    pub(crate) fn run(&mut self, micros: u64) {
        self.run_until(self.now + micros);
    }

    pub(crate) fn run_until(&mut self, end: u64) {
        loop {
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let wakeup = self.receiver.next_wakeup().map(|at| at.0);
            let Some(next) = event.into_iter().chain(wakeup).min().filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            let input = match event {
                Some(at) if at == next => self.events.pop_first().map(|(_, event)| event),
                _ => None,
            };
            self.give(input);
            let wakeup = self.receiver.next_wakeup();
            assert!(wakeup.is_none_or(|at| at.0 > self.now), "wakes up at once for ever");
        }
        self.now = end;
    }

    fn give(&mut self, event: Option<Event>) {
        let now = Micros(self.now);
        if let Some(event @ (Event::Datagram(_) | Event::Mqtt(..))) = &event {
            self.log.recorded.push((self.now, event.clone()));
        }
        match event {
            None => self.receiver.handle(now, Input::Timer),
            Some(Event::Datagram(mut datagram)) => self.receiver.handle(now, Input::Datagram(&mut datagram)),
            Some(Event::Mqtt(topic, mut payload)) if self.mqtt => {
                self.receiver.handle(
                    now,
                    Input::Mqtt {
                        topic: &topic,
                        payload: &mut payload,
                    },
                );
            }
            Some(Event::Mqtt(..)) => {}
            Some(Event::MqttUp) => {
                self.mqtt = true;
                self.receiver.handle(now, Input::MqttUp);
            }
            Some(Event::MqttDown) => {
                self.mqtt = false;
                self.receiver.handle(now, Input::MqttDown);
            }
        }
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        let keys: Vec<_> = self.secrets.iter().map(Secret::report_key).collect();
        let now = self.now;
        let mut hellos = Vec::new();
        let mut outputs = 0;
        let mut stored = None;
        loop {
            // Before anything else, as a shell does.
            if let Some(done) = stored.take() {
                self.receiver.handle(Micros(now), Input::Stored(done));
            }
            let Some(output) = self.receiver.poll() else { break };
            outputs += 1;
            assert!(outputs < 2000, "it never comes to rest");
            match output {
                Output::Subscribe(topic) => self.log.subscribed.push(topic.as_str().to_owned()),
                Output::Datagram(datagram) => hellos.push(("udp", datagram.to_vec())),
                Output::Sound { at, pcm } => {
                    assert!(
                        self.log.amplifier.last().is_some_and(|(_, on)| *on),
                        "sound with the amplifier off"
                    );
                    assert!(!pcm.is_empty() && pcm.len() <= 5760);
                    self.log.handed_out.push(now);
                    self.log.sound.push((at.0, pcm.to_vec()));
                }
                Output::Amplifier(on) => self.log.amplifier.push((now, on)),
                Output::Status(status) => self.log.status.push((now, status)),
                Output::Reboot => self.log.rebooted = true,
                Output::Store(enrolment) => {
                    stored = Some(self.storage);
                    if self.storage {
                        self.log.stored.push(enrolment.clone());
                    }
                }
                Output::Publish {
                    topic,
                    payload,
                    at_least_once,
                    retain,
                } => {
                    assert!(self.mqtt, "published without a session");
                    assert!(payload.len() <= MAX_MESSAGE);
                    match Topic::parse(&topic) {
                        Some(Topic::Up(ME, Uplink::Presence)) => {
                            assert_eq!((payload, at_least_once, retain), (&b"1"[..], true, true));
                            self.log.present.push(now);
                        }
                        Some(Topic::Up(ME, Uplink::Media)) => {
                            assert_eq!((at_least_once, retain), (false, false));
                            hellos.push(("mqtt", payload.to_vec()));
                        }
                        Some(Topic::Up(ME, Uplink::Receipt)) => {
                            assert_eq!((at_least_once, retain), (true, false));
                            let mut opened = keys.iter().map(|key| Receipt::open(key, payload));
                            let receipt = opened.find_map(Result::ok).unwrap();
                            assert_eq!(receipt.expected, receipt.received + receipt.lost);
                            self.log.serials.push(receipt.serial);
                            self.log.receipts.push((now, receipt));
                        }
                        Some(Topic::Up(ME, Uplink::Telemetry)) => {
                            assert_eq!((at_least_once, retain), (false, false));
                            let mut opened = keys.iter().map(|key| Telemetry::open(key, payload));
                            let telemetry = opened.find_map(Result::ok).unwrap();
                            self.log.serials.push(telemetry.serial);
                            self.log.telemetry.push((now, telemetry));
                        }
                        Some(Topic::Up(ME, Uplink::Rotation)) => {
                            assert_eq!((at_least_once, retain), (true, false));
                            let mut opened = keys.iter().map(|key| Rotation::open(key, payload));
                            let rotation = opened.find_map(Result::ok).unwrap();
                            self.log.serials.push(rotation.serial);
                            self.log.rotations.push(rotation);
                        }
                        other => panic!("published on {topic}: {other:?}"),
                    }
                }
            }
        }
        assert!(self.log.serials.is_sorted_by(|a, b| a < b), "serials rise");
        for (way, datagram) in hellos {
            self.hello(way, &datagram);
        }
    }

    fn hello(&mut self, way: &'static str, datagram: &[u8]) {
        let known = self.secrets.iter().map(Secret::hello_key);
        let opened = known.map(|key| Some((Hello::open(&key, datagram).ok()?, key)));
        // Under a secret that the server does not know (yet): nobody answers.
        let Some((hello, key)) = opened.flatten().next() else {
            return;
        };
        assert_eq!(hello.receiver, ME);
        let last = self.log.hellos.iter().rev().find(|(_, _, last)| last.clock_set);
        if let Some((_, _, last)) = last.filter(|_| hello.clock_set) {
            let put_back = last.t1.0.saturating_sub(self.wall(self.now).0) > 60_000_000;
            assert!(hello.t1 > last.t1 || put_back, "t1 rises");
        }
        self.log.hellos.push((self.now, way, hello));
        if !self.alive || way == "udp" && !self.udp {
            return;
        }
        let at = self.wall(self.now + DELAY + self.uphill);
        let answer = Answer {
            t1: hello.t1,
            t2: at,
            t3: at,
        }
        .seal(&key)
        .to_vec();
        let event = match way {
            "udp" => Event::Datagram(answer),
            _ => Event::Mqtt(media_topic(), answer),
        };
        self.at(self.now + 2 * DELAY + self.uphill, event);
    }

    /// A command to this receiver, fresh and next in number, arrives now.
    pub(crate) fn order(&mut self, order: Order) {
        let command = self.command(Recipient::Receiver(ME), order);
        self.deliver(&command);
    }

    pub(crate) fn command(&mut self, to: Recipient, order: Order) -> Command {
        let addressee = match to {
            Recipient::Receiver(id) => id.0,
            Recipient::Area(id) => id.0,
        };
        let number = self.numbers.entry(addressee).or_default();
        *number += 1;
        let issued = UnixMicros((self.now + OFFSET).checked_add_signed(self.clock_error).unwrap());
        Command {
            to,
            number: *number,
            issued,
            expires: issued.offset(30_000_000),
            order,
        }
    }

    pub(crate) fn deliver(&mut self, command: &Command) {
        let message = signed(command, &self.key);
        self.at(self.now, Event::Mqtt(command_topic(), message));
        self.run(0);
    }

    /// Tells the receiver to play, and sends all packets `latency` ahead of their sound, the server's way.
    pub(crate) fn broadcast(&mut self, play: &Play, latency: u64) {
        self.order(Order::Play(*play));
        self.send(play, latency);
    }

    pub(crate) fn send(&mut self, play: &Play, latency: u64) {
        self.send_under(&secret(), play, latency);
    }

    pub(crate) fn send_under(&mut self, secret: &Secret, play: &Play, latency: u64) {
        for index in 0..play.packets() {
            let sent = self.sounds(play, index).saturating_sub(latency);
            if sent >= self.now {
                self.at(
                    sent + DELAY,
                    Event::Datagram(packet_under(secret, play, index, &payload(index))),
                );
            }
        }
    }

    /// Local time at which the server has packet `index` sound.
    pub(crate) fn sounds(&self, play: &Play, index: u64) -> u64 {
        self.local(play.start) + index * u64::from(play.packet_samples) * 1000 / 48
    }

    /// What sounded of `play`: the position and the samples of each piece, its time checked.
    pub(crate) fn heard(&self, play: &Play) -> Vec<(u64, Vec<i16>)> {
        let start = self.local(play.start);
        let within = |at: u64| at >= start && at < start + play.samples * 125 / 6;
        let pieces = self.log.sound.iter().filter(|(at, _)| within(*at));
        let pieces = pieces.map(|(at, pcm)| {
            let n = ((at - start) * 6).div_ceil(125);
            assert_eq!(*at, start + n * 125 / 6, "sound lies on a sample");
            (n, pcm.clone())
        });
        pieces.collect()
    }

    /// All final receipts of a broadcast.
    pub(crate) fn finals(&self, play: &Play) -> Vec<Receipt> {
        let all = self.log.receipts.iter().map(|(_, receipt)| receipt);
        all.filter(|receipt| receipt.broadcast == play.broadcast && receipt.outcome.is_final())
            .cloned()
            .collect()
    }

    /// The one final receipt of a broadcast.
    pub(crate) fn receipt(&self, play: &Play) -> Receipt {
        let finals = self.finals(play);
        assert_eq!(finals.len(), 1, "{:?}", self.log.receipts);
        finals[0].clone()
    }
}

pub(crate) fn command_topic() -> String {
    Topic::Down(ME, Downlink::Command).text().as_str().to_owned()
}

pub(crate) fn media_topic() -> String {
    Topic::Down(ME, Downlink::Media).text().as_str().to_owned()
}

pub(crate) fn signed(command: &Command, key: &SigningKey) -> Vec<u8> {
    let mut message = [0; MAX_MESSAGE];
    let length = command.seal(key, &mut message).unwrap();
    message[..length].to_vec()
}

/// A broadcast of `samples`, 60 ms packets, that starts at local time `start`.
pub(crate) fn play(id: u8, start: u64, samples: u64) -> Play {
    Play {
        broadcast: BroadcastId([id; 16]),
        stream: StreamId([id; 16]),
        ssrc: 1000 + u32::from(id),
        class: Class::Normal,
        depth: 2,
        start: UnixMicros(OFFSET + start),
        samples,
        packet_samples: 2880,
        pre_skip: 312,
        overrides: false,
    }
}

/// Packet `index` of a stream, sealed for this receiver.
pub(crate) fn packet(play: &Play, index: u64, payload: &[u8]) -> Vec<u8> {
    packet_under(&secret(), play, index, payload)
}

/// The same under a secret of its.
pub(crate) fn packet_under(secret: &Secret, play: &Play, index: u64, payload: &[u8]) -> Vec<u8> {
    let keys = SessionKeys::derive(&secret.srtp(play.stream));
    let mut packet = vec![0x80, 111];
    packet.extend((index as u16).to_be_bytes());
    packet.extend(((index * u64::from(play.packet_samples)) as u32).to_be_bytes());
    packet.extend(play.ssrc.to_be_bytes());
    let nonce = rtp_nonce(&keys.rtp_salt, play.ssrc, index);
    let mut body = payload.to_vec();
    let cipher = Aes128Gcm::new(&keys.rtp_key.into());
    let tag = cipher
        .encrypt_in_place_detached(&nonce.into(), &packet, &mut body)
        .unwrap();
    packet.extend(body);
    packet.extend(tag);
    packet
}

/// Sender report `number` of a stream, sealed for this receiver, that speaks of its first packet's sending.
pub(crate) fn sender_report(play: &Play, number: u32, latency: u64) -> Vec<u8> {
    let keys = SessionKeys::derive(&secret().srtp(play.stream));
    let mut packet = vec![0x80, 200, 0, 6];
    packet.extend(play.ssrc.to_be_bytes());
    let mut body = UnixMicros(play.start.0 - latency).to_ntp().to_be_bytes().to_vec();
    body.extend([0; 12]);
    let trailer = (1 << 31 | number).to_be_bytes();
    let aad = [&packet[..], &trailer].concat();
    let nonce = rtcp_nonce(&keys.rtcp_salt, play.ssrc, number);
    let cipher = Aes128Gcm::new(&keys.rtcp_key.into());
    let tag = cipher
        .encrypt_in_place_detached(&nonce.into(), &aad, &mut body)
        .unwrap();
    [&packet[..], &body, &tag, &trailer].concat()
}

const MARK: u8 = 0x5A;

/// What [`TestDecoder`] takes for packet `index`; up to 100 bytes long.
pub(crate) fn payload(index: u64) -> Vec<u8> {
    let mut payload = vec![MARK; 9 + (index % 92) as usize];
    payload[1..9].copy_from_slice(&index.to_le_bytes());
    payload
}

/// Decoded sample `position` of every stream: even, and never zero.
pub(crate) fn sample(position: u64) -> i16 {
    2 + 2 * ((position.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) % 10_000) as i16
}

/// What [`TestDecoder`] conceals with.
pub(crate) const CONCEALED: i16 = -1;

/// A codec whose every sample says where it belongs and how it came: as it was (even), rebuilt from the next packet (odd), or
/// concealed (-1).
pub(crate) struct TestDecoder;

impl Decoder for TestDecoder {
    fn decode(&mut self, packet: Option<&[u8]>, fec: bool, pcm: &mut [i16]) -> Result<usize, DecodeError> {
        let Some(packet) = packet else {
            pcm.fill(CONCEALED);
            return Ok(pcm.len());
        };
        let Some((&MARK, rest)) = packet.split_first() else {
            return Err(DecodeError);
        };
        let index = u64::from_le_bytes(*rest.first_chunk().ok_or(DecodeError)?) - u64::from(fec);
        let first = index * pcm.len() as u64;
        for (position, out) in (first..).zip(pcm.iter_mut()) {
            *out = sample(position) | i16::from(fec);
        }
        Ok(pcm.len())
    }

    fn reset(&mut self) {}
}

/// Samples `from..to` of `play` as its programme has them.
pub(crate) fn programme(play: &Play, from: u64, to: u64) -> Vec<i16> {
    (from..to).map(|n| sample(n + u64::from(play.pre_skip))).collect()
}
