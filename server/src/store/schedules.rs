//! Schedules: what recurs. Here: rows, and what people do to them. Not here: the broadcasts that come of them (`turns`), when
//! something recurs and what gives way to what (`schedule`).

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use loa_protocol::precedence::Class;
use loa_protocol::{AreaId, BroadcastId, ReceiverId, UnixMicros};

use super::broadcasts::Target;
use super::error::{Invalid, Refusal};
use super::ids::OverrideId;
use super::overrides::{self, Override};
use super::pool::Transaction;
use super::row::{Columns as _, micros, written};
use super::schedule_rows::{Changes, SELECT, civil, list, one, read, read_change, shown};
use super::{Actor, BroadcastState, BulletinId, Change, Entry, Error, More, ScheduleId, Store, User, ids};
use crate::schedule::recurrence::{FORM, Recurrence};
use crate::schedule::series::{Series, Turn};

/// Longest title, in characters.
const MAX_TITLE: usize = 200;

/// What is done when the server was not there at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// What is left is played, where it would be.
    Join,
    /// It is left out.
    Skip,
    /// All of it is played, later.
    Play,
}

impl Late {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Join, Self::Skip, Self::Play];

    /// Its name, in the database and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Skip => "skip",
            Self::Play => "play",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// What somebody wants to recur.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSchedule {
    /// What it is called.
    pub title: String,
    /// What sounds.
    pub bulletin: BulletinId,
    /// Where.
    pub target: Target,
    /// When.
    pub recurrence: Recurrence,
    /// When the server was not there at the start.
    pub late: Late,
    /// Nothing comes of it for now.
    pub paused: bool,
    /// What lets it go past hours and minutes.
    pub overrides: Option<OverrideId>,
}

/// A schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its identifier.
    pub id: ScheduleId,
    /// Rises with every change.
    pub version: u64,
    /// The area that it concerns: none if several do.
    pub area: Option<AreaId>,
    /// What it is called.
    pub title: String,
    /// What sounds.
    pub bulletin: BulletinId,
    /// That one's title.
    pub bulletin_title: String,
    /// That one's class.
    pub class: Class,
    /// Samples of sound in it, at 48 kHz.
    pub samples: u64,
    /// It is approved.
    pub approved: bool,
    /// Where.
    pub target: Target,
    /// When, single changes included.
    pub series: Series<BulletinId>,
    /// When the server was not there at the start.
    pub late: Late,
    /// Nothing comes of it for now.
    pub paused: bool,
    /// What lets it go past hours and minutes.
    pub overrides: Option<OverrideId>,
    /// What begins before this is a broadcast already, or was missed.
    pub planned: UnixMicros,
}

/// What is changed about one occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Once {
    /// It does not occur.
    Cancel,
    /// It occurs as the rule says.
    Restore,
    /// It begins then instead, or this sounds instead, or both.
    Change(Option<NaiveDateTime>, Option<BulletinId>),
}

impl Schedule {
    /// The identifier that an occurrence's broadcast has: the same whoever works it out, so that what is foreseen is what comes.
    pub fn broadcast(&self, turn: &Turn<BulletinId>) -> BroadcastId {
        let name = format!("{} {} {}", self.id, self.version, turn.key.format(FORM));
        ids::derived(turn.start, &name)
    }
}

