//! Broadcasts: what people asked to be on the air, where, and what came of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use loa_protocol::precedence::Class;
use loa_protocol::{AreaId, BroadcastId, ReceiverId, UnixMicros};
use serde_json::json;
use sqlx::AnyPool;
use sqlx::any::AnyRow;

use super::error::{Invalid, Refusal};
use super::planned::{self, Planned};
use super::pool::Transaction;
use super::repeats::{NewRepeat, Repeat};
use super::row::{Columns as _, micros};
use super::{
    Actor, BulletinId, BulletinState, Change, Entry, Error, More, OverrideId, ScheduleId, Source, Store, User,
    bulletins, ids, library, overrides, playlists, repeats, sources,
};

/// How a broadcast fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BroadcastState {
    /// Its start is to come.
    Scheduled,
    /// It sounds.
    OnAir,
    /// It has sounded.
    Done,
    /// Somebody stopped it.
    Stopped,
    /// It did not sound.
    Failed,
}

impl Target {
    /// Adds what `row` says: `kind` and `target_id`.
    pub(super) fn put(&mut self, row: &AnyRow) -> Result<(), Error> {
        match row.text("kind")?.as_str() {
            "area" => self.areas.push(row.id("target_id", AreaId::parse)?),
            "receiver" => self.receivers.push(row.id("target_id", ReceiverId::parse)?),
            _ => return Err(Error::Corrupt("kind")),
        }
        Ok(())
    }
}

impl BroadcastState {
    const ALL: [Self; 5] = [Self::Scheduled, Self::OnAir, Self::Done, Self::Stopped, Self::Failed];

    /// Its name, in the database and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::OnAir => "on_air",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    /// Whether more is to come.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Scheduled | Self::OnAir)
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Where a broadcast is to sound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// Areas, with everything below them.
    pub areas: Vec<AreaId>,
    /// Receivers.
    pub receivers: Vec<ReceiverId>,
}

/// How many receivers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// It is addressed to.
    pub targeted: u64,
    /// Are connected and play it now.
    pub playing: u64,
    /// Have played all of it.
    pub played: u64,
}

/// A broadcast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broadcast {
    /// Its identifier.
    pub id: BroadcastId,
    /// What sounds.
    pub bulletin: BulletinId,
    /// The bulletin's title.
    pub title: String,
    /// The bulletin's class.
    pub class: Class,
    /// Whose the bulletin is; none: of who may do everything everywhere.
    pub owner: Option<AreaId>,
    /// Samples of sound, at 48 kHz.
    pub samples: u64,
    /// How it fares.
    pub state: BroadcastState,
    /// Why it failed.
    pub reason: Option<String>,
    /// When it begins to sound.
    pub start: UnixMicros,
    /// When it has sounded.
    pub end: UnixMicros,
    /// Where.
    pub target: Target,
    /// Where its sound comes from, if it is no file.
    pub source: Option<Source>,
    /// What is wrong with that now.
    pub trouble: Option<String>,
    /// How many receivers.
    pub counts: Counts,
    /// The schedule that it came of, and the occurrence: when that has it, in civil time.
    pub schedule: Option<(ScheduleId, String)>,
    /// It goes past hours and minutes.
    pub overrides: bool,
    /// How it is said again.
    pub repeat: Option<Repeat>,
}

/// A broadcast that somebody asks for.
#[derive(Debug, Clone)]
pub struct NewBroadcast {
    /// What is to sound.
    pub bulletin: BulletinId,
    /// Where.
    pub target: Target,
    /// When.
    pub start: UnixMicros,
    /// What lets it go past hours and minutes.
    pub overrides: Option<OverrideId>,
}

const SELECT: &str = "SELECT b.*, u.title AS title, u.class AS class, u.area_id AS owner, u.samples AS samples, \
    (SELECT COUNT(*) FROM receipts r WHERE r.broadcast_id = b.id AND r.targeted = 1) AS targeted, \
    (SELECT COUNT(*) FROM receipts r JOIN receivers e ON e.id = r.receiver_id \
      WHERE r.broadcast_id = b.id AND e.online = 1 AND e.playing = b.id) AS playing, \
    (SELECT COUNT(*) FROM receipts r WHERE r.broadcast_id = b.id AND r.outcome = 'played') AS played \
    , s.kind AS source, s.chime AS chime, s.url AS url, s.trouble AS trouble \
    FROM broadcasts b JOIN bulletins u ON u.id = b.bulletin_id LEFT JOIN sources s ON s.broadcast_id = b.id ";

