//! What a receiver plays, and why it is silent. Here: its plan of some days, made by the same rule as it is played by, and one plain
//! reason for an instant, past or to come. Not here: the rule (`schedule::plan`).

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, State};
use loa_protocol::{BroadcastId, ReceiverId, UnixMicros};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Caller, Query};
use super::shapes::{Class, instant, written};
use super::view::View;
use crate::authority::Right;
use crate::schedule::forecast::{self, Item, Spot};
use crate::schedule::plan::{self, Fate, Piece, Why};
use crate::schedule::rules;
use crate::store::{self, BroadcastState, Foreseen};

const DAY: u64 = 86_400_000_000;
/// Days of a plan, unless said otherwise, and at most.
const DAYS: u64 = 7;
const MOST_DAYS: u64 = 31;
/// It is looked this far ahead for what comes next.
const AHEAD: u64 = 8 * DAY;

/// Which time.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Span {
    /// From then on (RFC 3339); now if absent.
    #[param(nullable = false, format = DateTime)]
    from: Option<String>,
    /// Days, 1 to 31; 7 if absent.
    #[param(nullable = false, minimum = 1, maximum = 31)]
    days: Option<u64>,
}

/// Which instant.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct At {
    /// RFC 3339; now if absent.
    #[param(nullable = false, format = DateTime)]
    at: Option<String>,
}

/// What becomes of a broadcast at a receiver, for a while.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PieceShape {
    broadcast_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    schedule_id: Option<String>,
    title: String,
    class: Class,
    #[schema(format = DateTime)]
    from: String,
    #[schema(format = DateTime)]
    to: String,
    /// `plays`, `gives_way`, `hours` (not an allowed hour) or `minutes` (the day's are spent).
    fate: String,
    /// What goes before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    to_title: Option<String>,
}

/// Why a receiver is silent, or what it plays.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reason {
    #[schema(format = DateTime)]
    at: String,
    /// `plays`: it does, or is to. `nothing`: nothing is to sound then. `hours`, `minutes`: what should sound may not.
    /// `revoked`, `offline` (it is not connected, or did not report), `refused` (by the receiver itself), `failed`,
    /// `interrupted`; of the broadcast: `stopped`, `missed` (the server was not there), `not_approved`, `expired` (the bulletin), `not_composed` (the playlist).
    reason: String,
    /// The broadcast that is or was concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    broadcast_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    title: Option<String>,
    /// When it plays something next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    next_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_title: Option<String>,
}

