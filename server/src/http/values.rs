//! Identifiers and instants as requests and answers have them.

use loa_protocol::{BroadcastId, UnixMicros};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::{Answer, Problem};

/// What to say of `text` in `field` that should be an identifier.
pub(super) fn no_id(field: &str, text: &str) -> Problem {
    let shown: String = text.chars().take(40).collect();
    Problem::field(
        field,
        format!("“{shown}” không phải là mã (UUID)."),
        format!("“{shown}” is not an identifier (UUID)"),
    )
}

/// The identifier in an address; whatever is none names nothing.
pub(super) fn broadcast_id(text: &str) -> Answer<BroadcastId> {
    BroadcastId::parse(text).ok_or_else(|| Problem::missing("broadcast"))
}

/// An instant as RFC 3339 in UTC.
pub(super) fn written(at: UnixMicros) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1000).ok();
    at.and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_else(|| "9999-12-31T23:59:59Z".into())
}

/// The instant that RFC 3339 text means; `None` if it is none, or before 1970.
pub(super) fn instant(text: &str) -> Option<UnixMicros> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(at.unix_timestamp_nanos() / 1000).ok().map(UnixMicros)
}
