//! What will be, seen from above. Here: which broadcasts reach which receiver and how near the root their area lies, what each
//! receiver plays, and where a broadcast and others get into each other's way. Pure: schedules, broadcasts and receivers come
//! as arguments, and [`plan`] decides. Not here: where they come from (`store`), words for people (`http`).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use loa_protocol::precedence::Class;
use loa_protocol::{AreaId, BroadcastId, ReceiverId, UnixMicros};

use super::plan::{Candidate, Fate, Piece, plan};
use super::rules::Place;

/// Something that is to sound once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its identifier.
    pub broadcast: BroadcastId,
    /// Its class.
    pub class: Class,
    /// When it begins.
    pub start: UnixMicros,
    /// When it ends.
    pub end: UnixMicros,
    /// It goes past hours and minutes.
    pub overrides: bool,
    /// Areas that it is addressed to, with everything below them.
    pub areas: Vec<AreaId>,
    /// Receivers that it is addressed to.
    pub receivers: Vec<ReceiverId>,
}

/// A receiver, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Which.
    pub receiver: ReceiverId,
    /// The areas that it lies in, the root first.
    pub path: Vec<AreaId>,
}

/// Two get into each other's way, or one into that of the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// What does not sound, or not all of it.
    pub loses: BroadcastId,
    /// Why.
    pub fate: Fate,
    /// What decides it, where another goes before it.
    pub because: Option<Because>,
    /// From when on, where that is first so.
    pub from: UnixMicros,
    /// At how many receivers.
    pub receivers: usize,
}

/// What decides between two broadcasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Because {
    /// The higher class.
    Class,
    /// The area nearer the root.
    Area,
    /// The earlier start.
    Start,
    /// Neither: one of them has to.
    Id,
}

/// How deep in the tree the area lies that something was addressed to, seen from a receiver (0 is the root; one that is
/// addressed by itself lies below its own area); none: it does not reach it.
pub fn depth(areas: &[AreaId], receivers: &[ReceiverId], receiver: ReceiverId, path: &[AreaId]) -> Option<u8> {
    let by_area = path.iter().position(|area| areas.contains(area));
    let by_itself = receivers.contains(&receiver).then_some(path.len());
    by_area
        .or(by_itself)
        .map(|depth| u8::try_from(depth).unwrap_or(u8::MAX))
}

/// What `spot` plays from `from` on until `to`. `items` must hold all that begin on the civil day of `from`, or before it and
/// sound on.
pub fn of_receiver(spot: &Spot, place: &Place, items: &[Item], from: UnixMicros, to: UnixMicros) -> Vec<Piece> {
    let candidates: Vec<_> = items.iter().filter_map(|it| candidate(it, spot)).collect();
    plan(place, &candidates, from, to)
}

