//! Who is signed in. Of a session's token only the hash is kept.

use loa_protocol::UnixMicros;

use super::row::{Columns as _, micros};
use super::{Actor, Change, Entry, Error, Store, User, users};

/// A session that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who is signed in.
    pub user: User,
    /// What every request that changes something must bring along.
    pub csrf: String,
    /// When it ends unless it is used.
    pub expires: UnixMicros,
    /// When a second factor was shown in it.
    pub second_factor: Option<UnixMicros>,
}

impl Store {
    /// Begins a session.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn begin_session(
        &self,
        actor: &Actor,
        now: UnixMicros,
        user: &User,
        token_hash: &str,
        csrf: &str,
        expires: UnixMicros,
    ) -> Result<(), Error> {
        let (subject, detail) = (user.id.to_string(), String::new());
        let mut work = self
            .begin(Entry {
                at: now,
                actor,
                what: "session.begin",
                subject,
                detail,
            })
            .await?;
        let tx = &mut work.tx;
        sqlx::query("DELETE FROM sessions WHERE expires <= $1")
            .bind(micros(now))
            .execute(&mut **tx)
            .await?;
        sqlx::query(
            "INSERT INTO sessions (token_hash, user_id, csrf, origin, created, expires) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(token_hash.to_owned())
        .bind(user.id.to_string())
        .bind(csrf.to_owned())
        .bind(actor.origin.clone())
        .bind(micros(now))
        .bind(micros(expires))
        .execute(&mut **tx)
        .await?;
        work.commit().await
    }

    /// The session of that token's hash, if it has not ended.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn session(&self, now: UnixMicros, token_hash: &str) -> Result<Option<Session>, Error> {
        let row = sqlx::query(
            "SELECT u.*, s.csrf AS csrf, s.expires AS expires, s.second_factor AS second_factor \
             FROM sessions s JOIN users u ON u.id = s.user_id \
             WHERE s.token_hash = $1 AND s.expires > $2 AND u.disabled IS NULL",
        )
        .bind(token_hash.to_owned())
        .bind(micros(now))
        .fetch_optional(&self.pool)
        .await?;
        let read = |row: &_| -> Result<Session, Error> {
            let row: &sqlx::any::AnyRow = row;
            Ok(Session {
                user: users::read(row)?,
                csrf: row.text("csrf")?,
                expires: row.instant("expires")?,
                second_factor: row.maybe_number("second_factor")?.map(UnixMicros),
            })
        };
        let mut session = row.as_ref().map(read).transpose()?;
        if let Some(session) = &mut session {
            session.user.grants = self.grants(session.user.id).await?;
        }
        Ok(session)
    }

    /// Lets a session go on until `expires`.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn prolong_session(&self, token_hash: &str, expires: UnixMicros) -> Result<(), Error> {
        sqlx::query("UPDATE sessions SET expires = $1 WHERE token_hash = $2")
            .bind(micros(expires))
            .bind(token_hash.to_owned())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn end_session(&self, actor: &Actor, now: UnixMicros, token_hash: &str) -> Result<(), Error> {
        let (subject, detail) = (actor.who.clone(), String::new());
        let mut work = self
            .begin(Entry {
                at: now,
                actor,
                what: "session.end",
                subject,
                detail,
            })
            .await?;
        let tx = &mut work.tx;
        sqlx::query("DELETE FROM sessions WHERE token_hash = $1")
            .bind(token_hash.to_owned())
            .execute(&mut **tx)
            .await?;
        work.commit().await?;
        self.tell(Change::Sessions);
        Ok(())
    }
}
