//! Playlists: several bulletins one after the other, which schedules and broadcasts name as they name a bulletin. Here: keeping them, and
//! saying what sounds of them, how long that is and what has dropped out. Not here: composing (`serve::composer`).

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use loa_protocol::{AreaId, UnixMicros};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Body, Caller};
use super::inbox;
use super::shapes::{Class, no_id};
use super::upload::whose;
use super::view::{Place, View};
use crate::authority::Right;
use crate::schedule::playlist::{Dropped, Joins, Part};
use crate::store::{self, BulletinId};

/// A playlist.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Playlist {
    /// Schedules and broadcasts take it as their `bulletin_id`.
    id: String,
    /// Rises with every change; to be sent along with the next.
    version: u64,
    title: String,
    /// That of its least urgent part.
    class: Class,
    /// Whose it is; absent: of who may do everything everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    area_id: Option<String>,
    /// The jingle before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    opening: Option<PlaylistPart>,
    /// In order.
    parts: Vec<PlaylistPart>,
    /// The jingle after.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    closing: Option<PlaylistPart>,
    /// Silence between two of them, jingles too.
    gap_ms: u32,
    /// In which each part comes up; jingles do not.
    fade_in_ms: u32,
    /// In which each part goes down; jingles do not.
    fade_out_ms: u32,
    /// How many parts sound each time, by turns; absent: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    take: Option<usize>,
    #[schema(inline)]
    state: PlaylistState,
    /// Why it cannot be composed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    trouble: Option<String>,
    /// What sounds by turns: one unless `take` says otherwise, none if nothing is left. A broadcast that is no schedule's plays the first.
    turns: Vec<PlaylistTurn>,
    /// Of the longest turn.
    duration_ms: u64,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum PlaylistState {
    /// It is being made; what was made before sounds no more.
    Composing,
    Ready,
    /// `trouble` says why.
    Failed,
    /// Nothing is left of it.
    Empty,
}

/// A bulletin in a playlist.
#[derive(Debug, Serialize, ToSchema)]
struct PlaylistPart {
    bulletin_id: String,
    title: String,
    duration_ms: u64,
    /// Why it does not sound: `expired`, `deleted` or `not_approved`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    dropped: Option<String>,
}

/// What sounds of a playlist at one turn.
#[derive(Debug, Serialize, ToSchema)]
struct PlaylistTurn {
    /// Its sound, to listen to (`bulletinAudio`); absent: it is not composed yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    bulletin_id: Option<String>,
    /// What sounds, in order, jingles too.
    bulletin_ids: Vec<String>,
    duration_ms: u64,
    /// Samples of sound at 48 kHz.
    samples: u64,
}

/// A playlist that somebody wants.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPlaylist {
    title: String,
    /// Whose it is. Absent: the only area in which who asks makes bulletins, else of who may do everything everywhere. One that is changed
    /// stays whose it was.
    area_id: Option<String>,
    /// Approved bulletins, in order, 500 at most; the same may be there twice.
    bulletin_ids: Vec<String>,
    /// The jingle before.
    opening_id: Option<String>,
    /// The jingle after.
    closing_id: Option<String>,
    /// Silence between two of them, jingles too; none if absent.
    #[schema(minimum = 0, maximum = 600_000)]
    gap_ms: Option<u32>,
    /// In which each part comes up; none if absent.
    #[schema(minimum = 0, maximum = 30_000)]
    fade_in_ms: Option<u32>,
    /// In which each part goes down; none if absent.
    #[schema(minimum = 0, maximum = 30_000)]
    fade_out_ms: Option<u32>,
    /// How many parts sound each time, by turns; absent: all of them.
    #[schema(minimum = 1)]
    take: Option<u32>,
    /// The version that was seen, when one is changed.
    #[schema(minimum = 1)]
    version: Option<u64>,
}

