//! Receivers as the air needs them: their secrets, old and next. Here: reading them, and the steps of a rotation, each durable
//! before anything follows from it. Not here: what people do to receivers (`receivers`).

use std::collections::HashMap;

use loa_protocol::agreement::PrivateKey;
use loa_protocol::key::Secret;
use loa_protocol::report::Serial;
use loa_protocol::{AreaId, ReceiverId, UnixMicros};
use serde_json::json;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::receivers::epoch;
use super::row::{Columns as _, integer};
use super::{Actor, Change, Entry, Error, More, Store, pool, record, sealed};
use crate::enrol::Serials;
use crate::playout::{ReceiverRow, Renewal};
use crate::schedule::rules::Place;

const COLUMNS: &str = "SELECT id, secret, area_id, volume, epoch, rotation, next_secret, key_number, authority, \
     telemetry_boot, telemetry_number, receipt_boot, receipt_number, rotation_boot, rotation_number FROM receivers";

impl Store {
    /// All that are not revoked. One whose secret does not open is left out: it alone is mute then, not all of them.
    pub(super) async fn roster(&self) -> Result<Vec<ReceiverRow>, Error> {
        let (paths, places) = (self.paths().await?, self.places().await?);
        let query = format!("{COLUMNS} WHERE revoked IS NULL");
        // All of it is constant.
        let rows = sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(&self.pool).await?;
        let row = |row: &AnyRow| self.roster_row(row, &paths, &places);
        rows.iter().filter_map(|it| row(it).transpose()).collect()
    }

    /// One of them.
    pub(super) async fn roster_one(&self, id: ReceiverId) -> Result<Option<ReceiverRow>, Error> {
        let (paths, places) = (self.paths().await?, self.places().await?);
        let query = format!("{COLUMNS} WHERE revoked IS NULL AND id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(query))
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        row.map_or(Ok(None), |row| self.roster_row(&row, &paths, &places))
    }

    /// Those that were revoked.
    pub(super) async fn revoked_receivers(&self) -> Result<Vec<ReceiverId>, Error> {
        let rows = sqlx::query("SELECT id FROM receivers WHERE revoked IS NOT NULL")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| row.id("id", ReceiverId::parse)).collect()
    }

    fn roster_row(
        &self,
        row: &AnyRow,
        paths: &HashMap<AreaId, Vec<AreaId>>,
        places: &HashMap<AreaId, Place>,
    ) -> Result<Option<ReceiverRow>, Error> {
        let id = row.text("id")?;
        let secrets = match self.secrets(row, &id) {
            Err(Error::Vault(error)) => {
                tracing::error!(%error, receiver = id, "the secret of a receiver does not open");
                return Ok(None);
            }
            other => other?,
        };
        let (secret, renewal) = secrets;
        let area = row.id("area_id", AreaId::parse)?;
        let serial = |kind: &str| -> Result<Serial, Error> {
            let part = |part: &str| -> Result<u64, Error> {
                Ok(row
                    .try_get::<i64, _>(format!("{kind}_{part}").as_str())?
                    .cast_unsigned())
            };
            Ok(Serial {
                boot: part("boot")?,
                number: part("number")?,
            })
        };
        Ok(Some(ReceiverRow {
            id: row.id("id", ReceiverId::parse)?,
            secret,
            epoch: epoch(row)?,
            renewal,
            last: Serials {
                telemetry: serial("telemetry")?,
                receipt: serial("receipt")?,
                rotation: serial("rotation")?,
            },
            areas: paths.get(&area).cloned().ok_or(Error::Corrupt("area_id"))?,
            volume: u8::try_from(row.number("volume")?).map_err(|_| Error::Corrupt("volume"))?,
            place: places.get(&area).cloned().ok_or(Error::Corrupt("area_id"))?,
            key_number: row.maybe_number("key_number")?.and_then(|it| u32::try_from(it).ok()),
        }))
    }

    fn secrets(&self, row: &AnyRow, id: &str) -> Result<(Secret, Option<Renewal>), Error> {
        let secret = sealed::secret(&self.vault, id, &row.text("secret")?)?;
        let open = |purpose, text: String| sealed::bytes(&self.vault, purpose, id, &text);
        let half = row.maybe_text("rotation")?.map(|text| open(sealed::ROTATION, text));
        let next = row.maybe_text("next_secret")?.map(|text| open(sealed::NEXT, text));
        let (half, next) = (half.transpose()?, next.transpose()?);
        let renewal = half.map(|half| Renewal {
            half: PrivateKey::new(half),
            next: next.map(Secret),
        });
        Ok((secret, renewal))
    }

    /// A receiver has made its next secret, which is `next`: from now on both hold. Nothing is changed if another secret was
    /// given to it meanwhile than that of `epoch`.
    pub(super) async fn next_secret_came(
        &self,
        id: ReceiverId,
        epoch: u32,
        next: &Secret,
        serial: Serial,
    ) -> Result<bool, Error> {
        let mut tx = pool::begin(&self.pool, self.kind).await?;
        let done = sqlx::query(
            "UPDATE receivers SET next_secret = $1, rotation_boot = $2, rotation_number = $3 \
             WHERE id = $4 AND epoch = $5 AND rotation IS NOT NULL AND revoked IS NULL",
        )
        .bind(self.vault.seal(sealed::NEXT, &id.to_string(), &next.0)?)
        .bind(integer(serial.boot))
        .bind(integer(serial.number))
        .bind(id.to_string())
        .bind(i64::from(epoch))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// A receiver has reported under its next secret: the one before, of `epoch`, is gone.
    pub(super) async fn next_secret_proven(&self, id: ReceiverId, epoch: u32, now: UnixMicros) -> Result<bool, Error> {
        let mut tx = pool::begin(&self.pool, self.kind).await?;
        let query = "SELECT next_secret, area_id FROM receivers WHERE id = $1 AND epoch = $2 AND revoked IS NULL";
        let row = sqlx::query(query)
            .bind(id.to_string())
            .bind(i64::from(epoch))
            .fetch_optional(&mut *tx)
            .await?;
        let Some(row) = row else { return Ok(false) };
        let Some(text) = row.maybe_text("next_secret")? else {
            return Ok(false);
        };
        // What is sealed is bound to its column.
        let next = sealed::bytes(&self.vault, sealed::NEXT, &id.to_string(), &text)?;
        sqlx::query(
            "UPDATE receivers SET secret = $1, epoch = epoch + 1, rotation = NULL, next_secret = NULL WHERE id = $2",
        )
        .bind(self.vault.seal(sealed::RECEIVER, &id.to_string(), &next)?)
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
        let entry = Entry {
            at: now,
            actor: &Actor::server(),
            what: "receiver.rotated",
            subject: id.to_string(),
            detail: String::new(),
        };
        let more = More {
            area: Some(row.id("area_id", AreaId::parse)?),
            before: Some(json!({ "epoch": epoch })),
            after: Some(json!({ "epoch": epoch + 1 })),
        };
        record::add(&mut tx, &entry, &more).await?;
        tx.commit().await?;
        self.tell(Change::Receiver(id));
        Ok(true)
    }
}
