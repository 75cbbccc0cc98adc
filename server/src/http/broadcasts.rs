//! Broadcasts: what is asked to be on the air, and what came of it.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use loa_protocol::precedence::Class;
use loa_protocol::{BroadcastId, UnixMicros};

use super::App;
use super::bulletins::Page;
use super::error::{Answer, Error, Guarded, Problem};
use super::forecast::Ground;
use super::gate::{Body, Caller, Query};
use super::inbox::to_sound;
use super::relays;
use super::repeats::Repeating;
use super::shapes::{Broadcast, NewBroadcast, broadcast_id, instant, no_id};
use super::view::{Place, View};
use crate::authority::Right;
use crate::playout::{LEAD, Notice};
use crate::schedule::forecast::{self, Item};
use crate::schedule::plan::Fate;
use crate::store::{self, BulletinId, Invalid, OverrideId};

/// A start may lie this far ahead, in microseconds: a schedule repeats, a broadcast is one occurrence.
const FURTHEST: u64 = 366 * 86_400 * 1_000_000;

/// Broadcasts
#[utoipa::path(
    get, path = "/api/v1/broadcasts", operation_id = "listBroadcasts", tag = "broadcasts",
    params(Page),
    responses(
        (status = 200, description = "The newest first; without `before` also all that are scheduled or on the air", body = [Broadcast]),
        (status = 400, description = "`bad_request`: nothing that is known, or no number", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<Page>,
) -> Answer<Json<Vec<Broadcast>>> {
    let (before, limit) = (page.before(BroadcastId::parse)?, page.limit()?);
    let view = View::new(app.store(), &caller.authority).await?;
    let places = app.store().areas_of_receivers().await?;
    let seen = |it: &store::Broadcast| view.sees(&Place::of(&it.target, &places));
    let broadcasts = app.store().broadcasts(before, limit, &seen).await?;
    Ok(Json(broadcasts.into_iter().map(Broadcast::from).collect()))
}

/// Broadcast a bulletin, or relay another station
#[utoipa::path(
    post, path = "/api/v1/broadcasts", operation_id = "broadcast", tag = "broadcasts",
    request_body = NewBroadcast,
    responses(
        (status = 201, description = "Accepted: it will be on the air even if the server is killed now", body = Broadcast),
        (status = 404, description = "`not_found`: there is no such bulletin", body = Error),
        (status = 409, description = "`not_approved`: the bulletin is not approved; `not_accepted`: it comes from above and was not accepted there; `composing`: a playlist is not composed yet; `expired`: it has expired by then; `silent`: by the rules of its areas it would sound nowhere then", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn accept(
    State(app): State<App>,
    caller: Caller,
    Body(it): Body<NewBroadcast>,
) -> Answer<(StatusCode, Json<Broadcast>)> {
    let overrides = it.override_id.as_deref();
    let overrides = overrides.map(|text| OverrideId::parse(text).ok_or_else(|| no_id("override_id", text)));
    let overrides = overrides.transpose()?;
    let bulletin = match (it.bulletin_id, it.relay) {
        (Some(text), None) => BulletinId::parse(&text).ok_or_else(|| no_id("bulletin_id", &text))?,
        (None, Some(relay)) => {
            if it.repeat.is_some() {
                let (vi, en) = ("Tiếp âm không lặp lại.", "A relay is not said again.");
                return Err(Problem::field("repeat", vi, en));
            }
            return relays::accept(&app, &caller, relay, it.target.read()?, it.start, overrides).await;
        }
        _ => {
            let (vi, en) = (
                "Cần đúng một trong hai: bulletin_id hoặc relay.",
                "Must be exactly one of bulletin_id and relay.",
            );
            return Err(Problem::field("bulletin_id", vi, en));
        }
    };
    let target = it.target.read()?;
    caller.may_somewhere(Right::Broadcast)?;
    let view = View::new(app.store(), &caller.authority).await?;
    let found = app.store().bulletin(bulletin).await?;
    to_sound(&app, &view, &found, &target).await?;
    for right in rights(found.class) {
        reaches(&app, &caller, &view, *right, &target).await?;
    }
    let now = app.now();
    let start = match it.start.as_deref() {
        None => UnixMicros(now.0 + LEAD.as_micros() as u64),
        Some(text) => start("start", now, text)?,
    };
    if overrides.is_none() {
        let end = UnixMicros(start.0 + (found.samples * 1000).div_ceil(48));
        audible(&app, &view, found.class, (start, end), &target).await?;
    }
    let new = store::NewBroadcast {
        bulletin,
        target,
        start,
        overrides,
    };
    let repeat = it.repeat.as_ref().map(Repeating::read).transpose()?;
    let broadcast = app.store().accept_again(&caller.actor, now, &caller.user, new, repeat);
    let broadcast = broadcast.await?;
    app.tell(Notice::Accepted(broadcast.id));
    Ok((StatusCode::CREATED, Json(broadcast.into())))
}

/// Stop a broadcast
///
/// One that is said again is stopped with all that say it again, those to come included; between two of them, too.
#[utoipa::path(
    post, path = "/api/v1/broadcasts/{id}/stop", operation_id = "stopBroadcast", tag = "broadcasts",
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "Stopped", body = Broadcast),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`over`: it is over", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn stop(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<Json<Broadcast>> {
    let (view, it) = seen(&app, &caller, &id).await?;
    for right in rights(it.class) {
        holds(&app, &caller, &view, *right, &it.target).await?;
    }
    let id = it.id;
    let (broadcast, others) = app.store().stop(&caller.actor, app.now(), id).await?;
    for it in others.into_iter().chain([id]) {
        app.tell(Notice::Stopped(it));
    }
    Ok(Json(broadcast.into()))
}

/// The broadcast of that identifier, if `caller` sees it.
pub(super) async fn seen(app: &App, caller: &Caller, id: &str) -> Answer<(View, store::Broadcast)> {
    let broadcast = app.store().broadcast_by_id(broadcast_id(id)?).await?;
    let view = View::new(app.store(), &caller.authority).await?;
    let places = app.store().areas_of_receivers().await?;
    match view.sees(&Place::of(&broadcast.target, &places)) {
        true => Ok((view, broadcast)),
        false => Err(Problem::missing("broadcast")),
    }
}

/// What it takes to broadcast, and to stop, what is of `class`.
pub(super) fn rights(class: Class) -> &'static [Right] {
    match class {
        Class::Emergency => &[Right::Broadcast, Right::Emergency],
        Class::Normal | Class::Priority => &[Right::Broadcast],
    }
}