/// What a receiver plays in the next days
///
/// By the same rule that the receiver itself goes by: what is here is what will happen, unless something is changed.
#[utoipa::path(
    get, path = "/api/v1/receivers/{id}/plan", operation_id = "receiverPlan", tag = "receivers",
    params(("id" = String, Path), Span),
    responses(
        (status = 200, description = "Piece by piece, in the order of time", body = [PieceShape]),
        (status = 400, description = "`bad_request`: nothing that is known", body = Error),
        (status = 404, description = "`not_found`", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn plan(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(span): Query<Span>,
) -> Answer<Json<Vec<PieceShape>>> {
    let there = There::new(&app, &caller, &id).await?;
    let from = moment("from", span.from.as_deref())?.unwrap_or(app.now());
    let days = span.days.unwrap_or(DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Problem::field("days", "Phải từ 1 đến 31.", "Must be 1 to 31."));
    }
    let (pieces, known) = there.plan(&app, from, UnixMicros(from.0 + days * DAY)).await?;
    let shape = |it: Piece| {
        let known_as = known.get(&it.broadcast)?;
        let (fate, to) = match it.fate {
            Fate::Plays => ("plays", None),
            Fate::GivesWay(to) => ("gives_way", known.get(&to).map(|it| it.title.clone())),
            Fate::Hours => ("hours", None),
            Fate::Minutes => ("minutes", None),
        };
        Some(PieceShape {
            broadcast_id: it.broadcast.to_string(),
            schedule_id: known_as.schedule.map(|it| it.to_string()),
            title: known_as.title.clone(),
            class: known_as.item.class.into(),
            from: written(it.from),
            to: written(it.to),
            fate: fate.into(),
            to_title: to,
        })
    };
    Ok(Json(pieces.into_iter().filter_map(shape).collect()))
}

/// Why a receiver is silent
#[utoipa::path(
    get, path = "/api/v1/receivers/{id}/why", operation_id = "whySilent", tag = "receivers",
    params(("id" = String, Path), At),
    responses(
        (status = 200, description = "One reason, or what it plays", body = Reason),
        (status = 400, description = "`bad_request`: nothing that is known", body = Error),
        (status = 404, description = "`not_found`", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn why(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(at): Query<At>,
) -> Answer<Json<Reason>> {
    let there = There::new(&app, &caller, &id).await?;
    let now = app.now();
    let at = moment("at", at.at.as_deref())?.unwrap_or(now);
    let (pieces, known) = there.plan(&app, at, UnixMicros(at.0 + AHEAD)).await?;
    let happened = match at <= now {
        true => app.store().at_receiver(there.row.id, at).await?,
        false => Vec::new(),
    };
    let said = |id: BroadcastId| {
        let it = happened.iter().find(|it| it.0.id == id);
        it.and_then(|it| it.1.as_deref())
    };
    let online = there.row.online;
    let decision = plan::why(&pieces, at);
    let (reason, broadcast) = match decision {
        _ if there.row.revoked.is_some_and(|revoked| revoked <= at) => ("revoked", None),
        Why::Plays(id) => {
            let reason = match said(id) {
                Some("refused") => "refused",
                Some("failed") => "failed",
                Some("interrupted") => "interrupted",
                Some("played" | "playing") => "plays",
                // It has not said anything of it: unless it is there now, it was not reached.
                _ if at <= now && !online => "offline",
                _ => "plays",
            };
            (reason, Some(id))
        }
        Why::Hours(id) => ("hours", Some(id)),
        Why::Minutes(id) => ("minutes", Some(id)),
        Why::Nothing(_) => match happened.iter().max_by_key(|it| (it.0.class, it.0.start)) {
            Some((it, _)) if it.state == BroadcastState::Stopped => ("stopped", Some(it.id)),
            Some((it, _)) if it.state == BroadcastState::Failed => match it.reason.as_deref() {
                Some("missed") => ("missed", Some(it.id)),
                Some("not_approved") => ("not_approved", Some(it.id)),
                Some("expired") => ("expired", Some(it.id)),
                Some("not_composed") => ("not_composed", Some(it.id)),
                _ => ("failed", Some(it.id)),
            },
            _ => ("nothing", None),
        },
    };
    let title = |id: BroadcastId| {
        let happened = happened.iter().find(|it| it.0.id == id).map(|it| it.0.title.clone());
        known.get(&id).map(|it| it.title.clone()).or(happened)
    };
    let sounds = pieces.iter().filter(|it| it.fate == Fate::Plays && it.from > at);
    let next = sounds.min_by_key(|it| it.from);
    Ok(Json(Reason {
        at: written(at),
        reason: reason.into(),
        broadcast_id: broadcast.map(|id| id.to_string()),
        title: broadcast.and_then(title),
        next_at: next.map(|it| written(it.from)),
        next_title: next.and_then(|it| title(it.broadcast)),
    }))
}

/// A receiver, and what holds where it is.
struct There {
    row: store::Receiver,
    spot: Spot,
    place: rules::Place,
}

type Known = HashMap<BroadcastId, Foreseen>;

impl There {
    async fn new(app: &App, caller: &Caller, id: &str) -> Answer<Self> {
        let missing = || Problem::missing("receiver");
        let row = app.store().receiver(ReceiverId::parse(id).ok_or_else(missing)?).await?;
        let view = View::new(app.store(), &caller.authority).await?;
        let path = view.path(Some(row.area)).to_vec();
        caller.may_to(Right::See, &path, "receiver")?;
        let mut places = app.store().places().await?;
        Ok(Self {
            place: places.remove(&row.area).unwrap_or_default(),
            spot: Spot { receiver: row.id, path },
            row,
        })
    }

    async fn plan(&self, app: &App, from: UnixMicros, to: UnixMicros) -> Answer<(Vec<Piece>, Known)> {
        // Minutes are counted from the beginning of the day.
        let begins = self.place.day(from).0;
        let foreseen = app
            .store()
            .foreseen(UnixMicros(begins.0.saturating_sub(DAY)), to, None)
            .await?;
        let items: Vec<Item> = foreseen.iter().map(|it| it.item.clone()).collect();
        let pieces = forecast::of_receiver(&self.spot, &self.place, &items, from, to);
        Ok((pieces, foreseen.into_iter().map(|it| (it.item.broadcast, it)).collect()))
    }
}

pub(super) fn moment(field: &str, text: Option<&str>) -> Answer<Option<UnixMicros>> {
    // What is planned lies within this century; the rest is a slip of the pen.
    const LAST: u64 = 7_258_118_400_000_000;
    let Some(text) = text else { return Ok(None) };
    instant(text).filter(|it| it.0 < LAST).map(Some).ok_or_else(|| {
        let en = "Must be an instant such as 2026-02-17T05:30:00+07:00 (RFC 3339), before 2200.";
        Problem::field(
            field,
            "Phải là một thời điểm như 2026-02-17T05:30:00+07:00 (RFC 3339), trước năm 2200.",
            en,
        )
    })
}
