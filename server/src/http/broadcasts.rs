//! Broadcasts: what is asked to be on the air, and what came of it.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use loa_protocol::{BroadcastId, UnixMicros};

use super::App;
use super::bulletins::Page;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Body, Officer};
use super::shapes::{Broadcast, NewBroadcast, Receipt, broadcast_id, instant, no_id};
use crate::playout::{LEAD, Notice};
use crate::store::{self, BulletinId};

/// A start may lie this far ahead, in microseconds: a schedule repeats, a broadcast is one occurrence.
const FURTHEST: u64 = 366 * 86_400 * 1_000_000;

/// Broadcasts
#[utoipa::path(
    get, path = "/api/v1/broadcasts", operation_id = "listBroadcasts", tag = "broadcasts",
    params(Page),
    responses(
        (status = 200, description = "The newest first; without `before` also all that are scheduled or on the air", body = [Broadcast]),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn list(State(app): State<App>, _: Officer, Query(page): Query<Page>) -> Answer<Json<Vec<Broadcast>>> {
    let broadcasts = app
        .store()
        .broadcasts(page.before(BroadcastId::parse)?, page.limit()?)
        .await?;
    Ok(Json(broadcasts.into_iter().map(Broadcast::from).collect()))
}

/// Broadcast a bulletin
#[utoipa::path(
    post, path = "/api/v1/broadcasts", operation_id = "broadcast", tag = "broadcasts",
    request_body = NewBroadcast,
    responses(
        (status = 201, description = "Accepted: it will be on the air even if the server is killed now", body = Broadcast),
        (status = 404, description = "`not_found`: there is no such bulletin", body = Error),
        (status = 409, description = "`not_approved`: the bulletin is not approved", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn accept(
    State(app): State<App>,
    officer: Officer,
    Body(it): Body<NewBroadcast>,
) -> Answer<(StatusCode, Json<Broadcast>)> {
    let bulletin = BulletinId::parse(&it.bulletin_id).ok_or_else(|| no_id("bulletin_id", &it.bulletin_id))?;
    let target = it.target.read()?;
    let now = app.now();
    let start = match it.start.as_deref() {
        None => UnixMicros(now.0 + LEAD.as_micros() as u64),
        Some(text) => start(now, text)?,
    };
    let new = store::NewBroadcast {
        bulletin,
        target,
        start,
    };
    let broadcast = app.store().accept(&officer.actor, now, &officer.user, new).await?;
    app.tell(Notice::Accepted(broadcast.id));
    Ok((StatusCode::CREATED, Json(broadcast.into())))
}

/// Stop a broadcast
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
pub(super) async fn stop(State(app): State<App>, officer: Officer, Path(id): Path<String>) -> Answer<Json<Broadcast>> {
    let id = broadcast_id(&id)?;
    let broadcast = app.store().stop(&officer.actor, app.now(), id).await?;
    app.tell(Notice::Stopped(id));
    Ok(Json(broadcast.into()))
}

/// What became of a broadcast, receiver by receiver
#[utoipa::path(
    get, path = "/api/v1/broadcasts/{id}/receipts", operation_id = "broadcastReceipts", tag = "broadcasts",
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "By the receivers' names", body = [Receipt]),
        (status = 404, description = "`not_found`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn receipts(State(app): State<App>, _: Officer, Path(id): Path<String>) -> Answer<Json<Vec<Receipt>>> {
    let id = broadcast_id(&id)?;
    let state = app.store().broadcast_by_id(id).await?.state;
    let receipts = app.store().receipts(id).await?;
    Ok(Json(receipts.into_iter().map(|it| Receipt::new(it, state)).collect()))
}

fn start(now: UnixMicros, text: &str) -> Answer<UnixMicros> {
    let Some(start) = instant(text) else {
        let en = "Must be an instant such as 2026-02-17T05:30:00+07:00 (RFC 3339).";
        return Err(Problem::field(
            "start",
            "Phải là một thời điểm như 2026-02-17T05:30:00+07:00 (RFC 3339).",
            en,
        ));
    };
    if start <= now {
        return Err(Problem::field(
            "start",
            "Thời điểm này đã qua.",
            "That instant has passed.",
        ));
    }
    if start.0 - now.0 > FURTHEST {
        return Err(Problem::field(
            "start",
            "Không quá một năm kể từ bây giờ.",
            "At most a year from now.",
        ));
    }
    Ok(start)
}