/// Playlists
#[utoipa::path(
    get, path = "/api/v1/playlists", operation_id = "listPlaylists", tag = "playlists",
    responses((status = 200, description = "Those of areas that one sees", body = [Playlist]), Guarded),
    security(("session" = []))
)]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<Vec<Playlist>>> {
    let view = View::new(app.store(), &caller.authority).await?;
    let (all, now) = (app.store().playlists().await?.into_iter(), app.now());
    let seen = all.filter(|it| view.sees(&Place::In(it.area)));
    Ok(Json(seen.map(|it| Playlist::new(it, now)).collect()))
}

/// Make a playlist
///
/// It is composed into one sound in the background. Takes the right to make bulletins there.
#[utoipa::path(
    post, path = "/api/v1/playlists", operation_id = "addPlaylist", tag = "playlists",
    request_body = NewPlaylist,
    responses(
        (status = 201, description = "It is kept, and will be composed", body = Playlist),
        (status = 404, description = "`not_found`: there is no such bulletin", body = Error),
        (status = 409, description = "`part`: a part is not approved, the message names it; `not_accepted`: a part comes from above and was not accepted there", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn add(
    State(app): State<App>,
    caller: Caller,
    Body(it): Body<NewPlaylist>,
) -> Answer<(StatusCode, Json<Playlist>)> {
    let area = it.area_id.as_deref();
    let area = area.map(|text| AreaId::parse(text).ok_or_else(|| no_id("area_id", text)));
    let area = whose(&app, &caller, area.transpose()?).await?;
    let new = wanted(&app, &caller, it, area).await?;
    let now = app.now();
    let added = app.store().add_playlist(&caller.actor, now, &caller.user, new).await?;
    Ok((StatusCode::CREATED, Json(Playlist::new(added, now))))
}

/// Change a playlist
///
/// Broadcasts that were accepted sound as they would have. Takes the right to make bulletins there.
#[utoipa::path(
    put, path = "/api/v1/playlists/{id}", operation_id = "changePlaylist", tag = "playlists",
    params(("id" = String, Path)),
    request_body = NewPlaylist,
    responses(
        (status = 200, description = "It is kept, and will be composed", body = Playlist),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`changed`: somebody else has changed it since `version`; else as `addPlaylist`", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(it): Body<NewPlaylist>,
) -> Answer<Json<Playlist>> {
    let known = may(&app, &caller, &id).await?;
    if it.area_id.is_some() && it.area_id != known.area.map(|area| area.to_string()) {
        let (vi, en) = ("Không đổi được địa bàn.", "It stays whose it is.");
        return Err(Problem::field("area_id", vi, en));
    }
    let version = it.version.ok_or_else(|| {
        let en = "The version that was seen is missing.";
        Problem::field("version", "Thiếu phiên bản đã xem.", en)
    })?;
    let new = wanted(&app, &caller, it, known.area).await?;
    let now = app.now();
    let changed = app
        .store()
        .change_playlist(&caller.actor, now, &caller.user, (known.id, version), new);
    Ok(Json(Playlist::new(changed.await?, now)))
}

/// Remove a playlist
///
/// Its bulletins stay. Takes the right to make bulletins there.
#[utoipa::path(
    delete, path = "/api/v1/playlists/{id}", operation_id = "removePlaylist", tag = "playlists",
    params(("id" = String, Path)),
    responses(
        (status = 204, description = "It is gone; its broadcasts stay in the record"),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`in_use`: `uses` says what still needs it", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn remove(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<StatusCode> {
    let id = may(&app, &caller, &id).await?.id;
    let removed = app.store().remove_playlist(&caller.actor, app.now(), id).await?;
    for it in removed.map_err(Problem::in_use)? {
        let file = app.store().programme(it);
        if let Err(error) = tokio::fs::remove_file(&file).await {
            // A server that starts sweeps what is left.
            tracing::warn!(%error, file = %file.display(), "a removed playlist's file could not be removed");
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The playlist of that identifier, if `caller` makes bulletins where it is.
async fn may(app: &App, caller: &Caller, id: &str) -> Answer<store::Playlist> {
    caller.may_somewhere(Right::Compose)?;
    let id = BulletinId::parse(id).ok_or_else(|| Problem::missing("playlist"))?;
    let it = app.store().playlist(id).await?;
    let view = View::new(app.store(), &caller.authority).await?;
    caller.may_to(Right::Compose, view.path(it.area), "playlist")?;
    Ok(it)
}

/// What is wanted, if `caller` sees all that is to be in it.
async fn wanted(app: &App, caller: &Caller, it: NewPlaylist, area: Option<AreaId>) -> Answer<store::NewPlaylist> {
    if it.bulletin_ids.len() > store::playlists::MAX_PARTS {
        let (vi, en) = ("Nhiều nhất 500 phần.", "At most 500 parts.");
        return Err(Problem::field("bulletin_ids", vi, en));
    }
    let view = View::new(app.store(), &caller.authority).await?;
    let read = |field, text: &str| BulletinId::parse(text).ok_or_else(|| no_id(field, text));
    let jingle = |field, text: &Option<String>| text.as_deref().map(|text| read(field, text)).transpose();
    let opening = jingle("opening_id", &it.opening_id)?;
    let closing = jingle("closing_id", &it.closing_id)?;
    let parts = it.bulletin_ids.iter().map(|text| read("bulletin_ids", text));
    let parts = parts.collect::<Answer<Vec<_>>>()?;
    let named: std::collections::BTreeSet<_> = opening.iter().chain(&parts).chain(&closing).collect();
    let target = store::Target {
        areas: area.into_iter().collect(),
        receivers: Vec::new(),
    };
    for id in named {
        inbox::to_sound(app, &view, &app.store().bulletin(*id).await?, &target).await?;
    }
    Ok(store::NewPlaylist {
        title: it.title,
        area,
        opening,
        parts,
        closing,
        joins: Joins {
            gap: it.gap_ms.unwrap_or(0),
            fade_in: it.fade_in_ms.unwrap_or(0),
            fade_out: it.fade_out_ms.unwrap_or(0),
        },
        take: it.take,
    })
}

impl Playlist {
    fn new(it: store::Playlist, now: UnixMicros) -> Self {
        let part = |part: &Part<BulletinId>| PlaylistPart {
            bulletin_id: part.id.to_string(),
            title: it.titles.get(&part.id).cloned().unwrap_or_default(),
            duration_ms: part.samples / 48,
            dropped: part.dropped(now).map(|why| {
                match why {
                    Dropped::Expired => "expired",
                    Dropped::Deleted => "deleted",
                    Dropped::NotApproved => "not_approved",
                }
                .into()
            }),
        };
        let turn = |turn| {
            let (row, sounding) = (it.list.row(now, turn)?, it.sounding(now, turn)?);
            Some(PlaylistTurn {
                bulletin_id: sounding.made.map(|id| id.to_string()),
                bulletin_ids: row.sounds.iter().map(|it| it.id.to_string()).collect(),
                duration_ms: sounding.samples / 48,
                samples: sounding.samples,
            })
        };
        let turns: Vec<_> = (0..it.list.turns(now)).filter_map(turn).collect();
        Self {
            state: match &it.trouble {
                _ if turns.is_empty() => PlaylistState::Empty,
                _ if turns.iter().all(|it| it.bulletin_id.is_some()) => PlaylistState::Ready,
                Some(_) => PlaylistState::Failed,
                None => PlaylistState::Composing,
            },
            id: it.id.to_string(),
            version: it.version,
            class: it.class.into(),
            area_id: it.area.map(|id| id.to_string()),
            opening: it.list.opening.as_ref().map(part),
            parts: it.list.parts.iter().map(part).collect(),
            closing: it.list.closing.as_ref().map(part),
            gap_ms: it.list.joins.gap,
            fade_in_ms: it.list.joins.fade_in,
            fade_out_ms: it.list.joins.fade_out,
            take: it.list.take,
            duration_ms: turns.iter().map(|it| it.duration_ms).max().unwrap_or(0),
            turns,
            title: it.title,
            trouble: it.trouble,
        }
    }
}
