//! Links by which somebody chooses a password, or comes in by single sign-on the first time: invitations and resets. Here: one a user at most, of which only the hash is
//! kept, and that choosing the password spends it. Not here: addresses (`http::links`).

use loa_protocol::UnixMicros;
use sqlx::any::AnyRow;

use super::pool::Transaction;
use super::row::{Columns as _, micros};
use super::{Actor, Change, Entry, Error, Store, User, UserId, devices, factors, identities, sessions, users};
use crate::authority::Grant;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// Somebody new chooses their first password.
    Invitation,
    /// Somebody who lost theirs chooses another.
    Reset,
}

impl LinkKind {
    /// What a link for `user` is.
    pub fn of(user: &User) -> Self {
        match user.has_password {
            true => Self::Reset,
            false => Self::Invitation,
        }
    }

    /// Its name, in the database and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Reset => "reset",
        }
    }

    /// How long it can be used, in microseconds.
    pub fn lasts(self) -> u64 {
        let hours = match self {
            Self::Invitation => 72,
            Self::Reset => 24,
        };
        hours * 3600 * 1_000_000
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Invitation, Self::Reset]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// A link that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Whose it is; without their grants.
    pub user: User,
    /// What it is for.
    pub kind: LinkKind,
    /// Using it removes their second factors, too.
    pub clears_factors: bool,
}

impl Store {
    /// Keeps the hash of a link's token for a user, in place of one before it. With `judged` they must still have these
    /// grants. Says what the link is, and until when.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::State`] if they are disabled, or have other grants by now; when the database cannot.
    pub async fn offer_link(
        &self,
        actor: &Actor,
        now: UnixMicros,
        id: UserId,
        judged: Option<&[Grant]>,
        token_hash: &str,
        clears_factors: bool,
    ) -> Result<(LinkKind, UnixMicros), Error> {
        let entry = Entry {
            at: now,
            actor,
            what: "user.link",
            subject: id.to_string(),
            detail: String::new(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        let user = users::in_work(tx, id, judged).await?;
        if user.disabled.is_some() {
            return Err(Error::State(super::Refusal::Disabled));
        }
        let kind = LinkKind::of(&user);
        let expires = UnixMicros(now.0 + kind.lasts());
        insert(tx, now, id, kind, clears_factors, token_hash, expires).await?;
        let factors = if clears_factors { ", removes second factors" } else { "" };
        work.entry.detail = format!("{}: {}{factors}", user.username, kind.name());
        work.commit().await?;
        Ok((kind, expires))
    }

    /// The link with that token's hash, if it can be used.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is none, or not any more; when the database cannot be read.
    pub async fn link(&self, now: UnixMicros, token_hash: &str) -> Result<Link, Error> {
        let row = sqlx::query(LOOK)
            .bind(token_hash.to_owned())
            .bind(micros(now))
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read).transpose()?.ok_or(Error::Missing("link"))
    }

    /// Spends a link on another password; ends the sessions of its user and forgets the browsers that they are known by.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no such link, or not any more; when the database cannot.
    pub async fn spend_link(
        &self,
        actor: &Actor,
        now: UnixMicros,
        token_hash: &str,
        password: &str,
    ) -> Result<User, Error> {
        let entry = Entry {
            at: now,
            actor,
            what: "user.passwd",
            subject: String::new(),
            detail: String::new(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        let link = in_work(tx, now, token_hash).await?;
        let id = link.user.id;
        void(tx, id).await?;
        users::keep_password(tx, id, password).await?;
        sessions::end_all(tx, id, "").await?;
        devices::forget(tx, id, "").await?;
        let mut cleared = "";
        if link.clears_factors {
            factors::clear(tx, id).await?;
            // Somebody else may have linked an account of their own.
            identities::clear(tx, id).await?;
            cleared = ", second factors and single sign-on removed";
        }
        let user = users::in_work(tx, id, None).await?;
        work.entry.subject = id.to_string();
        work.entry.detail = format!("by link: {}{cleared}", link.kind.name());
        work.commit().await?;
        self.tell(Change::Sessions);
        Ok(user)
    }
}

const LOOK: &str = "SELECT u.*, l.kind AS kind, l.clears_factors AS clears_factors FROM links l \
                    JOIN users u ON u.id = l.user_id \
                    WHERE l.token_hash = $1 AND l.expires > $2 AND u.disabled IS NULL";

/// The link as a change under way sees it, if it can be used.
pub(super) async fn in_work(tx: &mut Transaction, now: UnixMicros, token_hash: &str) -> Result<Link, Error> {
    let row = sqlx::query(LOOK)
        .bind(token_hash.to_owned())
        .bind(micros(now))
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(read).transpose()?.ok_or(Error::Missing("link"))
}

fn read(row: &AnyRow) -> Result<Link, Error> {
    Ok(Link {
        user: users::read(row)?,
        kind: row.id("kind", LinkKind::named)?,
        clears_factors: row.flag("clears_factors")?,
    })
}

pub(super) async fn insert(
    tx: &mut Transaction,
    now: UnixMicros,
    user: UserId,
    kind: LinkKind,
    clears_factors: bool,
    token_hash: &str,
    expires: UnixMicros,
) -> Result<(), Error> {
    void(tx, user).await?;
    sqlx::query(
        "INSERT INTO links (user_id, token_hash, kind, clears_factors, created, expires) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(user.to_string())
    .bind(token_hash.to_owned())
    .bind(kind.name())
    .bind(i64::from(clears_factors))
    .bind(micros(now))
    .bind(micros(expires))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Makes the link of `user` useless, if there is one.
pub(super) async fn void(tx: &mut Transaction, user: UserId) -> Result<(), Error> {
    sqlx::query("DELETE FROM links WHERE user_id = $1")
        .bind(user.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}
