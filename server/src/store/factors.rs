//! What people show besides their password: codes of an authenticator (TOTP), passkeys, recovery codes. Here: rows, sealed
//! by the vault; that nothing counts twice. Not here: what a code or a passkey is (`http::factors`).

use loa_protocol::UnixMicros;
use sqlx::any::AnyRow;

use super::error::Invalid;
use super::pool::Transaction;
use super::row::{Columns as _, integer, micros, written};
use super::{Actor, Entry, Error, FactorId, Refusal, Store, UserId, ids, pool};
use crate::data::Opened;

/// What they are sealed for.
pub(super) const PURPOSE: &str = "second factor";
/// Second factors that one user has at most.
const MOST: u64 = 20;

/// What kind of second factor it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactorKind {
    /// Codes by time (RFC 6238).
    Totp,
    /// A passkey (WebAuthn).
    Passkey,
}

impl FactorKind {
    /// Its name, in the database and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Passkey => "passkey",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Totp, Self::Passkey].into_iter().find(|kind| kind.name() == name)
    }
}

/// A second factor, without what is secret about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factor {
    /// Its identifier.
    pub id: FactorId,
    /// What kind it is.
    pub kind: FactorKind,
    /// What its user calls it.
    pub name: String,
    /// When it was set up.
    pub created: UnixMicros,
    /// When it was last shown.
    pub used: Option<UnixMicros>,
}

/// A second factor to be added.
pub struct NewFactor<'a> {
    /// What kind it is.
    pub kind: FactorKind,
    /// What its user calls it.
    pub name: &'a str,
    /// What is to be sealed.
    pub secret: &'a [u8],
    /// A passkey's identifier.
    pub credential: Option<String>,
    /// The 30 seconds whose code was shown to set it up; 0 for none.
    pub step: u64,
}

