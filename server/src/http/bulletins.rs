//! Bulletins, but for their sound (`upload`, `audio`).

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use utoipa::IntoParams;

use super::App;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::Officer;
use super::shapes::{Bulletin, no_id};
use crate::store::BulletinId;

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
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn list(State(app): State<App>, _: Officer, Query(page): Query<Page>) -> Answer<Json<Vec<Bulletin>>> {
    let bulletins = app
        .store()
        .bulletins(page.before(BulletinId::parse)?, page.limit()?)
        .await?;
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
pub(super) async fn approve(
    State(app): State<App>,
    officer: Officer,
    Path(id): Path<String>,
) -> Answer<Json<Bulletin>> {
    let id = bulletin_id(&id)?;
    Ok(Json(
        app.store()
            .approve(&officer.actor, app.now(), &officer.user, id)
            .await?
            .into(),
    ))
}

/// The identifier in an address; whatever is none names nothing.
pub(super) fn bulletin_id(text: &str) -> Answer<BulletinId> {
    BulletinId::parse(text).ok_or_else(|| Problem::missing("bulletin"))
}
