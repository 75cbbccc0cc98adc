//! What the stage needs kept. Here: the rows it reads and the facts it reports, as a trait, so that this module knows
//! neither SQL nor the console. Not here: an implementation (`store`).

use std::future::Future;
use std::path::PathBuf;

use loa_protocol::agreement::{PrivateKey, PublicKey};
use loa_protocol::key::Secret;
use loa_protocol::precedence::Class;
use loa_protocol::report::Serial;
use loa_protocol::{AreaId, BroadcastId, ClaimId, ReceiverId, UnixMicros};

use super::conductor::State;
use crate::data::KnownKey;
use crate::enrol::{Identity, Serials};
use crate::fleet::clones::Sign;
use crate::media::live::Over;
use crate::schedule::rules::Place;

/// A receiver that is not revoked.
#[derive(Debug, Clone)]
pub struct ReceiverRow {
    /// Its identifier.
    pub id: ReceiverId,
    /// The secret that it has.
    pub secret: Secret,
    /// How often that was replaced.
    pub epoch: u32,
    /// A new one that was ordered and is not proven yet.
    pub renewal: Option<Renewal>,
    /// The last report of each kind.
    pub last: Serials,
    /// The number of the signing key that it last said it trusts.
    pub key_number: Option<u32>,
    /// The areas that it lies in, the root first, its own last.
    pub areas: Vec<AreaId>,
    /// Its volume in per cent.
    pub volume: u8,
    /// What its areas allow.
    pub place: Place,
}

/// A new secret on its way.
#[derive(Debug, Clone)]
pub struct Renewal {
    /// The server's half.
    pub half: PrivateKey,
    /// What both halves give, once the receiver has told its own.
    pub next: Option<Secret>,
}

impl ReceiverRow {
    /// What it proves itself by.
    pub fn identity(&self) -> Identity {
        Identity {
            id: self.id,
            secret: self.secret.clone(),
            epoch: self.epoch,
            ordered: self.renewal.as_ref().map(|it| it.half.public()),
            next: self.renewal.as_ref().and_then(|it| it.next.clone()),
            last: self.last,
        }
    }
}

/// A device that was claimed, and has not come as a receiver yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRow {
    /// As whom it asks.
    pub id: ClaimId,
    /// Who it is to be.
    pub receiver: ReceiverId,
    /// Its public key.
    pub device: PublicKey,
    /// The server's, made for it.
    pub server: PublicKey,
    /// Host and UDP port of the media socket, as it is told.
    pub media: (String, u16),
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
    /// The programme's file (Ogg Opus). Of what is live: the one that is to be made of it.
    pub programme: PathBuf,
    /// Samples of sound in the programme, at 48 kHz. Of what is live: how long it may go on.
    pub samples: u64,
    /// It is live, and comes from there.
    pub live: Option<Live>,
    /// Areas that it is addressed to, with everything below them.
    pub areas: Vec<AreaId>,
    /// Receivers that it is addressed to.
    pub receivers: Vec<ReceiverId>,
    /// It goes past hours and minutes.
    pub overrides: bool,
}

/// Where live sound comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Live {
    /// Somebody speaks, in a browser or at an encoder.
    Microphone {
        /// A chime sounds first.
        chime: bool,
        /// Programmes' files that sound under the voice.
        bed: Vec<PathBuf>,
    },
    /// Another station.
    Relay {
        /// Its address.
        url: String,
        /// Programmes' files that sound while it is no good.
        fallback: Vec<PathBuf>,
    },
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
    /// Two devices were seen under a receiver's name.
    Cloned(ReceiverId, Sign, UnixMicros),
    /// Others ask to be enrolled than before.
    Claims,
    /// What is live is no good, for this reason, or is good again.
    Trouble(BroadcastId, Option<String>, UnixMicros),
    /// What is live is over, for this reason: it has sounded at that instant.
    Over(BroadcastId, Over, UnixMicros),
    /// What was spoken is a bulletin of so many samples.
    Recorded(BroadcastId, u64, UnixMicros),
}

/// Where rows come from and facts go to.
pub trait Archive: Send + Sync + 'static {
    /// Why it could not be read.
    type Error: std::error::Error + Send + Sync + 'static;

    /// All receivers that are not revoked.
    fn receivers(&self) -> impl Future<Output = Result<Vec<ReceiverRow>, Self::Error>> + Send;

    /// The receiver `id`, if it is not revoked.
    fn receiver(&self, id: ReceiverId) -> impl Future<Output = Result<Option<ReceiverRow>, Self::Error>> + Send;

    /// Those that were revoked.
    fn revoked(&self) -> impl Future<Output = Result<Vec<ReceiverId>, Self::Error>> + Send;

    /// Keeps the secret that a receiver has made to follow that of `epoch`; durable when it returns. `false`: it has got another
    /// one meanwhile, and nothing was kept.
    fn renew(
        &self,
        id: ReceiverId,
        epoch: u32,
        next: &Secret,
        serial: Serial,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Puts the next secret in the place of that of `epoch`; durable when it returns. `false` as above.
    fn renewed(
        &self,
        id: ReceiverId,
        epoch: u32,
        at: UnixMicros,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// All keys that commands were signed with, the first one first.
    fn keys(&self) -> impl Future<Output = Result<Vec<KnownKey>, Self::Error>> + Send;

    /// Devices that were claimed and have not come yet.
    fn claims(&self) -> impl Future<Output = Result<Vec<ClaimRow>, Self::Error>> + Send;

    /// The broadcast `id`, if it is scheduled or on the air.
    fn broadcast(&self, id: BroadcastId) -> impl Future<Output = Result<Option<BroadcastRow>, Self::Error>> + Send;

    /// All broadcasts that are scheduled or on the air.
    fn open_broadcasts(&self) -> impl Future<Output = Result<Vec<BroadcastRow>, Self::Error>> + Send;

    /// Keeps a fact and shows it to who is watching. Facts come in the order in which they happened.
    fn record(&self, fact: Fact) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
