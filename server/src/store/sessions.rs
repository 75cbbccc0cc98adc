//! Who is signed in. Of a session's token only the hash is kept. A session may be half: the password was right, a second
//! factor is to follow; what such a session may do, `http::gate` says.

use loa_protocol::UnixMicros;
use sqlx::any::AnyRow;

use super::pool::Transaction;
use super::row::{Columns as _, integer, micros};
use super::{Actor, Change, Entry, Error, SessionId, Store, User, UserId, ids, users};

/// By what a session was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// A password.
    Password,
    /// An account at a provider of sign-in (OpenID Connect).
    Oidc,
}

impl How {
    /// Its name, in the database and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Oidc => "oidc",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Password, Self::Oidc].into_iter().find(|how| how.name() == name)
    }
}

/// A session that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its identifier; not what shows that one is in it.
    pub id: SessionId,
    /// Who is signed in.
    pub user: User,
    /// When it began.
    pub created: UnixMicros,
    /// When it ends unless it is used.
    pub expires: UnixMicros,
    /// When it ends in any case.
    pub ends: UnixMicros,
    /// A second factor is to follow before anything else.
    pub half: bool,
    /// When a second factor was shown in it.
    pub second_factor: Option<UnixMicros>,
    /// By what it was begun.
    pub how: How,
    /// How many of each kind of second factor its user has: codes, passkeys.
    pub factors: [u64; 2],
}

/// A session that begins.
#[derive(Debug, Clone)]
pub struct NewSession<'a> {
    /// The hash of its token.
    pub token_hash: &'a str,
    /// When it ends unless it is used.
    pub expires: UnixMicros,
    /// When it ends in any case.
    pub ends: UnixMicros,
    /// A second factor is to follow before anything else.
    pub half: bool,
    /// A second factor was shown.
    pub second_factor: bool,
    /// By what it is begun.
    pub how: How,
}

