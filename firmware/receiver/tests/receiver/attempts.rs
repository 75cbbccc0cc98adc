//! Whatever bytes come in, as a fuzzer makes them: from a stranger, and from somebody who has the keys and seals nonsense. Used by
//! the fuzz targets in `firmware/receiver/fuzz`, and here on the corpus that they found.
//!
//! An input is a list of steps: a byte that says what happens, a byte of time before it, a byte of length, and so many bytes of content.
//! What the receiver sends is dropped. The codec is simulated, since a thousand times as many inputs fit into the same time; `sound` gives
//! any bytes to the real one.

#![allow(unreachable_pub, reason = "the fuzz targets use it from another crate")]

use crate::world::{
    ME, OFFSET, command_topic, enrolment, media_topic, packet, play, secret, sender_report, server_key,
};
use loa_opus::{MAX_PACKET_SAMPLES, OpusDecoder};
use loa_protocol::command::{Command, Order, Play, Policy, Recipient};
use loa_protocol::enrolment::Enrolment;
use loa_protocol::hello::Answer;
use loa_protocol::precedence::Class;
use loa_protocol::{MAX_MESSAGE, SigningKey, UnixMicros, cose};
use loa_receiver::{Build, DecodeError, Decoder, Input, Micros, Output, Receiver};

/// Gives an input to a receiver and panics if something does not hold.
pub type Attempt = fn(&[u8]);

thread_local! {
    /// Made once: deriving public keys costs more than most inputs do.
    static ENROLLED: (Enrolment, SigningKey) = (enrolment(), server_key());
}

/// Every attempt: a name, and what tries it.
pub const ALL: [(&str, Attempt); 3] = [("stranger", stranger), ("keyed", keyed), ("sound", sound)];

/// Steps that an input may have: the rest of it is not looked at.
const STEPS: usize = 24;
/// Times that the receiver is woken up because it asked for it: then time jumps from step to step.
const WAKEUPS: usize = 40;
/// Things that may follow from one input: 20 ms stretches of sound, a report for each broadcast it knows, and room.
const OUTPUTS: usize = 500;

/// Somebody without any key: nothing sounds, nothing is switched on, nothing restarts.
pub fn stranger(input: &[u8]) {
    let mut shell = Shell::ready();
    for step in steps(input) {
        shell.pause(step.pause);
        shell.raw(step.kind, step.content);
        assert!(!shell.audible, "a stranger was obeyed");
    }
}

/// Somebody with the keys of the server, who fills what is sealed with anything: no panic, and time and outputs stay in bounds.
pub fn keyed(input: &[u8]) {
    let mut shell = Shell::ready();
    let mut known = play(1, 2_500_000, 48_000 * 60);
    let mut number = 0;
    for step in steps(input) {
        shell.pause(step.pause);
        let content = step.content;
        let at = |from: usize| content.get(from).copied().unwrap_or_default();
        let word = |from: usize| u64::from_be_bytes(std::array::from_fn(|i| at(from + i)));
        match step.kind % 12 {
            // What is in a command, any bytes at all.
            0 => {
                let mut message = [0; MAX_MESSAGE];
                if let Ok(length) = ENROLLED.with(|(_, key)| cose::sign1(key, b"loa/1 command", content, &mut message))
                {
                    shell.mqtt(&command_topic(), &message[..length]);
                }
            }
            1..=3 => {
                number += 1 + u64::from(at(0) >> 7);
                let order = order(&mut known, shell.now, content);
                let issued =
                    UnixMicros((shell.now + OFFSET).saturating_add_signed(i64::from(at(1) as i8) << (at(2) % 40)));
                let command = Command {
                    to: Recipient::Receiver(ME),
                    number,
                    issued,
                    expires: issued.offset(i64::from(at(3)) << 17),
                    order,
                };
                let mut message = [0; MAX_MESSAGE];
                if let Ok(length) = ENROLLED.with(|(_, key)| command.seal(key, &mut message)) {
                    shell.mqtt(&command_topic(), &message[..length]);
                }
            }
            4..=7 => {
                let near = shell.now.saturating_sub(2_000_000) * 6 / 125 / u64::from(known.packet_samples);
                let index = if step.kind & 0x80 == 0 {
                    near + u64::from(at(0))
                } else {
                    word(0) & ((1 << 40) - 1)
                };
                shell.datagram(&packet(&known, index, content.get(1..).unwrap_or_default()));
            }
            8 => shell.datagram(&sender_report(
                &known,
                word(0) as u32 & 0x7FFF_FFFF,
                u64::from(at(4)) << (at(5) % 40),
            )),
            9 => {
                let times = match step.kind & 0x80 {
                    0 => [0, 8, 16].map(|from| shell.wall().offset(word(from) as i64 >> (at(24) % 64))),
                    _ => [0, 8, 16].map(|from| UnixMicros(word(from))),
                };
                let answer = Answer {
                    t1: shell.asked.unwrap_or(times[0]),
                    t2: times[1],
                    t3: times[2],
                };
                shell.datagram(&answer.seal(&secret().hello_key()));
            }
            _ => shell.raw(step.kind / 12, content),
        }
    }
}

