//! Bulletins, but for their sound (`upload`, `audio`) and whether they may be broadcast (`approval`).

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::App;
use super::approval::silence;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Body, Caller, Query};
use super::shapes::{instant, no_id};
use super::shelf::{Bulletin, BulletinChange, Peaks};
use super::view::{Place, View};
use crate::authority::Right;
use crate::store::{self, BulletinId, BulletinState, Wanted};

/// Items on a page unless said otherwise.
pub(super) const PAGE: u32 = 200;

/// Longest search, in characters.
const SEARCH: usize = 200;

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

/// Which bulletins.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Shelf {
    /// Only what is older than the one with this identifier: the last of the page before.
    #[param(nullable = false)]
    before: Option<String>,
    /// How many at most, 1 to 1000; 200 if absent.
    #[param(nullable = false, minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Words that title, folder, field or tags have, in any order and in part; without marks they find words with marks, too.
    #[param(nullable = false, max_length = 200)]
    search: Option<String>,
    /// In this folder, or in one within it.
    #[param(nullable = false)]
    folder: Option<String>,
    /// About this (lĩnh vực).
    #[param(nullable = false)]
    field: Option<String>,
    /// In this language.
    #[param(nullable = false)]
    language: Option<String>,
    /// With this tag.
    #[param(nullable = false)]
    tag: Option<String>,
    /// `draft`, `submitted`, `approved` or `refused`.
    #[param(nullable = false)]
    state: Option<String>,
}

/// Bulletins
#[utoipa::path(
    get, path = "/api/v1/bulletins", operation_id = "listBulletins", tag = "bulletins",
    params(Shelf),
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
    Query(shelf): Query<Shelf>,
) -> Answer<Json<Vec<Bulletin>>> {
    let page = Page {
        before: shelf.before,
        limit: shelf.limit,
    };
    let (before, limit) = (page.before(BulletinId::parse)?, page.limit()?);
    let search = shelf.search.unwrap_or_default();
    if search.chars().count() > SEARCH {
        let (vi, en) = ("Nhiều nhất 200 ký tự.", "At most 200 characters.");
        return Err(Problem::field("search", vi, en));
    }
    let state = shelf.state.as_deref().map(|name| {
        BulletinState::named(name).ok_or_else(|| {
            let vi = "Phải là draft, submitted, approved hoặc refused.";
            Problem::field("state", vi, "Must be draft, submitted, approved or refused.")
        })
    });
    let wanted = Wanted {
        search,
        folder: shelf.folder,
        field: shelf.field,
        language: shelf.language,
        tag: shelf.tag,
        state: state.transpose()?,
    };
    let view = View::new(app.store(), &caller.authority).await?;
    let seen = |it: &store::Bulletin| view.sees(&Place::bulletin(it));
    let bulletins = app.store().bulletins(before, limit, &wanted, &seen).await?;
    Ok(Json(bulletins.into_iter().map(Bulletin::from).collect()))
}

/// Change what is known of a bulletin
///
/// Not its sound, nor its class. Takes the right to make bulletins there. Under another title it has to be approved again: one that was
/// submitted or approved is a draft then, and what was scheduled of it fails with the reason `not_approved`. Nothing else that is changed
/// here asks for that.
#[utoipa::path(
    patch, path = "/api/v1/bulletins/{id}", operation_id = "changeBulletin", tag = "bulletins",
    params(("id" = String, Path)),
    request_body = BulletinChange,
    responses(
        (status = 200, description = "The bulletin", body = Bulletin),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`changed`: somebody else has changed its state meanwhile", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(it): Body<BulletinChange>,
) -> Answer<Json<Bulletin>> {
    let id = may(&app, &caller, Right::Compose, &id).await?.id;
    let expires = match it.expires_at.as_deref() {
        None => None,
        Some("") => Some(None),
        Some(text) => match instant(text) {
            Some(at) => Some(Some(at)),
            None => {
                let vi = "Phải là một thời điểm như 2026-02-17T05:30:00+07:00 (RFC 3339), hoặc để trống.";
                let en = "Must be an instant such as 2026-02-17T05:30:00+07:00 (RFC 3339), or empty.";
                return Err(Problem::field("expires_at", vi, en));
            }
        },
    };
    let change = store::BulletinChange {
        title: it.title,
        folder: it.folder,
        field: it.field,
        language: it.language,
        tags: it.tags,
        expires,
    };
    let changed = app.store().change_bulletin(&caller.actor, app.now(), id, change);
    let (bulletin, withdrawn) = changed.await?;
    silence(&app, withdrawn);
    Ok(Json(bulletin.into()))
}

/// Delete a bulletin
///
/// Its sound and its original are gone for good; that it was there, and was broadcast, stays in the record. Takes the right to
/// make bulletins there.
#[utoipa::path(
    delete, path = "/api/v1/bulletins/{id}", operation_id = "deleteBulletin", tag = "bulletins",
    params(("id" = String, Path)),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`in_use`: `uses` says what still needs it", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn delete(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<StatusCode> {
    let id = may(&app, &caller, Right::Compose, &id).await?.id;
    let deleted = app.store().delete_bulletin(&caller.actor, app.now(), id).await?;
    deleted.map_err(Problem::in_use)?;
    let original = app.parts.data.originals().join(id.to_string());
    for file in [app.store().programme(id), original] {
        if let Err(error) = tokio::fs::remove_file(&file).await {
            // A server that starts sweeps what is left.
            tracing::warn!(%error, file = %file.display(), "a deleted bulletin's file could not be removed");
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The outline of a bulletin's sound
#[utoipa::path(
    get, path = "/api/v1/bulletins/{id}/peaks", operation_id = "bulletinPeaks", tag = "bulletins",
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "The outline", body = Peaks),
        (status = 404, description = "`not_found`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn peaks(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<Json<Peaks>> {
    let it = may(&app, &caller, Right::See, &id).await?;
    Ok(Json(Peaks {
        duration_ms: it.samples / 48,
        peaks: app.store().peaks(it.id).await?,
    }))
}

/// The bulletin of that identifier, if `caller` has `right` over it.
pub(super) async fn may(app: &App, caller: &Caller, right: Right, id: &str) -> Answer<store::Bulletin> {
    caller.may_somewhere(right)?;
    let id = BulletinId::parse(id).ok_or(store::Error::Missing("bulletin"))?;
    let bulletin = app.store().bulletin(id).await?;
    if bulletin.is_composed() && right != Right::See {
        return Err(Problem::missing("bulletin"));
    }
    let view = View::new(app.store(), &caller.authority).await?;
    match (view.sees(&Place::bulletin(&bulletin)), right) {
        (false, _) => return Err(Problem::missing("bulletin")),
        // What was sent to one is seen, and no more than that.
        (true, Right::See) => {}
        (true, _) => caller.may(right, view.path(bulletin.area))?,
    }
    Ok(bulletin)
}
