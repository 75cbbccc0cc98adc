//! What receivers say over MQTT, believed only as far as it is proven. Here: topics, presence, and reports whose MAC and
//! number are checked; pure. Not here: the line (`link`), what follows from a report (`playout`).
//!
//! While a receiver's secret is being replaced, its reports are taken under both; the first under the new one proves it.
//!
//! Presence is not authenticated beyond the broker's topic rules: it decides who is told again, never what sounds.

use std::collections::{HashMap, HashSet};

use loa_protocol::claim::Request;
use loa_protocol::report::{Receipt, Serial, Telemetry};
use loa_protocol::rotation::Rotation;
use loa_protocol::topic::{self, ClaimWord, Topic, Uplink};
use loa_protocol::{ClaimId, Error, ReceiverId, UnixMicros};

use crate::enrol::{Identity, Serials};

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
    /// Its half of the next secret, as it was ordered.
    Rotation(ReceiverId, Rotation),
    /// It has reported under its next secret: the one before is needed no more.
    Proven(ReceiverId),
    /// Not a receiver: a device that asks to be one.
    Claim(ClaimId, Request),
}

/// An authentic report, whether it was taken or came too late for that: of whom, which, and when it was made.
pub(super) type Trace = (ReceiverId, Serial, UnixMicros);

/// Why a message was not taken. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejected {
    /// No receiver writes under this topic.
    Topic,
    /// There is no such receiver.
    Unknown,
    /// There was such a receiver.
    Revoked,
    /// It cannot be read.
    Malformed,
    /// Its MAC does not fit.
    Forged,
    /// It is not newer than the last one.
    Replayed,
    /// It answers no order that was given.
    Uncalled,
}

/// Opens what arrives.
#[derive(Default)]
pub(super) struct Mailbox {
    correspondents: HashMap<ReceiverId, Correspondent>,
    revoked: HashSet<ReceiverId>,
    proven: Option<ReceiverId>,
    trace: Option<Trace>,
}

struct Correspondent {
    identity: Identity,
    report_key: [u8; 32],
    next_report_key: Option<[u8; 32]>,
    last: Serials,
}

impl Mailbox {
    /// Makes `receivers` all that there are; who stays is not heard twice.
    pub(super) fn replace(&mut self, receivers: impl IntoIterator<Item = impl Into<Identity>>) {
        let mut old = std::mem::take(&mut self.correspondents);
        let entry = |identity: Identity| (identity.id, Correspondent::after(old.remove(&identity.id), identity));
        self.correspondents = receivers.into_iter().map(Into::into).map(entry).collect();
    }

    /// Puts one receiver in place of what was known of it.
    pub(super) fn put(&mut self, identity: Identity) {
        let (id, old) = (identity.id, self.correspondents.remove(&identity.id));
        self.correspondents.insert(id, Correspondent::after(old, identity));
    }

    /// Makes `receivers` all that were revoked.
    pub(super) fn revoke(&mut self, receivers: impl IntoIterator<Item = ReceiverId>) {
        self.revoked = receivers.into_iter().collect();
    }

    /// Who has just proven its next secret, by the message that was opened last.
    pub(super) fn take_proven(&mut self) -> Option<ReceiverId> {
        self.proven.take()
    }

    /// What the message that was opened last says of which device it is.
    pub(super) fn take_trace(&mut self) -> Option<Trace> {
        self.trace.take()
    }

    /// Opens a message that came under `topic`.
    pub(super) fn open(&mut self, topic: &str, payload: &[u8]) -> Result<News, Rejected> {
        let (from, kind) = match Topic::parse(topic) {
            Some(Topic::Up(from, kind)) => (from, kind),
            Some(Topic::Claim(id, ClaimWord::Request)) => return Ok(News::Claim(id, Request::decode(id, payload)?)),
            _ => return Err(Rejected::Topic),
        };
        let unknown = match self.revoked.contains(&from) {
            true => Rejected::Revoked,
            false => Rejected::Unknown,
        };
        let correspondent = self.correspondents.get_mut(&from).ok_or(unknown)?;
        match kind {
            Uplink::Presence => match payload {
                topic::PRESENT => Ok(News::Presence(from, true)),
                topic::ABSENT => Ok(News::Presence(from, false)),
                _ => Err(Rejected::Malformed),
            },
            Uplink::Telemetry => {
                let (telemetry, next) = correspondent.under_either(|key| Telemetry::open(key, payload))?;
                self.trace = Some((from, telemetry.serial, telemetry.at));
                newer(&mut correspondent.last.telemetry, telemetry.serial)?;
                self.proven = next.then_some(from);
                Ok(News::Telemetry(from, telemetry))
            }
            Uplink::Receipt => {
                let (receipt, next) = correspondent.under_either(|key| Receipt::open(key, payload))?;
                self.trace = Some((from, receipt.serial, receipt.at));
                newer(&mut correspondent.last.receipt, receipt.serial)?;
                self.proven = next.then_some(from);
                Ok(News::Receipt(from, receipt))
            }
            // Hellos carry a proof of their own.
            Uplink::Media => Ok(News::Uplink(from, payload.to_vec())),
            Uplink::Rotation => {
                let rotation = Rotation::open(&correspondent.report_key, payload)?;
                let identity = &correspondent.identity;
                if identity.ordered != Some(rotation.server) || identity.epoch + 1 != rotation.epoch {
                    return Err(Rejected::Uncalled);
                }
                newer(&mut correspondent.last.rotation, rotation.serial)?;
                Ok(News::Rotation(from, rotation))
            }
        }
    }
}

impl Correspondent {
    /// What follows after `old`: if it is still the same device, it is not heard twice.
    fn after(old: Option<Self>, identity: Identity) -> Self {
        let same = old.filter(|old| identity.continues(&old.identity.secret, old.identity.next.as_ref()));
        let last = same.map_or(identity.last, |old| Serials {
            telemetry: old.last.telemetry.max(identity.last.telemetry),
            receipt: old.last.receipt.max(identity.last.receipt),
            rotation: old.last.rotation.max(identity.last.rotation),
        });
        Self {
            report_key: identity.secret.report_key(),
            next_report_key: identity.next.as_ref().map(|next| next.report_key()),
            last,
            identity,
        }
    }

    /// Opens a report by the key of the present secret, or of the next: `true` if by that.
    fn under_either<T>(&self, open: impl Fn(&[u8; 32]) -> Result<T, Error>) -> Result<(T, bool), Error> {
        match (open(&self.report_key), self.next_report_key) {
            (Err(Error::Unauthentic), Some(next)) => Ok((open(&next)?, true)),
            (opened, _) => Ok((opened?, false)),
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
