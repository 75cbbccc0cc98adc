//! What will come of a schedule, for people. Here: the next times, how many receivers, what gets into whose way and why. Not here: who
//! gives way (`schedule`).

use std::collections::{BTreeMap, HashMap};

use axum::http::StatusCode;
use loa_protocol::{AreaId, UnixMicros};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::error::{Answer, Problem};
use super::shapes::written;
use super::view::View;
use crate::schedule::forecast::{self, Because, Item, Spot};
use crate::schedule::plan::Fate;
use crate::schedule::rules;
use crate::store::{self, BulletinId, Foreseen, ScheduleId};

/// It is looked this far ahead for what gets into whose way, in microseconds: five weeks.
const HORIZON: u64 = 35 * 86_400 * 1_000_000;
/// At so many occurrences at most.
const OCCURRENCES: usize = 100;
/// Start times that are told at most.
const NEXT: usize = 10;

/// What will come of a schedule.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Forecast {
    /// When it begins, the next ten times.
    next: Vec<String>,
    /// How often in the next five weeks (100 at most are looked at).
    occurrences: usize,
    /// Receivers that it reaches now.
    receivers: usize,
    /// Of those, who is not connected now.
    offline: usize,
    /// Minutes that the rules leave on the day of the next start, where they are fewest, without this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    minutes_left: Option<u64>,
    /// What does not sound, or not all of it; the most receivers first.
    clashes: Vec<Clash>,
}

/// Something that does not sound, or not all of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Clash {
    /// It is the schedule in question; else it is another one, which that gets into the way of.
    mine: bool,
    /// What does not sound.
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    schedule_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    broadcast_id: Option<String>,
    /// `gives_way`, `hours` (not an allowed hour) or `minutes` (the day's are spent).
    reason: String,
    /// What goes before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    to_title: Option<String>,
    /// Why that does: `class`, `area` (it is nearer the root), `start` (it is earlier) or `id` (one of them has to).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    because: Option<String>,
    #[schema(format = DateTime)]
    first_at: String,
    /// How often.
    times: usize,
    /// At how many receivers, where it is at the most.
    receivers: usize,
}

/// Everything that is to know where receivers are, and what holds there.
pub(super) struct Ground {
    pub(super) spots: Vec<Spot>,
    pub(super) places: HashMap<AreaId, rules::Place>,
    pub(super) offline: usize,
}

impl Ground {
    /// Of the receivers that `target` reaches.
    pub(super) async fn new(app: &App, view: &View, target: &store::Target) -> Answer<Self> {
        let places = app.store().places().await?;
        let all = app
            .store()
            .list_receivers()
            .await?
            .into_iter()
            .filter(|it| it.revoked.is_none());
        let mut offline = 0;
        let spots = all.filter_map(|it| {
            let path = view.path(Some(it.area)).to_vec();
            forecast::depth(&target.areas, &target.receivers, it.id, &path)?;
            offline += usize::from(!it.online);
            Some(Spot { receiver: it.id, path })
        });
        let spots = spots.collect();
        Ok(Self { spots, places, offline })
    }

    pub(super) fn place(&self, path: &[AreaId]) -> &rules::Place {
        static NOWHERE: std::sync::LazyLock<rules::Place> = std::sync::LazyLock::new(rules::Place::default);
        path.last().and_then(|it| self.places.get(it)).unwrap_or(&NOWHERE)
    }
}

