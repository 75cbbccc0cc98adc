//! The record: who did what, to what, when, from where. Rows are added with the change that they tell of, in the same
//! transaction, and never changed.

use loa_protocol::UnixMicros;

use super::pool::Transaction;
use super::row::{Columns as _, micros};
use super::{Error, Store, ids};

/// Who does something, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// User name; `-` for the server itself and for who has no name yet.
    pub who: String,
    /// Network address, or `command line`.
    pub origin: String,
}

/// One line of the record.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// When.
    pub at: UnixMicros,
    /// Who, and from where.
    pub actor: &'a Actor,
    /// What, as `thing.verb`.
    pub what: &'static str,
    /// The identifier of what it was done to.
    pub subject: String,
    /// What more there is to say.
    pub detail: String,
}

/// A line of the record, as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: UnixMicros,
    /// Who, and from where.
    pub actor: Actor,
    /// What, as `thing.verb`.
    pub what: String,
    /// The identifier of what it was done to.
    pub subject: String,
    /// What more there is to say.
    pub detail: String,
}

pub(super) async fn add(tx: &mut Transaction, entry: &Entry<'_>) -> Result<(), Error> {
    sqlx::query("INSERT INTO record (id, at, who, origin, what, subject, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(uuid::Uuid::from_bytes(ids::fresh(entry.at)).to_string())
        .bind(micros(entry.at))
        .bind(entry.actor.who.clone())
        .bind(entry.actor.origin.clone())
        .bind(entry.what)
        .bind(entry.subject.clone())
        .bind(entry.detail.clone())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

impl Store {
    /// Writes down what changed no row of its own.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn note(&self, entry: Entry<'_>) -> Result<(), Error> {
        let mut tx = super::pool::begin(&self.pool, self.kind).await?;
        add(&mut tx, &entry).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The last `most` lines, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn lines(&self, most: u32) -> Result<Vec<Line>, Error> {
        let rows = sqlx::query("SELECT * FROM record ORDER BY at DESC, id DESC LIMIT $1")
            .bind(i64::from(most))
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Line {
                    at: row.instant("at")?,
                    actor: Actor {
                        who: row.text("who")?,
                        origin: row.text("origin")?,
                    },
                    what: row.text("what")?,
                    subject: row.text("subject")?,
                    detail: row.text("detail")?,
                })
            })
            .collect()
    }
}
