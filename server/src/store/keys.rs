//! Signing keys, as they followed each other. Here: public keys and what each said of the next; the private ones are elsewhere
//! (`data::KeyPlace`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loa_protocol::succession::{FIRST, Trust};
use loa_protocol::{UnixMicros, VerifyingKey};
use serde_json::json;

use super::record::chain::{hex, unhex};
use super::row::{Columns as _, micros};
use super::{Actor, Change, Entry, Error, Store};
use crate::data::KnownKey;

impl Store {
    /// All signing keys, the first one first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn signing_keys(&self) -> Result<Vec<KnownKey>, Error> {
        let rows = sqlx::query("SELECT * FROM signing_keys ORDER BY number")
            .fetch_all(&self.pool)
            .await?;
        let key = |row: &sqlx::any::AnyRow| {
            let decoded = |step: String| STANDARD.decode(step).map_err(|_| Error::Corrupt("step"));
            let public = row.id("public", unhex)?;
            Ok(KnownKey {
                trust: Trust {
                    number: u32::try_from(row.number("number")?).map_err(|_| Error::Corrupt("number"))?,
                    key: VerifyingKey::from_bytes(&public).map_err(|_| Error::Corrupt("public"))?,
                },
                step: row.maybe_text("step")?.map(decoded).transpose()?,
            })
        };
        rows.iter().map(key).collect()
    }

    /// Writes down a signing key: the first, or the one after the last. Once that is done receivers are led to it.
    ///
    /// # Errors
    /// [`Error::Missing`] if it follows no key that is there or follows one that has a successor; when the database cannot.
    pub async fn add_signing_key(&self, actor: &Actor, now: UnixMicros, key: &KnownKey) -> Result<(), Error> {
        let number = key.trust.number;
        let public = hex(key.trust.key.as_bytes());
        let entry = Entry {
            at: now,
            actor,
            what: if number == FIRST { "key.first" } else { "key.rotate" },
            subject: format!("signing {number}"),
            detail: String::new(),
        };
        let mut work = self.begin(entry).await?;
        let last = sqlx::query("SELECT number, public FROM signing_keys ORDER BY number DESC LIMIT 1")
            .fetch_optional(&mut *work.tx)
            .await?;
        let before = last
            .as_ref()
            .map(|row| row.number("number"))
            .transpose()?
            .unwrap_or_default();
        if before + 1 != u64::from(number) || key.step.is_some() != (number > FIRST) {
            return Err(Error::Missing("signing key"));
        }
        work.more.before = match last {
            Some(row) => Some(json!({ "number": before, "public": row.text("public")? })),
            None => None,
        };
        work.more.after = Some(json!({ "number": number, "public": public }));
        sqlx::query("INSERT INTO signing_keys (number, public, step, created) VALUES ($1, $2, $3, $4)")
            .bind(i64::from(number))
            .bind(public)
            .bind(key.step.as_ref().map(|step| STANDARD.encode(step)))
            .bind(micros(now))
            .execute(&mut *work.tx)
            .await?;
        work.commit().await?;
        self.tell(Change::Elsewhere);
        Ok(())
    }
}
