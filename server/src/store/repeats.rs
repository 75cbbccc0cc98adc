//! Emergencies that are said again every so many minutes. Here: what is asked for, making the next ones broadcasts in time, each once and
//! for good, and ending them all. Not here: the first one (`broadcasts`), who makes it happen in time (`serve`).

use loa_protocol::precedence::Class;
use loa_protocol::{BroadcastId, UnixMicros};
use serde_json::json;

use super::approval::NOT_APPROVED;
use super::broadcasts::{Broadcast, area_of};
use super::error::Invalid;
use super::planned::{self, Planned};
use super::pool::Transaction;
use super::row::{Columns as _, integer, micros};
use super::turns::{Foreseen, Made};
use super::{Actor, BroadcastState, BulletinState, Change, Entry, Error, More, Store, ids, record};
use crate::schedule::forecast::Item;

const MINUTE: u64 = 60_000_000;
/// What could not be made is tried again after this, in microseconds.
const AGAIN: u64 = 5_000_000;
/// The longest time from the first beginning on in which it is said again, in microseconds: a day. Who still needs it then says so anew.
pub const LONGEST: u64 = 24 * 60 * MINUTE;

/// How a broadcast is to be said again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewRepeat {
    /// Minutes from one beginning to the next.
    pub every: u32,
    /// From when on none begins.
    pub until: UnixMicros,
}

/// How a broadcast is said again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    /// The first of them.
    pub first: BroadcastId,
    /// Microseconds from one beginning to the next.
    pub every: u64,
    /// From when on none begins.
    pub until: UnixMicros,
    /// When the next one begins that is no broadcast yet; none: there are no more.
    pub next: Option<UnixMicros>,
}

impl Repeat {
    /// The identifier that the one beginning at `start` has: the same whoever works it out, so that what is foreseen is what comes.
    fn broadcast(&self, start: UnixMicros) -> BroadcastId {
        ids::derived(start, &format!("{} {}", self.first, start.0))
    }

    /// The beginnings from `next` on that lie before `to`.
    fn starts(&self, to: UnixMicros) -> impl Iterator<Item = UnixMicros> + use<> {
        let (every, end) = (self.every, to.0.min(self.until.0));
        let first = self.next.map(|it| it.0);
        std::iter::successors(first, move |it| Some(it + every))
            .take_while(move |it| *it < end)
            .map(UnixMicros)
    }
}

/// Judges what is wanted for a broadcast of `class` that begins at `start` and lasts `length` microseconds.
pub(super) fn judge(it: &NewRepeat, class: Class, start: UnixMicros, length: u64) -> Result<(), Error> {
    let wrong = |field, en, vi| Err(Error::invalid(field, Invalid::Form(en, vi)));
    let every = u64::from(it.every) * MINUTE;
    match () {
        () if class != Class::Emergency => wrong(
            "repeat",
            "for emergencies alone: what else recurs has a schedule",
            "chỉ dành cho bản tin khẩn cấp: bản tin khác phát lại theo lịch phát",
        ),
        () if every == 0 || every > LONGEST => wrong("repeat.every_minutes", "between 1 and 1440", "từ 1 đến 1440"),
        () if every <= length => wrong(
            "repeat.every_minutes",
            "longer than the bulletin",
            "dài hơn thời lượng bản tin",
        ),
        () if it.until <= start || it.until.0 - start.0 > LONGEST => wrong(
            "repeat.until",
            "after its start, by 24 hours at most",
            "sau lúc bắt đầu, nhiều nhất 24 giờ",
        ),
        () => Ok(()),
    }
}

/// Keeps that `id`, which begins at `start`, is said again.
pub(super) async fn put(tx: &mut Transaction, id: BroadcastId, start: UnixMicros, it: &NewRepeat) -> Result<(), Error> {
    let every = u64::from(it.every) * MINUTE;
    sqlx::query("INSERT INTO repeats (broadcast_id, every, valid_until, next) VALUES ($1, $2, $3, $4)")
        .bind(id.to_string())
        .bind(integer(every))
        .bind(micros(it.until))
        .bind(micros(UnixMicros(start.0 + every)))
        .execute(&mut **tx)
        .await?;
    mark(tx, id, id).await
}

