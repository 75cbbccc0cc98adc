//! What goes past hours and minutes: asked for by one person with a reason, approved by another, until it expires. Here: rows and
//! what people do to them. Not here: what it is used for (`schedules`, `broadcasts`).

use loa_protocol::{AreaId, UnixMicros};
use serde_json::json;
use sqlx::any::AnyRow;

use super::broadcasts::Target;
use super::error::{Invalid, Refusal};
use super::ids::OverrideId;
use super::pool::Transaction;
use super::row::{Columns as _, micros, written};
use super::{Actor, Change, Entry, Error, More, Store, User, UserId, ids};

/// Longest reason, in characters.
const MAX_REASON: usize = 500;
/// It holds for at most this long, in microseconds.
const LONGEST: u64 = 31 * 86_400 * 1_000_000;

/// Leave to go past hours and minutes in an area and below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Its identifier.
    pub id: OverrideId,
    /// Where.
    pub area: AreaId,
    /// Why.
    pub reason: String,
    /// What begins before this may.
    pub expires: UnixMicros,
    /// When it was asked for.
    pub asked: UnixMicros,
    /// By whom.
    pub asked_by: UserId,
    /// When it was approved, and by whom.
    pub approved: Option<(UnixMicros, UserId)>,
    /// When it was withdrawn.
    pub withdrawn: Option<UnixMicros>,
}

impl Override {
    /// Whether what begins at `start` may go past hours and minutes.
    pub fn holds(&self, start: UnixMicros) -> bool {
        self.approved.is_some() && self.withdrawn.is_none() && start < self.expires
    }
}

impl Store {
    /// All that are asked for or approved and have not expired, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn overrides(&self, now: UnixMicros) -> Result<Vec<Override>, Error> {
        let rows = sqlx::query("SELECT * FROM overrides WHERE withdrawn IS NULL AND expires > $1 ORDER BY id DESC")
            .bind(micros(now))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot be read.
    pub async fn override_by_id(&self, id: OverrideId) -> Result<Override, Error> {
        let mut connection = self.pool.acquire().await?;
        one(&mut connection, id).await?.ok_or(Error::Missing("override"))
    }