impl Store {
    /// The last `most` broadcasts that are `seen`, the newest first, and all that are still open; those before `before` if
    /// given (then without the open ones).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn broadcasts(
        &self,
        before: Option<BroadcastId>,
        most: u32,
        seen: &(dyn Fn(&Broadcast) -> bool + Sync),
    ) -> Result<Vec<Broadcast>, Error> {
        let mut broadcasts = BTreeMap::new();
        let mut last = before.map_or_else(|| "g".to_owned(), |id| id.to_string());
        while broadcasts.len() < most as usize {
            let rows = sqlx::query(select("WHERE b.id < $1 ORDER BY b.id DESC LIMIT $2"))
                .bind(last.clone())
                .bind(i64::from(most))
                .fetch_all(&self.pool)
                .await?;
            let mut page = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
            self.fill_targets(&mut page).await?;
            if let Some(oldest) = page.last() {
                last = oldest.id.to_string();
            }
            let left = most as usize - broadcasts.len();
            broadcasts.extend(page.into_iter().filter(seen).take(left).map(|it| (it.id, it)));
            if rows.len() < most as usize {
                break;
            }
        }
        if before.is_none() {
            let mut open = self.still_open().await?;
            self.fill_targets(&mut open).await?;
            broadcasts.extend(open.into_iter().filter(seen).map(|it| (it.id, it)));
        }
        Ok(broadcasts.into_values().rev().collect())
    }

    /// Where each receiver lies.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn areas_of_receivers(&self) -> Result<HashMap<ReceiverId, AreaId>, Error> {
        let rows = sqlx::query("SELECT id, area_id FROM receivers")
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| Ok((row.id("id", ReceiverId::parse)?, row.id("area_id", AreaId::parse)?)))
            .collect()
    }

    /// One broadcast.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot be read.
    pub async fn broadcast_by_id(&self, id: BroadcastId) -> Result<Broadcast, Error> {
        let row = sqlx::query(select("WHERE b.id = $1"))
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        let mut found = [row.as_ref().map(read).transpose()?.ok_or(Error::Missing("broadcast"))?];
        self.fill_targets(&mut found).await?;
        let [found] = found;
        Ok(found)
    }

    /// Accepts a broadcast: it is durable, target and all, when this returns.
    ///
    /// # Errors
    /// [`Error::Missing`] for the bulletin, [`Error::State`] if it is not approved, [`Error::Invalid`] for the target;
    /// when the database cannot.
    pub async fn accept(
        &self,
        actor: &Actor,
        now: UnixMicros,
        by: &User,
        new: NewBroadcast,
    ) -> Result<Broadcast, Error> {
        self.accept_again(actor, now, by, new, None).await
    }

    /// As [`Store::accept`], and has it said again as `repeat` says.
    ///
    /// # Errors
    /// As there; [`Error::Invalid`] for `repeat`.
    pub async fn accept_again(
        &self,
        actor: &Actor,
        now: UnixMicros,
        by: &User,
        new: NewBroadcast,
        repeat: Option<NewRepeat>,
    ) -> Result<Broadcast, Error> {
        let bulletin = self.bulletin(new.bulletin).await?;
        if bulletin.state != BulletinState::Approved && !bulletin.is_composed() {
            return Err(Error::State(Refusal::NotApproved));
        }
        let target = Target {
            areas: distinct(new.target.areas),
            receivers: distinct(new.target.receivers),
        };
        let reached = self.reached(&target).await?;
        if self
            .valid_until(bulletin.id, &target)
            .await?
            .is_some_and(|at| at <= new.start)
        {
            return Err(Error::State(Refusal::Expired));
        }
        let id = BroadcastId(ids::fresh(now));
        let entry = Entry {
            at: now,
            actor,
            what: "broadcast.accept",
            subject: id.to_string(),
            detail: bulletin.title.clone(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        library::usable(tx, bulletin.id, new.start).await?;
        let (sound, samples) = match bulletin.is_composed() {
            true => composed(tx, now, bulletin.id, new.start).await?,
            false => (bulletin.id, bulletin.samples),
        };
        let end = UnixMicros(new.start.0 + (samples * 1000).div_ceil(48));
        let allowed = overrides::holds(tx, new.overrides, new.start, &target).await?;
        if new.overrides.is_some() && !allowed {
            return Err(Error::invalid("override_id", Invalid::Unknown));
        }
        let row = Planned {
            id,
            bulletin: sound,
            state: BroadcastState::Scheduled,
            reason: None,
            start: new.start,
            end,
            accepted: now,
            by: by.id.to_string(),
            target,
            reached,
            schedule: None,
            allowed_by: new.overrides,
        };
        planned::insert(tx, &row).await?;
        let mut shown = row.shown();
        if let Some(it) = &repeat {
            repeats::judge(it, bulletin.class, new.start, end.0 - new.start.0)?;
            repeats::put(tx, id, new.start, it).await?;
            shown["repeat"] = json!({ "every_minutes": it.every, "until": it.until.0 });
        }
        shown["class"] = json!(format!("{:?}", bulletin.class).to_lowercase());
        work.more = More {
            area: area_of(tx, id).await?,
            before: None,
            after: Some(shown),
        };
        work.commit().await?;
        self.tell(Change::Broadcast(id));
        if repeat.is_some() {
            self.tell(Change::Repeats);
        }
        self.broadcast_by_id(id).await
    }

    /// Stops a broadcast that is scheduled or on the air, and with it all that say it again, which are given, too; it stands so when this
    /// returns. One that is over while it is still to be said again stays as it is, and is said no more.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::State`] if it is over; when the database cannot.
    pub async fn stop(
        &self,
        actor: &Actor,
        now: UnixMicros,
        id: BroadcastId,
    ) -> Result<(Broadcast, Vec<BroadcastId>), Error> {
        let (subject, detail) = (id.to_string(), String::new());
        let mut work = self
            .begin(Entry {
                at: now,
                actor,
                what: "broadcast.stop",
                subject,
                detail,
            })
            .await?;
        let tx = &mut work.tx;
        let before = sqlx::query("SELECT state FROM broadcasts WHERE id = $1").bind(id.to_string());
        let before = before.fetch_optional(&mut **tx).await?;
        let before = before.ok_or(Error::Missing("broadcast"))?;
        let before = before.id("state", BroadcastState::named)?;
        let (ended, others) = repeats::end(tx, id).await?;
        if !before.is_open() && !ended && others.is_empty() {
            return Err(Error::State(Refusal::Over));
        }
        sqlx::query("UPDATE broadcasts SET state = $1 WHERE id = $2 AND state IN ('scheduled', 'on_air')")
            .bind(BroadcastState::Stopped.name())
            .bind(id.to_string())
            .execute(&mut **tx)
            .await?;
        let mut after = json!({ "state": if before.is_open() { BroadcastState::Stopped } else { before }.name() });
        if ended || !others.is_empty() {
            after["stopped"] = others.iter().map(ToString::to_string).collect();
        }
        work.more = More {
            area: area_of(tx, id).await?,
            before: Some(json!({ "state": before.name() })),
            after: Some(after),
        };
        work.commit().await?;
        let all = others.iter().chain([&id]);
        all.for_each(|it| self.tell(Change::Broadcast(*it)));
        let stopped = self.broadcast_by_id(id).await?;
        // What is over says whether it is said again.
        if let Some(it) = stopped.repeat {
            self.tell(Change::Broadcast(it.first));
        }
        Ok((stopped, others))
    }

    /// All that are scheduled or on the air, targets not filled in.
    pub(super) async fn still_open(&self) -> Result<Vec<Broadcast>, Error> {
        let rows = sqlx::query(select(
            "WHERE b.state IN ('scheduled', 'on_air') ORDER BY b.starts, b.id",
        ))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(read).collect()
    }

    /// All that sound between `from` and `to`, or were or are to, but for what failed or was stopped before it began.
    pub(super) async fn broadcasts_between(&self, from: UnixMicros, to: UnixMicros) -> Result<Vec<Broadcast>, Error> {
        let query = "WHERE b.ends > $1 AND b.starts < $2 AND b.state IN ('scheduled', 'on_air', 'done') ORDER BY b.starts, b.id";
        let rows = sqlx::query(select(query))
            .bind(micros(from))
            .bind(micros(to))
            .fetch_all(&self.pool)
            .await?;
        let mut found = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        self.fill_targets(&mut found).await?;
        Ok(found)
    }

    /// What was to reach `receiver` at `at`, whatever became of it, with what it reported.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn at_receiver(
        &self,
        receiver: ReceiverId,
        at: UnixMicros,
    ) -> Result<Vec<(Broadcast, Option<String>)>, Error> {
        let query = select(
            "JOIN receipts w ON w.broadcast_id = b.id WHERE w.receiver_id = $1 AND b.starts <= $2 AND b.ends > $2 ORDER BY b.id",
        );
        let rows = sqlx::query(query)
            .bind(receiver.to_string())
            .bind(micros(at))
            .fetch_all(&self.pool)
            .await?;
        let mut found = Vec::new();
        for row in &rows {
            let it = read(row)?;
            let outcome = sqlx::query("SELECT outcome FROM receipts WHERE broadcast_id = $1 AND receiver_id = $2")
                .bind(it.id.to_string())
                .bind(receiver.to_string())
                .fetch_one(&self.pool)
                .await?
                .maybe_text("outcome")?;
            found.push((it, outcome));
        }
        Ok(found)
    }

    /// All of a class that begin from `since` on, the last first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn broadcasts_since(&self, class: Class, since: UnixMicros) -> Result<Vec<Broadcast>, Error> {
        let rows = sqlx::query(select(
            "WHERE u.class = $1 AND b.starts >= $2 ORDER BY b.starts DESC, b.id",
        ))
        .bind(i64::from(class as u8))
        .bind(micros(since))
        .fetch_all(&self.pool)
        .await?;
        let mut found = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        self.fill_targets(&mut found).await?;
        Ok(found)
    }

    pub(super) async fn fill_targets(&self, broadcasts: &mut [Broadcast]) -> Result<(), Error> {
        for it in broadcasts {
            it.target = target_of(&self.pool, it.id).await?;
            sources::fill(&self.pool, it).await?;
            self.fill_repeat(it).await?;
        }
        Ok(())
    }

    /// The receivers that a target reaches now.
    pub(super) async fn reached(&self, target: &Target) -> Result<BTreeSet<ReceiverId>, Error> {
        if target.areas.is_empty() && target.receivers.is_empty() {
            return Err(Error::invalid("target", Invalid::Empty));
        }
        let paths = self.paths().await?;
        if target.areas.iter().any(|area| !paths.contains_key(area)) {
            return Err(Error::invalid("target.areas", Invalid::Unknown));
        }
        let known = self.areas_of_receivers().await?;
        let mut reached = BTreeSet::new();
        for (&id, area) in &known {
            let path = paths.get(area).map(Vec::as_slice).unwrap_or_default();
            if target.receivers.contains(&id) || path.iter().any(|area| target.areas.contains(area)) {
                reached.insert(id);
            }
        }
        match target.receivers.iter().all(|id| known.contains_key(id)) {
            true => Ok(reached),
            false => Err(Error::invalid("target.receivers", Invalid::Unknown)),
        }
    }
}

