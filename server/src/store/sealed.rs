//! Secrets in the database are sealed by the vault. Here: which columns hold them, that a database and a data folder
//! belong together, sealing what was kept before there was a vault, and sealing everything anew under the next key. Not
//! here: ciphers and keys (`data::Vault`).

use loa_protocol::UnixMicros;
use loa_protocol::key::Secret;

use super::pool::{self, Kind, Transaction};
use super::row::Columns as _;
use super::{Actor, Entry, Error, Store};
use crate::data::{Vault, VaultError, is_sealed};

/// A column that holds sealed texts, or nothing.
pub(super) struct Column {
    pub(super) table: &'static str,
    /// The column that identifies the row; it is bound in.
    pub(super) id: &'static str,
    pub(super) column: &'static str,
    /// What is bound in besides.
    pub(super) purpose: &'static str,
}

/// What receivers' secrets are sealed for.
pub(super) const RECEIVER: &str = "receiver secret";
/// What shows that a vault is this database's.
const CANARY: &str = "canary";

/// All of them: what is missing here is lost when the vault's key is rotated.
pub(super) const COLUMNS: &[Column] = &[
    Column {
        table: "vault",
        id: "id",
        column: "sealed",
        purpose: CANARY,
    },
    Column {
        table: "receivers",
        id: "id",
        column: "secret",
        purpose: RECEIVER,
    },
    Column {
        table: "factors",
        id: "id",
        column: "sealed",
        purpose: super::factors::PURPOSE,
    },
];

/// What came of sealing everything anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// The number of the key that all is sealed under now.
    pub key: u32,
    /// Secrets that were sealed anew.
    pub secrets: u64,
}

/// Sees to it that `vault` is the one that this database was sealed by; a database without one gets this.
pub(super) async fn settle(pool: &sqlx::AnyPool, kind: Kind, vault: &Vault) -> Result<(), Error> {
    const QUERY: &str = "SELECT sealed FROM vault WHERE id = 'canary'";
    let known = match sqlx::query(QUERY).fetch_optional(pool).await? {
        Some(row) => Some(row),
        None => {
            let mut tx = pool::begin(pool, kind).await?;
            // Another process may have come first.
            let known = sqlx::query(QUERY).fetch_optional(&mut *tx).await?;
            if known.is_none() {
                first(&mut tx, vault).await?;
                tx.commit().await?;
                if kind == Kind::Sqlite {
                    // So that what was not sealed leaves the log, too.
                    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(pool).await?;
                }
            }
            known
        }
    };
    known.map_or(Ok(()), |row| fits(&row, vault))
}

/// Whether what was sealed in this database was sealed by `vault`; nothing sealed is nobody else's.
pub(super) async fn check(tx: &mut Transaction, vault: &Vault) -> Result<(), Error> {
    let row = sqlx::query("SELECT sealed FROM vault WHERE id = 'canary'")
        .fetch_optional(&mut **tx)
        .await?;
    row.map_or(Ok(()), |row| fits(&row, vault))
}

fn fits(row: &sqlx::any::AnyRow, vault: &Vault) -> Result<(), Error> {
    match vault.open_sealed(CANARY, CANARY, &row.text("sealed")?) {
        Ok(_) => Ok(()),
        Err(error @ VaultError::Keys(_)) => Err(error.into()),
        Err(error) => Err(Error::Foreign(error)),
    }
}

/// Seals what was kept before there was a vault.
async fn first(tx: &mut Transaction, vault: &Vault) -> Result<(), Error> {
    let sealed = vault.seal(CANARY, CANARY, CANARY.as_bytes())?;
    sqlx::query("INSERT INTO vault (id, sealed) VALUES ('canary', $1)")
        .bind(sealed)
        .execute(&mut **tx)
        .await?;
    for row in sqlx::query("SELECT id, secret FROM receivers")
        .fetch_all(&mut **tx)
        .await?
    {
        let (id, text) = (row.text("id")?, row.text("secret")?);
        // Empty: restored without keys, to be enrolled anew.
        if !is_sealed(&text) && !text.is_empty() {
            let secret = plain(&text).ok_or(Error::Corrupt("secret"))?;
            sqlx::query("UPDATE receivers SET secret = $1 WHERE id = $2")
                .bind(vault.seal(RECEIVER, &id, &secret.0)?)
                .bind(id)
                .execute(&mut **tx)
                .await?;
        }
    }
    Ok(())
}

/// A secret as it was kept before there was a vault.
fn plain(text: &str) -> Option<Secret> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(Secret(bytes))
}

/// A receiver's secret from its row.
pub(super) fn secret(vault: &Vault, id: &str, sealed: &str) -> Result<Secret, Error> {
    let opened = vault.open_sealed(RECEIVER, id, sealed)?;
    Ok(Secret((*opened).try_into().map_err(|_| Error::Corrupt("secret"))?))
}

impl Store {
    /// What seals secrets before they are kept. What another part keeps sealed it names in [`COLUMNS`].
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Makes the vault's next key and seals every secret under it, all or none; then the old keys are destroyed.
    ///
    /// # Errors
    /// When a secret does not open, or the database or the keys cannot be written: the old keys are kept then.
    pub async fn rotate_vault(&self, actor: &Actor, now: UnixMicros) -> Result<Rotated, Error> {
        // First the key: who seals from now on does it under this one, and what was sealed before is caught below.
        let key = self.vault.advance()?;
        let entry = Entry {
            at: now,
            actor,
            what: "vault.rotate",
            subject: key.to_string(),
            detail: String::new(),
        };
        let mut work = self.begin(entry).await?;
        let mut secrets = 0;
        for it in COLUMNS {
            secrets += reseal(&mut work.tx, &self.vault, it).await?;
        }
        work.commit().await?;
        self.vault.forget_before(key)?;
        Ok(Rotated { key, secrets })
    }
}

async fn reseal(tx: &mut Transaction, vault: &Vault, it: &Column) -> Result<u64, Error> {
    let Column {
        table,
        id,
        column,
        purpose,
    } = it;
    // All of these are constants of this file.
    let select = format!("SELECT {id} AS id, {column} AS sealed FROM {table} WHERE {column} IS NOT NULL");
    let update = format!("UPDATE {table} SET {column} = $1 WHERE {id} = $2");
    let rows = sqlx::query(sqlx::AssertSqlSafe(select)).fetch_all(&mut **tx).await?;
    for row in &rows {
        let id = row.text("id")?;
        let opened = vault.open_sealed(purpose, &id, &row.text("sealed")?)?;
        sqlx::query(sqlx::AssertSqlSafe(update.clone()))
            .bind(vault.seal(purpose, &id, &opened)?)
            .bind(id)
            .execute(&mut **tx)
            .await?;
    }
    Ok(rows.len() as u64)
}
