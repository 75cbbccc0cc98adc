//! What plays where, and why not. Here: what one receiver plays over a time, as a pure function of the broadcasts that reach it and of
//! what its areas allow; each broadcast's account, piece by piece. It is the same rule that the receiver itself applies
//! (`loa_protocol::precedence`, and the signed policy that [`Place`] gives), so that a preview is what will happen. Not here:
//! which broadcasts there are.

use loa_protocol::precedence::{Class, Rank, goes_before};
use loa_protocol::{BroadcastId, UnixMicros};

use super::rules::Place;

/// Microseconds in a minute.
const MINUTE: u64 = 60_000_000;

/// A broadcast that reaches the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Candidate {
    /// Its identifier.
    pub broadcast: BroadcastId,
    /// Its class.
    pub class: Class,
    /// How deep in the tree the area lies that it was addressed to; 0 is the root.
    pub depth: u8,
    /// When it begins.
    pub start: UnixMicros,
    /// When it ends.
    pub end: UnixMicros,
    /// It goes past hours and minutes: two people said so.
    pub overrides: bool,
}

/// What becomes of a broadcast for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fate {
    /// It sounds.
    Plays,
    /// Another one goes before it.
    GivesWay(BroadcastId),
    /// It is not an allowed hour.
    Hours,
    /// The day's minutes are spent.
    Minutes,
}

/// A while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Which broadcast.
    pub broadcast: BroadcastId,
    /// From then on.
    pub from: UnixMicros,
    /// Until then.
    pub to: UnixMicros,
    /// What becomes of it.
    pub fate: Fate,
}

/// Why a receiver is silent, or what it plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is not: this sounds.
    Plays(BroadcastId),
    /// Nothing is to sound at that time; what is next, if something is.
    Nothing(Option<(BroadcastId, UnixMicros)>),
    /// This should sound, but it is not an allowed hour.
    Hours(BroadcastId),
    /// This should sound, but the day's minutes are spent.
    Minutes(BroadcastId),
}

impl Candidate {
    fn rank(&self) -> Rank {
        Rank {
            class: self.class,
            depth: self.depth,
            start: self.start,
            broadcast: self.broadcast,
        }
    }

    /// Hours and minutes hold for it.
    fn is_bound(&self) -> bool {
        self.class != Class::Emergency && !self.overrides
    }
}

/// A civil day at a place.
struct Day {
    ends: UnixMicros,
    /// When sound that is bound may be: from, to.
    open: Vec<(UnixMicros, UnixMicros)>,
    /// Microseconds of sound that are left.
    left: u64,
}

impl Day {
    fn of(place: &Place, at: UnixMicros) -> Self {
        let (begins, ends) = place.day(at);
        let mut open = Vec::new();
        let mut from = begins;
        while from < ends {
            let (volume, until) = place.hours(from);
            if volume.is_some() {
                open.push((from, until.min(ends)));
            }
            from = until;
        }
        let minutes = place.limits(at).daily_minutes();
        Self {
            ends,
            open,
            left: minutes.map_or(u64::MAX, |minutes| u64::from(minutes) * MINUTE),
        }
    }

    fn is_open(&self, at: UnixMicros) -> bool {
        self.open.iter().any(|(from, to)| (*from..*to).contains(&at))
    }

    fn edges(&self) -> impl Iterator<Item = UnixMicros> {
        let edges = self.open.iter().flat_map(|(from, to)| [*from, *to]);
        edges.chain([self.ends])
    }

    /// What becomes of `it` by hours and minutes alone.
    fn judge(&self, it: &Candidate, at: UnixMicros) -> Fate {
        match it.is_bound() {
            true if !self.is_open(at) => Fate::Hours,
            true if self.left == 0 => Fate::Minutes,
            _ => Fate::Plays,
        }
    }
}