impl Store {
    /// All schedules, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn schedules(&self) -> Result<Vec<Schedule>, Error> {
        let mut connection = self.pool.acquire().await?;
        let query = [SELECT, "ORDER BY s.id"].concat();
        // Both are constants of this file.
        let rows = sqlx::query(sqlx::AssertSqlSafe(query))
            .fetch_all(&mut *connection)
            .await?;
        let mut targets: BTreeMap<String, Target> = BTreeMap::new();
        let of_all = sqlx::query("SELECT schedule_id, kind, target_id FROM schedule_targets ORDER BY kind, target_id");
        for row in of_all.fetch_all(&mut *connection).await? {
            targets.entry(row.text("schedule_id")?).or_default().put(&row)?;
        }
        let mut changes: BTreeMap<String, Changes> = BTreeMap::new();
        for row in sqlx::query("SELECT * FROM schedule_changes")
            .fetch_all(&mut *connection)
            .await?
        {
            let (key, changed) = read_change(&row)?;
            changes
                .entry(row.text("schedule_id")?)
                .or_default()
                .insert(key, changed);
        }
        rows.iter()
            .map(|row| {
                let id = row.text("id")?;
                let target = targets.remove(&id).unwrap_or_default();
                read(row, target, changes.remove(&id).unwrap_or_default())
            })
            .collect()
    }

    /// One schedule.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot be read.
    pub async fn schedule(&self, id: ScheduleId) -> Result<Schedule, Error> {
        let mut connection = self.pool.acquire().await?;
        one(&mut connection, id).await
    }

    /// Adds a schedule: its occurrences from `now` on are durable when this returns.
    ///
    /// # Errors
    /// [`Error::Missing`] for the bulletin, [`Error::Invalid`] for a field that is wrong; when the database cannot.
    pub async fn add_schedule(
        &self,
        actor: &Actor,
        now: UnixMicros,
        by: &User,
        new: NewSchedule,
    ) -> Result<Schedule, Error> {
        let added = self.add_schedules(actor, now, by, vec![(new, Vec::new())]).await?;
        added.into_iter().next().ok_or(Error::Missing("schedule"))
    }

    /// Adds several, each with occurrences that are moved: all of them are durable when this returns, or none is kept.
    ///
    /// # Errors
    /// As [`Store::add_schedule`].
    pub async fn add_schedules(
        &self,
        actor: &Actor,
        now: UnixMicros,
        by: &User,
        all: Vec<(NewSchedule, Vec<(NaiveDateTime, NaiveDateTime)>)>,
    ) -> Result<Vec<Schedule>, Error> {
        for (new, _) in &all {
            written("title", &new.title, MAX_TITLE)?;
            self.bulletin(new.bulletin).await?;
            self.reached(&new.target).await?;
        }
        let held = self.changes.hold().await;
        let mut tx = super::pool::begin(&self.pool, self.kind).await?;
        let mut added = Vec::new();
        for (new, moved) in all {
            added.push(self.insert_schedule(&mut tx, actor, now, by, (new, &moved)).await?);
        }
        super::changes::count(&mut tx).await?;
        tx.commit().await?;
        held.counted();
        added.iter().for_each(|it| self.tell(Change::Schedule(it.id)));
        Ok(added)
    }

    async fn insert_schedule(
        &self,
        tx: &mut Transaction,
        actor: &Actor,
        now: UnixMicros,
        by: &User,
        (new, moved): (NewSchedule, &[(NaiveDateTime, NaiveDateTime)]),
    ) -> Result<Schedule, Error> {
        let title = written("title", &new.title, MAX_TITLE)?;
        let id = ScheduleId(ids::fresh(now));
        self.check_override(tx, now, &new).await?;
        let area = concerns(tx, &new.target).await?;
        sqlx::query(
            "INSERT INTO schedules (id, version, area_id, title, bulletin_id, override_id, zone, starts, rule, except_at, also_at, \
             late, paused, planned, created, changed, changed_by) \
             VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $13, $14)",
        )
        .bind(id.to_string())
        .bind(area.map(|it| it.to_string()))
        .bind(title.clone())
        .bind(new.bulletin.to_string())
        .bind(new.overrides.map(|it| it.to_string()))
        .bind(new.recurrence.zone().name())
        .bind(civil(new.recurrence.start()))
        .bind(new.recurrence.rule().map(str::to_owned))
        .bind(list(new.recurrence.except()))
        .bind(list(new.recurrence.also()))
        .bind(new.late.name())
        .bind(i64::from(new.paused))
        .bind(micros(now))
        .bind(by.id.to_string())
        .execute(&mut **tx)
        .await?;
        put_targets(tx, id, &new.target).await?;
        for (key, start) in moved {
            put_change(tx, id, *key, (Some(*start), None)).await?;
        }
        let added = one(tx, id).await?;
        let entry = Entry {
            at: now,
            actor,
            what: "schedule.add",
            subject: id.to_string(),
            detail: title,
        };
        let more = More {
            area,
            before: None,
            after: Some(shown(&added)),
        };
        super::record::add(tx, &entry, &more).await?;
        Ok(added)
    }

    /// Changes the schedule `id`, which was seen in `version`. Broadcasts that came of it and have not begun are withdrawn: they
    /// are stopped when this returns, and given so that the air is told.
    ///
    /// # Errors
    /// As [`Store::add_schedule`]; [`Error::State`] if somebody else has changed it meanwhile.
    pub async fn change_schedule(
        &self,
        actor: &Actor,
        now: UnixMicros,
        by: &User,
        (id, version): (ScheduleId, u64),
        new: NewSchedule,
    ) -> Result<(Schedule, Vec<BroadcastId>), Error> {
        let title = written("title", &new.title, MAX_TITLE)?;
        self.bulletin(new.bulletin).await?;
        self.reached(&new.target).await?;
        let mut work = self
            .begin(Entry {
                at: now,
                actor,
                what: "schedule.change",
                subject: id.to_string(),
                detail: title.clone(),
            })
            .await?;
        let tx = &mut work.tx;
        self.check_override(tx, now, &new).await?;
        let before = seen_in(tx, id, version).await?;
        let area = concerns(tx, &new.target).await?;
        let withdrawn = raise(tx, now, by, id).await?;
        sqlx::query(
            "UPDATE schedules SET area_id = $1, title = $2, bulletin_id = $3, override_id = $4, zone = $5, starts = $6, rule = $7, \
             except_at = $8, also_at = $9, late = $10, paused = $11 WHERE id = $12",
        )
        .bind(area.map(|it| it.to_string()))
        .bind(title)
        .bind(new.bulletin.to_string())
        .bind(new.overrides.map(|it| it.to_string()))
        .bind(new.recurrence.zone().name())
        .bind(civil(new.recurrence.start()))
        .bind(new.recurrence.rule().map(str::to_owned))
        .bind(list(new.recurrence.except()))
        .bind(list(new.recurrence.also()))
        .bind(new.late.name())
        .bind(i64::from(new.paused))
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
        sqlx::query("DELETE FROM schedule_targets WHERE schedule_id = $1")
            .bind(id.to_string())
            .execute(&mut **tx)
            .await?;
        put_targets(tx, id, &new.target).await?;
        let after = one(tx, id).await?;
        work.more = More {
            area: area.or(before.area),
            before: Some(shown(&before)),
            after: Some(shown(&after)),
        };
        work.commit().await?;
        self.told(id, &withdrawn);
        Ok((after, withdrawn))
    }

    /// Changes one occurrence, the one that the rule has at `key`; broadcasts as in [`Store::change_schedule`].
    ///
    /// # Errors
    /// [`Error::Missing`] for the schedule and the bulletin, [`Error::Invalid`] if the rule has nothing at `key`, [`Error::State`]
    /// if somebody else has changed the schedule meanwhile; when the database cannot.
    pub async fn change_once(
        &self,
        actor: &Actor,
        now: UnixMicros,
        by: &User,
        (id, version): (ScheduleId, u64),
        (key, once): (NaiveDateTime, Once),
    ) -> Result<(Schedule, Vec<BroadcastId>), Error> {
        if let Once::Change(_, Some(bulletin)) = once {
            self.bulletin(bulletin).await?;
        }
        let mut work = self
            .begin(Entry {
                at: now,
                actor,
                what: "schedule.once",
                subject: id.to_string(),
                detail: civil(key),
            })
            .await?;
        let tx = &mut work.tx;
        let before = seen_in(tx, id, version).await?;
        let rule = &before.series.recurrence;
        let mut except: std::collections::BTreeSet<_> = rule.except().collect();
        let wrong = || Error::invalid("occurrence", Invalid::Unknown);
        if !except.contains(&key) && !rule.has(key) {
            return Err(wrong());
        }
        let withdrawn = raise(tx, now, by, id).await?;
        sqlx::query("DELETE FROM schedule_changes WHERE schedule_id = $1 AND occurrence = $2")
            .bind(id.to_string())
            .bind(civil(key))
            .execute(&mut **tx)
            .await?;
        match once {
            Once::Cancel => _ = except.insert(key),
            Once::Restore => _ = except.remove(&key),
            Once::Change(start, bulletin) => {
                except.remove(&key);
                put_change(tx, id, key, (start, bulletin)).await?;
            }
        }
        sqlx::query("UPDATE schedules SET except_at = $1 WHERE id = $2")
            .bind(list(except.into_iter()))
            .bind(id.to_string())
            .execute(&mut **tx)
            .await?;
        let after = one(tx, id).await?;
        work.more = More {
            area: before.area,
            before: Some(shown(&before)),
            after: Some(shown(&after)),
        };
        work.commit().await?;
        self.told(id, &withdrawn);
        Ok((after, withdrawn))
    }

    /// Removes a schedule; what came of it stays in the record. Broadcasts as in [`Store::change_schedule`].
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot.
    pub async fn remove_schedule(
        &self,
        actor: &Actor,
        now: UnixMicros,
        by: &User,
        id: ScheduleId,
    ) -> Result<Vec<BroadcastId>, Error> {
        let mut work = self
            .begin(Entry {
                at: now,
                actor,
                what: "schedule.remove",
                subject: id.to_string(),
                detail: String::new(),
            })
            .await?;
        let tx = &mut work.tx;
        let before = one(tx, id).await?;
        work.entry.detail.clone_from(&before.title);
        let withdrawn = raise(tx, now, by, id).await?;
        sqlx::query("UPDATE schedules SET removed = $1 WHERE id = $2")
            .bind(micros(now))
            .bind(id.to_string())
            .execute(&mut **tx)
            .await?;
        work.more = More {
            area: before.area,
            before: Some(shown(&before)),
            after: None,
        };
        work.commit().await?;
        self.told(id, &withdrawn);
        Ok(withdrawn)
    }
    fn told(&self, id: ScheduleId, withdrawn: &[BroadcastId]) {
        self.tell(Change::Schedule(id));
        withdrawn.iter().for_each(|it| self.tell(Change::Broadcast(*it)));
    }

    async fn check_override(&self, tx: &mut Transaction, now: UnixMicros, new: &NewSchedule) -> Result<(), Error> {
        let Some(id) = new.overrides else { return Ok(()) };
        match overrides::one(tx, id).await? {
            Some(it) if it.holds(now) && overrides::covers(tx, &it, &new.target).await? => Ok(()),
            Some(Override { approved: None, .. }) => Err(Error::State(Refusal::NotApproved)),
            _ => Err(Error::invalid("override_id", Invalid::Unknown)),
        }
    }
}

