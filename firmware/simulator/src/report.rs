//! What simulated receivers played and what the network did to it, as values and as JSON.

use std::path::Path;

use loa_protocol::report::Outcome;
use serde::{Serialize, Serializer};

use crate::fault::Counts;

/// A whole simulation.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What the faults followed from.
    pub seed: u64,
    /// One after the other, as they were given.
    pub receivers: Vec<ReceiverReport>,
}

/// One receiver.
#[derive(Debug, Clone, Serialize)]
pub struct ReceiverReport {
    /// Its identifier, with hyphens.
    pub receiver: String,
    /// It has a session, a clock, and listens.
    pub ready: bool,
    /// How often it booted.
    pub boots: u64,
    /// How often it was given another UDP port.
    pub moves: u64,
    /// Samples handed out to its loudspeaker.
    pub samples: u64,
    /// Of them, how many while the amplifier was off: nobody heard them.
    pub muted: u64,
    /// Of them, how many were handed out after they should have sounded.
    pub overdue: u64,
    /// Commands that it refused since it booted: forged, replayed, malformed, out of time, for others.
    pub refused_commands: u32,
    /// Media datagrams that it refused since it booted.
    pub refused_media: u32,
    /// Datagrams that are no sound, to the receiver: answers to hello, sender reports.
    pub other_datagrams: Counts,
    /// Datagrams of hello, from the receiver.
    pub hellos: Counts,
    /// What it played, in the order in which it was told to. The last 64.
    pub broadcasts: Vec<BroadcastReport>,
}

/// What one receiver played of one broadcast.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BroadcastReport {
    /// The broadcast's identifier, with hyphens.
    pub broadcast: String,
    /// When its first sample was to sound, in microseconds since 1970.
    pub start: u64,
    /// When the first sample that was handed out sounded, in microseconds since 1970.
    pub first_at: Option<u64>,
    /// Samples handed out to the loudspeaker.
    pub samples: u64,
    /// Level of what sounded, in LUFS (EBU R 128, integrated); absent for silence, or if it was not measured.
    pub level_lufs: Option<f64>,
    /// What the receiver itself says: its last receipt.
    pub receipt: Option<ReceiptReport>,
    /// What the network did to its packets by UDP.
    pub network: Counts,
}

/// A receipt (`loa_protocol::report::Receipt`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReceiptReport {
    /// How it went.
    #[serde(serialize_with = "outcome")]
    pub outcome: Outcome,
    /// Samples that the broadcast has.
    pub planned: u64,
    /// Samples that sounded.
    pub played: u64,
    /// Packets that were to sound.
    pub expected: u64,
    /// Packets that came in time.
    pub received: u64,
    /// Packets that did not.
    pub lost: u64,
    /// Packets that came after their time.
    pub late: u64,
    /// Packets that came more than once.
    pub duplicate: u64,
    /// Samples concealed or rebuilt.
    pub concealed: u64,
    /// Level of what sounded, in dB full scale (RMS).
    pub level_dbfs: Option<f64>,
}

impl Report {
    /// The report as JSON text.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and text are always JSON")
    }

    /// Writes the report to a file, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let beside = path.with_extension("part");
        std::fs::write(&beside, self.json())?;
        std::fs::rename(&beside, path)
    }
}

impl BroadcastReport {
    /// Whether all of it sounded, by the receiver's own account and by what was handed out.
    #[must_use]
    pub fn played_fully(&self) -> bool {
        let played = |receipt: &ReceiptReport| receipt.outcome == Outcome::Played && receipt.played == receipt.planned;
        self.receipt
            .as_ref()
            .is_some_and(|receipt| played(receipt) && self.samples == receipt.planned)
    }
}

fn outcome<S: Serializer>(outcome: &Outcome, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match outcome {
        Outcome::Received => "received",
        Outcome::Playing => "playing",
        Outcome::Played => "played",
        Outcome::Interrupted => "interrupted",
        Outcome::Failed => "failed",
        Outcome::Refused => "refused",
    })
}
