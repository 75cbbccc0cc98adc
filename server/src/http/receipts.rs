//! A broadcast's account, receiver by receiver. Not here: sums of many (`accounts`).

use axum::Json;
use axum::extract::{Path, State};
use loa_protocol::ReceiverId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::broadcasts::seen;
use super::error::{Answer, Error, Guarded};
use super::gate::{Caller, Query};
use super::shapes::no_id;
use super::view::Place;
use crate::store::{self, BroadcastState};

/// Whose.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Whose {
    /// That receiver's alone.
    #[param(nullable = false)]
    receiver_id: Option<String>,
}

/// What became of a broadcast at one receiver.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Receipt {
    receiver_id: String,
    name: String,
    /// `pending` (no report yet), `received`, `playing`; and for good: `played`, `interrupted`, `stopped`, `failed`,
    /// `refused`, or `none` (never reported).
    outcome: String,
    /// What that comes to: `scheduled`, `received`, `playing`, `played` (whole), `interrupted`, `failed` or `refused`.
    account: String,
    played_ms: u64,
    /// As long as the broadcast, until the receiver says more.
    planned_ms: u64,
    /// Packets that were to sound.
    expected: u64,
    /// Packets that came in time.
    received: u64,
    /// Packets that did not.
    lost: u64,
    /// Samples at 48 kHz that were concealed or rebuilt from redundancy.
    concealed: u64,
    /// Packets that came after their time.
    late: u64,
    /// Level of what sounded, RMS.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    level_dbfs: Option<f64>,
}

impl Receipt {
    /// `of`: its state says what silence means, and its length what was planned.
    pub(super) fn new(it: store::Receipt, of: &store::Broadcast) -> Self {
        let state = of.state;
        let outcome = match it.outcome.as_deref() {
            None if state.is_open() => "pending",
            None => "none",
            Some("interrupted") if state == BroadcastState::Stopped => "stopped",
            Some(outcome) => outcome,
        };
        Self {
            outcome: outcome.into(),
            account: it.account(state).into(),
            receiver_id: it.receiver.to_string(),
            name: it.name,
            played_ms: it.played / 48,
            planned_ms: match it.planned {
                0 => (of.end.0 - of.start.0) / 1000,
                samples => samples / 48,
            },
            expected: it.expected,
            received: it.received,
            lost: it.lost,
            concealed: it.concealed,
            late: it.late,
            level_dbfs: it.level.map(|level| level as f64 / -100.0),
        }
    }
}

/// What became of a broadcast, receiver by receiver
#[utoipa::path(
    get, path = "/api/v1/broadcasts/{id}/receipts", operation_id = "broadcastReceipts", tag = "broadcasts",
    params(("id" = String, Path), Whose),
    responses(
        (status = 200, description = "By the receivers' names", body = [Receipt]),
        (status = 400, description = "`bad_request`: nothing that is known", body = Error),
        (status = 404, description = "`not_found`", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn receipts(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(whose): Query<Whose>,
) -> Answer<Json<Vec<Receipt>>> {
    let text = whose.receiver_id.as_deref();
    let only = text.map(|text| ReceiverId::parse(text).ok_or_else(|| no_id("receiver_id", text)));
    let only = only.transpose()?;
    let (view, broadcast) = seen(&app, &caller, &id).await?;
    let places = app.store().areas_of_receivers().await?;
    let receipts = app.store().receipts(broadcast.id).await?.into_iter();
    let meant = receipts.filter(|it| only.is_none_or(|only| only == it.receiver));
    let seen = meant.filter(|it| view.sees(&Place::In(places.get(&it.receiver).copied())));
    Ok(Json(seen.map(|it| Receipt::new(it, &broadcast)).collect()))
}
