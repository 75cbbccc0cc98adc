//! What a board gives to the shell, and what the shell needs to know of the receiver's session.

use heapless::{String, Vec};
use loa_protocol::claim::{self, Code};
use loa_protocol::enrolment::{MAX_CERTIFICATE, MAX_ENROLMENT, MAX_HOST};
use loa_protocol::{Error, topic};
use loa_receiver::claim::Claimant;
use loa_receiver::{Micros, Session, Status};

/// The hardware around a receiver. Nothing here may wait.
pub trait Board {
    /// Lets `pcm` (48 kHz, mono) sound, the first sample at `at`. Stretches come in order and do not overlap; between them is
    /// silence.
    fn play(&mut self, at: Micros, pcm: &[i16]);

    /// Switches the amplifier on or off. Off until said otherwise.
    fn amplifier(&mut self, on: bool);

    /// Shows the technician how it is.
    fn status(&mut self, status: Status);

    /// Shows the technician the code by which the device is enrolled; comes once, if at all, and holds until the board starts afresh.
    fn code(&mut self, code: Code);

    /// Called at least every [`Board::ALIVE`] microseconds as long as everything runs: lets the LED blink at `now`, and feeds the watchdog if
    /// the receiver's `turns` have risen ([`loa_receiver::hardware::Guard`]).
    fn alive(&mut self, now: Micros, turns: u64);

    /// Keeps this instead of what was in flash before; whether that was possible. Whenever power fails, one or the other is there,
    /// whole ([`crate::keep`]). The one thing that may take a moment: it comes when keys or areas change.
    fn store(&mut self, flash: &[u8]) -> bool;

    /// Starts afresh.
    fn reboot(&mut self) -> !;

    /// Work of this kind begins, what the receiver orders because of it included. Only a board that measures cares.
    fn begins(&mut self, _work: Work) {}

    /// The work that began last is done.
    fn ends(&mut self, _work: Work) {}

    /// At most so many microseconds lie between two calls of [`Board::alive`].
    const ALIVE: u64 = 100_000;
}

/// Keeps what `encode` writes; whether that was possible. Not inlined, so that the room for it is given back.
#[inline(never)]
pub(crate) fn store<B: Board>(board: &mut B, encode: impl FnOnce(&mut [u8]) -> Result<usize, Error>) -> bool {
    let mut flash = [0; MAX_ENROLMENT];
    let done = encode(&mut flash).is_ok_and(|length| board.store(&flash[..length]));
    if !done {
        log::error!("what changed cannot be stored");
    }
    done
}

/// What the receiver is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A datagram that came in.
    Datagram,
    /// A message over MQTT.
    Message,
    /// What was due, if nothing else happened.
    Timer,
}

/// What the receiver proves itself by, and the broker, in one session: both change in time.
pub(crate) struct Login {
    pub(crate) password: Vec<u8, 64>,
    pub(crate) ca: Option<Vec<u8, MAX_CERTIFICATE>>,
}

impl Login {
    /// Of this session.
    pub(crate) fn of(session: &Session<'_>) -> Self {
        Self {
            password: session.password.into_iter().collect(),
            ca: session.ca.map(certificate),
        }
    }

    /// Of this attempt of a device that has no identity yet.
    pub(crate) fn claim(claimant: &Claimant, attempt: u32) -> Self {
        Self {
            password: claim::PASSWORD.bytes().collect(),
            ca: claimant.authority(attempt).map(certificate),
        }
    }
}

fn certificate(ca: &[u8]) -> Vec<u8, MAX_CERTIFICATE> {
    // No enrolment has a longer one.
    Vec::from_slice(ca).unwrap_or_default()
}

/// Where and as whom to connect: what stays of a [`Session`] as long as the board runs.
#[derive(Debug)]
pub struct Contact {
    pub(crate) host: String<MAX_HOST>,
    pub(crate) port: u16,
    /// Client identifier.
    pub(crate) name: String<38>,
    pub(crate) user: String<32>,
    pub(crate) will: Option<topic::Text>,
    /// The media socket's; a device without identity opens none.
    pub(crate) media_host: String<MAX_HOST>,
    pub(crate) media_port: u16,
}

impl Contact {
    /// The device's name to the broker; a receiver's also on the local network.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A receiver's; `None` if a field is longer than an enrolment allows.
    #[must_use]
    pub fn of(session: &Session<'_>) -> Option<Self> {
        Some(Self {
            host: String::try_from(session.host).ok()?,
            port: session.port,
            name: String::try_from(session.name.as_str()).ok()?,
            user: session.name.clone(),
            will: Some(session.will.clone()),
            media_host: String::try_from(session.media_host).ok()?,
            media_port: session.media_port,
        })
    }

    /// That of a device without identity.
    #[must_use]
    pub fn claim(claimant: &Claimant) -> Option<Self> {
        let configuration = claimant.configuration();
        Some(Self {
            host: configuration.mqtt_host.clone(),
            port: configuration.mqtt_port,
            name: claimant.id().client(),
            user: String::try_from(claim::USER).ok()?,
            will: None,
            media_host: String::new(),
            media_port: 0,
        })
    }
}
