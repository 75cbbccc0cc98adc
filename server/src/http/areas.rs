//! Areas.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use loa_protocol::AreaId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::App;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Body, Caller};
use super::shapes::{Area, NewArea, no_id};
use super::view::View;
use crate::authority::Right;
use crate::playout::Notice;
use crate::store::{self, Invalid};

/// All areas
#[utoipa::path(
    get, path = "/api/v1/areas", operation_id = "listAreas", tag = "areas",
    responses((status = 200, description = "Each after the one that it lies in: those that one may see, and those above them", body = [Area]), Guarded),
    security(("session" = []))
)]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<Vec<Area>>> {
    let view = View::new(app.store(), &caller.authority).await?;
    let areas = app.store().areas().await?.into_iter();
    Ok(Json(areas.filter(|area| view.names(area.id)).map(Area::from).collect()))
}

/// Add an area
#[utoipa::path(
    post, path = "/api/v1/areas", operation_id = "addArea", tag = "areas",
    request_body = NewArea,
    responses(
        (status = 201, description = "The area", body = Area),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn add(
    State(app): State<App>,
    caller: Caller,
    Body(it): Body<NewArea>,
) -> Answer<(StatusCode, Json<Area>)> {
    let view = View::new(app.store(), &caller.authority).await?;
    let parent = place(&caller, &view, it.parent_id.as_deref())?;
    let new = store::NewArea {
        parent,
        kind: it.kind,
        name: it.name,
        code: it.code,
    };
    let area = app.store().add_area(&caller.actor, app.now(), new).await?;
    app.tell(Notice::ReceiversChanged);
    Ok((StatusCode::CREATED, Json(area.into())))
}

/// What is to be different about an area; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AreaChange {
    #[schema(nullable = false)]
    name: Option<String>,
    #[schema(nullable = false)]
    kind: Option<String>,
    /// Its official code.
    #[schema(nullable = false)]
    code: Option<String>,
    /// The area that it is to lie in.
    #[schema(nullable = false)]
    parent_id: Option<String>,
}

/// Areas that are to become one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Merger {
    /// What they become.
    area: NewArea,
    /// At least two, of which none lies in another.
    area_ids: Vec<String>,
}

/// Change an area
///
/// The name and code that it had are kept. Takes the right to change areas there, and in the area that it is to lie in.
#[utoipa::path(
    patch, path = "/api/v1/areas/{id}", operation_id = "changeArea", tag = "areas",
    params(("id" = String, Path)),
    request_body = AreaChange,
    responses(
        (status = 200, description = "The area", body = Area),
        (status = 404, description = "`not_found`", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(it): Body<AreaChange>,
) -> Answer<Json<Area>> {
    caller.may_somewhere(Right::Areas)?;
    let view = View::new(app.store(), &caller.authority).await?;
    let missing = || Problem::missing("area");
    let id = AreaId::parse(&id).ok_or_else(missing)?;
    caller.may(Right::Areas, view.seen_path(id).ok_or_else(missing)?)?;
    let parent = it.parent_id.as_deref();
    let parent = parent.map(|text| seen(&caller, &view, "parent_id", text)).transpose()?;
    let change = store::AreaChange {
        name: it.name,
        kind: it.kind,
        code: it.code,
        parent,
    };
    let area = app.store().change_area(&caller.actor, app.now(), id, change).await?;
    app.tell(Notice::ReceiversChanged).done().await;
    Ok(Json(area.into()))
}

/// Merge areas
///
/// Makes a new area of several, which lie in it from now on, as areas of the kind `former`: their people, rules, schedules and history go on
/// as they are. Takes the right to change areas in each, and where the new one is to lie.
#[utoipa::path(
    post, path = "/api/v1/areas/merge", operation_id = "mergeAreas", tag = "areas",
    request_body = Merger,
    responses(
        (status = 201, description = "What they have become", body = Area),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn merge(
    State(app): State<App>,
    caller: Caller,
    Body(it): Body<Merger>,
) -> Answer<(StatusCode, Json<Area>)> {
    let view = View::new(app.store(), &caller.authority).await?;
    let parent = place(&caller, &view, it.area.parent_id.as_deref())?;
    let parts = it.area_ids.iter().map(|text| seen(&caller, &view, "area_ids", text));
    let parts = parts.collect::<Answer<Vec<_>>>()?;
    let new = store::NewArea {
        parent,
        kind: it.area.kind,
        name: it.area.name,
        code: it.area.code,
    };
    let area = app.store().merge_areas(&caller.actor, app.now(), new, &parts).await?;
    app.tell(Notice::ReceiversChanged).done().await;
    Ok((StatusCode::CREATED, Json(area.into())))
}

/// Where a new area may lie.
fn place(caller: &Caller, view: &View, parent: Option<&str>) -> Answer<Option<AreaId>> {
    caller.may_somewhere(Right::Areas)?;
    match parent {
        None => caller.may(Right::Areas, &[]).map(|()| None),
        Some(text) => seen(caller, view, "parent_id", text).map(Some),
    }
}

/// The area that `field` names, if `caller` may change areas there.
fn seen(caller: &Caller, view: &View, field: &'static str, text: &str) -> Answer<AreaId> {
    let id = AreaId::parse(text).ok_or_else(|| no_id(field, text))?;
    let unknown = store::Error::Invalid {
        field,
        why: Invalid::Unknown,
    };
    caller.may(Right::Areas, view.seen_path(id).ok_or(unknown)?)?;
    Ok(id)
}