/// Where `mine` and `others` get into each other's way at `spots`, and `mine` into that of the rules; the most receivers first.
pub fn clashes<'a>(
    spots: &[Spot],
    place: impl Fn(&[AreaId]) -> &'a Place,
    mine: &[Item],
    others: &[Item],
) -> Vec<Clash> {
    let (Some(from), Some(end)) = (mine.iter().map(|it| it.start).min(), mine.iter().map(|it| it.end).max()) else {
        return Vec::new();
    };
    let own: BTreeSet<_> = mine.iter().map(|it| it.broadcast).collect();
    // Receivers that the same reaches by the same areas fare alike: there are few kinds of them.
    let mut alike: HashMap<_, usize> = HashMap::new();
    for spot in spots {
        let of = |items: &[Item]| -> Vec<_> { items.iter().filter_map(|it| candidate(it, spot)).collect() };
        let reached = of(mine);
        if !reached.is_empty() {
            *alike.entry((spot.path.as_slice(), reached, of(others))).or_default() += 1;
        }
    }
    let mut found: BTreeMap<(BroadcastId, Fate, Option<Because>), (UnixMicros, usize)> = BTreeMap::new();
    for ((path, mine, others), count) in &alike {
        let place = place(path);
        // Minutes that are spent are missed until the day ends.
        let to = place.day(end).1;
        let all: Vec<_> = mine.iter().chain(others).copied().collect();
        let with = plan(place, &all, from, to);
        let before = played(&plan(place, others, from, to));
        let mut lost: BTreeMap<(BroadcastId, Fate), UnixMicros> = BTreeMap::new();
        for piece in &with {
            let concerns = match piece.fate {
                Fate::Plays => false,
                Fate::GivesWay(to) => own.contains(&piece.broadcast) || own.contains(&to),
                Fate::Hours => own.contains(&piece.broadcast),
                // Minutes that mine spends are missed by who comes later.
                Fate::Minutes => {
                    own.contains(&piece.broadcast) || before.get(&piece.broadcast).is_some_and(|it| *it > 0)
                }
            };
            if concerns {
                lost.entry((piece.broadcast, piece.fate)).or_insert(piece.from);
            }
        }
        let now = played(&with);
        lost.retain(|(id, fate), _| {
            *fate != Fate::Minutes
                || own.contains(id)
                || now.get(id).copied().unwrap_or(0) < before.get(id).copied().unwrap_or(0)
        });
        for ((id, fate), at) in lost {
            let key = (id, fate, because(&all, id, fate));
            let seen = found.entry(key).or_insert((at, 0));
            *seen = (seen.0.min(at), seen.1 + count);
        }
    }
    let clash = |((loses, fate, because), (from, receivers))| Clash {
        loses,
        fate,
        because,
        from,
        receivers,
    };
    let mut clashes: Vec<_> = found.into_iter().map(clash).collect();
    clashes.sort_by_key(|it| (std::cmp::Reverse(it.receivers), it.from, it.loses));
    clashes
}

fn because(all: &[Candidate], loses: BroadcastId, fate: Fate) -> Option<Because> {
    let of = |id| all.iter().find(|it| it.broadcast == id);
    let Fate::GivesWay(to) = fate else { return None };
    let (loser, winner) = (of(loses)?, of(to)?);
    Some(match () {
        () if loser.class != winner.class => Because::Class,
        () if loser.depth != winner.depth => Because::Area,
        () if loser.start != winner.start => Because::Start,
        () => Because::Id,
    })
}

/// Of the minutes that rules allow on the day of `at`, those that `items` leave, where they are fewest; none if there is no limit.
pub fn minutes_left<'a>(
    spots: &[Spot],
    place: impl Fn(&[AreaId]) -> &'a Place,
    items: &[Item],
    at: UnixMicros,
) -> Option<u64> {
    let mut alike: BTreeMap<(&[AreaId], Vec<Candidate>), ()> = BTreeMap::new();
    for spot in spots {
        let reached = items.iter().filter_map(|it| candidate(it, spot)).collect();
        alike.insert((&spot.path, reached), ());
    }
    let left = |path: &[AreaId], candidates: &[Candidate]| {
        let place = place(path);
        let allowed = u64::from(place.limits(at).daily_minutes()?);
        let (from, to) = place.day(at);
        let pieces = plan(place, candidates, from, to);
        let counts = |piece: &&Piece| {
            piece.fate == Fate::Plays
                && candidates
                    .iter()
                    .any(|it| it.broadcast == piece.broadcast && it.class != Class::Emergency)
        };
        let used: u64 = pieces.iter().filter(counts).map(|it| it.to.0 - it.from.0).sum();
        Some(allowed.saturating_sub(used.div_ceil(60_000_000)))
    };
    alike
        .keys()
        .filter_map(|(path, candidates)| left(path, candidates))
        .min()
}

fn candidate(it: &Item, spot: &Spot) -> Option<Candidate> {
    Some(Candidate {
        broadcast: it.broadcast,
        class: it.class,
        depth: depth(&it.areas, &it.receivers, spot.receiver, &spot.path)?,
        start: it.start,
        end: it.end,
        overrides: it.overrides,
    })
}

