//! Schedules' turns. Here: making the next occurrences broadcasts, each once and for good, however often the server is killed, and
//! foreseeing those after them. Not here: what people do to schedules (`schedules`), who makes it happen in time (`serve`).

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use loa_protocol::{AreaId, BroadcastId, UnixMicros};
use serde_json::json;

use super::approval::NOT_APPROVED;
use super::overrides::{self, Override};
use super::planned::{self, Planned};
use super::pool::Transaction;
use super::row::{Columns as _, integer, micros};
use super::schedule_rows::{civil, time};
use super::schedules::{Late, Schedule};
use super::{
    Actor, BroadcastState, BulletinId, BulletinState, Change, Entry, Error, More, Playlist, ScheduleId, Sounding,
    Store, playlists,
};
use crate::schedule::forecast::Item;
use crate::schedule::series::Turn;

/// Who was away for longer than this, in microseconds, is not told of each occurrence that was missed before.
const REMEMBERED: u64 = 31 * 86_400 * 1_000_000;
/// Occurrences that are made or missed at once.
const MOST: usize = 1000;

/// What became of a schedule's next occurrences.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Made {
    /// Broadcasts that are to be.
    pub accepted: Vec<BroadcastId>,
    /// When the one after them begins.
    pub next: Option<UnixMicros>,
}

/// Something that is to sound, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreseen {
    /// What.
    pub item: Item,
    /// What sounds.
    pub bulletin: BulletinId,
    /// The schedule that it comes of.
    pub schedule: Option<ScheduleId>,
    /// Which of its occurrences: when the rule has it.
    pub occurrence: Option<NaiveDateTime>,
    /// What it is called.
    pub title: String,
}

/// How long bulletins are.
#[derive(Debug, Clone, Default)]
pub struct Lengths {
    /// Samples, at 48 kHz, of those that sound instead of others.
    instead: BTreeMap<BulletinId, u64>,
    playlists: BTreeMap<BulletinId, Playlist>,
}

impl Lengths {
    /// Samples that sound, at 48 kHz, at a turn of a schedule whose own bulletin is `own`, which has that many.
    pub fn of(&self, own: (BulletinId, u64), turn: &Turn<BulletinId>) -> u64 {
        let source = turn.source.unwrap_or(own.0);
        match self.playlists.get(&source) {
            Some(it) => it.sounding(turn.start, turn.place).map_or(0, |it| it.samples),
            None => turn
                .source
                .and_then(|it| self.instead.get(&it))
                .copied()
                .unwrap_or(own.1),
        }
    }
}

impl Schedule {
    /// What it will make from `from` on until `to`.
    pub fn foreseen(
        &self,
        from: UnixMicros,
        to: UnixMicros,
        leave: Option<&Override>,
        lengths: &Lengths,
    ) -> Vec<Foreseen> {
        let turns = self.series.between(from, to).into_iter();
        let lasting = turns.map(|turn| (lengths.of((self.bulletin, self.samples), &turn), turn));
        lasting
            .filter(|(samples, _)| *samples > 0)
            .map(|(samples, turn)| Foreseen {
                item: Item {
                    broadcast: self.broadcast(&turn),
                    class: self.class,
                    start: turn.start,
                    end: UnixMicros(turn.start.0 + (samples * 1000).div_ceil(48)),
                    overrides: leave.is_some_and(|it| it.holds(turn.start)),
                    areas: self.target.areas.clone(),
                    receivers: self.target.receivers.clone(),
                },
                bulletin: turn.source.unwrap_or(self.bulletin),
                schedule: Some(self.id),
                occurrence: Some(turn.key),
                title: self.title.clone(),
            })
            .collect()
    }
}

