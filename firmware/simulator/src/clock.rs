//! The one place that reads the computer's clocks.

use std::time::{Duration, Instant, SystemTime};

use loa_protocol::UnixMicros;
use loa_receiver::Micros;

/// Time since the simulation began, and what time of day that is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    began: Instant,
    unix: UnixMicros,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let since_1970 = since_1970.expect("the computer's clock is set to after 1970");
        Self {
            began: Instant::now(),
            unix: UnixMicros(micros(since_1970)),
        }
    }

    pub(crate) fn now(&self) -> Micros {
        Micros(micros(self.began.elapsed()))
    }

    /// The time of day at `at`.
    pub(crate) fn unix(&self, at: Micros) -> UnixMicros {
        UnixMicros(self.unix.0 + at.0)
    }

    pub(crate) fn instant(&self, at: Micros) -> tokio::time::Instant {
        (self.began + Duration::from_micros(at.0)).into()
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).expect("half a million years fit")
}
