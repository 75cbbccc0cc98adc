//! Counts of failed attempts, so that a restart is no fresh start for who guesses. Here: rows; what follows from them,
//! `patience` says.

use loa_protocol::UnixMicros;
use sqlx::any::AnyRow;

use super::row::{Columns as _, integer, micros};
use super::{Error, Store, pool};
use crate::patience::{Count, QUIET};

impl Store {
    /// All counts that still matter.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn failures(&self, now: UnixMicros) -> Result<Vec<(String, Count)>, Error> {
        let rows = sqlx::query("SELECT * FROM failures WHERE last > $1")
            .bind(micros(UnixMicros(now.0.saturating_sub(QUIET))))
            .fetch_all(&self.pool)
            .await?;
        let read = |row: &AnyRow| {
            let count = Count {
                failures: row.number("count")?,
                last: row.instant("last")?,
            };
            Ok((row.text("key")?, count))
        };
        rows.iter().map(read).collect()
    }

    /// Keeps counts, and forgets those of keys without one and those that do not matter any more.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn keep_failures(&self, now: UnixMicros, counts: &[(String, Option<Count>)]) -> Result<(), Error> {
        let mut tx = pool::begin(&self.pool, self.kind).await?;
        sqlx::query("DELETE FROM failures WHERE last <= $1")
            .bind(micros(UnixMicros(now.0.saturating_sub(QUIET))))
            .execute(&mut *tx)
            .await?;
        for (key, count) in counts {
            let query = match count {
                Some(count) => sqlx::query(
                    "INSERT INTO failures (key, count, last) VALUES ($1, $2, $3) \
                     ON CONFLICT (key) DO UPDATE SET count = $2, last = $3",
                )
                .bind(key.clone())
                .bind(integer(count.failures))
                .bind(micros(count.last)),
                None => sqlx::query("DELETE FROM failures WHERE key = $1").bind(key.clone()),
            };
            query.execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