/// What becomes at `place` of each of `candidates` (all that reach it) from `from` on until `to`, in the order of time; pieces of one
/// instant in the order of rank. All that begin on the civil day of `from` must be given: minutes are counted from midnight.
pub fn plan(place: &Place, candidates: &[Candidate], from: UnixMicros, to: UnixMicros) -> Vec<Piece> {
    let mut waiting: Vec<&Candidate> = candidates.iter().filter(|it| it.start < it.end).collect();
    waiting.sort_by_key(|it| std::cmp::Reverse((it.start, it.broadcast)));
    let mut pieces: Vec<Piece> = Vec::new();
    // Those that run, the first in rank first.
    let mut running: Vec<&Candidate> = Vec::new();
    let mut at = place.day(from).0;
    let mut day = Day::of(place, at);
    while at < to {
        running.retain(|it| it.end > at);
        while let Some(it) = waiting.pop_if(|it| it.start <= at) {
            if it.end > at {
                let behind = running.partition_point(|other| goes_before(&other.rank(), &it.rank()));
                running.insert(behind, it);
            }
        }
        let next = waiting.last().map_or(to, |it| it.start.min(to));
        if running.is_empty() {
            at = next.max(UnixMicros(at.0 + 1));
            if at >= day.ends && at < to {
                day = Day::of(place, at);
            }
            continue;
        }
        let judged: Vec<_> = running.iter().map(|it| (**it, day.judge(it, at))).collect();
        let winner = judged.iter().find(|(_, fate)| *fate == Fate::Plays).map(|(it, _)| *it);
        let ends = running.iter().map(|it| it.end);
        let edges = day.edges().filter(|edge| *edge > at);
        let mut until = ends.chain(edges).chain([next, to]).min().unwrap_or(to);
        let counts = winner.is_some_and(|it| it.class != Class::Emergency);
        if counts && day.left > 0 {
            until = until.min(UnixMicros(at.0.saturating_add(day.left)));
        }
        for (it, fate) in judged {
            let fate = match (fate, winner) {
                (Fate::Plays, Some(winner)) if winner.broadcast != it.broadcast => Fate::GivesWay(winner.broadcast),
                (fate, _) => fate,
            };
            add(&mut pieces, it.broadcast, at.max(from), until, fate);
        }
        if counts {
            day.left = match day.left {
                u64::MAX => u64::MAX,
                left => left.saturating_sub(until.0 - at.0),
            };
        }
        at = until;
        if at >= day.ends {
            day = Day::of(place, at);
        }
    }
    pieces.sort_by_key(|it| it.from);
    pieces
}

/// Why the receiver is silent at `at`, or what it plays; by a [`plan`] that covers `at` and some time after it.
pub fn why(plan: &[Piece], at: UnixMicros) -> Why {
    let now = plan.iter().filter(|it| (it.from..it.to).contains(&at));
    let mut reason = None;
    for it in now {
        match it.fate {
            Fate::Plays => return Why::Plays(it.broadcast),
            Fate::Hours => _ = reason.get_or_insert(Why::Hours(it.broadcast)),
            Fate::Minutes => _ = reason.get_or_insert(Why::Minutes(it.broadcast)),
            // Then another one plays.
            Fate::GivesWay(_) => {}
        }
    }
    let sounds = plan.iter().filter(|it| it.fate == Fate::Plays && it.from > at);
    let next = sounds.min_by_key(|it| it.from).map(|it| (it.broadcast, it.from));
    reason.unwrap_or(Why::Nothing(next))
}

/// Adds a piece, to the one before it if both are one.
fn add(pieces: &mut Vec<Piece>, broadcast: BroadcastId, from: UnixMicros, to: UnixMicros, fate: Fate) {
    if from >= to {
        return;
    }
    // Only pieces that end now can go on; there are few of them, and they lie near the end.
    let goes_on = |it: &&mut Piece| it.to == from && it.broadcast == broadcast && it.fate == fate;
    match pieces.iter_mut().rev().take(16).find(goes_on) {
        Some(piece) => piece.to = to,
        None => pieces.push(Piece {
            broadcast,
            from,
            to,
            fate,
        }),
    }
}