/// What sounds of a playlist that is broadcast by itself, and its samples: its first turn.
async fn composed(
    tx: &mut Transaction,
    now: UnixMicros,
    id: BulletinId,
    start: UnixMicros,
) -> Result<(BulletinId, u64), Error> {
    // What was composed is nothing that people name.
    let list = playlists::one(tx, id).await?.ok_or(Error::Missing("bulletin"))?;
    let sounding = list.sounding(start, 0).ok_or(Error::State(Refusal::Expired))?;
    match sounding.made {
        Some(made) => Ok((made, sounding.samples)),
        // A part will have dropped out by then, of which nothing can be said but that.
        None if list.is_made(now) => Err(Error::State(Refusal::Expired)),
        None => Err(Error::State(Refusal::Composing)),
    }
}

/// The area that a broadcast concerns: the one that it is addressed to, if it is one alone.
pub(super) async fn area_of(tx: &mut Transaction, id: BroadcastId) -> Result<Option<AreaId>, Error> {
    let rows = sqlx::query(
        "SELECT target_id AS area FROM targets WHERE broadcast_id = $1 AND kind = 'area' UNION \
         SELECT e.area_id AS area FROM targets t JOIN receivers e ON e.id = t.target_id \
         WHERE t.broadcast_id = $1 AND t.kind = 'receiver'",
    );
    let rows = rows.bind(id.to_string()).fetch_all(&mut **tx).await?;
    match &rows[..] {
        [row] => row.id("area", AreaId::parse).map(Some),
        _ => Ok(None),
    }
}

