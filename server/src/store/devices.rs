//! Browsers in which somebody has signed in before, by the hash of what they keep. Here: rows; what being known is good
//! for, `patience` says.

use loa_protocol::UnixMicros;

use super::pool::{self, Transaction};
use super::row::micros;
use super::{Error, Store, UserId};

/// Browsers that one user is known by at most: the one not used for longest is forgotten.
const MOST: i64 = 20;
/// A browser is known for so long after it was last used, in microseconds.
pub const LASTS: u64 = 365 * 24 * 3600 * 1_000_000;

impl Store {
    /// Whether `user` is known by the browser with that token's hash.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn knows_device(&self, now: UnixMicros, user: UserId, token_hash: &str) -> Result<bool, Error> {
        let row = sqlx::query("SELECT 1 AS one FROM devices WHERE token_hash = $1 AND user_id = $2 AND used > $3")
            .bind(token_hash.to_owned())
            .bind(user.to_string())
            .bind(micros(UnixMicros(now.0.saturating_sub(LASTS))))
            .fetch_optional(&self.pool);
        Ok(row.await?.is_some())
    }

    /// From now on `user` is known by the browser with that token's hash.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn keep_device(&self, now: UnixMicros, user: UserId, token_hash: &str) -> Result<(), Error> {
        let mut tx = pool::begin(&self.pool, self.kind).await?;
        sqlx::query(
            "INSERT INTO devices (token_hash, user_id, created, used) VALUES ($1, $2, $3, $3) \
             ON CONFLICT (token_hash) DO UPDATE SET used = $3",
        )
        .bind(token_hash.to_owned())
        .bind(user.to_string())
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "DELETE FROM devices WHERE user_id = $1 AND token_hash NOT IN \
             (SELECT token_hash FROM devices WHERE user_id = $1 ORDER BY used DESC, created DESC LIMIT $2)",
        )
        .bind(user.to_string())
        .bind(MOST)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Forgets the browsers of `user`, but for the one with that token's hash.
pub(super) async fn forget(tx: &mut Transaction, user: UserId, but: &str) -> Result<(), Error> {
    sqlx::query("DELETE FROM devices WHERE user_id = $1 AND token_hash <> $2")
        .bind(user.to_string())
        .bind(but.to_owned())
        .execute(&mut **tx)
        .await?;
    Ok(())
}