/// Lets pass who has `right` over all that `target` names; what they do not see is as good as unknown.
pub(super) async fn reaches(
    app: &App,
    caller: &Caller,
    view: &View,
    right: Right,
    target: &store::Target,
) -> Answer<()> {
    let unknown = |field| store::Error::Invalid {
        field,
        why: Invalid::Unknown,
    };
    for area in &target.areas {
        let path = view
            .seen_path(*area)
            .or_else(|| view.names(*area).then(|| view.path(Some(*area))));
        caller.may(right, path.ok_or_else(|| unknown("target.areas"))?)?;
    }
    if !target.receivers.is_empty() {
        let places = app.store().areas_of_receivers().await?;
        for receiver in &target.receivers {
            let path = places.get(receiver).and_then(|area| view.seen_path(*area));
            caller.may(right, path.ok_or_else(|| unknown("target.receivers"))?)?;
        }
    }
    Ok(())
}

/// Lets pass who has `right` over all of the target of what is there already: that one does not see a part of it is no fault of what
/// was asked for.
pub(super) async fn holds(app: &App, caller: &Caller, view: &View, right: Right, target: &store::Target) -> Answer<()> {
    let held = reaches(app, caller, view, right, target).await;
    held.map_err(|problem| match problem.is_invalid() {
        true => Problem::forbidden(right),
        false => problem,
    })
}

/// Lets pass what sounds somewhere by the rules of its areas, if only in part; an emergency always.
pub(super) async fn audible(
    app: &App,
    view: &View,
    class: Class,
    (start, end): (UnixMicros, UnixMicros),
    target: &store::Target,
) -> Answer<()> {
    if class == Class::Emergency {
        return Ok(());
    }
    let ground = Ground::new(app, view, target).await?;
    let item = Item {
        // Nothing is called so.
        broadcast: BroadcastId([0xFF; 16]),
        class,
        start,
        end,
        overrides: false,
        areas: target.areas.clone(),
        receivers: target.receivers.clone(),
    };
    let before = UnixMicros(start.0.saturating_sub(48 * 3600 * 1_000_000));
    let others = app.store().foreseen(before, item.end, None).await?;
    let mut items: Vec<_> = others.into_iter().map(|it| it.item).collect();
    items.push(item.clone());
    let sounds = ground.spots.iter().any(|spot| {
        let place = ground.place(&spot.path);
        let pieces = forecast::of_receiver(spot, place, &items, item.start, item.end);
        let bound = |fate| matches!(fate, Fate::Hours | Fate::Minutes);
        pieces
            .iter()
            .any(|it| it.broadcast == item.broadcast && !bound(it.fate))
    });
    match sounds || ground.spots.is_empty() {
        true => Ok(()),
        false => {
            let vi = "Theo khung giờ và số phút trong ngày của địa bàn, lúc đó không cụm nào được phát. Cần hai người cho phép ngoại lệ.";
            let en = "By the hours and minutes of its areas it would sound nowhere then. It takes two people to go past them.";
            Err(Problem::new(StatusCode::CONFLICT, "silent", vi, en))
        }
    }
}

/// The instant to come that `text` names in `field`.
pub(super) fn start(field: &str, now: UnixMicros, text: &str) -> Answer<UnixMicros> {
    let Some(start) = instant(text) else {
        let en = "Must be an instant such as 2026-02-17T05:30:00+07:00 (RFC 3339).";
        return Err(Problem::field(
            field,
            "Phải là một thời điểm như 2026-02-17T05:30:00+07:00 (RFC 3339).",
            en,
        ));
    };
    if start <= now {
        return Err(Problem::field(
            field,
            "Thời điểm này đã qua.",
            "That instant has passed.",
        ));
    }
    if start.0 - now.0 > FURTHEST {
        return Err(Problem::field(
            field,
            "Không quá một năm kể từ bây giờ.",
            "At most a year from now.",
        ));
    }
    Ok(start)
}
