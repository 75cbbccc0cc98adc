//! What became of broadcasts at each receiver, as they reported it. Here: reading it. Not here: that it comes in (`facts`).

use loa_protocol::{BroadcastId, ReceiverId};
use sqlx::any::AnyRow;

use super::row::Columns as _;
use super::{BroadcastState, Error, Store};

/// What became of a broadcast at one receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The receiver.
    pub receiver: ReceiverId,
    /// Its name.
    pub name: String,
    /// Whether it is among those that the broadcast is addressed to now.
    pub targeted: bool,
    /// What it reported last; none if nothing.
    pub outcome: Option<String>,
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
    /// Samples that were concealed or rebuilt.
    pub concealed: u64,
    /// Level of what sounded, in hundredths of dB below full scale.
    pub level: Option<u64>,
}

impl Receipt {
    /// What it comes to, by how the broadcast fares: silence is no account of its own.
    pub fn account(&self, state: BroadcastState) -> &'static str {
        match (self.outcome.as_deref(), state) {
            (Some("received"), _) if state.is_open() => "received",
            (Some("playing"), _) if state.is_open() => "playing",
            (Some("played"), _) => "played",
            (Some("refused"), _) => "refused",
            (None, _) if state.is_open() => "scheduled",
            (Some("failed" | "received"), _) | (None, BroadcastState::Done | BroadcastState::Failed) => "failed",
            // It played, or was to, and says no more of it.
            _ => "interrupted",
        }
    }
}

impl Store {
    /// What became of a broadcast, receiver by receiver in the order of their names.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot be read.
    pub async fn receipts(&self, id: BroadcastId) -> Result<Vec<Receipt>, Error> {
        let rows = sqlx::query(
            "SELECT r.*, e.name AS name FROM receipts r JOIN receivers e ON e.id = r.receiver_id \
             WHERE r.broadcast_id = $1 ORDER BY e.name, e.id",
        )
        .bind(id.to_string())
        .fetch_all(&self.pool)
        .await?;
        if rows.is_empty() {
            self.broadcast_by_id(id).await?;
        }
        rows.iter().map(read).collect()
    }
}

fn read(row: &AnyRow) -> Result<Receipt, Error> {
    Ok(Receipt {
        receiver: row.id("receiver_id", ReceiverId::parse)?,
        name: row.text("name")?,
        targeted: row.flag("targeted")?,
        outcome: row.maybe_text("outcome")?,
        planned: row.number("planned")?,
        played: row.number("played")?,
        expected: row.number("expected")?,
        received: row.number("received")?,
        lost: row.number("lost")?,
        late: row.number("late")?,
        duplicate: row.number("duplicate")?,
        concealed: row.number("concealed")?,
        level: row.maybe_number("level")?,
    })
}
