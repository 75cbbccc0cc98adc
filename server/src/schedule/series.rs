//! A schedule as it recurs. Here: a rule together with what was changed about single occurrences (RFC 5545 §3.8.4.4), and the turns
//! that follow. Not here: what sounds then and where (`store`).

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use loa_protocol::UnixMicros;

use super::recurrence::{Recurrence, instant};

/// A rule and what was changed about single occurrences; `S` names what sounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Series<S> {
    /// When it recurs.
    pub recurrence: Recurrence,
    /// By the civil time at which the rule has it.
    pub changed: BTreeMap<NaiveDateTime, Changed<S>>,
}

/// What is different once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed<S> {
    /// It begins at this civil time instead.
    pub start: Option<NaiveDateTime>,
    /// This sounds instead.
    pub source: Option<S>,
}

/// An occurrence, as it is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn<S> {
    /// When it begins.
    pub start: UnixMicros,
    /// Its name in the series: when the rule has it.
    pub key: NaiveDateTime,
    /// What sounds instead of the schedule's own.
    pub source: Option<S>,
    /// How many the rule has before it.
    pub place: u64,
}

impl<S: Copy + Ord> Series<S> {
    /// Turns that begin from `from` on and before `to`, in order.
    pub fn between(&self, from: UnixMicros, to: UnixMicros) -> Vec<Turn<S>> {
        let by_rule = self.recurrence.between(from, to).into_iter();
        let stay = by_rule.filter(|it| self.moved(it.key).is_none()).map(|it| Turn {
            start: it.start,
            key: it.key,
            source: self.changed.get(&it.key).and_then(|it| it.source),
            place: it.place,
        });
        let mut turns: Vec<_> = stay
            .chain(self.moves().filter(|it| (from..to).contains(&it.start)))
            .collect();
        turns.sort();
        turns
    }

    /// The first turn that begins from `from` on.
    pub fn next(&self, from: UnixMicros) -> Option<Turn<S>> {
        let mut at = from;
        // Each that is moved away costs one more look.
        let stays = std::iter::from_fn(|| {
            let it = self.recurrence.next(at)?;
            at = UnixMicros(it.start.0 + 1);
            Some(it)
        });
        let stays = stays
            .take(self.changed.len() + 1)
            .find(|it| self.moved(it.key).is_none());
        let stays = stays.map(|it| Turn {
            start: it.start,
            key: it.key,
            source: self.changed.get(&it.key).and_then(|it| it.source),
            place: it.place,
        });
        stays
            .into_iter()
            .chain(self.moves().filter(|it| it.start >= from))
            .min()
    }

    fn moved(&self, key: NaiveDateTime) -> Option<NaiveDateTime> {
        self.changed.get(&key).and_then(|it| it.start)
    }

    /// Turns that were moved and still occur.
    fn moves(&self) -> impl Iterator<Item = Turn<S>> {
        self.changed.iter().filter_map(|(key, it)| {
            let start = it.start?;
            Some(Turn {
                start: instant(self.recurrence.zone(), start),
                key: *key,
                source: it.source,
                place: self.recurrence.place(*key)?,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::recurrence::FORM;
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, FORM).unwrap()
    }

    #[test]
    fn one_occurrence_is_moved_and_another_sounds_differently() {
        let zone = chrono_tz::Asia::Ho_Chi_Minh;
        let recurrence = Recurrence::new(at("20260216T053000"), zone, Some("FREQ=DAILY;COUNT=4"), [], []).unwrap();
        let changed = BTreeMap::from([
            (
                at("20260217T053000"),
                Changed {
                    start: Some(at("20260219T170000")),
                    source: None,
                },
            ),
            (
                at("20260218T053000"),
                Changed {
                    start: None,
                    source: Some(7),
                },
            ),
            // Nothing that the rule has: nothing comes of it.
            (
                at("20260217T060000"),
                Changed {
                    start: Some(at("20260217T070000")),
                    source: None,
                },
            ),
        ]);
        let series = Series { recurrence, changed };
        let of = |text: &str| instant(zone, at(text));
        let turns = series.between(of("20260101T000000"), of("20270101T000000"));
        let got: Vec<_> = turns.iter().map(|it| (it.start, it.source, it.place)).collect();
        let wanted = [
            (of("20260216T053000"), None, 0),
            (of("20260218T053000"), Some(7), 2),
            (of("20260219T053000"), None, 3),
            (of("20260219T170000"), None, 1),
        ];
        assert_eq!(got, wanted);
        // One after the other gives the same as all at once.
        let mut from = of("20260101T000000");
        for turn in turns {
            assert_eq!(series.next(from), Some(turn));
            from = UnixMicros(turn.start.0 + 1);
        }
        assert_eq!(series.next(from), None);
    }
}
