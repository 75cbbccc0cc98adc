//! The officers' table: how they want words read. Here: listing, adding, removing, and which entries hold in an area. Not
//! here: what is read without it (`speech::reading`).

use std::cmp::Reverse;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use loa_protocol::AreaId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::error::{Answer, Error, Guarded};
use super::gate::{Body, Caller};
use super::speech::area_id;
use super::upload::whose;
use super::view::View;
use crate::authority::Right;
use crate::speech::reading::Table;
use crate::store::{self, ReadingId};

/// How a word is to be read.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reading {
    id: String,
    /// What is written.
    word: String,
    /// What is said.
    reading: String,
    /// Where it holds, and below; absent: everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    area_id: Option<String>,
}

/// How a word is to be read from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewReading {
    /// What is written: a word or a few. In small letters it also stands for itself with capitals; with capitals only for itself.
    word: String,
    /// What is said.
    reading: String,
    /// Where it holds, and below. Absent: the only area in which one makes bulletins, else everywhere.
    area_id: Option<String>,
}

impl From<store::Reading> for Reading {
    fn from(it: store::Reading) -> Self {
        Self {
            id: it.id.to_string(),
            word: it.word,
            reading: it.reading,
            area_id: it.area.map(|id| id.to_string()),
        }
    }
}

/// How words are read
#[utoipa::path(
    get, path = "/api/v1/readings", operation_id = "listReadings", tag = "speech",
    responses((status = 200, description = "By word: those of areas that one sees or that lie above them, and those that hold everywhere", body = [Reading]), Guarded),
    security(("session" = []))
)]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<Vec<Reading>>> {
    let view = View::new(app.store(), &caller.authority).await?;
    let all = app.store().readings().await?.into_iter();
    let seen = all.filter(|it| it.area.is_none_or(|area| view.names(area)));
    Ok(Json(seen.map(Reading::from).collect()))
}

/// Say how a word is read
///
/// Bulletins that are typed from now on are read so; those that were made stay as they are.
#[utoipa::path(
    post, path = "/api/v1/readings", operation_id = "addReading", tag = "speech",
    request_body = NewReading,
    responses(
        (status = 201, description = "The reading", body = Reading),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn add(
    State(app): State<App>,
    caller: Caller,
    Body(it): Body<NewReading>,
) -> Answer<(StatusCode, Json<Reading>)> {
    caller.may_somewhere(Right::Compose)?;
    let area = whose(&app, &caller, area_id(it.area_id.as_deref())?).await?;
    let said = (&*it.word, &*it.reading);
    let added = app
        .store()
        .add_reading(&caller.actor, app.now(), &caller.user, area, said);
    Ok((StatusCode::CREATED, Json(added.await?.into())))
}

/// Remove a reading
#[utoipa::path(
    delete, path = "/api/v1/readings/{id}", operation_id = "removeReading", tag = "speech",
    params(("id" = String, Path)),
    responses(
        (status = 204, description = "The word is read as others are"),
        (status = 404, description = "`not_found`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn remove(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<StatusCode> {
    caller.may_somewhere(Right::Compose)?;
    let id = ReadingId::parse(&id).ok_or(store::Error::Missing("reading"))?;
    let it = app.store().reading(id).await?;
    let view = View::new(app.store(), &caller.authority).await?;
    caller.may_to(Right::Compose, view.path(it.area), "reading")?;
    app.store().remove_reading(&caller.actor, app.now(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The readings that hold at `path` (areas from the root down): the nearer area's goes before.
pub(super) async fn table(app: &App, path: &[AreaId]) -> Answer<Table> {
    let depth = |it: &store::Reading| match it.area {
        None => Some(0),
        Some(area) => path.iter().position(|it| *it == area).map(|depth| depth + 1),
    };
    let all = app.store().readings().await?.into_iter();
    let mut held: Vec<_> = all.filter_map(|it| depth(&it).map(|depth| (depth, it))).collect();
    held.sort_by_key(|it| Reverse(it.0));
    Ok(Table::new(held.into_iter().map(|(_, it)| (it.word, it.reading))))
}