fn order(known: &mut Play, now: u64, content: &[u8]) -> Order {
    let at = |from: usize| content.get(from).copied().unwrap_or_default();
    let wide = |from: usize| u16::from_be_bytes([at(from), at(from + 1)]);
    match at(4) % 8 {
        0 => Order::Stop(known.broadcast),
        1 => Order::Volume(at(5) % 101),
        2 => Order::Policy(Policy {
            daily_minutes: Some(wide(5) % 1441),
            ..Policy::unrestricted()
        }),
        3 => Order::Policy(Policy::unrestricted()),
        _ => {
            let start = now.saturating_add_signed(i64::from(wide(5) as i16) << (at(7) % 32));
            *known = play(at(8) % 12, start.min(1 << 60), u64::from(wide(9)) << (at(11) % 24) | 1);
            known.packet_samples = (u16::from(at(12)) % 48 + 1) * 120;
            known.pre_skip = wide(13);
            known.depth = at(15) % 9;
            known.overrides = at(16) & 1 == 1;
            known.class = [Class::Normal, Class::Priority, Class::Emergency][usize::from(at(17) % 3)];
            Order::Play(*known)
        }
    }
}

/// A server's sound, made of anything: packets one after the other, each in its length, some of them lost before another.
pub fn sound(input: &[u8]) {
    let (mut decoder, mut pcm) = (OpusDecoder::new(), [0; MAX_PACKET_SAMPLES]);
    for step in steps(input) {
        let room = (usize::from(step.kind >> 2) % 48 + 1) * 120;
        let packet = (step.kind & 3 != 3).then_some(step.content);
        if let Ok(samples) = decoder.decode(packet, step.kind & 3 == 2, &mut pcm[..room]) {
            assert!(samples <= room, "{samples} samples where {room} fit");
        }
        if step.kind == 0xFE {
            decoder.reset();
        }
    }
}

/// How many messages and stretches of time an input is.
#[allow(dead_code, reason = "the fuzz targets count them")]
pub fn messages(input: &[u8]) -> usize {
    steps(input).count()
}

struct Step<'a> {
    kind: u8,
    pause: u64,
    content: &'a [u8],
}

fn steps(input: &[u8]) -> impl Iterator<Item = Step<'_>> {
    let mut rest = input;
    std::iter::from_fn(move || {
        let (&[kind, pause, length], after) = rest.split_first_chunk()?;
        let (content, after) = after.split_at(usize::from(length).min(after.len()));
        rest = after;
        // From nothing to hours, in steps that grow.
        let pause = u64::from(pause & 15) << (10 + u32::from(pause >> 4));
        Some(Step { kind, pause, content })
    })
    .take(STEPS)
}

/// A receiver whose outputs nobody carries out.
struct Shell {
    receiver: Receiver<SimulatedDecoder>,
    wakeups: usize,
    now: u64,
    /// The time that its last hello bore.
    asked: Option<UnixMicros>,
    audible: bool,
}