async fn target_of(pool: &AnyPool, id: BroadcastId) -> Result<Target, Error> {
    let rows = sqlx::query("SELECT kind, target_id FROM targets WHERE broadcast_id = $1 ORDER BY kind, target_id")
        .bind(id.to_string())
        .fetch_all(pool)
        .await?;
    let mut target = Target::default();
    rows.iter().try_for_each(|row| target.put(row))?;
    Ok(target)
}

fn select(condition: &'static str) -> sqlx::AssertSqlSafe<String> {
    // Both parts are constants of this file.
    sqlx::AssertSqlSafe([SELECT, condition].concat())
}

pub(super) fn distinct<T: Ord>(list: Vec<T>) -> Vec<T> {
    list.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

fn read(row: &AnyRow) -> Result<Broadcast, Error> {
    Ok(Broadcast {
        id: row.id("id", BroadcastId::parse)?,
        bulletin: row.id("bulletin_id", BulletinId::parse)?,
        title: row.text("title")?,
        class: bulletins::class(row)?,
        owner: row.maybe_id("owner", AreaId::parse)?,
        samples: row.number("samples")?,
        state: row.id("state", BroadcastState::named)?,
        reason: row.maybe_text("reason")?,
        start: row.instant("starts")?,
        end: row.instant("ends")?,
        target: Target::default(),
        source: sources::read(row)?,
        trouble: row.maybe_text("trouble")?,
        counts: Counts {
            targeted: row.number("targeted")?,
            playing: row.number("playing")?,
            played: row.number("played")?,
        },
        schedule: row
            .maybe_id("schedule_id", ScheduleId::parse)?
            .zip(row.maybe_text("occurrence")?),
        overrides: row.flag("overrides")?,
        repeat: None,
    })
}