/// Microseconds that each broadcast sounds.
fn played(plan: &[Piece]) -> BTreeMap<BroadcastId, u64> {
    let mut played = BTreeMap::new();
    for piece in plan.iter().filter(|it| it.fate == Fate::Plays) {
        *played.entry(piece.broadcast).or_default() += piece.to.0 - piece.from.0;
    }
    played
}

#[cfg(test)]
mod tests {
    use super::super::rules::{Clock, Hours, Rules};
    use super::*;

    const MINUTE: u64 = 60_000_000;
    /// Midnight in Hà Nội, a Monday: 2026-02-16.
    const MIDNIGHT: u64 = 1_771_174_800_000_000;

    fn item(n: u8, class: Class, at: u64, minutes: u64, areas: &[u8]) -> Item {
        Item {
            broadcast: BroadcastId([n; 16]),
            class,
            start: UnixMicros(MIDNIGHT + at * MINUTE),
            end: UnixMicros(MIDNIGHT + (at + minutes) * MINUTE),
            overrides: false,
            areas: areas.iter().map(|n| AreaId([*n; 16])).collect(),
            receivers: Vec::new(),
        }
    }

    fn spot(n: u8, path: &[u8]) -> Spot {
        Spot {
            receiver: ReceiverId([n; 16]),
            path: path.iter().map(|n| AreaId([*n; 16])).collect(),
        }
    }

    #[test]
    fn who_gives_way_to_whom_where_and_since_when() {
        let hours = Hours {
            days: vec![],
            from: Clock::at(5, 0).unwrap(),
            to: Clock::at(21, 0).unwrap(),
            volume: 100,
        };
        let rules = Rules {
            hours: Some(vec![hours]),
            daily_minutes: Some(60),
            seasons: vec![],
        };
        let place = Place {
            zone: chrono_tz::Asia::Ho_Chi_Minh,
            rules: vec![rules],
        };
        let spots = [spot(1, &[1, 2]), spot(2, &[1, 2]), spot(3, &[1, 3])];
        let of_commune = item(10, Class::Normal, 330, 30, &[2]);
        let of_province = item(11, Class::Normal, 345, 30, &[1]);
        let got = clashes(
            &spots,
            |_| &place,
            std::slice::from_ref(&of_commune),
            std::slice::from_ref(&of_province),
        );
        let wanted = Clash {
            loses: of_commune.broadcast,
            fate: Fate::GivesWay(of_province.broadcast),
            because: Some(Because::Area),
            from: of_province.start,
            receivers: 2,
        };
        assert_eq!(got, [wanted]);
        // At night, and on a day whose minutes are spent: by mine of others, too.
        let night = item(12, Class::Normal, 270, 15, &[3]);
        let got = clashes(&spots, |_| &place, std::slice::from_ref(&night), &[]);
        assert_eq!(
            got.iter().map(|it| (it.fate, it.receivers)).collect::<Vec<_>>(),
            [(Fate::Hours, 1)]
        );
        let long = item(13, Class::Normal, 400, 45, &[2]);
        let later = item(14, Class::Normal, 1000, 30, &[2]);
        let got = clashes(
            &spots,
            |_| &place,
            std::slice::from_ref(&long),
            std::slice::from_ref(&later),
        );
        let wanted = Clash {
            loses: later.broadcast,
            fate: Fate::Minutes,
            because: None,
            from: UnixMicros(MIDNIGHT + 1015 * MINUTE),
            receivers: 2,
        };
        assert_eq!(got, [wanted]);
        let left = |items: &[Item]| minutes_left(&spots, |_| &place, items, UnixMicros(MIDNIGHT));
        assert_eq!(
            (left(&[]), left(&[of_commune, of_province, night])),
            (Some(60), Some(15))
        );
    }
}