/// The schedule, if nobody has changed it since `version`.
async fn seen_in(tx: &mut Transaction, id: ScheduleId, version: u64) -> Result<Schedule, Error> {
    let it = one(tx, id).await?;
    match it.version == version {
        true => Ok(it),
        false => Err(Error::State(Refusal::Changed)),
    }
}

/// Makes room for a change: another version, planned anew from `now` on; what was to be and has not begun is stopped.
async fn raise(tx: &mut Transaction, now: UnixMicros, by: &User, id: ScheduleId) -> Result<Vec<BroadcastId>, Error> {
    sqlx::query(
        "UPDATE schedules SET version = version + 1, planned = $1, changed = $1, changed_by = $2 WHERE id = $3",
    )
    .bind(micros(now))
    .bind(by.id.to_string())
    .bind(id.to_string())
    .execute(&mut **tx)
    .await?;
    // What has failed for want of approval could come back: it is not to.
    let to_come = "SELECT id FROM broadcasts WHERE schedule_id = $1 AND starts > $2 \
        AND (state = 'scheduled' OR state = 'failed' AND reason = 'not_approved')";
    let rows = sqlx::query(to_come)
        .bind(id.to_string())
        .bind(micros(now))
        .fetch_all(&mut **tx)
        .await?;
    let mut withdrawn = Vec::new();
    for row in rows {
        let id = row.id("id", BroadcastId::parse)?;
        sqlx::query("UPDATE broadcasts SET state = $1, reason = 'changed' WHERE id = $2")
            .bind(BroadcastState::Stopped.name())
            .bind(id.to_string())
            .execute(&mut **tx)
            .await?;
        withdrawn.push(id);
    }
    Ok(withdrawn)
}