    /// Asks for leave: nothing holds before another person approves it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a field that is wrong; when the database cannot.
    pub async fn ask_override(
        &self,
        actor: &Actor,
        now: UnixMicros,
        by: &User,
        (area, reason, expires): (AreaId, &str, UnixMicros),
    ) -> Result<Override, Error> {
        let reason = written("reason", reason, MAX_REASON)?;
        if expires <= now || expires.0 - now.0 > LONGEST {
            let form = Invalid::Form(
                "an instant within the next 31 days",
                "một thời điểm trong vòng 31 ngày tới",
            );
            return Err(Error::invalid("expires", form));
        }
        let id = OverrideId(ids::fresh(now));
        let mut work = self
            .begin(Entry {
                at: now,
                actor,
                what: "override.ask",
                subject: id.to_string(),
                detail: reason.clone(),
            })
            .await?;
        sqlx::query(
            "INSERT INTO overrides (id, area_id, reason, expires, asked, asked_by) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(id.to_string())
        .bind(area.to_string())
        .bind(reason.clone())
        .bind(micros(expires))
        .bind(micros(now))
        .bind(by.id.to_string())
        .execute(&mut *work.tx)
        .await?;
        work.more = More {
            area: Some(area),
            before: None,
            after: Some(json!({ "reason": reason, "expires": expires.0 })),
        };
        work.commit().await?;
        self.tell(Change::Schedules);
        self.override_by_id(id).await
    }

    /// Approves it: somebody else than who asked.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::State`] if it is the same person, or it is over; when the database cannot.
    pub async fn approve_override(
        &self,
        actor: &Actor,
        now: UnixMicros,
        by: &User,
        id: OverrideId,
    ) -> Result<Override, Error> {
        self.settle_override(actor, now, id, "override.approve", |it| match it {
            it if it.withdrawn.is_some() || it.expires <= now => Err(Error::State(Refusal::Over)),
            it if it.asked_by == by.id => Err(Error::State(Refusal::SamePerson)),
            it if it.approved.is_some() => Ok(()),
            it => {
                it.approved = Some((now, by.id));
                Ok(())
            }
        })
        .await
    }

    /// Withdraws it: what has not begun is not let past any more.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot.
    pub async fn withdraw_override(&self, actor: &Actor, now: UnixMicros, id: OverrideId) -> Result<Override, Error> {
        self.settle_override(actor, now, id, "override.withdraw", |it| {
            it.withdrawn = it.withdrawn.or(Some(now));
            Ok(())
        })
        .await
    }

    async fn settle_override(
        &self,
        actor: &Actor,
        now: UnixMicros,
        id: OverrideId,
        what: &'static str,
        change: impl FnOnce(&mut Override) -> Result<(), Error>,
    ) -> Result<Override, Error> {
        let (subject, detail) = (id.to_string(), String::new());
        let mut work = self
            .begin(Entry {
                at: now,
                actor,
                what,
                subject,
                detail,
            })
            .await?;
        let before = one(&mut work.tx, id).await?.ok_or(Error::Missing("override"))?;
        let mut after = before.clone();
        change(&mut after)?;
        if after == before {
            return Ok(after);
        }
        work.entry.detail.clone_from(&after.reason);
        let (approved, approved_by) = after.approved.unzip();
        sqlx::query("UPDATE overrides SET approved = $1, approved_by = $2, withdrawn = $3 WHERE id = $4")
            .bind(approved.map(micros))
            .bind(approved_by.map(|it| it.to_string()))
            .bind(after.withdrawn.map(micros))
            .bind(id.to_string())
            .execute(&mut *work.tx)
            .await?;
        let shown = |it: &Override| json!({ "approved": it.approved.is_some(), "withdrawn": it.withdrawn.is_some() });
        work.more = More {
            area: Some(after.area),
            before: Some(shown(&before)),
            after: Some(shown(&after)),
        };
        work.commit().await?;
        self.tell(Change::Schedules);
        Ok(after)
    }
}

pub(super) async fn one(connection: &mut sqlx::AnyConnection, id: OverrideId) -> Result<Option<Override>, Error> {
    let row = sqlx::query("SELECT * FROM overrides WHERE id = $1").bind(id.to_string());
    row.fetch_optional(connection).await?.as_ref().map(read).transpose()
}

/// Whether all of `target` lies in its area.
pub(super) async fn covers(tx: &mut Transaction, it: &Override, target: &Target) -> Result<bool, Error> {
    let mut areas = target.areas.clone();
    for receiver in &target.receivers {
        let row = sqlx::query("SELECT area_id FROM receivers WHERE id = $1").bind(receiver.to_string());
        areas.push(row.fetch_one(&mut **tx).await?.id("area_id", AreaId::parse)?);
    }
    for mut area in areas {
        while area != it.area {
            let row = sqlx::query("SELECT parent_id FROM areas WHERE id = $1").bind(area.to_string());
            match row.fetch_one(&mut **tx).await?.maybe_id("parent_id", AreaId::parse)? {
                Some(parent) => area = parent,
                None => return Ok(false),
            }
        }
    }
    Ok(true)
}

/// Whether `id` lets what begins at `start` go past the rules everywhere in `target`.
pub(super) async fn holds(
    tx: &mut Transaction,
    id: Option<OverrideId>,
    start: UnixMicros,
    target: &Target,
) -> Result<bool, Error> {
    let Some(id) = id else { return Ok(false) };
    match one(tx, id).await? {
        Some(it) if it.holds(start) => covers(tx, &it, target).await,
        _ => Ok(false),
    }
}

fn read(row: &AnyRow) -> Result<Override, Error> {
    let approved_by = row.maybe_id("approved_by", UserId::parse)?;
    Ok(Override {
        id: row.id("id", OverrideId::parse)?,
        area: row.id("area_id", AreaId::parse)?,
        reason: row.text("reason")?,
        expires: row.instant("expires")?,
        asked: row.instant("asked")?,
        asked_by: row.id("asked_by", UserId::parse)?,
        approved: row.maybe_number("approved")?.map(UnixMicros).zip(approved_by),
        withdrawn: row.maybe_number("withdrawn")?.map(UnixMicros),
    })
}
