//! Areas.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use loa_protocol::AreaId;

use super::App;
use super::error::{Answer, Error, Guarded};
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
    let parent = it.parent_id.as_deref();
    let parent = parent
        .map(|text| AreaId::parse(text).ok_or_else(|| no_id("parent_id", text)))
        .transpose()?;
    let view = View::new(app.store(), &caller.authority).await?;
    caller.may_somewhere(Right::Areas)?;
    match parent {
        None => caller.may(Right::Areas, &[])?,
        Some(id) => {
            let unknown = store::Error::Invalid {
                field: "parent_id",
                why: Invalid::Unknown,
            };
            caller.may(Right::Areas, view.seen_path(id).ok_or(unknown)?)?;
        }
    }
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
