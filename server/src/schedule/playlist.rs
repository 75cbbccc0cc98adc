//! What a playlist plays. Here: which of its parts are left at an instant, whose turn it is at an occurrence, and how long that is, to
//! the sample: a pure function of list, instant and occurrence, so that what is foreseen is what sounds. Not here: making one
//! sound of it (`media::compose`), rows (`store`).

use loa_protocol::UnixMicros;

/// Samples in a millisecond, at 48 kHz.
const PER_MS: u64 = 48;

/// Something that sounds in a playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<B> {
    /// Which bulletin.
    pub id: B,
    /// Samples of sound, at 48 kHz.
    pub samples: u64,
    /// From when on it is not broadcast any more.
    pub expires: Option<UnixMicros>,
    /// Its sound is there.
    pub there: bool,
    /// It may be broadcast.
    pub approved: bool,
}

/// Why a part does not sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// Its time is over.
    Expired,
    /// It was deleted.
    Deleted,
    /// It is not approved (any more).
    NotApproved,
}

/// A playlist: what sounds before, in turn, and after, and how these join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<B> {
    /// The jingle before.
    pub opening: Option<Part<B>>,
    /// What sounds, in order.
    pub parts: Vec<Part<B>>,
    /// The jingle after.
    pub closing: Option<Part<B>>,
    /// How they join.
    pub joins: Joins,
    /// How many parts sound each time, by turns; none: all of them.
    pub take: Option<usize>,
}

/// How parts join, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Joins {
    /// Silence between two of them, jingles too.
    pub gap: u32,
    /// In which each part comes up; jingles do not.
    pub fade_in: u32,
    /// In which each part goes down; jingles do not.
    pub fade_out: u32,
}

/// One sound in a row of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sound<B> {
    /// Which bulletin.
    pub id: B,
    /// Samples of sound, at 48 kHz.
    pub samples: u64,
    /// It comes up and goes down.
    pub fades: bool,
}

/// What sounds at one occurrence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<B> {
    /// What, in order.
    pub sounds: Vec<Sound<B>>,
    /// How they join.
    pub joins: Joins,
}

impl<B> Part<B> {
    /// Why it does not sound at `at`, if it does not.
    pub fn dropped(&self, at: UnixMicros) -> Option<Dropped> {
        match self.expires {
            _ if !self.there => Some(Dropped::Deleted),
            Some(expires) if expires <= at => Some(Dropped::Expired),
            _ if !self.approved => Some(Dropped::NotApproved),
            _ => None,
        }
    }
}

impl Joins {
    /// Samples of silence between two sounds, at 48 kHz.
    pub fn gap_samples(&self) -> u64 {
        u64::from(self.gap) * PER_MS
    }

    /// Samples in which a sound of so many comes up and goes down: never more than half of it each.
    pub fn fade_samples(&self, samples: u64) -> (u64, u64) {
        let fade = |ms: u32| (u64::from(ms) * PER_MS).min(samples / 2);
        (fade(self.fade_in), fade(self.fade_out))
    }
}

impl<B: Copy> List<B> {
    /// How many turns there are at `at`, until all parts have sounded: none if no part is left.
    pub fn turns(&self, at: UnixMicros) -> u64 {
        let left = self.left(at).count();
        left.div_ceil(self.share(left).max(1)) as u64
    }

    /// What sounds if it begins at `at` and so many occurrences came before it; none if no part is left. The last turn of a round is
    /// filled up from the front.
    pub fn row(&self, at: UnixMicros, place: u64) -> Option<Row<B>> {
        let left: Vec<_> = self.left(at).collect();
        let share = self.share(left.len());
        let turn = place.checked_rem(self.turns(at))? as usize;
        let sound = |part: &Part<B>, fades| Sound {
            id: part.id,
            samples: part.samples,
            fades,
        };
        let jingle = |it: &Option<Part<B>>| {
            let it = it.as_ref().filter(|it| it.dropped(at).is_none());
            it.map(|it| sound(it, false))
        };
        let mine = (turn * share..).take(share);
        let mut sounds: Vec<_> = jingle(&self.opening).into_iter().collect();
        sounds.extend(mine.map(|index| sound(left[index % left.len()], true)));
        sounds.extend(jingle(&self.closing));
        Some(Row {
            sounds,
            joins: self.joins,
        })
    }

    /// When parts drop out after `from` and until `to`, the first one first.
    pub fn expiries(&self, from: UnixMicros, to: UnixMicros) -> Vec<UnixMicros> {
        let all = self.all().filter_map(|it| it.expires);
        let mut within: Vec<_> = all.filter(|it| (from.0 + 1..=to.0).contains(&it.0)).collect();
        within.sort();
        within.dedup();
        within
    }

    /// All that is in it, jingles too.
    pub fn all(&self) -> impl Iterator<Item = &Part<B>> {
        self.opening.iter().chain(&self.parts).chain(&self.closing)
    }

