//! Bulletins, but for their sound (`upload`, `audio`).

use axum::Json;
use axum::extract::{Path, State};
use loa_protocol::precedence::Class;
use serde::Deserialize;
use utoipa::IntoParams;

use super::App;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Caller, Query};
use super::shapes::{Bulletin, no_id};
use super::view::{Place, View};
use crate::authority::Right;
use crate::store::{self, BulletinId};

/// Items on a page unless said otherwise.
pub(super) const PAGE: u32 = 200;

/// A page of a list, the newest first.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// Only what is older than the one with this identifier: the last of the page before.
    #[param(nullable = false)]
    pub(super) before: Option<String>,
    /// How many at most, 1 to 1000; 200 if absent.
    #[param(nullable = false, minimum = 1, maximum = 1000)]
    pub(super) limit: Option<u32>,
}

impl Page {
    pub(super) fn limit(&self) -> Answer<u32> {
        let limit = self.limit.unwrap_or(PAGE);
        match limit {
            1..=1000 => Ok(limit),
            _ => Err(Problem::field("limit", "Phải từ 1 đến 1000.", "Must be 1 to 1000.")),
        }
    }

    pub(super) fn before<T>(&self, parse: impl FnOnce(&str) -> Option<T>) -> Answer<Option<T>> {
        self.before
            .as_deref()
            .map(|text| parse(text).ok_or_else(|| no_id("before", text)))
            .transpose()
    }
}

/// Bulletins
#[utoipa::path(
    get, path = "/api/v1/bulletins", operation_id = "listBulletins", tag = "bulletins",
    params(Page),
    responses(
        (status = 200, description = "The newest first", body = [Bulletin]),
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
) -> Answer<Json<Vec<Bulletin>>> {
    let (before, limit) = (page.before(BulletinId::parse)?, page.limit()?);
    let view = View::new(app.store(), &caller.authority).await?;
    let seen = |it: &store::Bulletin| view.sees(&Place::In(it.area));
    let bulletins = app.store().bulletins(before, limit, &seen).await?;
    Ok(Json(bulletins.into_iter().map(Bulletin::from).collect()))
}

/// Approve a bulletin
#[utoipa::path(
    post, path = "/api/v1/bulletins/{id}/approve", operation_id = "approveBulletin", tag = "bulletins",
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "The bulletin", body = Bulletin),
        (status = 404, description = "`not_found`", body = Error),
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
    Ok(Json(approved.await?.into()))
}

/// The bulletin of that identifier, if `caller` has `right` over it.
pub(super) async fn may(app: &App, caller: &Caller, right: Right, id: &str) -> Answer<store::Bulletin> {
    caller.may_somewhere(right)?;
    let id = BulletinId::parse(id).ok_or(store::Error::Missing("bulletin"))?;
    let bulletin = app.store().bulletin(id).await?;
    let view = View::new(app.store(), &caller.authority).await?;
    caller.may_to(right, view.path(bulletin.area), "bulletin")?;
    Ok(bulletin)
}
