//! Emergencies that are said again: how they are asked for and shown. Not here: the rules (`store::repeats`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{Answer, Problem};
use super::shapes::{instant, written};
use crate::store;

/// How a broadcast is to be said again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Repeating {
    /// From one beginning to the next; longer than the bulletin.
    #[schema(minimum = 1, maximum = 1440)]
    every_minutes: u32,
    /// From when on none begins; a day after the first at the latest.
    #[schema(format = DateTime)]
    until: String,
}

/// How a broadcast is said again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Repeat {
    /// The first of them.
    broadcast_id: String,
    every_minutes: u64,
    #[schema(format = DateTime)]
    until: String,
    /// When the next one begins that is no broadcast yet; absent: there are no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    next: Option<String>,
}

impl Repeating {
    /// What is meant.
    pub(super) fn read(&self) -> Answer<store::NewRepeat> {
        let until = instant(&self.until).ok_or_else(|| {
            let vi = "Phải là một thời điểm như 2026-02-17T05:30:00+07:00 (RFC 3339).";
            let en = "Must be an instant such as 2026-02-17T05:30:00+07:00 (RFC 3339).";
            Problem::field("repeat.until", vi, en)
        })?;
        Ok(store::NewRepeat {
            every: self.every_minutes,
            until,
        })
    }
}

impl From<store::Repeat> for Repeat {
    fn from(it: store::Repeat) -> Self {
        Self {
            broadcast_id: it.first.to_string(),
            every_minutes: it.every / 60_000_000,
            until: written(it.until),
            next: it.next.map(written),
        }
    }
}
