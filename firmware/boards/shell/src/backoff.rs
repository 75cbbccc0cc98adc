//! How long to wait before trying again.

use embassy_time::Duration;
use rand_core::RngCore;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(10);

/// Pauses that double with each try, a random half of each, so that a thousand receivers whose server comes back do not come
/// all at once.
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self(FIRST)
    }

    /// The next pause: between half of it and all of it.
    pub(crate) fn pause(&mut self, random: &mut impl RngCore) -> Duration {
        let half = self.0.as_micros() / 2;
        self.0 = LONGEST.min(self.0 * 2);
        Duration::from_micros(half + random.next_u64() % (half + 1))
    }

    /// It went well: begin with the shortest pause again.
    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random numbers that are always the same.
    struct Always(u64);

    impl RngCore for Always {
        fn next_u32(&mut self) -> u32 {
            self.0 as u32
        }

        fn next_u64(&mut self) -> u64 {
            self.0
        }

        fn fill_bytes(&mut self, bytes: &mut [u8]) {
            bytes.fill(self.0 as u8);
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
            self.fill_bytes(bytes);
            Ok(())
        }
    }

    #[test]
    fn pauses_double_up_to_ten_seconds_and_at_most_half_of_one_is_left_out() {
        let pauses = |random: u64| {
            let mut backoff = Backoff::new();
            core::array::from_fn::<_, 8, _>(|_| backoff.pause(&mut Always(random)).as_millis())
        };
        assert_eq!(pauses(0), [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        for random in [1, 77_777, 0x1234_5678_9ABC_DEF0, u64::MAX] {
            for (pause, shortest) in pauses(random).into_iter().zip(pauses(0)) {
                assert!((shortest..=2 * shortest).contains(&pause), "{pause} for {shortest}");
            }
        }
        let mut backoff = Backoff::new();
        backoff.pause(&mut Always(0));
        backoff.reset();
        assert_eq!(backoff.pause(&mut Always(0)).as_millis(), 100);
    }
}
