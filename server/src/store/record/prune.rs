//! Retention: the oldest entries are taken away where the settings say how long they are kept. Here: from the beginning of
//! the chain alone, leaving number and hash of the last one taken, so that the rest can still be walked; that they were
//! taken is an entry itself. Not here: when (`serve`), what the settings say.

use loa_protocol::UnixMicros;
use serde_json::json;

use super::chain::{hex, start, unhex};
use super::{Actor, Entry, Head, More};
use crate::store::row::{Columns as _, micros};
use crate::store::{Error, Store};

/// What pruning is called in the record.
pub(super) const WHAT: &str = "record.prune";

/// What was taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// How many entries.
    pub entries: u64,
    /// The last of them.
    pub last: Head,
}

impl Store {
    /// Takes away the entries from before `cutoff`, from the beginning up to the first that is younger; `None` if there are
    /// none.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn prune_record(
        &self,
        actor: &Actor,
        now: UnixMicros,
        cutoff: UnixMicros,
    ) -> Result<Option<Pruned>, Error> {
        let entry = Entry {
            at: now,
            actor,
            what: WHAT,
            subject: String::new(),
            detail: String::new(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        let before = start(tx).await?;
        // Clocks are set back at times: what counts is the chain's order, up to the first that is to be kept.
        let last = sqlx::query(
            "SELECT number, hash FROM record WHERE at < $1 AND number < \
             (SELECT COALESCE(MIN(number), $2) FROM record WHERE at >= $1) ORDER BY number DESC LIMIT 1",
        )
        .bind(micros(cutoff))
        .bind(i64::MAX)
        .fetch_optional(&mut **tx)
        .await?;
        let Some(row) = last else { return Ok(None) };
        let last = Head {
            number: row.number("number")?,
            hash: row.id("hash", unhex)?,
        };
        // First this: the guard lets go only of what comes before it.
        sqlx::query("UPDATE record_start SET number = $1, hash = $2 WHERE id = 1")
            .bind(last.number.cast_signed())
            .bind(hex(&last.hash))
            .execute(&mut **tx)
            .await?;
        sqlx::query("DELETE FROM record WHERE number <= $1")
            .bind(last.number.cast_signed())
            .execute(&mut **tx)
            .await?;
        let entries = last.number - before.number;
        work.entry.subject = last.number.to_string();
        work.entry.detail = format!("{entries} entries");
        let told = |head: &Head| Some(json!({ "number": head.number, "hash": hex(&head.hash) }));
        work.more = More {
            area: None,
            before: told(&before),
            after: told(&last),
        };
        work.commit().await?;
        Ok(Some(Pruned { entries, last }))
    }
}
