//! What time it is. Here: the offset from local to wall time, from the four time stamps of hello and answer (RFC 5905 §8).
//! Not here: when to say hello ([`crate::path`]), and drift within the last exchanges: at 50 ppm over the 40 seconds that they
//! span it is 2 ms.

use heapless::Vec;
use loa_protocol::UnixMicros;
use loa_protocol::hello::Answer;

/// An instant or a span in local time, in microseconds. Signed: broadcasts may have begun before this receiver booted.
pub(crate) type Local = i64;

/// Exchanges that are remembered.
const KEPT: usize = 8;
/// No clock says more than this: arithmetic stays far from its ends.
const FAR: u64 = 1 << 60;
/// Two exchanges whose offsets differ by this much more than both round trips can explain: one of the clocks was set anew.
const STEP: i64 = 5_000;
/// How much shorter than nothing a round trip may seem, since two clocks measure it.
const SLACK: i64 = 1_000;

#[derive(Clone, Copy)]
struct Exchange {
    offset: i64,
    round_trip: i64,
}

/// A clock that was put back by more than this, in microseconds, begins anew with `t1` too: a server takes none that lies further
/// in its future, and forgets the last one if that does.
const PUT_BACK: u64 = 60_000_000;

/// How local time becomes wall time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offset {
    /// Wall time less local time, in microseconds.
    pub(crate) micros: i64,
    /// By how much that may be wrong, in microseconds.
    pub(crate) error: i64,
}

/// The receiver's clock.
#[derive(Default)]
pub(crate) struct Clock {
    exchanges: Vec<Exchange, KEPT>,
    /// When it was first set: in local time, and in wall time as it was thought to be then.
    first_set: Option<(Local, UnixMicros)>,
    last_t1: u64,
}

impl Clock {
    /// By the exchange with the least round trip; `None` before the first.
    pub(crate) fn offset(&self) -> Option<Offset> {
        self.best().map(|exchange| Offset {
            micros: exchange.offset,
            error: exchange.round_trip / 2,
        })
    }

    pub(crate) fn wall(&self, now: Local) -> Option<UnixMicros> {
        self.offset()
            .map(|offset| UnixMicros(u64::try_from(now.saturating_add(offset.micros)).unwrap_or(0)))
    }

    /// Wall time at which it was first set, as it was thought to be then: names this boot.
    pub(crate) fn boot(&self) -> Option<UnixMicros> {
        self.first_set.map(|(_, wall)| wall)
    }

    /// Wall time at which it was first set, as it is known now.
    pub(crate) fn first_set(&self) -> Option<UnixMicros> {
        self.first_set.and_then(|(local, _)| self.wall(local))
    }

    /// Least round trip of the last exchanges; half of it is how far the clock may be off.
    pub(crate) fn round_trip(&self) -> u32 {
        self.best()
            .map_or(0, |exchange| u32::try_from(exchange.round_trip).unwrap_or(u32::MAX))
    }

    /// `t1` of a hello said now: rises strictly, even while the clock is corrected backwards (by up to a minute). Before it is set,
    /// what `random` gives: an answer that was recorded once fits no hello of today.
    pub(crate) fn t1(&mut self, now: Local, random: impl FnOnce() -> u64) -> UnixMicros {
        match self.wall(now) {
            Some(wall) => {
                let rising = wall.0.max(self.last_t1.saturating_add(1));
                self.last_t1 = if rising - wall.0 > PUT_BACK { wall.0 } else { rising };
                UnixMicros(self.last_t1)
            }
            None => UnixMicros(random()),
        }
    }

    /// Learns from the answer to a hello that was sent at `sent` and answered at `came`; `false` if it cannot be true.
    pub(crate) fn learn(&mut self, sent: Local, answer: &Answer, came: Local) -> bool {
        let (t2, t3) = (answer.t2.0, answer.t3.0);
        if t2 > t3 || t3 > FAR {
            return false;
        }
        let round_trip = (came - sent) - (t3 - t2).cast_signed();
        if round_trip < -SLACK {
            return false;
        }
        let exchange = Exchange {
            offset: (t2.cast_signed() - sent + t3.cast_signed() - came) / 2,
            round_trip: round_trip.max(0),
        };
        if let Some(best) = self.best() {
            let explained = (exchange.round_trip + best.round_trip) / 2 + STEP;
            if (exchange.offset - best.offset).abs() > explained {
                self.exchanges.clear();
            }
        }
        if self.exchanges.is_full() {
            self.exchanges.remove(0);
        }
        let _ = self.exchanges.push(exchange);
        if self.first_set.is_none() {
            self.first_set = self.wall(came).map(|wall| (came, wall));
        }
        true
    }