    fn left(&self, at: UnixMicros) -> impl Iterator<Item = &Part<B>> {
        self.parts.iter().filter(move |it| it.dropped(at).is_none())
    }

    /// How many of `left` sound each time.
    fn share(&self, left: usize) -> usize {
        self.take.map_or(left, |take| take.clamp(1, left.max(1)))
    }
}

impl<B> Row<B> {
    /// Samples from its beginning to its end, at 48 kHz.
    pub fn samples(&self) -> u64 {
        let gaps = self.sounds.len().saturating_sub(1) as u64 * self.joins.gap_samples();
        self.sounds.iter().map(|it| it.samples).sum::<u64>() + gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(id: u32, expires: Option<u64>) -> Part<u32> {
        Part {
            id,
            samples: 1000 + u64::from(id),
            expires: expires.map(UnixMicros),
            there: true,
            approved: true,
        }
    }

    fn list(parts: Vec<Part<u32>>, take: Option<usize>) -> List<u32> {
        List {
            opening: Some(part(100, None)),
            parts,
            closing: Some(part(200, Some(50))),
            joins: Joins {
                gap: 10,
                fade_in: 20,
                fade_out: 2,
            },
            take,
        }
    }

    fn ids(list: &List<u32>, at: u64, place: u64) -> Vec<u32> {
        let row = list.row(UnixMicros(at), place);
        row.map_or(Vec::new(), |it| it.sounds.iter().map(|it| it.id).collect())
    }

    #[test]
    fn what_has_expired_was_deleted_or_is_not_approved_drops_out() {
        let mut it = list(
            vec![part(1, None), part(2, Some(30)), part(1, None), part(3, None)],
            None,
        );
        assert_eq!(ids(&it, 29, 0), [100, 1, 2, 1, 3, 200]);
        assert_eq!(ids(&it, 30, 7), [100, 1, 1, 3, 200]);
        assert_eq!(ids(&it, 50, 0), [100, 1, 1, 3]);
        assert_eq!(
            it.expiries(UnixMicros(0), UnixMicros(50)),
            [UnixMicros(30), UnixMicros(50)]
        );
        assert_eq!(it.expiries(UnixMicros(30), UnixMicros(49)), []);
        it.parts[0].there = false;
        it.parts[3].approved = false;
        let why: Vec<_> = it.parts.iter().map(|it| it.dropped(UnixMicros(30))).collect();
        assert_eq!(
            why,
            [
                Some(Dropped::Deleted),
                Some(Dropped::Expired),
                None,
                Some(Dropped::NotApproved)
            ]
        );
        assert_eq!(ids(&it, 30, 0), [100, 1, 200]);
        // Jingles alone are no programme.
        it.parts.truncate(2);
        assert_eq!((it.turns(UnixMicros(30)), it.row(UnixMicros(30), 0)), (0, None));
    }

    #[test]
    fn it_is_as_long_as_all_that_is_in_it_and_the_gaps() {
        let row = list(vec![part(1, None), part(2, None)], None)
            .row(UnixMicros(0), 0)
            .unwrap();
        assert_eq!(row.samples(), 1100 + 1001 + 1002 + 1200 + 3 * 480);
        assert_eq!(row.joins.fade_samples(100_000), (960, 96));
        assert_eq!(row.joins.fade_samples(1001), (500, 96));
        let fades: Vec<_> = row.sounds.iter().map(|it| it.fades).collect();
        assert_eq!(fades, [false, true, true, false]);
    }

    #[test]
    fn each_has_its_turn_before_any_has_it_again_but_to_fill_up() {
        let five: Vec<_> = (1..=5).map(|id| part(id, None)).collect();
        let it = list(five.clone(), Some(2));
        assert_eq!(it.turns(UnixMicros(0)), 3);
        let rounds: Vec<_> = (0..4).map(|place| ids(&it, 60, place)).collect();
        assert_eq!(rounds, [[100, 1, 2], [100, 3, 4], [100, 5, 1], [100, 1, 2]]);
        for take in 1..=6 {
            let it = list(five.clone(), Some(take));
            let round = (0..it.turns(UnixMicros(60))).flat_map(|place| ids(&it, 60, place)[1..].to_vec());
            let mut heard: Vec<_> = round.collect();
            assert!(heard.len() < 5 + take, "no more than has to be: {heard:?}");
            heard.sort();
            heard.dedup();
            assert_eq!(heard, [1, 2, 3, 4, 5], "{take} at a time");
        }
        // Far on, and all of them where more are asked for than there are.
        assert_eq!(ids(&it, 60, u64::MAX), ids(&it, 60, u64::MAX % 3));
        assert_eq!(ids(&list(five, Some(9)), 60, 4), [100, 1, 2, 3, 4, 5]);
    }
}
