//! How a receiver was over a while. Here: whose it is to read, and in what shape. Not here: what is kept (`store::history`).

use axum::Json;
use axum::extract::{Path, State};
use loa_protocol::UnixMicros;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Caller, Query};
use super::plan::moment;
use super::receivers::may;
use super::shapes::written;
use crate::authority::Right;
use crate::store::{self, receivers::path_name};

/// A while unless said otherwise, in microseconds: a day.
const WHILE: u64 = 86_400 * 1_000_000;

/// Which while.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Between {
    /// From then on (RFC 3339); a day before `to` if absent.
    #[param(nullable = false, format = DateTime)]
    from: Option<String>,
    /// Before then; now if absent.
    #[param(nullable = false, format = DateTime)]
    to: Option<String>,
}

/// How a receiver was over a while.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct History {
    #[schema(format = DateTime)]
    from: String,
    #[schema(format = DateTime)]
    to: String,
    /// How long a stretch is: ten minutes, or more where there would be too many.
    step_seconds: u64,
    /// From the first that anything is known of, 300 at most; the last may be shorter.
    stretches: Vec<StretchShape>,
}

/// How a receiver was in a stretch of time: the worst that was in it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StretchShape {
    #[schema(format = DateTime)]
    at: String,
    /// The part of it in which it reported, 0 to 1.
    online: f64,
    /// How often it went away.
    drops: u64,
    /// How often it began afresh.
    restarts: u64,
    /// The greatest part of the media packets that it lost, 0 to 1; absent if none was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rtt_ms: Option<f64>,
    /// How far its clock may have been off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    clock_error_ms: Option<f64>,
    /// How sound reached it in the end: `udp`, `mqtt` or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    path: Option<String>,
    /// Its volume in the end, in per cent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    volume: Option<u8>,
}

impl From<store::Stretch> for StretchShape {
    fn from(it: store::Stretch) -> Self {
        let ms = |micros: u64| micros as f64 / 1000.0;
        Self {
            at: written(it.at),
            online: it.heard as f64 / it.spans.max(1) as f64,
            drops: it.drops,
            restarts: it.restarts,
            loss: it.loss,
            rtt_ms: it.round_trip.map(ms),
            clock_error_ms: it.clock_error.map(ms),
            path: it.path.map(|path| path_name(path).into()),
            volume: it.volume,
        }
    }
}

/// How a receiver was
///
/// As it said itself, which is kept for 90 days in spans of ten minutes. A long while is told in longer stretches.
#[utoipa::path(
    get, path = "/api/v1/receivers/{id}/history", operation_id = "receiverHistory", tag = "receivers",
    params(("id" = String, Path), Between),
    responses(
        (status = 200, description = "Stretch by stretch, in the order of time", body = History),
        (status = 400, description = "`bad_request`: nothing that is known", body = Error),
        (status = 404, description = "`not_found`", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn history(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(between): Query<Between>,
) -> Answer<Json<History>> {
    let receiver = may(&app, &caller, Right::See, &id).await?;
    let to = moment("to", between.to.as_deref())?.unwrap_or(app.now());
    let from = moment("from", between.from.as_deref())?.unwrap_or(UnixMicros(to.0.saturating_sub(WHILE)));
    if from >= to {
        return Err(Problem::field("from", "Phải trước “to”.", "Must be before `to`."));
    }
    let history = app.store().history(receiver.id, (from, to), app.now()).await?;
    Ok(Json(History {
        from: written(from),
        to: written(to),
        step_seconds: history.step / 1_000_000,
        stretches: history.stretches.into_iter().map(StretchShape::from).collect(),
    }))
}
