//! Priority bulletins from above that meet an area's own. Here: which, when, which goes first, and the officer's decision: moving one behind
//! the other. Not here: who goes first (`schedule`).

use axum::Json;
use axum::extract::State;
use chrono::NaiveDateTime;
use loa_protocol::precedence::Class;
use loa_protocol::{AreaId, BroadcastId, UnixMicros};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::approval::silence;
use super::broadcasts::{audible, holds, rights};
use super::error::{Answer, Error, Guarded, Problem};
use super::forecast::Ground;
use super::gate::{Body, Caller, Query};
use super::shapes::{no_id, written};
use super::view::{Place, View};
use crate::authority::Right;
use crate::playout::Notice;
use crate::schedule::recurrence::civil;
use crate::schedule::rivals;
use crate::store::{self, Foreseen, Invalid, Once, ScheduleId};

const DAY: u64 = 86_400_000_000;
/// It is looked this far ahead, in microseconds.
const AHEAD: u64 = 31 * DAY;

/// Where.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Where {
    /// The area whose people decide.
    area_id: String,
}

/// Two priority bulletins that are to sound at one time and place.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rivals {
    /// From when on both are to sound.
    #[schema(format = DateTime)]
    from: String,
    #[schema(format = DateTime)]
    to: String,
    /// At how many receivers.
    receivers: usize,
    /// As things are: `above` or `own`.
    first: String,
    /// What comes from above.
    above: Rival,
    /// What is the area's own.
    own: Rival,
}

/// One of them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rival {
    broadcast_id: String,
    /// The schedule that it comes of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    schedule_id: Option<String>,
    bulletin_id: String,
    title: String,
    #[schema(format = DateTime)]
    start: String,
    #[schema(format = DateTime)]
    end: String,
    /// Who asks may move it.
    movable: bool,
}

/// Which is to sound first.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    /// The broadcast that stays where it is.
    first: String,
    /// The one that is moved: it begins when the first one ends.
    second: String,
}

/// What was moved.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Moved {
    /// When it begins now.
    #[schema(format = DateTime)]
    start: String,
}

