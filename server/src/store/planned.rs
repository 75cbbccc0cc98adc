//! Broadcasts as they come to be kept. Here: the row with its target and whom that reaches now, and moving one that has not begun. Not
//! here: who asked (`broadcasts`, `turns`).

use std::collections::BTreeSet;

use loa_protocol::{AreaId, BroadcastId, ReceiverId, UnixMicros};
use serde_json::json;

use super::broadcasts::{Broadcast, Target, area_of};
use super::error::Refusal;
use super::pool::Transaction;
use super::row::{Columns as _, micros};
use super::{
    Actor, BroadcastState, BulletinId, BulletinState, Change, Entry, Error, More, OverrideId, ScheduleId, Store, User,
    ids, library, overrides,
};

/// A broadcast as it is to be kept.
pub(super) struct Planned {
    pub(super) id: BroadcastId,
    pub(super) bulletin: BulletinId,
    pub(super) state: BroadcastState,
    pub(super) reason: Option<&'static str>,
    pub(super) start: UnixMicros,
    pub(super) end: UnixMicros,
    pub(super) accepted: UnixMicros,
    /// Who asked for it.
    pub(super) by: String,
    pub(super) target: Target,
    /// The receivers that the target reaches now.
    pub(super) reached: BTreeSet<ReceiverId>,
    pub(super) schedule: Option<(ScheduleId, String)>,
    /// What lets it go past hours and minutes.
    pub(super) allowed_by: Option<OverrideId>,
}

impl Planned {
    /// What the record says of it.
    pub(super) fn shown(&self) -> serde_json::Value {
        let mut it = json!({
            "state": self.state.name(),
            "bulletin_id": self.bulletin.to_string(),
            "start": self.start.0,
            "end": self.end.0,
            "areas": self.target.areas.iter().map(AreaId::to_string).collect::<Vec<_>>(),
            "receivers": self.target.receivers.iter().map(ReceiverId::to_string).collect::<Vec<_>>(),
            "reached": self.reached.len(),
        });
        if let Some((schedule, occurrence)) = &self.schedule {
            it["schedule_id"] = json!(schedule.to_string());
            it["occurrence"] = json!(occurrence);
        }
        if let Some(id) = self.allowed_by {
            it["override_id"] = json!(id.to_string());
        }
        it
    }
}

impl Store {
    /// Moves a broadcast of a bulletin, no turn of a schedule, that has not begun: it is stopped, and another takes its place, which is
    /// given. Both are durable when this returns.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::State`] if it has begun, or its bulletin is not approved or has expired by then; when the database
    /// cannot.
    pub async fn move_broadcast(
        &self,
        actor: &Actor,
        now: UnixMicros,
        by: &User,
        id: BroadcastId,
        start: UnixMicros,
    ) -> Result<Broadcast, Error> {
        let known = self.broadcast_by_id(id).await?;
        if known.source.is_some() || known.schedule.is_some() {
            return Err(Error::Missing("broadcast"));
        }
        if self.bulletin(known.bulletin).await?.state != BulletinState::Approved {
            return Err(Error::State(Refusal::NotApproved));
        }
        if self
            .valid_until(known.bulletin, &known.target)
            .await?
            .is_some_and(|at| at <= start)
        {
            return Err(Error::State(Refusal::Expired));
        }
        let reached = self.reached(&known.target).await?;
        let mut work = self
            .begin(Entry {
                at: now,
                actor,
                what: "broadcast.move",
                subject: id.to_string(),
                detail: known.title.clone(),
            })
            .await?;
        let tx = &mut work.tx;
        let leave =
            sqlx::query("SELECT override_id FROM broadcasts WHERE id = $1 AND state = 'scheduled' AND starts > $2")
                .bind(id.to_string())
                .bind(micros(now))
                .fetch_optional(&mut **tx)
                .await?;
        let leave = leave.ok_or(Error::State(Refusal::Over))?;
        let leave = leave.maybe_id("override_id", OverrideId::parse)?;
        library::usable(tx, known.bulletin, start).await?;
        let allowed = overrides::holds(tx, leave, start, &known.target).await?;
        sqlx::query("UPDATE broadcasts SET state = $1, reason = 'changed' WHERE id = $2")
            .bind(BroadcastState::Stopped.name())
            .bind(id.to_string())
            .execute(&mut **tx)
            .await?;
        let row = Planned {
            id: BroadcastId(ids::fresh(now)),
            bulletin: known.bulletin,
            state: BroadcastState::Scheduled,
            reason: None,
            start,
            end: UnixMicros(start.0 + (known.end.0 - known.start.0)),
            accepted: now,
            by: by.id.to_string(),
            target: known.target,
            reached,
            schedule: None,
            allowed_by: leave.filter(|_| allowed),
        };
        insert(tx, &row).await?;
        let mut after = row.shown();
        after["id"] = json!(row.id.to_string());
        work.more = More {
            area: area_of(tx, id).await?,
            before: Some(json!({ "start": known.start.0 })),
            after: Some(after),
        };
        work.commit().await?;
        self.tell(Change::Broadcast(id));
        self.tell(Change::Broadcast(row.id));
        self.broadcast_by_id(row.id).await
    }
}

/// Keeps a broadcast, its target, and whom that reaches now.
pub(super) async fn insert(tx: &mut Transaction, it: &Planned) -> Result<(), Error> {
    let (schedule, occurrence) = it.schedule.clone().unzip();
    sqlx::query(
        "INSERT INTO broadcasts (id, bulletin_id, state, starts, ends, accepted, accepted_by, reason, schedule_id, occurrence, \
         override_id, overrides) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(it.id.to_string())
    .bind(it.bulletin.to_string())
    .bind(it.state.name())
    .bind(micros(it.start))
    .bind(micros(it.end))
    .bind(micros(it.accepted))
    .bind(it.by.clone())
    .bind(it.reason)
    .bind(schedule.map(|it| it.to_string()))
    .bind(occurrence)
    .bind(it.allowed_by.map(|it| it.to_string()))
    .bind(i64::from(it.allowed_by.is_some()))
    .execute(&mut **tx)
    .await?;
    for area in &it.target.areas {
        insert_target(tx, it.id, "area", area.to_string()).await?;
    }
    for receiver in &it.target.receivers {
        insert_target(tx, it.id, "receiver", receiver.to_string()).await?;
    }
    for receiver in &it.reached {
        insert_targeted(tx, it.id, *receiver).await?;
    }
    Ok(())
}

/// Marks `receiver` as one that the broadcast is addressed to.
pub(super) async fn insert_targeted(tx: &mut Transaction, id: BroadcastId, receiver: ReceiverId) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO receipts (broadcast_id, receiver_id, targeted) VALUES ($1, $2, 1) \
         ON CONFLICT (broadcast_id, receiver_id) DO UPDATE SET targeted = 1",
    )
    .bind(id.to_string())
    .bind(receiver.to_string())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn insert_target(tx: &mut Transaction, id: BroadcastId, kind: &'static str, target: String) -> Result<(), Error> {
    sqlx::query("INSERT INTO targets (broadcast_id, kind, target_id) VALUES ($1, $2, $3)")
        .bind(id.to_string())
        .bind(kind)
        .bind(target)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