impl Shell {
    /// Connected, its clock set by its server's answer.
    fn ready() -> Self {
        let build = Build {
            firmware: "1.2.3",
            board: "virtual",
        };
        let mut shell = Self {
            receiver: Receiver::new(
                ENROLLED.with(|(enrolment, _)| enrolment.clone()),
                build,
                [9; 32],
                SimulatedDecoder,
            ),
            wakeups: WAKEUPS,
            now: 0,
            asked: None,
            audible: false,
        };
        shell.give(Input::MqttUp);
        shell.now = 10_000;
        let at = shell.wall();
        if let Some(t1) = shell.asked {
            shell.datagram(&Answer { t1, t2: at, t3: at }.seal(&secret().hello_key()));
        }
        shell
    }

    fn wall(&self) -> UnixMicros {
        UnixMicros(OFFSET + self.now)
    }

    /// Lets time pass, waking the receiver up when it asked for it.
    fn pause(&mut self, micros: u64) {
        let end = self.now.saturating_add(micros);
        while self.wakeups > 0
            && let Some(next) = self.receiver.next_wakeup().filter(|next| next.0 <= end)
        {
            self.wakeups -= 1;
            self.now = self.now.max(next.0);
            self.give(Input::Timer);
        }
        self.now = end;
    }

    /// Anything that takes no key.
    fn raw(&mut self, kind: u8, content: &[u8]) {
        match kind % 12 {
            0 => self.give(Input::MqttDown),
            1 => self.give(Input::MqttUp),
            2 => self.give(Input::Timer),
            3 | 4 => self.mqtt(&command_topic(), content),
            5 | 6 => self.mqtt(&media_topic(), content),
            7 => {
                // A topic of any text, and what comes after it.
                let (topic, payload) = content.split_at(content.len() / 2);
                self.mqtt(&String::from_utf8_lossy(topic), payload);
            }
            _ => self.datagram(content),
        }
    }

    fn mqtt(&mut self, topic: &str, payload: &[u8]) {
        self.give(Input::Mqtt {
            topic,
            payload: &mut payload.to_vec(),
        });
    }

    fn datagram(&mut self, datagram: &[u8]) {
        self.give(Input::Datagram(&mut datagram.to_vec()));
    }

    fn give(&mut self, input: Input<'_>) {
        self.receiver.handle(Micros(self.now), input);
        let mut outputs = 0;
        while let Some(output) = self.receiver.poll() {
            outputs += 1;
            assert!(outputs < OUTPUTS, "it never comes to rest");
            match output {
                Output::Sound { pcm, .. } => {
                    assert!(!pcm.is_empty() && pcm.len() <= 5760);
                    self.audible = true;
                }
                Output::Amplifier(true) | Output::Reboot => self.audible = true,
                Output::Datagram(hello) => {
                    let hello = loa_protocol::hello::Hello::open(&secret().hello_key(), hello);
                    self.asked = Some(hello.expect("it sends nothing but hellos").t1);
                }
                Output::Publish { payload, .. } => assert!(payload.len() <= MAX_MESSAGE),
                _ => {}
            }
        }
    }
}

/// Takes anything for a packet but one that is empty or begins with a one; says that it holds as much as its first byte says.
struct SimulatedDecoder;

impl Decoder for SimulatedDecoder {
    fn decode(&mut self, packet: Option<&[u8]>, fec: bool, pcm: &mut [i16]) -> Result<usize, DecodeError> {
        pcm.fill(100);
        match packet {
            Some([] | [1, ..]) => Err(DecodeError),
            Some([first, ..]) if !fec && *first < 49 => Ok(pcm.len().min(usize::from(*first) * 120)),
            _ => Ok(pcm.len()),
        }
    }

    fn reset(&mut self) {}
}

/// What fuzzing once found worth keeping, again.
#[cfg(test)]
#[test]
fn the_corpus_is_borne() {
    for (name, attempt) in ALL {
        let folder = format!("{}/fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
        let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
        let mut tried = 0;
        for file in files {
            let file = file.unwrap().path();
            println!("{}", file.display());
            attempt(&std::fs::read(file).unwrap());
            tried += 1;
        }
        assert!(tried >= 4, "{folder} holds {tried} inputs");
    }
}
