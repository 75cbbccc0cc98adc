//! The server's clock: the only place that reads the system's time. Everything else is given it.

use std::time::{SystemTime, UNIX_EPOCH};

use loa_protocol::UnixMicros;

/// The time now. A clock set before 1970 reads as 1970.
pub fn now() -> UnixMicros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMicros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