/// Priority bulletins from above that meet an area's own
///
/// Within the next 31 days, in the order of time.
#[utoipa::path(
    get, path = "/api/v1/inbox/rivals", operation_id = "listRivals", tag = "inbox",
    params(Where),
    responses(
        (status = 200, description = "Pairs", body = [Rivals]),
        (status = 400, description = "`bad_request`: nothing that is known", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn list(State(app): State<App>, caller: Caller, Query(of): Query<Where>) -> Answer<Json<Vec<Rivals>>> {
    let area = AreaId::parse(&of.area_id).ok_or_else(|| no_id("area_id", &of.area_id))?;
    let view = View::new(app.store(), &caller.authority).await?;
    let unknown = store::Error::Invalid {
        field: "area_id",
        why: Invalid::Unknown,
    };
    caller.may(Right::See, view.seen_path(area).ok_or(unknown)?)?;
    let here = store::Target {
        areas: vec![area],
        receivers: vec![],
    };
    let ground = Ground::new(&app, &view, &here).await?;
    let now = app.now();
    let mut known = app.store().foreseen(now, UnixMicros(now.0 + AHEAD), None).await?;
    known.retain(|it| it.item.class == Class::Priority && it.item.start > now);
    let (mut above, mut own) = (Vec::new(), Vec::new());
    for it in &known {
        let whose = app.store().bulletin(it.bulletin).await?.area;
        match view.path(whose).contains(&area) {
            true => own.push(it.item.clone()),
            false => above.push(it.item.clone()),
        }
    }
    let mut shown = Vec::new();
    for it in rivals::rivals(&ground.spots, &above, &own) {
        let of = |id: BroadcastId| known.iter().find(|it| it.item.broadcast == id);
        let (Some(above), Some(own)) = (of(it.above), of(it.own)) else {
            continue;
        };
        shown.push(Rivals {
            from: written(it.from),
            to: written(it.to),
            receivers: it.receivers,
            first: if it.above_first { "above" } else { "own" }.into(),
            above: rival(&app, &caller, &view, above).await,
            own: rival(&app, &caller, &view, own).await,
        });
    }
    Ok(Json(shown))
}

/// Decide which of two broadcasts sounds first
///
/// The second one is moved: it begins when the first one ends. Takes the right to broadcast wherever the second one sounds.
#[utoipa::path(
    post, path = "/api/v1/inbox/order", operation_id = "orderRivals", tag = "inbox",
    request_body = Order,
    responses(
        (status = 200, description = "The second one was moved", body = Moved),
        (status = 404, description = "`not_found`: one of them is not to come, or not seen", body = Error),
        (status = 409, description = "`over`: it has begun; `expired`, `not_approved`: its bulletin then; `silent`: by the rules of its areas it would sound nowhere then; `changed`: somebody else has changed it meanwhile", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn order(State(app): State<App>, caller: Caller, Body(it): Body<Order>) -> Answer<Json<Moved>> {
    let now = app.now();
    let view = View::new(app.store(), &caller.authority).await?;
    let places = app.store().areas_of_receivers().await?;
    let id = |field, text: &str| BroadcastId::parse(text).ok_or_else(|| no_id(field, text));
    let (first, second) = (id("first", &it.first)?, id("second", &it.second)?);
    let known = app.store().foreseen(now, UnixMicros(now.0 + AHEAD), None).await?;
    let seen = |id: BroadcastId| {
        let found = known.iter().find(|it| it.item.broadcast == id);
        let found = found.filter(|it| view.sees(&Place::of(&target(it), &places)));
        found.ok_or_else(|| Problem::missing("broadcast"))
    };
    let (first, second) = (seen(first)?, seen(second)?);
    let to = target(second);
    for right in rights(second.item.class) {
        holds(&app, &caller, &view, *right, &to).await?;
    }
    let start = first.item.end;
    let length = second.item.end.0 - second.item.start.0;
    if !second.item.overrides {
        audible(
            &app,
            &view,
            second.item.class,
            (start, UnixMicros(start.0 + length)),
            &to,
        )
        .await?;
    }
    match (second.schedule, second.occurrence) {
        (Some(schedule), Some(key)) => move_turn(&app, &caller, schedule, key, start).await?,
        _ => {
            let moved = app
                .store()
                .move_broadcast(&caller.actor, now, &caller.user, second.item.broadcast, start);
            let moved = moved.await?;
            silence(&app, vec![second.item.broadcast]);
            app.tell(Notice::Accepted(moved.id));
        }
    }
    Ok(Json(Moved { start: written(start) }))
}

/// Moves one occurrence of a schedule; its civil time has whole seconds, so that it may begin up to one later.
async fn move_turn(
    app: &App,
    caller: &Caller,
    schedule: ScheduleId,
    key: NaiveDateTime,
    start: UnixMicros,
) -> Answer<()> {
    let it = app.store().schedule(schedule).await?;
    let whole = UnixMicros(start.0.div_ceil(1_000_000) * 1_000_000);
    let once = Once::Change(
        Some(civil(it.series.recurrence.zone(), whole)),
        it.series.changed.get(&key).and_then(|it| it.source),
    );
    let changed = app
        .store()
        .change_once(&caller.actor, app.now(), &caller.user, (it.id, it.version), (key, once));
    silence(app, changed.await?.1);
    Ok(())
}

fn target(it: &Foreseen) -> store::Target {
    store::Target {
        areas: it.item.areas.clone(),
        receivers: it.item.receivers.clone(),
    }
}

async fn rival(app: &App, caller: &Caller, view: &View, it: &Foreseen) -> Rival {
    Rival {
        broadcast_id: it.item.broadcast.to_string(),
        schedule_id: it.schedule.map(|it| it.to_string()),
        bulletin_id: it.bulletin.to_string(),
        title: it.title.clone(),
        start: written(it.item.start),
        end: written(it.item.end),
        movable: holds(app, caller, view, Right::Broadcast, &target(it)).await.is_ok(),
    }
}
