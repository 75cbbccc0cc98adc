//! The behaviour of a Loa receiver as a state machine without input or output of its own.
//!
//! Here: [`Receiver`], which is given packets and the time, and gives back packets, sound and orders to hardware; it reads no
//! clock, opens no socket and allocates nothing, so that the same code runs on every board, in the simulator and in tests on
//! a virtual clock. Not here: sockets, MQTT and TLS (a board's shell), the codec (`loa-opus`, behind [`Decoder`]), the words on
//! the wire (`loa-protocol`).
//!
//! From the bottom up: `identity` (whom it trusts, and how that changes), `clock`, `path` (hello), `commands` (which are obeyed) → `limits` (policy), `broadcast` (which sample sounds
//! when, and the account), `jitter` → `hearing` (packets to samples) → `player` (what sounds) → `receipts` → `receiver`, which puts it
//! together. Beside them [`hardware`]: what boards have in common; [`claim`]: a device that is no receiver yet.
//!
//! A shell does three things for ever: it gives what happens to [`Receiver::handle`], carries out what
//! [`Receiver::poll`] gives until that is `None`, and gives [`Input::Timer`] when [`Receiver::next_wakeup`] has come.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod broadcast;
pub mod claim;
mod clock;
mod commands;
mod counters;
pub mod hardware;
mod hearing;
mod identity;
mod jitter;
mod level;
mod limits;
mod path;
mod player;
mod receipts;
mod receiver;

pub use broadcast::Account;
pub use counters::Counters;
pub use loa_protocol::enrolment::Enrolment;
use loa_protocol::topic;
pub use receiver::Receiver;

/// Local time: microseconds since an arbitrary instant, such as boot. Never goes back, knows nothing of the date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Micros(pub u64);

/// Turns packets into sound.
pub trait Decoder {
    /// Decodes `packet` into `pcm` (48 kHz, mono) and returns how many samples it holds. Without a packet, conceals all of `pcm`; with `fec`, fills all
    /// of `pcm`, which is what was lost before `packet`, from what `packet` carries of it.
    ///
    /// # Errors
    /// [`DecodeError`]; the decoder can go on with the next packet.
    fn decode(&mut self, packet: Option<&[u8]>, fec: bool, pcm: &mut [i16]) -> Result<usize, DecodeError>;

    /// Forgets what it heard: another stream, or another place in it, follows.
    fn reset(&mut self);
}

/// A decoder that stays where it is: some are large.
impl<D: Decoder> Decoder for &mut D {
    fn decode(&mut self, packet: Option<&[u8]>, fec: bool, pcm: &mut [i16]) -> Result<usize, DecodeError> {
        D::decode(self, packet, fec, pcm)
    }

    fn reset(&mut self) {
        D::reset(self);
    }
}

/// A packet that is none, or does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError;

/// What happens to a receiver.
#[derive(Debug)]
pub enum Input<'a> {
    /// The MQTT session (see [`Session`]) stands: nothing is subscribed to yet.
    MqttUp,
    /// The MQTT session has ended.
    MqttDown,
    /// A message came over MQTT.
    Mqtt {
        /// Its topic.
        topic: &'a str,
        /// Its payload; decrypted in place if it is a tunnelled datagram.
        payload: &'a mut [u8],
    },
    /// A datagram came from the server's media socket; decrypted in place.
    Datagram(&'a mut [u8]),
    /// Whether [`Output::Store`] was carried out: what was given is there after any loss of power from now on. Comes before anything
    /// else does, since what follows may be signed with a key that is stored just now.
    Stored(bool),
    /// [`Receiver::next_wakeup`] has come, or anything else makes it worth looking at the time.
    Timer,
}

/// What is to be done for a receiver.
#[derive(Debug, PartialEq, Eq)]
pub enum Output<'a> {
    /// Subscribe to this topic, QoS 1.
    Subscribe(topic::Text),
    /// Publish a message over MQTT; dropped if the session has ended.
    Publish {
        /// The topic.
        topic: topic::Text,
        /// The payload, at most [`loa_protocol::MAX_MESSAGE`] bytes.
        payload: &'a [u8],
        /// QoS 1 instead of 0.
        at_least_once: bool,
        /// The broker keeps it.
        retain: bool,
    },
    /// Send a datagram to the server's media socket.
    Datagram(&'a [u8]),
    /// Let these samples (48 kHz, mono) sound, the first of them at `at`. Stretches come in order and do not overlap; between
    /// them is silence.
    Sound {
        /// When, in local time; a few tens of milliseconds ahead ([`LEAD`]). Rounded down to the microsecond: what adjoins does so
        /// within one.
        at: Micros,
        /// At most 120 ms.
        pcm: &'a [i16],
    },
    /// Switch the amplifier on (and unmute it) or off. Off until said otherwise. Off comes when everything handed out has sounded, or
    /// when the rest of it is not to: after a stop.
    Amplifier(bool),
    /// Show the technician how it is.
    Status(Status),
    /// Keep this enrolment instead of the one before, so that a loss of power at any instant leaves one or the other; answer with
    /// [`Input::Stored`] before anything else. Nothing of it is acted on before.
    Store(&'a Enrolment),
    /// Start afresh.
    Reboot,
}

/// How far ahead of its sounding sound is decoded and handed out, in microseconds: what a board's output needs to be filled.
pub const LEAD: u64 = 40_000;

/// What the status LED shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// No identity yet: a [`claim::Claimant`] asks for one.
    Claiming,
    /// No MQTT session.
    #[default]
    Enrolled,
    /// An MQTT session, but nobody has answered hello yet: the clock is not set.
    Connected,
    /// Ready: hello is answered, presence announced.
    Ready,
    /// A broadcast sounds.
    Streaming,
    /// A broadcast has just ended, its receipt is on the way.
    Draining,
}

/// How to open the MQTT session: the shell does, and knows nothing else of the protocol.
#[derive(Debug, Clone)]
pub struct Session<'a> {
    /// Host name or address of the broker.
    pub host: &'a str,
    /// Its TCP port.
    pub port: u16,
    /// With it the line is TLS 1.3, and the broker proves to be `host` to this authority (DER).
    pub ca: Option<&'a [u8]>,
    /// Client identifier and user name.
    pub name: heapless::String<32>,
    /// Password.
    pub password: [u8; 64],
    /// Topic of the last will; its payload is [`topic::ABSENT`], QoS 1, retained.
    pub will: topic::Text,
    /// Host name or address of the server's media socket.
    pub media_host: &'a str,
    /// Its UDP port.
    pub media_port: u16,
}

/// What the receiver is built as: told in telemetry.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    /// Version of the firmware.
    pub firmware: &'static str,
    /// Kind of board.
    pub board: &'static str,
}