impl Store {
    /// Makes broadcasts of the occurrences of `id` that begin before `until`, and says of those whose time has passed what became
    /// of them; all durable when this returns. What began while no server was there is dealt with as the schedule says: `begins` is
    /// when something can begin at the earliest.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn make_broadcasts(
        &self,
        now: UnixMicros,
        begins: UnixMicros,
        until: UnixMicros,
        id: ScheduleId,
    ) -> Result<Made, Error> {
        let schedule = match self.schedule(id).await {
            Ok(it) if !it.paused => it,
            Ok(_) | Err(Error::Missing(_)) => return Ok(Made::default()),
            Err(error) => return Err(error),
        };
        let from = UnixMicros(schedule.planned.0.max(now.0.saturating_sub(REMEMBERED)));
        let mut turns = schedule.series.between(from, until);
        turns.truncate(MOST);
        let next = |from| schedule.series.next(from).map(|it| it.start);
        let Some(last) = turns.last() else {
            return Ok(Made {
                accepted: Vec::new(),
                next: next(from),
            });
        };
        let planned = UnixMicros(last.start.0 + 1);
        let reached = self.reached(&schedule.target).await.unwrap_or_default();
        let mut valid_until = BTreeMap::new();
        for turn in &turns {
            let id = turn.source.unwrap_or(schedule.bulletin);
            valid_until.insert(id, self.valid_until(id, &schedule.target).await?);
        }
        let held = self.changes.hold().await;
        let mut tx = super::pool::begin(&self.pool, self.kind).await?;
        let current = sqlx::query("SELECT version FROM schedules WHERE id = $1 AND removed IS NULL AND planned = $2")
            .bind(id.to_string())
            .bind(micros(schedule.planned))
            .fetch_optional(&mut *tx)
            .await?;
        if current.map(|row| row.number("version")).transpose()? != Some(schedule.version) {
            // It was changed meanwhile, and will be looked at again.
            return Ok(Made {
                accepted: Vec::new(),
                next: Some(now),
            });
        }
        let by = sqlx::query("SELECT changed_by FROM schedules WHERE id = $1").bind(id.to_string());
        let by = by.fetch_one(&mut *tx).await?.text("changed_by")?;
        let mut made = Made::default();
        let mut told = Vec::new();
        for turn in &turns {
            let passed = turn.start < now;
            let begin = match schedule.late {
                Late::Play if passed => begins,
                _ => turn.start,
            };
            let source = turn.source.unwrap_or(schedule.bulletin);
            let sound = sound(&mut tx, source, begin, turn.place).await?;
            let length = (sound.samples * 1000).div_ceil(48);
            let over = turn.start.0 + length <= begins.0;
            let (start, missed) = match schedule.late {
                _ if !passed => (turn.start, false),
                Late::Play => (begins, turn.start.0.saturating_add(86_400_000_000) < now.0),
                Late::Join => (turn.start, over),
                Late::Skip => (turn.start, true),
            };
            let reason = match valid_until[&source] {
                _ if missed => Some("missed"),
                _ if sound.silent.is_some() => sound.silent,
                Some(at) if at <= start => Some("expired"),
                _ => None,
            };
            let overrides = overrides::holds(&mut tx, schedule.overrides, start, &schedule.target).await?;
            let broadcast = schedule.broadcast(&Turn { start, ..*turn });
            let row = Planned {
                id: broadcast,
                bulletin: sound.id,
                state: match reason {
                    None => BroadcastState::Scheduled,
                    Some(_) => BroadcastState::Failed,
                },
                reason,
                start,
                end: UnixMicros(start.0 + length),
                accepted: now,
                by: by.clone(),
                target: schedule.target.clone(),
                reached: reached.clone(),
                schedule: Some((id, civil(turn.key))),
                allowed_by: schedule.overrides.filter(|_| overrides),
            };
            planned::insert(&mut tx, &row).await?;
            let entry = Entry {
                at: now,
                actor: &Actor::server(),
                what: match reason {
                    None => "broadcast.planned",
                    Some(_) => "broadcast.failed",
                },
                subject: broadcast.to_string(),
                detail: reason.map_or_else(|| schedule.title.clone(), str::to_owned),
            };
            let more = More {
                area: schedule.area,
                before: None,
                after: Some(row.shown()),
            };
            super::record::add(&mut tx, &entry, &more).await?;
            told.push(broadcast);
            if reason.is_none() {
                made.accepted.push(broadcast);
            }
        }
        sqlx::query("UPDATE schedules SET planned = $1 WHERE id = $2")
            .bind(micros(planned))
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        super::changes::count(&mut tx).await?;
        tx.commit().await?;
        held.counted();
        told.into_iter().for_each(|it| self.tell(Change::Broadcast(it)));
        made.next = next(planned);
        Ok(made)
    }

    /// Deals with broadcasts that came of schedules and whose start passed while no server was there, as their schedules say; durable
    /// when this returns. `begins` is when those begin that are to be played whole.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn settle_late(&self, now: UnixMicros, begins: UnixMicros) -> Result<(), Error> {
        let mut tx = super::pool::begin(&self.pool, self.kind).await?;
        let rows = sqlx::query(
            "SELECT b.id AS id, b.starts AS starts, b.ends AS ends, s.late AS late, s.area_id AS area_id \
             FROM broadcasts b JOIN schedules s ON s.id = b.schedule_id WHERE b.state = 'scheduled' AND b.starts < $1",
        )
        .bind(micros(now))
        .fetch_all(&mut *tx)
        .await?;
        for row in rows {
            let (id, start, end) = (row.text("id")?, row.number("starts")?, row.number("ends")?);
            let (what, before, after) = match row.id("late", Late::named)? {
                Late::Join => continue,
                Late::Skip => {
                    sqlx::query("UPDATE broadcasts SET state = $1, reason = 'missed' WHERE id = $2")
                        .bind(BroadcastState::Failed.name())
                        .bind(id.clone())
                        .execute(&mut *tx)
                        .await?;
                    let state = |it: BroadcastState| json!({ "state": it.name() });
                    (
                        "broadcast.failed",
                        state(BroadcastState::Scheduled),
                        state(BroadcastState::Failed),
                    )
                }
                Late::Play => {
                    // Its packets are the same whenever it begins: a receiver that was told of it takes the later start.
                    sqlx::query("UPDATE broadcasts SET starts = $1, ends = $2 WHERE id = $3")
                        .bind(micros(begins))
                        .bind(integer(begins.0 + (end - start)))
                        .bind(id.clone())
                        .execute(&mut *tx)
                        .await?;
                    (
                        "broadcast.late",
                        json!({ "start": start }),
                        json!({ "start": begins.0 }),
                    )
                }
            };
            let entry = Entry {
                at: now,
                actor: &Actor::server(),
                what,
                subject: id,
                detail: "missed".to_owned(),
            };
            let more = More {
                area: row.maybe_id("area_id", AreaId::parse)?,
                before: Some(before),
                after: Some(after),
            };
            super::record::add(&mut tx, &entry, &more).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// What is to be from `from` on until `to`, and what was: broadcasts, and what schedules will make; `without` leaves one out.
    /// With each, the schedule that it comes of, and its title.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn foreseen(
        &self,
        from: UnixMicros,
        to: UnixMicros,
        without: Option<ScheduleId>,
    ) -> Result<Vec<Foreseen>, Error> {
        let mut all = Vec::new();
        for it in self.broadcasts_between(from, to).await? {
            let schedule = it.schedule.as_ref().map(|it| it.0);
            // What a schedule that is being changed has made and not begun goes with it.
            if schedule.is_some() && schedule == without && it.state == BroadcastState::Scheduled {
                continue;
            }
            all.push(Foreseen {
                item: Item {
                    broadcast: it.id,
                    class: it.class,
                    start: it.start,
                    end: it.end,
                    overrides: it.overrides,
                    areas: it.target.areas,
                    receivers: it.target.receivers,
                },
                bulletin: it.bulletin,
                schedule,
                occurrence: it.schedule.and_then(|it| time(&it.1)),
                title: it.title,
            });
        }
        all.extend(self.foreseen_repeats(from, to).await?);
        let lengths = self.lengths().await?;
        let overrides: BTreeMap<_, _> = self
            .overrides(UnixMicros(0))
            .await?
            .into_iter()
            .map(|it| (it.id, it))
            .collect();
        for it in self.schedules().await? {
            if !it.paused && Some(it.id) != without {
                let leave = it.overrides.and_then(|id| overrides.get(&id));
                all.extend(it.foreseen(UnixMicros(from.0.max(it.planned.0)), to, leave, &lengths));
            }
        }
        Ok(all)
    }

    /// How long bulletins are, as far as schedules do not tell it themselves.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn lengths(&self) -> Result<Lengths, Error> {
        let rows = sqlx::query(
            "SELECT DISTINCT u.id AS id, u.samples AS samples FROM bulletins u JOIN schedule_changes c ON c.bulletin_id = u.id",
        );
        let rows = rows.fetch_all(&self.pool).await?;
        let instead = rows
            .iter()
            .map(|row| Ok((row.id("id", BulletinId::parse)?, row.number("samples")?)));
        let playlists = self.playlists().await?.into_iter();
        Ok(Lengths {
            instead: instead.collect::<Result<_, Error>>()?,
            playlists: playlists.map(|it| (it.id, it)).collect(),
        })
    }
}