/// One of somebody's sessions, as told to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSeen {
    /// Its identifier.
    pub id: SessionId,
    /// By what it was begun.
    pub how: How,
    /// The network address that it began from.
    pub origin: String,
    /// When it began.
    pub created: UnixMicros,
    /// When it was last used, within minutes.
    pub used: UnixMicros,
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
        new: NewSession<'_>,
    ) -> Result<SessionId, Error> {
        let detail = match (new.how, new.half) {
            (How::Password, true) => "second factor to follow",
            (How::Password, false) => "",
            (How::Oidc, true) => "single sign-on, second factor to follow",
            (How::Oidc, false) if new.second_factor => "single sign-on, second factor by the provider",
            (How::Oidc, false) => "single sign-on",
        };
        let mut work = self
            .begin(Entry {
                at: now,
                actor,
                what: "session.begin",
                subject: user.id.to_string(),
                detail: detail.into(),
            })
            .await?;
        let tx = &mut work.tx;
        sqlx::query("DELETE FROM sessions WHERE expires <= $1 OR ends <= $1")
            .bind(micros(now))
            .execute(&mut **tx)
            .await?;
        let id = insert(tx, actor, now, user.id, &new).await?;
        work.commit().await?;
        Ok(id)
    }

    /// Makes another session, in which a second factor was shown, of the one with that token's hash: it has its own token, so
    /// that whoever knew the old one is left outside. `how` names the factor.
    ///
    /// # Errors
    /// [`Error::Missing`] if the session has ended meanwhile; when the database cannot.
    pub async fn raise_session(
        &self,
        actor: &Actor,
        now: UnixMicros,
        user: UserId,
        old_hash: &str,
        new: NewSession<'_>,
        how: &str,
    ) -> Result<SessionId, Error> {
        let entry = Entry {
            at: now,
            actor,
            what: "session.second_factor",
            subject: user.to_string(),
            detail: how.into(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        let gone = sqlx::query("DELETE FROM sessions WHERE token_hash = $1 AND user_id = $2")
            .bind(old_hash.to_owned())
            .bind(user.to_string())
            .execute(&mut **tx)
            .await?;
        if gone.rows_affected() != 1 {
            return Err(Error::Missing("session"));
        }
        let id = insert(tx, actor, now, user, &new).await?;
        work.commit().await?;
        self.tell(Change::Sessions);
        Ok(id)
    }

    /// The session of that token's hash, if it has not ended.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn session(&self, now: UnixMicros, token_hash: &str) -> Result<Option<Session>, Error> {
        let row = sqlx::query(
            "SELECT u.*, s.id AS session_id, s.created AS session_created, s.expires AS expires, s.ends AS ends, s.half AS half, s.how AS how, \
             s.second_factor AS second_factor, \
             (SELECT COUNT(*) FROM factors f WHERE f.user_id = u.id AND f.kind = 'totp') AS codes, \
             (SELECT COUNT(*) FROM factors f WHERE f.user_id = u.id AND f.kind = 'passkey') AS passkeys \
             FROM sessions s JOIN users u ON u.id = s.user_id \
             WHERE s.token_hash = $1 AND s.expires > $2 AND s.ends > $2 AND u.disabled IS NULL",
        )
        .bind(token_hash.to_owned())
        .bind(micros(now))
        .fetch_optional(&self.pool)
        .await?;
        let read = |row: &AnyRow| -> Result<Session, Error> {
            Ok(Session {
                id: row.id("session_id", SessionId::parse)?,
                user: users::read(row)?,
                created: row.instant("session_created")?,
                expires: row.instant("expires")?,
                ends: row.instant("ends")?,
                half: row.flag("half")?,
                second_factor: row.maybe_number("second_factor")?.map(UnixMicros),
                how: row.id("how", How::named)?,
                factors: [row.number("codes")?, row.number("passkeys")?],
            })
        };
        let mut session = row.as_ref().map(read).transpose()?;
        if let Some(session) = &mut session {
            session.user.grants = self.grants(session.user.id).await?;
        }
        Ok(session)
    }

    /// The whole sessions of `user`, the latest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sessions_of(&self, now: UnixMicros, user: UserId) -> Result<Vec<SessionSeen>, Error> {
        let rows = sqlx::query(
            "SELECT id, how, origin, created, used FROM sessions \
             WHERE user_id = $1 AND half = 0 AND expires > $2 AND ends > $2 ORDER BY used DESC, id DESC",
        )
        .bind(user.to_string())
        .bind(micros(now))
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &AnyRow| {
            Ok(SessionSeen {
                id: row.id("id", SessionId::parse)?,
                how: row.id("how", How::named)?,
                origin: row.text("origin")?,
                created: row.instant("created")?,
                used: row.instant("used")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Lets a session that is used at `now` go on until `expires`.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn prolong_session(&self, now: UnixMicros, token_hash: &str, expires: UnixMicros) -> Result<(), Error> {
        sqlx::query("UPDATE sessions SET expires = $1, used = $2 WHERE token_hash = $3")
            .bind(micros(expires))
            .bind(micros(now))
            .bind(token_hash.to_owned())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Counts a wrong second factor in a session; the `most`th in a half session ends it. Says whether it goes on.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn wrong_factor(
        &self,
        actor: &Actor,
        now: UnixMicros,
        user: UserId,
        token_hash: &str,
        how: &str,
        most: u64,
    ) -> Result<bool, Error> {
        let entry = Entry {
            at: now,
            actor,
            what: "session.refuse",
            subject: user.to_string(),
            detail: how.into(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        sqlx::query("UPDATE sessions SET wrong = wrong + 1 WHERE token_hash = $1")
            .bind(token_hash.to_owned())
            .execute(&mut **tx)
            .await?;
        let ended = sqlx::query("DELETE FROM sessions WHERE token_hash = $1 AND half = 1 AND wrong >= $2")
            .bind(token_hash.to_owned())
            .bind(integer(most))
            .execute(&mut **tx)
            .await?;
        work.commit().await?;
        Ok(ended.rows_affected() == 0)
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

    /// Ends one of the sessions of `user`.
    ///
    /// # Errors
    /// [`Error::Missing`] if it is none of theirs; when the database cannot.
    pub async fn end_session_of(
        &self,
        actor: &Actor,
        now: UnixMicros,
        user: UserId,
        id: SessionId,
    ) -> Result<(), Error> {
        let entry = Entry {
            at: now,
            actor,
            what: "session.end",
            subject: user.to_string(),
            detail: id.to_string(),
        };
        let mut work = self.begin(entry).await?;
        let gone = sqlx::query("DELETE FROM sessions WHERE id = $1 AND user_id = $2")
            .bind(id.to_string())
            .bind(user.to_string())
            .execute(&mut *work.tx)
            .await?;
        if gone.rows_affected() != 1 {
            return Err(Error::Missing("session"));
        }
        work.commit().await?;
        self.tell(Change::Sessions);
        Ok(())
    }
}

async fn insert(
    tx: &mut Transaction,
    actor: &Actor,
    now: UnixMicros,
    user: UserId,
    new: &NewSession<'_>,
) -> Result<SessionId, Error> {
    let id = SessionId(ids::fresh(now));
    sqlx::query(
        "INSERT INTO sessions (token_hash, id, user_id, origin, created, used, expires, ends, half, second_factor, how) \
         VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10)",
    )
    .bind(new.token_hash.to_owned())
    .bind(id.to_string())
    .bind(user.to_string())
    .bind(actor.origin.clone())
    .bind(micros(now))
    .bind(micros(new.expires))
    .bind(micros(new.ends))
    .bind(i64::from(new.half))
    .bind(new.second_factor.then(|| micros(now)))
    .bind(new.how.name())
    .execute(&mut **tx)
    .await?;
    Ok(id)
}

/// Ends the sessions of `user`, but for the one with that token's hash.
pub(super) async fn end_all(tx: &mut Transaction, user: UserId, but: &str) -> Result<(), Error> {
    sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND token_hash <> $2")
        .bind(user.to_string())
        .bind(but.to_owned())
        .execute(&mut **tx)
        .await?;
    Ok(())
}
