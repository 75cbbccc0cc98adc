//! What receivers say over MQTT, believed only as far as it is proven. Here: topics, presence, and reports whose MAC and
//! number are checked; pure. Not here: the line (`link`), what follows from a report (`playout`).
//!
//! Presence is not authenticated beyond the broker's topic rules: it decides who is told again, never what sounds.

use std::collections::HashMap;

use loa_protocol::key::Secret;
use loa_protocol::report::{Receipt, State, Telemetry};
use loa_protocol::topic::{Topic, Uplink};
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
    /// Boot and number of the last report.
    last: (u64, u64),
}