async fn mark(tx: &mut Transaction, id: BroadcastId, first: BroadcastId) -> Result<(), Error> {
    sqlx::query("UPDATE broadcasts SET repeat_of = $1 WHERE id = $2")
        .bind(first.to_string())
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Ends the repetition that `id` is part of, if there are more to come: whether there were, and those that were to come and are stopped.
pub(super) async fn end(tx: &mut Transaction, id: BroadcastId) -> Result<(bool, Vec<BroadcastId>), Error> {
    let ended = sqlx::query(
        "UPDATE repeats SET next = NULL WHERE next IS NOT NULL AND broadcast_id = (SELECT repeat_of FROM broadcasts WHERE id = $1)",
    );
    let ended = ended.bind(id.to_string()).execute(&mut **tx).await?.rows_affected() > 0;
    let rows = sqlx::query(
        "SELECT id FROM broadcasts WHERE repeat_of = (SELECT repeat_of FROM broadcasts WHERE id = $1) AND id <> $1 \
         AND state IN ('scheduled', 'on_air') ORDER BY id",
    );
    let mut stopped = Vec::new();
    for row in rows.bind(id.to_string()).fetch_all(&mut **tx).await? {
        let other = row.id("id", BroadcastId::parse)?;
        sqlx::query("UPDATE broadcasts SET state = $1 WHERE id = $2")
            .bind(BroadcastState::Stopped.name())
            .bind(other.to_string())
            .execute(&mut **tx)
            .await?;
        stopped.push(other);
    }
    Ok((ended, stopped))
}

impl Store {
    /// Makes broadcasts of the repetitions that begin before `until`; durable when this returns. What should have begun while no server
    /// was there is said once, from `begins` on, as soon as receivers can be back.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn make_repeats(&self, now: UnixMicros, begins: UnixMicros, until: UnixMicros) -> Result<Made, Error> {
        let mut made = Made::default();
        for it in self.repeats().await? {
            let due = it.next.is_some_and(|next| next < until);
            let next = match due {
                true => self.repeat(now, begins, until, &it, &mut made.accepted).await,
                false => Ok(it.next),
            };
            // One that cannot be made holds up no other, and those that were made are told; it is tried again.
            let next = next.unwrap_or_else(|error| {
                tracing::error!(%error, broadcast = %it.first, "what is to be said again could not be made");
                Some(UnixMicros(until.0 + AGAIN))
            });
            made.next = [made.next, next].into_iter().flatten().min();
        }
        Ok(made)
    }

    /// Makes those of one; gives when there are more.
    async fn repeat(
        &self,
        now: UnixMicros,
        begins: UnixMicros,
        until: UnixMicros,
        it: &Repeat,
        accepted: &mut Vec<BroadcastId>,
    ) -> Result<Option<UnixMicros>, Error> {
        let first = self.broadcast_by_id(it.first).await?;
        let bulletin = self.bulletin(first.bulletin).await?;
        let reached = self.reached(&first.target).await.unwrap_or_default();
        let length = first.end.0 - first.start.0;
        let held = self.changes.hold().await;
        let mut tx = super::pool::begin(&self.pool, self.kind).await?;
        let by = sqlx::query(
            "SELECT b.accepted_by AS by_whom FROM repeats r JOIN broadcasts b ON b.id = r.broadcast_id WHERE b.id = $1 AND r.next = $2",
        );
        let by = by.bind(it.first.to_string()).bind(it.next.map(micros));
        let Some(by) = by.fetch_optional(&mut *tx).await? else {
            // It was ended meanwhile.
            return Ok(None);
        };
        let by = by.text("by_whom")?;
        let silent = match bulletin.expires {
            _ if bulletin.state != BulletinState::Approved => Some(NOT_APPROVED),
            Some(at) if at <= now => Some("expired"),
            _ => None,
        };
        let (mut told, mut next) = (Vec::new(), it.next);
        let starts: Vec<_> = it.starts(until).collect();
        for (n, at) in starts.iter().enumerate() {
            let passed = *at < now;
            // Of what was missed the last is said late, if it is still valid and not overtaken by the one after it.
            let last = starts.get(n + 1).is_none_or(|after| *after >= now);
            let late = passed && last && begins < it.until && begins.0 + length <= at.0 + it.every;
            let start = if late { begins } else { *at };
            let reason = silent.or((passed && !late).then_some("missed"));
            let row = Planned {
                id: it.broadcast(*at),
                bulletin: first.bulletin,
                state: match reason {
                    None => BroadcastState::Scheduled,
                    Some(_) => BroadcastState::Failed,
                },
                reason,
                start,
                end: UnixMicros(start.0 + length),
                accepted: now,
                by: by.clone(),
                target: first.target.clone(),
                reached: reached.clone(),
                schedule: None,
                allowed_by: None,
            };
            planned::insert(&mut tx, &row).await?;
            mark(&mut tx, row.id, it.first).await?;
            let entry = Entry {
                at: now,
                actor: &Actor::server(),
                what: match reason {
                    None => "broadcast.planned",
                    Some(_) => "broadcast.failed",
                },
                subject: row.id.to_string(),
                detail: reason.map_or_else(|| first.title.clone(), str::to_owned),
            };
            let mut after = row.shown();
            after["repeat_of"] = json!(it.first.to_string());
            let more = More {
                area: area_of(&mut tx, row.id).await?,
                before: None,
                after: Some(after),
            };
            record::add(&mut tx, &entry, &more).await?;
            if reason.is_none() {
                accepted.push(row.id);
            }
            told.push(row.id);
            next = Some(UnixMicros(at.0 + it.every)).filter(|next| *next < it.until && silent.is_none());
        }
        if starts.is_empty() {
            // Its validity has ended.
            next = None;
        }
        sqlx::query("UPDATE repeats SET next = $1 WHERE broadcast_id = $2")
            .bind(next.map(micros))
            .bind(it.first.to_string())
            .execute(&mut *tx)
            .await?;
        super::changes::count(&mut tx).await?;
        tx.commit().await?;
        held.counted();
        told.push(it.first);
        told.into_iter().for_each(|it| self.tell(Change::Broadcast(it)));
        Ok(next)
    }

    /// All of which more are to come.
    async fn repeats(&self) -> Result<Vec<Repeat>, Error> {
        let rows = sqlx::query("SELECT * FROM repeats WHERE next IS NOT NULL ORDER BY broadcast_id")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }

    /// Fills in how broadcasts are said again.
    pub(super) async fn fill_repeat(&self, it: &mut Broadcast) -> Result<(), Error> {
        let row =
            sqlx::query("SELECT r.* FROM repeats r JOIN broadcasts b ON b.repeat_of = r.broadcast_id WHERE b.id = $1");
        let row = row.bind(it.id.to_string()).fetch_optional(&self.pool).await?;
        it.repeat = row.as_ref().map(read).transpose()?;
        Ok(())
    }

    /// What is to be said again between `from` and `to` and is no broadcast yet.
    pub(super) async fn foreseen_repeats(&self, from: UnixMicros, to: UnixMicros) -> Result<Vec<Foreseen>, Error> {
        let mut all = Vec::new();
        for it in self.repeats().await? {
            let first = self.broadcast_by_id(it.first).await?;
            let length = first.end.0 - first.start.0;
            let starts = it.starts(to).filter(|start| start.0 + length > from.0);
            all.extend(starts.map(|start| Foreseen {
                item: Item {
                    broadcast: it.broadcast(start),
                    class: first.class,
                    start,
                    end: UnixMicros(start.0 + length),
                    overrides: false,
                    areas: first.target.areas.clone(),
                    receivers: first.target.receivers.clone(),
                },
                bulletin: first.bulletin,
                schedule: None,
                occurrence: None,
                title: first.title.clone(),
            }));
        }
        Ok(all)
    }
}

fn read(row: &sqlx::any::AnyRow) -> Result<Repeat, Error> {
    Ok(Repeat {
        first: row.id("broadcast_id", BroadcastId::parse)?,
        every: row.number("every")?,
        until: row.instant("valid_until")?,
        next: row.maybe_number("next")?.map(UnixMicros),
    })
}
