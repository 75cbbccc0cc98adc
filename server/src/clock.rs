//! The wall clock: the only place that reads it. Everything else is given the time.

use std::time::{SystemTime, UNIX_EPOCH};

use loa_protocol::UnixMicros;

/// The present instant; a clock set before 1970 reads as 1970.
pub fn now() -> UnixMicros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMicros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
