//! What the stage needs kept. Here: the rows it reads and the facts it reports, as a trait, so that this module knows
//! neither SQL nor the console. Not here: an implementation (`store`).

use std::future::Future;
use std::path::PathBuf;

use loa_protocol::key::Secret;
use loa_protocol::precedence::Class;
use loa_protocol::{AreaId, BroadcastId, ReceiverId, UnixMicros};

use super::conductor::State;

/// A receiver, as enrolled.
#[derive(Debug, Clone)]
pub struct ReceiverRow {
    /// Its identifier.
    pub id: ReceiverId,
    /// The secret that it was enrolled with.
    pub secret: Secret,
    /// The areas that it lies in, the root first, its own last.
    pub areas: Vec<AreaId>,
    /// Its volume in per cent.
    pub volume: u8,
}

/// A broadcast that is scheduled or on the air.
#[derive(Debug, Clone)]
pub struct BroadcastRow {
    /// Its identifier.
    pub id: BroadcastId,
    /// Its class.
    pub class: Class,
    /// When it begins to sound.
    pub start: UnixMicros,
    /// It was on the air already.
    pub begun: bool,
    /// The programme's file (Ogg Opus).
    pub programme: PathBuf,
    /// Samples of sound in the programme, at 48 kHz.
    pub samples: u64,
    /// Areas that it is addressed to, with everything below them.
    pub areas: Vec<AreaId>,
    /// Receivers that it is addressed to.
    pub receivers: Vec<ReceiverId>,
}

/// Something that happened, to be kept and shown.
#[derive(Debug, Clone)]
pub enum Fact {
    /// A broadcast's state has changed.
    Broadcast(BroadcastId, State, UnixMicros),
    /// A broadcast is addressed to these receivers, as of now.
    Targeted(BroadcastId, Vec<ReceiverId>, UnixMicros),
    /// A receiver came, or went.
    Presence(ReceiverId, bool, UnixMicros),
    /// What a receiver says of itself.
    Telemetry(ReceiverId, loa_protocol::report::Telemetry, UnixMicros),
    /// A receiver's account of a broadcast.
    Receipt(ReceiverId, loa_protocol::report::Receipt, UnixMicros),
}

/// Where rows come from and facts go to.
pub trait Archive: Send + Sync + 'static {
    /// Why it could not be read.
    type Error: std::error::Error + Send + Sync + 'static;

    /// All receivers.
    fn receivers(&self) -> impl Future<Output = Result<Vec<ReceiverRow>, Self::Error>> + Send;

    /// The broadcast `id`, if it is scheduled or on the air.
    fn broadcast(&self, id: BroadcastId) -> impl Future<Output = Result<Option<BroadcastRow>, Self::Error>> + Send;

    /// All broadcasts that are scheduled or on the air.
    fn open_broadcasts(&self) -> impl Future<Output = Result<Vec<BroadcastRow>, Self::Error>> + Send;

    /// Keeps a fact and shows it to who is watching. Facts come in the order in which they happened.
    fn record(&self, fact: Fact) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
