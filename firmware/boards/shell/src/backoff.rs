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
