//! Who people are at a provider of sign-in (OpenID Connect). Here: one account there is one user's, and a user has one account at
//! each provider; linking, taking the link away, and whose an account is. Not here: what shows that somebody has that account
//! (`crate::oidc`).

use loa_protocol::UnixMicros;
use sqlx::any::AnyRow;

use super::pool::Transaction;
use super::row::{Columns as _, micros};
use super::{Actor, Change, Entry, Error, IdentityId, LinkKind, Refusal, Store, User, UserId, ids, links, users};

/// An account at a provider that is a user's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its identifier here.
    pub id: IdentityId,
    /// The provider.
    pub issuer: String,
    /// What the provider calls it, for people to read.
    pub label: String,
    /// When it was linked.
    pub created: UnixMicros,
    /// When somebody last came in by it.
    pub used: Option<UnixMicros>,
}

/// An account at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// The provider.
    pub issuer: String,
    /// The account: never given to anybody else there.
    pub subject: String,
    /// What the provider calls it, for people to read.
    pub label: String,
}

impl Store {
    /// The accounts of `user`, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn identities(&self, user: UserId) -> Result<Vec<Identity>, Error> {
        let rows = sqlx::query("SELECT * FROM identities WHERE user_id = $1 ORDER BY id")
            .bind(user.to_string())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }

    /// Whose that account is.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn user_of(&self, issuer: &str, subject: &str) -> Result<Option<User>, Error> {
        let row = sqlx::query(
            "SELECT u.* FROM identities i JOIN users u ON u.id = i.user_id WHERE i.issuer = $1 AND i.subject = $2",
        )
        .bind(issuer.to_owned())
        .bind(subject.to_owned())
        .fetch_optional(&self.pool)
        .await?;
        let mut user = row.as_ref().map(users::read).transpose()?;
        if let Some(user) = &mut user {
            user.grants = self.grants(user.id).await?;
        }
        Ok(user)
    }

    /// Notes that somebody comes in by that account.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn identity_shown(&self, now: UnixMicros, issuer: &str, subject: &str) -> Result<(), Error> {
        sqlx::query("UPDATE identities SET used = $1 WHERE issuer = $2 AND subject = $3")
            .bind(micros(now))
            .bind(issuer.to_owned())
            .bind(subject.to_owned())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Makes an account one by which `user` comes in.
    ///
    /// # Errors
    /// [`Error::State`] if it is somebody's already, or they have one at that provider; when the database cannot.
    pub async fn link_identity(
        &self,
        actor: &Actor,
        now: UnixMicros,
        user: UserId,
        outside: &Outside,
    ) -> Result<Identity, Error> {
        let mut work = self.begin(linked(actor, now, user.to_string(), outside)).await?;
        let identity = insert(&mut work.tx, now, user, outside).await?;
        work.commit().await?;
        Ok(identity)
    }

    /// Spends an invitation on an account in place of a password.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no such link, or not any more, or it is none of an invitation; [`Error::State`] as with
    /// [`Store::link_identity`]; when the database cannot.
    pub async fn spend_link_on_identity(
        &self,
        actor: &Actor,
        now: UnixMicros,
        token_hash: &str,
        outside: &Outside,
    ) -> Result<User, Error> {
        let mut work = self.begin(linked(actor, now, String::new(), outside)).await?;
        let tx = &mut work.tx;
        let link = links::in_work(tx, now, token_hash).await?;
        if link.kind != LinkKind::Invitation {
            return Err(Error::Missing("link"));
        }
        let id = link.user.id;
        links::void(tx, id).await?;
        insert(tx, now, id, outside).await?;
        let user = users::in_work(tx, id, None).await?;
        work.entry.subject = id.to_string();
        work.entry.detail = format!("by link: {}", work.entry.detail);
        work.commit().await?;
        Ok(user)
    }

    /// Takes an account of `user` away, and ends their sessions that were begun by one, but for the one with the token's hash
    /// `here`.
    ///
    /// # Errors
    /// [`Error::Missing`] if it is none of theirs; [`Error::State`] if they have no password and could not come in any more; when
    /// the database cannot.
    pub async fn unlink_identity(
        &self,
        actor: &Actor,
        now: UnixMicros,
        user: UserId,
        id: IdentityId,
        here: &str,
    ) -> Result<(), Error> {
        let entry = Entry {
            at: now,
            actor,
            what: "identity.unlink",
            subject: user.to_string(),
            detail: String::new(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        let row = sqlx::query("SELECT * FROM identities WHERE id = $1 AND user_id = $2")
            .bind(id.to_string())
            .bind(user.to_string())
            .fetch_optional(&mut **tx)
            .await?;
        let row = row.ok_or(Error::Missing("identity"))?;
        if !users::in_work(tx, user, None).await?.has_password {
            return Err(Error::State(Refusal::LastWay));
        }
        sqlx::query("DELETE FROM identities WHERE id = $1")
            .bind(id.to_string())
            .execute(&mut **tx)
            .await?;
        sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND how = 'oidc' AND token_hash <> $2")
            .bind(user.to_string())
            .bind(here.to_owned())
            .execute(&mut **tx)
            .await?;
        work.entry.detail = told(&row.text("issuer")?, &row.text("subject")?, &row.text("label")?);
        work.commit().await?;
        self.tell(Change::Sessions);
        Ok(())
    }

    /// Whether `user` comes in by an account at a provider.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn is_linked(&self, user: UserId) -> Result<bool, Error> {
        let row = sqlx::query("SELECT 1 AS one FROM identities WHERE user_id = $1 LIMIT 1")
            .bind(user.to_string())
            .fetch_optional(&self.pool);
        Ok(row.await?.is_some())
    }
}

fn linked<'a>(actor: &'a Actor, now: UnixMicros, subject: String, outside: &Outside) -> Entry<'a> {
    Entry {
        at: now,
        actor,
        what: "identity.link",
        subject,
        detail: told(&outside.issuer, &outside.subject, &outside.label),
    }
}

fn told(issuer: &str, subject: &str, label: &str) -> String {
    format!("{label} ({subject}) at {issuer}")
}

async fn insert(tx: &mut Transaction, now: UnixMicros, user: UserId, outside: &Outside) -> Result<Identity, Error> {
    let there =
        sqlx::query("SELECT 1 AS one FROM identities WHERE issuer = $1 AND (subject = $2 OR user_id = $3) LIMIT 1")
            .bind(outside.issuer.clone())
            .bind(outside.subject.clone())
            .bind(user.to_string())
            .fetch_optional(&mut **tx)
            .await?;
    if there.is_some() {
        return Err(Error::State(Refusal::Linked));
    }
    let id = IdentityId(ids::fresh(now));
    sqlx::query(
        "INSERT INTO identities (id, user_id, issuer, subject, label, created) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id.to_string())
    .bind(user.to_string())
    .bind(outside.issuer.clone())
    .bind(outside.subject.clone())
    .bind(outside.label.clone())
    .bind(micros(now))
    .execute(&mut **tx)
    .await?;
    Ok(Identity {
        id,
        issuer: outside.issuer.clone(),
        label: outside.label.clone(),
        created: now,
        used: None,
    })
}

/// Takes all accounts of `user` away.
pub(super) async fn clear(tx: &mut Transaction, user: UserId) -> Result<(), Error> {
    sqlx::query("DELETE FROM identities WHERE user_id = $1")
        .bind(user.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Identity, Error> {
    Ok(Identity {
        id: row.id("id", IdentityId::parse)?,
        issuer: row.text("issuer")?,
        label: row.text("label")?,
        created: row.instant("created")?,
        used: row.maybe_number("used")?.map(UnixMicros),
    })
}
