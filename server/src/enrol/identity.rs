//! What a receiver proves itself by. Here: its secrets, as many as hold at present. Not here: how each is used (`broker`,
//! `fleet`, `transmit` derive their own keys).

use loa_protocol::ReceiverId;
use loa_protocol::agreement::PublicKey;
use loa_protocol::key::Secret;
use loa_protocol::report::Serial;

/// A receiver's secrets, and the last that it was heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who it is.
    pub id: ReceiverId,
    /// What it shares with the server. Sound is sealed under it, also while there is a next one.
    pub secret: Secret,
    /// How often it was replaced.
    pub epoch: u32,
    /// The server's half of the next secret, where one was ordered.
    pub ordered: Option<PublicKey>,
    /// The next one, which the receiver has made and may use already: proven by the first report under it.
    pub next: Option<Secret>,
    /// The last report of each kind that was taken before this server started.
    pub last: Serials,
}

/// The last report of each kind: they travel at different qualities of service and may overtake each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Serials {
    /// Of telemetry.
    pub telemetry: Serial,
    /// Of receipts.
    pub receipt: Serial,
    /// Of rotations.
    pub rotation: Serial,
}

impl From<(ReceiverId, Secret)> for Identity {
    /// One whose secret was never replaced, and that was never heard of.
    fn from((id, secret): (ReceiverId, Secret)) -> Self {
        Self {
            id,
            secret,
            epoch: 0,
            ordered: None,
            next: None,
            last: Serials::default(),
        }
    }
}

impl Identity {
    /// Every secret that holds.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.secret).chain(&self.next)
    }

    /// Whether it is still who `before` was: with the same secret, or the next one of then.
    pub fn continues(&self, before: &Secret, next: Option<&Secret>) -> bool {
        self.secret == *before || next == Some(&self.secret)
    }
}
