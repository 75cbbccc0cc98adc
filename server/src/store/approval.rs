//! Whether bulletins may be broadcast. Here: asking for approval, giving it, refusing or withdrawing it with a reason, and what that does to
//! broadcasts that are to come: without approval they fail, as a schedule's turns do; with approval that comes in time they are planned
//! anew. What is on the air goes on. Not here: who may approve (`http`).

use loa_protocol::{BroadcastId, UnixMicros};
use serde_json::{Value, json};

use super::broadcasts::area_of;
use super::planned::{self, Planned};
use super::pool::Transaction;
use super::row::{Columns as _, micros, written};
use super::sources::HIDDEN;
use super::{
    Actor, BroadcastState, Bulletin, BulletinId, BulletinState, Change, Entry, Error, More, OverrideId, Refusal,
    ScheduleId, Store, User, Work, ids, overrides, record,
};
use crate::playout::LEAD;

/// Longest reason, in characters.
pub const MAX_REASON: usize = 500;

/// Why a broadcast fails whose bulletin is not approved.
pub(super) const NOT_APPROVED: &str = "not_approved";

impl Store {
    /// Asks for approval of a bulletin; one that is submitted or approved stays as it is.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::State`] if somebody else has changed it meanwhile; when the database cannot.
    pub async fn submit(&self, actor: &Actor, now: UnixMicros, by: &User, id: BulletinId) -> Result<Bulletin, Error> {
        let known = self.sounding(id).await?;
        if matches!(known.state, BulletinState::Submitted | BulletinState::Approved) {
            return Ok(known);
        }
        let mut work = self.begin(entry(now, actor, "bulletin.submit", &known)).await?;
        turn(&mut work, &known, BulletinState::Submitted, None).await?;
        sqlx::query("UPDATE bulletins SET submitted = $1, submitted_by = $2 WHERE id = $3")
            .bind(micros(now))
            .bind(by.id.to_string())
            .bind(id.to_string())
            .execute(&mut *work.tx)
            .await?;
        work.commit().await?;
        self.tell(Change::Bulletin(id));
        self.bulletin(id).await
    }

    /// Approves a bulletin; one that is approved stays as it is. What had failed for want of approval and is still to come is planned
    /// anew: it is given, so that the air is told.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::State`] if somebody else has changed it meanwhile; when the database cannot.
    pub async fn approve(
        &self,
        actor: &Actor,
        now: UnixMicros,
        by: &User,
        id: BulletinId,
    ) -> Result<(Bulletin, Vec<BroadcastId>), Error> {
        let known = self.sounding(id).await?;
        if known.state == BulletinState::Approved {
            return Ok((known, Vec::new()));
        }
        let failed = self.failed_for_want(now, id).await?;
        let mut work = self.begin(entry(now, actor, "bulletin.approve", &known)).await?;
        turn(&mut work, &known, BulletinState::Approved, None).await?;
        sqlx::query("UPDATE bulletins SET approved = $1, approved_by = $2 WHERE id = $3")
            .bind(micros(now))
            .bind(by.id.to_string())
            .bind(id.to_string())
            .execute(&mut *work.tx)
            .await?;
        let (mut planned, mut gone) = (Vec::new(), Vec::new());
        for (old, row, leave) in failed {
            if let Some(id) = plan_anew(&mut work.tx, now, old, row, leave).await? {
                planned.push(id);
                gone.push(old);
            }
        }
        work.commit().await?;
        self.tell(Change::Bulletin(id));
        let told = planned.iter().chain(&gone);
        told.for_each(|it| self.tell(Change::Broadcast(*it)));
        Ok((self.bulletin(id).await?, planned))
    }

    /// Refuses a bulletin, or withdraws its approval, and says why. What is scheduled of it fails: it is given, so that the air is told.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::Invalid`] for the reason; [`Error::State`] if somebody else has changed it meanwhile; when the
    /// database cannot.
    pub async fn refuse(
        &self,
        actor: &Actor,
        now: UnixMicros,
        by: &User,
        id: BulletinId,
        reason: &str,
    ) -> Result<(Bulletin, Vec<BroadcastId>), Error> {
        let reason = written("reason", reason, MAX_REASON)?;
        let known = self.sounding(id).await?;
        let mut work = self.begin(entry(now, actor, "bulletin.refuse", &known)).await?;
        turn(&mut work, &known, BulletinState::Refused, Some(&reason)).await?;
        sqlx::query("UPDATE bulletins SET refused = $1, refused_by = $2, refusal = $3 WHERE id = $4")
            .bind(micros(now))
            .bind(by.id.to_string())
            .bind(reason)
            .bind(id.to_string())
            .execute(&mut *work.tx)
            .await?;
        let withdrawn = withdraw(&mut work.tx, now, id).await?;
        work.commit().await?;
        self.tell(Change::Bulletin(id));
        withdrawn.iter().for_each(|it| self.tell(Change::Broadcast(*it)));
        Ok((self.bulletin(id).await?, withdrawn))
    }

    /// A bulletin that has sound of its own: what is said live, and what is relayed, asks nobody.
    async fn sounding(&self, id: BulletinId) -> Result<Bulletin, Error> {
        let it = self.bulletin(id).await?;
        match HIDDEN.contains(&format!("'{}'", it.format)) {
            true => Err(Error::Missing("bulletin")),
            false => Ok(it),
        }
    }

