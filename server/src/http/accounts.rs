//! What was planned and what sounded, in an area and a period. Here: whose it is to read. Not here: the sums (`store::accounts`).

use axum::Json;
use axum::extract::State;
use loa_protocol::precedence::Class as Kind;
use loa_protocol::{AreaId, UnixMicros};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Caller, Query};
use super::shapes::{Class, instant, no_id, written};
use super::view::View;
use crate::authority::Right;
use crate::store::{self, Invalid};

/// A period unless said otherwise, in microseconds: 30 days.
const PERIOD: u64 = 30 * 86_400 * 1_000_000;

/// Where and when.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Of {
    /// In this area and below; absent: wherever one sees things.
    #[param(nullable = false)]
    area_id: Option<String>,
    /// What was to begin from then on (RFC 3339); 30 days before `to` if absent.
    #[param(nullable = false, format = DateTime)]
    from: Option<String>,
    /// Before then; now if absent.
    #[param(nullable = false, format = DateTime)]
    to: Option<String>,
}

/// What was planned and what sounded.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Accounts {
    #[schema(format = DateTime)]
    from: String,
    #[schema(format = DateTime)]
    to: String,
    #[serde(flatten)]
    sum: Sum,
    by_class: Vec<OfClass>,
}

/// What was planned and what sounded of one class.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OfClass {
    class: Class,
    #[serde(flatten)]
    sum: Sum,
}

/// Sums over all receivers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Sum {
    /// Broadcasts that began, or should have.
    broadcasts: u64,
    planned_ms: u64,
    played_ms: u64,
    /// The part that sounded, 0 to 1; absent if nothing was planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ratio: Option<f64>,
}

impl From<store::Account> for Sum {
    fn from(it: store::Account) -> Self {
        Self {
            broadcasts: it.broadcasts,
            planned_ms: it.planned,
            played_ms: it.played,
            ratio: it.ratio(),
        }
    }
}

/// What was planned and what sounded
///
/// Added up over the receivers of an area, for broadcasts that were to begin in the period: those that failed count as planned, those that
/// were stopped or changed before they began do not.
#[utoipa::path(
    get, path = "/api/v1/accounts", operation_id = "accounts", tag = "record",
    params(Of),
    responses(
        (status = 200, description = "The sums", body = Accounts),
        (status = 400, description = "`bad_request`: nothing that is known", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn accounts(State(app): State<App>, caller: Caller, Query(of): Query<Of>) -> Answer<Json<Accounts>> {
    let view = View::new(app.store(), &caller.authority).await?;
    let areas: Vec<AreaId> = match of.area_id.as_deref() {
        None => view.roots(),
        Some(text) => {
            let area = AreaId::parse(text).ok_or_else(|| no_id("area_id", text))?;
            let unknown = store::Error::Invalid {
                field: "area_id",
                why: Invalid::Unknown,
            };
            caller.may(Right::See, view.seen_path(area).ok_or(unknown)?)?;
            vec![area]
        }
    };
    let to = moment("to", of.to.as_deref())?.unwrap_or(app.now());
    let from = moment("from", of.from.as_deref())?.unwrap_or(UnixMicros(to.0.saturating_sub(PERIOD)));
    if from >= to {
        return Err(Problem::field("from", "Phải trước “to”.", "Must be before `to`."));
    }
    let sums = app.store().accounts(&areas, (from, to)).await?;
    let whole = sums.values().fold(store::Account::default(), |sum, it| sum.and(*it));
    let by_class = [Kind::Normal, Kind::Priority, Kind::Emergency].map(|class| OfClass {
        class: class.into(),
        sum: sums.get(&class).copied().unwrap_or_default().into(),
    });
    Ok(Json(Accounts {
        from: written(from),
        to: written(to),
        sum: whole.into(),
        by_class: by_class.into(),
    }))
}

fn moment(field: &str, text: Option<&str>) -> Answer<Option<UnixMicros>> {
    let Some(text) = text else { return Ok(None) };
    instant(text).map(Some).ok_or_else(|| {
        let vi = "Phải là một thời điểm như 2026-02-17T05:30:00+07:00 (RFC 3339).";
        let en = "Must be an instant such as 2026-02-17T05:30:00+07:00 (RFC 3339).";
        Problem::field(field, vi, en)
    })
}