    fn best(&self) -> Option<&Exchange> {
        self.exchanges.iter().min_by_key(|exchange| exchange.round_trip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFSET: u64 = 1_800_000_000_000_000;

    fn answer(t2: u64, t3: u64) -> Answer {
        Answer {
            t1: UnixMicros(0),
            t2: UnixMicros(OFFSET + t2),
            t3: UnixMicros(OFFSET + t3),
        }
    }

    #[test]
    fn the_shortest_exchange_sets_the_clock() {
        let mut clock = Clock::default();
        assert_eq!((clock.wall(5), clock.t1(5, || 77)), (None, UnixMicros(77)));
        // 30 ms there, 10 ms back.
        assert!(clock.learn(1000, &answer(31_000, 31_500), 41_500));
        assert_eq!(clock.wall(0), Some(UnixMicros(OFFSET + 10_000)));
        assert_eq!(
            (clock.round_trip(), clock.boot()),
            (40_000, Some(UnixMicros(OFFSET + 51_500)))
        );
        // 2 ms both ways.
        assert!(clock.learn(100_000, &answer(102_000, 102_000), 104_000));
        assert_eq!((clock.wall(0), clock.round_trip()), (Some(UnixMicros(OFFSET)), 4000));
        // A worse one changes nothing, until the better ones are forgotten.
        for n in 0..7 {
            assert_eq!(clock.wall(0), Some(UnixMicros(OFFSET)), "{n}");
            assert!(clock.learn(200_000, &answer(208_000, 208_000), 210_000));
        }
        assert!(clock.learn(200_000, &answer(208_000, 208_000), 210_000));
        assert_eq!(clock.wall(0), Some(UnixMicros(OFFSET + 3000)));
    }

    #[test]
    fn a_clock_that_was_set_anew_is_followed_at_once_and_t1_goes_on_rising() {
        let mut clock = Clock::default();
        assert!(clock.learn(0, &answer(10_001_000, 10_001_000), 2000));
        let first = clock.t1(3000, || 77);
        assert!(clock.learn(5000, &answer(6000, 6000), 7000));
        assert_eq!(clock.wall(0), Some(UnixMicros(OFFSET)));
        let second = clock.t1(8000, || 77);
        assert!(second > first && clock.t1(8000, || 77) > second, "{first:?} {second:?}");
        assert_eq!(clock.first_set(), Some(UnixMicros(OFFSET + 2000)));
    }

    #[test]
    fn a_clock_that_was_an_hour_ahead_begins_anew() {
        const HOUR: u64 = 3_600_000_000;
        let mut clock = Clock::default();
        assert!(clock.learn(0, &answer(HOUR + 1000, HOUR + 1000), 2000));
        assert_eq!(clock.t1(3000, || 77), UnixMicros(OFFSET + HOUR + 3000));
        assert!(clock.learn(5000, &answer(6000, 6000), 7000));
        assert_eq!(clock.t1(8000, || 77), UnixMicros(OFFSET + 8000));
        assert_eq!(
            (clock.boot(), clock.first_set()),
            (Some(UnixMicros(OFFSET + HOUR + 2000)), Some(UnixMicros(OFFSET + 2000)))
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mut clock = Clock::default();
        assert!(!clock.learn(0, &answer(5000, 4000), 10_000), "sent before it came");
        assert!(
            !clock.learn(0, &answer(0, 20_000), 10_000),
            "held longer than the round trip"
        );
        let far = Answer {
            t1: UnixMicros(0),
            t2: UnixMicros(u64::MAX),
            t3: UnixMicros(u64::MAX),
        };
        assert!(!clock.learn(0, &far, 10_000));
        assert_eq!(clock.offset(), None);
    }
}