async fn put_change(
    tx: &mut Transaction,
    id: ScheduleId,
    key: NaiveDateTime,
    (start, bulletin): (Option<NaiveDateTime>, Option<BulletinId>),
) -> Result<(), Error> {
    sqlx::query("INSERT INTO schedule_changes (schedule_id, occurrence, starts, bulletin_id) VALUES ($1, $2, $3, $4)")
        .bind(id.to_string())
        .bind(civil(key))
        .bind(start.map(civil))
        .bind(bulletin.map(|it| it.to_string()))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn put_targets(tx: &mut Transaction, id: ScheduleId, target: &Target) -> Result<(), Error> {
    let areas = target.areas.iter().map(|it| ("area", it.to_string()));
    let receivers = target.receivers.iter().map(|it| ("receiver", it.to_string()));
    for (kind, it) in areas.chain(receivers) {
        sqlx::query(
            "INSERT INTO schedule_targets (schedule_id, kind, target_id) VALUES ($1, $2, $3) \
             ON CONFLICT (schedule_id, kind, target_id) DO NOTHING",
        )
        .bind(id.to_string())
        .bind(kind)
        .bind(it)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// The area that a target lies in, if it is one alone.
async fn concerns(tx: &mut Transaction, target: &Target) -> Result<Option<AreaId>, Error> {
    let mut areas: std::collections::BTreeSet<_> = target.areas.iter().copied().collect();
    for receiver in &target.receivers {
        areas.insert(area_of_receiver(tx, *receiver).await?);
    }
    Ok(match areas.len() {
        1 => areas.pop_first(),
        _ => None,
    })
}

async fn area_of_receiver(tx: &mut Transaction, id: ReceiverId) -> Result<AreaId, Error> {
    let row = sqlx::query("SELECT area_id FROM receivers WHERE id = $1").bind(id.to_string());
    row.fetch_one(&mut **tx).await?.id("area_id", AreaId::parse)
}