/// What will come of `new`, in the place of a schedule or beside all.
pub(super) async fn foresee(
    app: &App,
    view: &View,
    new: &store::NewSchedule,
    instead_of: Option<ScheduleId>,
    now: UnixMicros,
) -> Answer<Forecast> {
    let bulletin = app.store().bulletin(new.bulletin).await?;
    let series = crate::schedule::series::Series::<BulletinId> {
        recurrence: new.recurrence.clone(),
        // What was said of single occurrences still holds.
        changed: match instead_of {
            Some(id) => app.store().schedule(id).await?.series.changed,
            None => BTreeMap::new(),
        },
    };
    let leave = match new.overrides {
        Some(id) => Some(app.store().override_by_id(id).await?),
        None => None,
    };
    let ground = Ground::new(app, view, &new.target).await?;
    let turns = series.between(now, UnixMicros(now.0 + HORIZON));
    let lengths = app.store().lengths().await?;
    let mut mine: Vec<Item> = turns
        .iter()
        .map(|turn| {
            // Nobody else has an identifier like that: its last bytes are those of nothing that was accepted.
            let mut id = [0xFF; 16];
            id[..8].copy_from_slice(&turn.start.0.to_be_bytes());
            Item {
                broadcast: loa_protocol::BroadcastId(id),
                class: bulletin.class,
                start: turn.start,
                end: UnixMicros(turn.start.0 + (lengths.of((bulletin.id, bulletin.samples), turn) * 1000).div_ceil(48)),
                overrides: leave.as_ref().is_some_and(|it| it.holds(turn.start)),
                areas: new.target.areas.clone(),
                receivers: new.target.receivers.clone(),
            }
        })
        .collect();
    mine.truncate(OCCURRENCES);
    if new.paused {
        mine.clear();
    }
    let (first, last) = (
        mine.first().map_or(now, |it| it.start),
        mine.last().map_or(now, |it| it.end),
    );
    const DAY: u64 = 86_400_000_000;
    let others = app
        .store()
        .foreseen(
            UnixMicros(first.0.saturating_sub(2 * DAY)),
            UnixMicros(last.0 + 2 * DAY),
            instead_of,
        )
        .await?;
    let items: Vec<Item> = others.iter().map(|it| it.item.clone()).collect();
    let found = forecast::clashes(&ground.spots, |path| ground.place(path), &mine, &items);
    let sources: HashMap<_, _> = others.iter().map(|it| (it.item.broadcast, it)).collect();
    let mut clashes = BTreeMap::new();
    for it in found {
        let loser: Option<&&Foreseen> = sources.get(&it.loses);
        let (reason, to) = match it.fate {
            Fate::GivesWay(to) => (
                "gives_way",
                Some(sources.get(&to).map_or(&new.title, |it| &it.title).clone()),
            ),
            Fate::Minutes => ("minutes", None),
            Fate::Hours | Fate::Plays => ("hours", None),
        };
        let because = it.because.map(|it| match it {
            Because::Class => "class",
            Because::Area => "area",
            Because::Start => "start",
            Because::Id => "id",
        });
        let title = loser.map_or(&new.title, |it| &it.title).clone();
        let schedule = loser.and_then(|it| it.schedule);
        let key = (loser.is_none(), schedule, title.clone(), reason, to.clone(), because);
        let clash = clashes.entry(key).or_insert_with(|| Clash {
            mine: loser.is_none(),
            title,
            schedule_id: schedule
                .or(instead_of.filter(|_| loser.is_none()))
                .map(|it| it.to_string()),
            broadcast_id: loser
                .filter(|_| schedule.is_none())
                .map(|it| it.item.broadcast.to_string()),
            reason: reason.into(),
            to_title: to,
            because: because.map(Into::into),
            first_at: written(it.from),
            times: 0,
            receivers: 0,
        });
        clash.times += 1;
        clash.receivers = clash.receivers.max(it.receivers);
        clash.first_at = clash.first_at.clone().min(written(it.from));
    }
    let mut clashes: Vec<_> = clashes.into_values().collect();
    clashes.sort_by_key(|it| (std::cmp::Reverse(it.receivers), it.first_at.clone()));
    let at = turns.first().map_or(now, |it| it.start);
    Ok(Forecast {
        next: turns.iter().take(NEXT).map(|it| written(it.start)).collect(),
        occurrences: turns.len(),
        receivers: ground.spots.len(),
        offline: ground.offline,
        minutes_left: forecast::minutes_left(&ground.spots, |path| ground.place(path), &items, at),
        clashes,
    })
}

impl Forecast {
    /// Lets pass what is in nobody's way.
    pub(super) fn clear(&self) -> Answer<()> {
        let Some(first) = self.clashes.first() else {
            return Ok(());
        };
        let (count, title) = (self.clashes.len(), &first.title);
        let vi = format!(
            "Lịch này vướng {count} chỗ, trước hết là “{title}”. Hãy xem lại, hoặc xác nhận là vẫn muốn như vậy."
        );
        let en =
            format!("This clashes in {count} ways, first of all “{title}”. Look at it again, or say that it is meant.");
        Err(Problem::new(StatusCode::CONFLICT, "clashes", vi, en))
    }
}
