//! The bank of recorded phrases: for languages that no engine speaks. A recording is a bulletin like any other; a phrase says
//! what is in it. Here: listing, adding, changing, removing, and finding the one that a part names.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::bulletins;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Body, Caller};
use super::shapes::no_id;
use super::speech::{area_id, language};
use super::upload::whose;
use super::view::View;
use crate::authority::Right;
use crate::store::{self, BulletinId, Invalid, PhraseId};

/// A phrase that somebody recorded.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Phrase {
    id: String,
    /// RFC 5646.
    language: String,
    /// What is said, in that language.
    text: String,
    /// The same in Vietnamese.
    meaning: String,
    /// The recording.
    bulletin_id: String,
    /// Whose it is; absent: of who may do everything everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    area_id: Option<String>,
}

/// A phrase to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPhrase {
    /// RFC 5646, such as `hmn`, `km`, `cjm`, `jra`.
    language: String,
    /// What is said, in that language.
    text: String,
    /// The same in Vietnamese.
    meaning: String,
    /// The recording: a bulletin that was uploaded.
    bulletin_id: String,
    /// Whose it is. Absent: the only area in which one makes bulletins, else of who may do everything everywhere.
    area_id: Option<String>,
}

/// What is to change about a phrase; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PhraseChange {
    text: Option<String>,
    meaning: Option<String>,
}

impl From<store::Phrase> for Phrase {
    fn from(it: store::Phrase) -> Self {
        Self {
            id: it.id.to_string(),
            language: it.language.tag().into(),
            text: it.text,
            meaning: it.meaning,
            bulletin_id: it.bulletin.to_string(),
            area_id: it.area.map(|id| id.to_string()),
        }
    }
}

/// Recorded phrases
#[utoipa::path(
    get, path = "/api/v1/phrases", operation_id = "listPhrases", tag = "speech",
    responses((status = 200, description = "By language: those of areas that one sees or that lie above them, and everybody's", body = [Phrase]), Guarded),
    security(("session" = []))
)]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<Vec<Phrase>>> {
    let view = View::new(app.store(), &caller.authority).await?;
    let all = app.store().phrases().await?.into_iter();
    let usable = all.filter(|it| usable(&view, it));
    Ok(Json(usable.map(Phrase::from).collect()))
}

/// Add a recorded phrase
#[utoipa::path(
    post, path = "/api/v1/phrases", operation_id = "addPhrase", tag = "speech",
    request_body = NewPhrase,
    responses(
        (status = 201, description = "The phrase", body = Phrase),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn add(
    State(app): State<App>,
    caller: Caller,
    Body(it): Body<NewPhrase>,
) -> Answer<(StatusCode, Json<Phrase>)> {
    caller.may_somewhere(Right::Compose)?;
    let area = whose(&app, &caller, area_id(it.area_id.as_deref())?).await?;
    let bulletin = BulletinId::parse(&it.bulletin_id).ok_or_else(|| no_id("bulletin_id", &it.bulletin_id))?;
    let recording = bulletins::may(&app, &caller, Right::See, &bulletin.to_string()).await;
    recording.map_err(|problem| match problem.is_missing() {
        true => unknown("bulletin_id").into(),
        false => problem,
    })?;
    let new = store::NewPhrase {
        area,
        language: language("language", &it.language)?,
        text: it.text,
        meaning: it.meaning,
        bulletin,
    };
    let added = app.store().add_phrase(&caller.actor, app.now(), &caller.user, new);
    Ok((StatusCode::CREATED, Json(added.await?.into())))
}

/// Change what a recorded phrase is said to say
#[utoipa::path(
    patch, path = "/api/v1/phrases/{id}", operation_id = "changePhrase", tag = "speech",
    params(("id" = String, Path)),
    request_body = PhraseChange,
    responses(
        (status = 200, description = "The phrase", body = Phrase),
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
    Body(it): Body<PhraseChange>,
) -> Answer<Json<Phrase>> {
    let id = may(&app, &caller, &id).await?;
    let change = (it.text.as_deref(), it.meaning.as_deref());
    let changed = app.store().change_phrase(&caller.actor, app.now(), id, change);
    Ok(Json(changed.await?.into()))
}

/// Remove a recorded phrase
///
/// Its recording stays.
#[utoipa::path(
    delete, path = "/api/v1/phrases/{id}", operation_id = "removePhrase", tag = "speech",
    params(("id" = String, Path)),
    responses(
        (status = 204, description = "It is no phrase any more"),
        (status = 404, description = "`not_found`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn remove(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<StatusCode> {
    let id = may(&app, &caller, &id).await?;
    app.store().remove_phrase(&caller.actor, app.now(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The phrase that a part of a bulletin names.
pub(super) async fn named(app: &App, view: &View, id: &str) -> Answer<store::Phrase> {
    let id = PhraseId::parse(id).ok_or_else(|| no_id("parts", id))?;
    let found = match app.store().phrase(id).await {
        Err(store::Error::Missing(_)) => None,
        found => Some(found?).filter(|it| usable(view, it)),
    };
    found.ok_or_else(|| unknown("parts").into())
}

fn usable(view: &View, it: &store::Phrase) -> bool {
    it.area.is_none_or(|area| view.names(area))
}

async fn may(app: &App, caller: &Caller, id: &str) -> Answer<PhraseId> {
    caller.may_somewhere(Right::Compose)?;
    let id = PhraseId::parse(id).ok_or_else(|| Problem::missing("phrase"))?;
    let it = app.store().phrase(id).await?;
    let view = View::new(app.store(), &caller.authority).await?;
    caller.may_to(Right::Compose, view.path(it.area), "phrase")?;
    Ok(id)
}

fn unknown(field: &'static str) -> store::Error {
    store::Error::Invalid {
        field,
        why: Invalid::Unknown,
    }
}
