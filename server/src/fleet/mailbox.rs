//! What receivers say over MQTT, believed only as far as it is proven. Here: topics, presence, and reports whose MAC and
//! number are checked; pure. Not here: the line (`link`), what follows from a report (`playout`).
//!
//! Presence is not authenticated beyond the broker's topic rules: it decides who is told again, never what sounds.

use std::collections::HashMap;

use loa_protocol::key::Secret;
use loa_protocol::report::{Receipt, Serial, Telemetry};
use loa_protocol::topic::{self, Topic, Uplink};
use loa_protocol::{Error, ReceiverId};

/// Something that a receiver said.
#[derive(Debug)]
pub enum News {
    /// It came, or went.
    Presence(ReceiverId, bool),
    /// How it is.
    Telemetry(ReceiverId, Telemetry),
    /// What it played.
    Receipt(ReceiverId, Receipt),
    /// A media datagram (a hello), tunnelled.
    Uplink(ReceiverId, Vec<u8>),
}

/// Why a message was not taken. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejected {
    /// No receiver writes under this topic.
    Topic,
    /// There is no such receiver.
    Unknown,
    /// It cannot be read.
    Malformed,
    /// Its MAC does not fit.
    Forged,
    /// It is not newer than the last one.
    Replayed,
}

/// Opens what arrives.
#[derive(Default)]
pub(super) struct Mailbox {
    correspondents: HashMap<ReceiverId, Correspondent>,
}

struct Correspondent {
    secret: Secret,
    report_key: [u8; 32],
    /// The last report of each kind: the two travel at different qualities of service and may overtake each other.
    telemetry: Serial,
    receipt: Serial,
}

impl Mailbox {
    /// Makes `receivers` all that there are; who stays is not heard twice.
    pub(super) fn replace(&mut self, receivers: impl IntoIterator<Item = (ReceiverId, Secret)>) {
        let mut old = std::mem::take(&mut self.correspondents);
        let entry = |(id, secret): (ReceiverId, Secret)| {
            let kept = old.remove(&id).filter(|kept| kept.secret == secret);
            (id, kept.unwrap_or_else(|| Correspondent::new(secret)))
        };
        self.correspondents = receivers.into_iter().map(entry).collect();
    }

    /// Opens a message that came under `topic`.
    pub(super) fn open(&mut self, topic: &str, payload: &[u8]) -> Result<News, Rejected> {
        let Some(Topic::Up(from, kind)) = Topic::parse(topic) else {
            return Err(Rejected::Topic);
        };
        let correspondent = self.correspondents.get_mut(&from).ok_or(Rejected::Unknown)?;
        match kind {
            Uplink::Presence => match payload {
                topic::PRESENT => Ok(News::Presence(from, true)),
                topic::ABSENT => Ok(News::Presence(from, false)),
                _ => Err(Rejected::Malformed),
            },
            Uplink::Telemetry => {
                let telemetry = Telemetry::open(&correspondent.report_key, payload)?;
                newer(&mut correspondent.telemetry, telemetry.serial)?;
                Ok(News::Telemetry(from, telemetry))
            }
            Uplink::Receipt => {
                let receipt = Receipt::open(&correspondent.report_key, payload)?;
                newer(&mut correspondent.receipt, receipt.serial)?;
                Ok(News::Receipt(from, receipt))
            }
            // Hellos carry a proof of their own.
            Uplink::Media => Ok(News::Uplink(from, payload.to_vec())),
            // Nobody was ordered to rotate.
            Uplink::Rotation => Err(Rejected::Topic),
        }
    }
}

impl Correspondent {
    fn new(secret: Secret) -> Self {
        let report_key = secret.report_key();
        Self {
            secret,
            report_key,
            telemetry: Serial::default(),
            receipt: Serial::default(),
        }
    }
}

/// Takes `serial` for the last one, if it is later.
fn newer(last: &mut Serial, serial: Serial) -> Result<(), Rejected> {
    if serial <= *last {
        return Err(Rejected::Replayed);
    }
    *last = serial;
    Ok(())
}

impl From<Error> for Rejected {
    fn from(error: Error) -> Self {
        match error {
            Error::Unauthentic => Self::Forged,
            _ => Self::Malformed,
        }
    }
}