    /// What failed because the bulletin was not approved, and is still to come: as it would be planned now, and its leave to go past
    /// hours and minutes.
    async fn failed_for_want(
        &self,
        now: UnixMicros,
        id: BulletinId,
    ) -> Result<Vec<(BroadcastId, Planned, Option<OverrideId>)>, Error> {
        let rows = sqlx::query(
            "SELECT b.* FROM broadcasts b JOIN bulletins u ON u.id = b.bulletin_id WHERE b.bulletin_id = $1 \
             AND b.state = 'failed' AND b.reason = 'not_approved' AND b.starts > $2 \
             AND (u.expires IS NULL OR u.expires > b.starts) ORDER BY b.starts, b.id",
        )
        .bind(id.to_string())
        // What comes sooner than receivers can be told stays as it is.
        .bind(micros(UnixMicros(now.0 + LEAD.as_micros() as u64)))
        .fetch_all(&self.pool)
        .await?;
        let mut failed = Vec::new();
        for row in &rows {
            let old = row.id("id", BroadcastId::parse)?;
            let target = self.broadcast_by_id(old).await?.target;
            let it = Planned {
                id: BroadcastId(ids::fresh(now)),
                bulletin: id,
                state: BroadcastState::Scheduled,
                reason: None,
                start: row.instant("starts")?,
                end: row.instant("ends")?,
                accepted: now,
                by: row.text("accepted_by")?,
                reached: self.reached(&target).await.unwrap_or_default(),
                target,
                schedule: row
                    .maybe_id("schedule_id", ScheduleId::parse)?
                    .zip(row.maybe_text("occurrence")?),
                allowed_by: None,
            };
            failed.push((old, it, row.maybe_id("override_id", OverrideId::parse)?));
        }
        Ok(failed)
    }
}

fn entry<'a>(at: UnixMicros, actor: &'a Actor, what: &'static str, it: &Bulletin) -> Entry<'a> {
    Entry {
        at,
        actor,
        what,
        subject: it.id.to_string(),
        detail: it.title.clone(),
    }
}

/// Brings a bulletin into another state, if it is still as it is known.
async fn turn(work: &mut Work<'_>, known: &Bulletin, to: BulletinState, why: Option<&str>) -> Result<(), Error> {
    let done =
        sqlx::query("UPDATE bulletins SET state = $1 WHERE id = $2 AND state = $3 AND title = $4 AND deleted IS NULL")
            .bind(to.name())
            .bind(known.id.to_string())
            .bind(known.state.name())
            // Nobody approves what they have not seen.
            .bind(known.title.clone())
            .execute(&mut *work.tx)
            .await?;
    if done.rows_affected() == 0 {
        return Err(Error::State(Refusal::Changed));
    }
    let mut after = json!({ "state": to.name() });
    if let Some(why) = why {
        after["reason"] = json!(why);
    }
    work.more = More {
        area: known.area,
        before: Some(json!({ "state": known.state.name() })),
        after: Some(after),
    };
    Ok(())
}

/// Fails what is scheduled of a bulletin that is not approved any more, or of a playlist that it is in; gives it.
pub(super) async fn withdraw(tx: &mut Transaction, now: UnixMicros, id: BulletinId) -> Result<Vec<BroadcastId>, Error> {
    let rows = sqlx::query(
        "SELECT id FROM broadcasts WHERE (bulletin_id = $1 OR bulletin_id IN (SELECT t.bulletin_id FROM playlist_turns t \
         JOIN playlist_parts p ON p.playlist_id = t.playlist_id WHERE p.bulletin_id = $1)) AND state = 'scheduled' ORDER BY id",
    )
    .bind(id.to_string())
    .fetch_all(&mut **tx)
    .await?;
    let mut withdrawn = Vec::new();
    for row in &rows {
        let id = row.id("id", BroadcastId::parse)?;
        sqlx::query("UPDATE broadcasts SET state = $1, reason = $2 WHERE id = $3")
            .bind(BroadcastState::Failed.name())
            .bind(NOT_APPROVED)
            .bind(id.to_string())
            .execute(&mut **tx)
            .await?;
        let state = |it: BroadcastState| Some(json!({ "state": it.name() }));
        let of = Told {
            what: "broadcast.failed",
            detail: NOT_APPROVED.to_owned(),
            before: state(BroadcastState::Scheduled),
            after: state(BroadcastState::Failed),
        };
        tell_of(tx, now, id, of).await?;
        withdrawn.push(id);
    }
    Ok(withdrawn)
}

/// Plans anew what had failed, if it is still so; gives what takes its place.
async fn plan_anew(
    tx: &mut Transaction,
    now: UnixMicros,
    old: BroadcastId,
    mut row: Planned,
    leave: Option<OverrideId>,
) -> Result<Option<BroadcastId>, Error> {
    let done = sqlx::query(
        "UPDATE broadcasts SET state = 'stopped', reason = 'changed' WHERE id = $1 AND state = 'failed' AND reason = 'not_approved'",
    )
    .bind(old.to_string())
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(None);
    }
    let holds = overrides::holds(tx, leave, row.start, &row.target).await?;
    row.allowed_by = leave.filter(|_| holds);
    planned::insert(tx, &row).await?;
    let of = Told {
        what: "broadcast.planned",
        detail: String::new(),
        before: None,
        after: Some(row.shown()),
    };
    tell_of(tx, now, row.id, of).await?;
    Ok(Some(row.id))
}

/// What the record says of a broadcast.
struct Told {
    what: &'static str,
    detail: String,
    before: Option<Value>,
    after: Option<Value>,
}

async fn tell_of(tx: &mut Transaction, at: UnixMicros, id: BroadcastId, told: Told) -> Result<(), Error> {
    let entry = Entry {
        at,
        actor: &Actor::server(),
        what: told.what,
        subject: id.to_string(),
        detail: told.detail,
    };
    let more = More {
        area: area_of(tx, id).await?,
        before: told.before,
        after: told.after,
    };
    record::add(tx, &entry, &more).await
}