impl Store {
    /// How many of each kind `user` has: codes, passkeys.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn factor_counts(&self, user: UserId) -> Result<[u64; 2], Error> {
        let row = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM factors WHERE user_id = $1 AND kind = 'totp') AS codes, \
             (SELECT COUNT(*) FROM factors WHERE user_id = $1 AND kind = 'passkey') AS passkeys",
        )
        .bind(user.to_string())
        .fetch_one(&self.pool)
        .await?;
        Ok([row.number("codes")?, row.number("passkeys")?])
    }

    /// The second factors of `user`, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn factors(&self, user: UserId) -> Result<Vec<Factor>, Error> {
        let rows = sqlx::query("SELECT * FROM factors WHERE user_id = $1 ORDER BY id")
            .bind(user.to_string())
            .fetch_all(&self.pool)
            .await?;
        let read = |row: &AnyRow| {
            Ok(Factor {
                id: row.id("id", FactorId::parse)?,
                kind: row.id("kind", FactorKind::named)?,
                name: row.text("name")?,
                created: row.instant("created")?,
                used: row.maybe_number("used")?.map(UnixMicros),
            })
        };
        rows.iter().map(read).collect()
    }

    /// How many recovery codes `user` has left.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn recovery_codes_left(&self, user: UserId) -> Result<u64, Error> {
        let row = sqlx::query("SELECT COUNT(*) AS n FROM recovery_codes WHERE user_id = $1")
            .bind(user.to_string())
            .fetch_one(&self.pool);
        row.await?.number("n")
    }

    /// Adds a second factor. The first one brings recovery codes along, of which `codes` are the hashes; says whether it
    /// did. With `first` it must be the first: who has shown none may not add to those of who has some.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that is wrong or a passkey that is there already; [`Error::State`] when it is not the
    /// first but should be; when the database cannot.
    pub async fn add_factor(
        &self,
        actor: &Actor,
        now: UnixMicros,
        user: UserId,
        first: bool,
        new: NewFactor<'_>,
        codes: &[String],
    ) -> Result<bool, Error> {
        let name = written("name", new.name, 60)?;
        let id = FactorId(ids::fresh(now));
        let entry = Entry {
            at: now,
            actor,
            what: "factor.add",
            subject: user.to_string(),
            detail: format!("{}: {name}", new.kind.name()),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        let there = count(tx, user).await?;
        if first && there > 0 {
            return Err(Error::State(Refusal::Changed));
        }
        if there >= MOST {
            let form = Invalid::Form(
                "one of at most 20 second factors",
                "một trong nhiều nhất 20 cách xác thực",
            );
            return Err(Error::invalid("name", form));
        }
        let sealed = self.vault.seal(PURPOSE, &id.to_string(), new.secret)?;
        sqlx::query(
            "INSERT INTO factors (id, user_id, kind, name, sealed, credential, step, created) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(id.to_string())
        .bind(user.to_string())
        .bind(new.kind.name())
        .bind(name)
        .bind(sealed)
        .bind(new.credential)
        .bind(integer(new.step))
        .bind(micros(now))
        .execute(&mut **tx)
        .await
        .map_err(Error::taken("credential"))?;
        if there == 0 {
            keep_codes(tx, user, codes).await?;
        }
        work.commit().await?;
        Ok(there == 0)
    }

    /// Gives `user` other recovery codes in place of those that are left.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn set_recovery_codes(
        &self,
        actor: &Actor,
        now: UnixMicros,
        user: UserId,
        codes: &[String],
    ) -> Result<(), Error> {
        let entry = Entry {
            at: now,
            actor,
            what: "factor.codes",
            subject: user.to_string(),
            detail: String::new(),
        };
        let mut work = self.begin(entry).await?;
        if count(&mut work.tx, user).await? == 0 {
            return Err(Error::Missing("factor"));
        }
        keep_codes(&mut work.tx, user, codes).await?;
        work.commit().await
    }

    /// Removes a second factor of `user`; with the last one the recovery codes go, too.
    ///
    /// # Errors
    /// [`Error::Missing`] if it is none of theirs; [`Error::State`] if it is the last one and one is `required`; when the
    /// database cannot.
    pub async fn remove_factor(
        &self,
        actor: &Actor,
        now: UnixMicros,
        user: UserId,
        id: FactorId,
        required: bool,
    ) -> Result<(), Error> {
        let entry = Entry {
            at: now,
            actor,
            what: "factor.remove",
            subject: user.to_string(),
            detail: String::new(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        let row = sqlx::query("SELECT kind, name FROM factors WHERE id = $1 AND user_id = $2")
            .bind(id.to_string())
            .bind(user.to_string())
            .fetch_optional(&mut **tx)
            .await?
            .ok_or(Error::Missing("factor"))?;
        let last = count(tx, user).await? == 1;
        match last {
            true if required => return Err(Error::State(Refusal::LastFactor)),
            true => clear(tx, user).await?,
            false => {
                sqlx::query("DELETE FROM factors WHERE id = $1")
                    .bind(id.to_string())
                    .execute(&mut **tx)
                    .await?;
            }
        }
        work.entry.detail = format!("{}: {}", row.text("kind")?, row.text("name")?);
        work.commit().await
    }

    /// What is sealed of the second factors of `user` that are of that kind.
    ///
    /// # Errors
    /// When the database cannot be read, or the vault has another key.
    pub async fn factor_secrets(&self, user: UserId, kind: FactorKind) -> Result<Vec<(FactorId, Opened)>, Error> {
        let rows = sqlx::query("SELECT id, sealed FROM factors WHERE user_id = $1 AND kind = $2 ORDER BY id")
            .bind(user.to_string())
            .bind(kind.name())
            .fetch_all(&self.pool)
            .await?;
        let open = |row: &AnyRow| {
            let opened = self
                .vault
                .open_sealed(PURPOSE, &row.text("id")?, &row.text("sealed")?)?;
            Ok((row.id("id", FactorId::parse)?, opened))
        };
        rows.iter().map(open).collect()
    }

    /// Spends the code of the 30 seconds `step`; says whether it was not spent before.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn spend_code(&self, now: UnixMicros, id: FactorId, step: u64) -> Result<bool, Error> {
        let done = sqlx::query("UPDATE factors SET step = $1, used = $2 WHERE id = $3 AND step < $1")
            .bind(integer(step))
            .bind(micros(now))
            .bind(id.to_string())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes that a passkey was shown; `secret` is what has become of it, if it changed.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn passkey_shown(&self, now: UnixMicros, id: FactorId, secret: Option<&[u8]>) -> Result<(), Error> {
        let mut tx = pool::begin(&self.pool, self.kind).await?;
        if let Some(secret) = secret {
            sqlx::query("UPDATE factors SET sealed = $1 WHERE id = $2")
                .bind(self.vault.seal(PURPOSE, &id.to_string(), secret)?)
                .bind(id.to_string())
                .execute(&mut *tx)
                .await?;
        }
        sqlx::query("UPDATE factors SET used = $1 WHERE id = $2")
            .bind(micros(now))
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Spends a recovery code of `user`; says whether there was one with that hash.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn spend_recovery_code(&self, user: UserId, code_hash: &str) -> Result<bool, Error> {
        let done = sqlx::query("DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = $2")
            .bind(user.to_string())
            .bind(code_hash.to_owned())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

async fn count(tx: &mut Transaction, user: UserId) -> Result<u64, Error> {
    let row = sqlx::query("SELECT COUNT(*) AS n FROM factors WHERE user_id = $1")
        .bind(user.to_string())
        .fetch_one(&mut **tx);
    row.await?.number("n")
}

async fn keep_codes(tx: &mut Transaction, user: UserId, codes: &[String]) -> Result<(), Error> {
    sqlx::query("DELETE FROM recovery_codes WHERE user_id = $1")
        .bind(user.to_string())
        .execute(&mut **tx)
        .await?;
    for code in codes {
        sqlx::query("INSERT INTO recovery_codes (user_id, code_hash) VALUES ($1, $2)")
            .bind(user.to_string())
            .bind(code.clone())
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// Removes all second factors of `user`, and their recovery codes.
pub(super) async fn clear(tx: &mut Transaction, user: UserId) -> Result<(), Error> {
    for query in [
        "DELETE FROM factors WHERE user_id = $1",
        "DELETE FROM recovery_codes WHERE user_id = $1",
    ] {
        sqlx::query(query).bind(user.to_string()).execute(&mut **tx).await?;
    }
    Ok(())
}