/// What of a bulletin or a playlist an occurrence needs.
struct Sound {
    id: BulletinId,
    samples: u64,
    /// Why it cannot sound.
    silent: Option<&'static str>,
}

/// What sounds of `id` at an occurrence that begins at `start`, and that so many come before.
async fn sound(tx: &mut Transaction, id: BulletinId, start: UnixMicros, place: u64) -> Result<Sound, Error> {
    if let Some(list) = playlists::one(tx, id).await? {
        let sounding = list.sounding(start, place);
        return Ok(Sound {
            id: sounding.as_ref().and_then(|it| it.made).unwrap_or(id),
            samples: sounding.as_ref().map_or(0, |it| it.samples),
            silent: match sounding {
                None => Some("expired"),
                Some(Sounding { made: None, .. }) => Some("not_composed"),
                Some(_) => None,
            },
        });
    }
    let row = sqlx::query("SELECT samples, state, expires FROM bulletins WHERE id = $1").bind(id.to_string());
    let row = row.fetch_one(&mut **tx).await?;
    let approved = row.id("state", BulletinState::named)? == BulletinState::Approved;
    Ok(Sound {
        id,
        samples: row.number("samples")?,
        silent: match row.maybe_number("expires")? {
            _ if !approved => Some(NOT_APPROVED),
            Some(expires) if expires <= start.0 => Some("expired"),
            _ => None,
        },
    })
}
