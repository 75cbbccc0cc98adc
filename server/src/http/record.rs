//! The record.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::bulletins::PAGE;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Caller, Query};
use super::shapes::{no_id, written};
use super::view::View;
use crate::authority::Right;
use crate::store::record::{Filter, Line};

/// Entries read at once, and how often for one answer, where most of them are not the caller's to see.
const PAGE_READ: u32 = 1000;
const LOOKS: usize = 50;

/// An entry of the record
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecordEntry {
    /// Its number: rises by one, without gaps.
    id: String,
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// User name; `-` for the server itself and for who has no name yet.
    who: String,
    /// Network address, `command line` or `server`.
    origin: String,
    /// What, as `thing.verb`.
    what: String,
    /// The identifier of what it was done to; empty if nothing has one.
    subject: String,
    /// The area that it concerns; absent: all of them, or nobody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    area_id: Option<String>,
    /// What there was of what changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, nullable = false)]
    before: Option<serde_json::Value>,
    /// What has become of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, nullable = false)]
    after: Option<serde_json::Value>,
    /// What more there is to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<String>,
}

impl From<Line> for RecordEntry {
    fn from(line: Line) -> Self {
        let value = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        Self {
            id: line.number.to_string(),
            at: written(line.at),
            who: line.actor.who,
            origin: line.actor.origin,
            what: line.what,
            subject: line.subject,
            area_id: line.area.map(|id| id.to_string()),
            before: value(line.before),
            after: value(line.after),
            detail: Some(line.detail).filter(|text| !text.is_empty()),
        }
    }
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Only what is older than the entry with this number: the last of the page before.
    #[param(nullable = false)]
    before: Option<String>,
    /// How many at most, 1 to 1000; 200 if absent.
    #[param(nullable = false, minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Only what this user name did.
    #[param(nullable = false)]
    who: Option<String>,
    /// Only what begins so: `broadcast`, `receiver.volume` …
    #[param(nullable = false)]
    what: Option<String>,
}

/// The record
#[utoipa::path(
    get, path = "/api/v1/record", operation_id = "listRecord", tag = "record",
    params(Asked),
    responses(
        (status = 200, description = "The newest first: what concerns the areas whose record one may read; what concerns none of them alone for who may read all. Fewer than asked for does not mean that there are no older ones", body = [RecordEntry]),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(asked): Query<Asked>,
) -> Answer<Json<Vec<RecordEntry>>> {
    caller.may_somewhere(Right::Record)?;
    let limit = asked.limit.unwrap_or(PAGE);
    if !(1..=1000).contains(&limit) {
        return Err(Problem::field("limit", "Phải từ 1 đến 1000.", "Must be 1 to 1000."));
    }
    let before = asked.before.as_deref();
    let before = before
        .map(|text| text.parse::<u64>().map_err(|_| no_id("before", text)))
        .transpose()?;
    let mut filter = Filter {
        before,
        who: asked.who,
        what: asked.what,
        ..Filter::default()
    };
    let view = View::new(app.store(), &caller.authority).await?;
    let seen = |line: &Line| caller.authority.may(Right::Record, view.path(line.area));
    let everything = caller.authority.may_everywhere(Right::Record);
    let read = if everything { limit } else { PAGE_READ };
    let mut entries = Vec::new();
    for _ in 0..LOOKS {
        let page = app.store().entries(&filter, limit.max(read)).await?;
        let whole = page.len() == limit.max(read) as usize;
        filter.before = page.last().map(|line| line.number);
        let left = limit as usize - entries.len();
        entries.extend(page.into_iter().filter(seen).take(left).map(RecordEntry::from));
        if !whole || entries.len() == limit as usize {
            break;
        }
    }
    Ok(Json(entries))
}
