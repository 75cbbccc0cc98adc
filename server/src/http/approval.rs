//! Whether bulletins may be broadcast: asking, approving, refusing. Here: who may, and telling the air what fails and what is planned anew
//! for it. Not here: what those are (`store`).

use axum::Json;
use axum::extract::{Path, State};
use loa_protocol::BroadcastId;
use loa_protocol::precedence::Class;
use serde::Deserialize;
use utoipa::ToSchema;

use super::App;
use super::bulletins::may;
use super::error::{Answer, Error, Guarded};
use super::gate::{Body, Caller};
use super::shelf::Bulletin;
use crate::authority::Right;
use crate::playout::Notice;

/// Why something is refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Refusal {
    /// A line, 500 characters at most: who asked reads it.
    pub(super) reason: String,
}

/// Ask for approval of a bulletin
///
/// Takes the right to make bulletins there. One that was refused may be submitted again; one that is submitted or approved stays so.
#[utoipa::path(
    post, path = "/api/v1/bulletins/{id}/submit", operation_id = "submitBulletin", tag = "bulletins",
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "The bulletin", body = Bulletin),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`changed`: somebody else has changed it meanwhile", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn submit(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<Json<Bulletin>> {
    let id = may(&app, &caller, Right::Compose, &id).await?.id;
    let submitted = app.store().submit(&caller.actor, app.now(), &caller.user, id);
    Ok(Json(submitted.await?.into()))
}

/// Approve a bulletin
///
/// It need not have been submitted. Broadcasts of it that had failed for want of approval and have not begun are planned anew. Under another
/// title it has to be approved again; another folder, field, language, expiry or other tags change nothing about it.
#[utoipa::path(
    post, path = "/api/v1/bulletins/{id}/approve", operation_id = "approveBulletin", tag = "bulletins",
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "The bulletin", body = Bulletin),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`changed`: somebody else has changed it meanwhile", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn approve(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<Json<Bulletin>> {
    let bulletin = may(&app, &caller, Right::Approve, &id).await?;
    if bulletin.class == Class::Emergency {
        may(&app, &caller, Right::Emergency, &id).await?;
    }
    let approved = app.store().approve(&caller.actor, app.now(), &caller.user, bulletin.id);
    let (bulletin, planned) = approved.await?;
    planned.into_iter().for_each(|it| drop(app.tell(Notice::Accepted(it))));
    Ok(Json(bulletin.into()))
}

/// Refuse a bulletin, or withdraw its approval
///
/// Takes the right to approve it. What is scheduled of it fails with the reason `not_approved`; what is on the air goes on.
#[utoipa::path(
    post, path = "/api/v1/bulletins/{id}/refuse", operation_id = "refuseBulletin", tag = "bulletins",
    params(("id" = String, Path)),
    request_body = Refusal,
    responses(
        (status = 200, description = "The bulletin, with the reason", body = Bulletin),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`changed`: somebody else has changed it meanwhile", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn refuse(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(it): Body<Refusal>,
) -> Answer<Json<Bulletin>> {
    let id = may(&app, &caller, Right::Approve, &id).await?.id;
    let refused = app
        .store()
        .refuse(&caller.actor, app.now(), &caller.user, id, &it.reason);
    let (bulletin, withdrawn) = refused.await?;
    silence(&app, withdrawn);
    Ok(Json(bulletin.into()))
}

/// Tells the air what is not to sound any more.
pub(super) fn silence(app: &App, withdrawn: Vec<BroadcastId>) {
    withdrawn.into_iter().for_each(|it| drop(app.tell(Notice::Stopped(it))));
}
