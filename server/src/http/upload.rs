//! A new bulletin. Here: its file, streamed to the disk with the limit checked on the way, then made into a programme;
//! the row comes last, when all of it is durable. Not here: decoding (`media`).

use std::io::Write as _;

use axum::Json;
use axum::extract::multipart::{Field, Multipart, MultipartError, MultipartRejection};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use loa_protocol::AreaId;
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use serde::de::value::Error as NoClass;
use tempfile::NamedTempFile;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::Caller;
use super::shapes::{Class, no_id};
use super::shelf::Bulletin;
use super::view::View;
use crate::authority::Right;
use crate::media;
use crate::store::{self, BulletinId, BulletinText, Invalid, NewBulletin, bulletins, ids};

/// How much more than allowed is taken from who sends too much, and for how long, before it is told.
const DRAIN_BYTES: usize = 256 << 20;
const DRAIN_TIME: std::time::Duration = std::time::Duration::from_secs(60);
/// Longest field that is not the file, in bytes.
const FIELD: usize = 4096;

pub(super) fn routes() -> OpenApiRouter<App> {
    // The limit of the settings is checked while the file comes in, in its own words.
    OpenApiRouter::new()
        .routes(routes!(upload))
        .layer(DefaultBodyLimit::disable())
}

/// The form of an upload; the file comes last.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described: the fields are read one by one")]
struct Upload {
    title: String,
    class: Class,
    /// Whose it is. Absent: the only area in which who uploads makes bulletins, else of who may do everything everywhere.
    #[schema(nullable = false)]
    area_id: Option<String>,
    /// `true`: silence before the first and after the last sound is left out. The original is kept as it is.
    #[schema(nullable = false)]
    trim: Option<bool>,
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    file: Vec<u8>,
}

/// Upload a bulletin
///
/// MP3, AAC/M4A, FLAC, WAV, Ogg Vorbis or Opus. A new bulletin is a draft: somebody has to approve it. One whose sound is there
/// already in that area is taken, too: `duplicate_of` says which has it.
#[utoipa::path(
    post, path = "/api/v1/bulletins", operation_id = "uploadBulletin", tag = "bulletins",
    request_body(content = Upload, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "The bulletin", body = Bulletin),
        (status = 400, description = "`bad_request`: not a form, or cut off", body = Error),
        (status = 413, description = "`too_large`: more bytes than the server allows", body = Error),
        (status = 422, description = "`invalid`: see `fields`; `empty_file`, `not_audio`, `no_audio_track`, `unsupported_audio`, `truncated`, `damaged`, `too_long`: the file was not taken", body = Error),
        (status = 503, description = "`busy`: too many uploads at once", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
async fn upload(
    State(app): State<App>,
    caller: Caller,
    form: Result<Multipart, MultipartRejection>,
) -> Answer<(StatusCode, Json<Bulletin>)> {
    let _place = app.uploading.try_acquire().map_err(|_| Problem::busy())?;
    let mut form = form.map_err(|error| Problem::bad_request(error.body_text()))?;
    caller.may_somewhere(Right::Compose)?;
    let (mut title, mut class, mut area, mut trim) = (None, None, None, None);
    while let Some(field) = form.next_field().await.map_err(broken)? {
        match field.name() {
            Some("title") if title.is_some() => return Err(twice("title")),
            Some("class") if class.is_some() => return Err(twice("class")),
            Some("title") => title = Some(bulletins::title(&text(field, "title").await?)?),
            Some("class") => class = Some(read_class(&text(field, "class").await?)?),
            Some("area_id") => {
                let text = text(field, "area_id").await?;
                area = Some(AreaId::parse(&text).ok_or_else(|| no_id("area_id", &text))?);
            }
            Some("trim") if trim.is_some() => return Err(twice("trim")),
            Some("trim") => trim = Some(read_switch("trim", &text(field, "trim").await?)?),
            Some("file") => {
                let title = title.ok_or_else(|| needed("title"))?;
                let class = class.ok_or_else(|| needed("class"))?;
                let area = whose(&app, &caller, area).await?;
                let file = receive(&app, field).await?;
                // From here on it is no longer the browser's to break off: what has come in whole is brought to its end.
                let draft = Draft {
                    title,
                    class,
                    area,
                    text: None,
                    trim: trim.unwrap_or(false),
                };
                let finished = tokio::spawn(finish(app.clone(), caller, draft, file)).await;
                let bulletin = finished.map_err(Problem::internal)??;
                app.counters.uploads.add();
                return Ok((StatusCode::CREATED, Json(bulletin.into())));
            }
            other => {
                let name = other.unwrap_or_default().chars().take(40).collect::<String>();
                return Err(Problem::bad_request(format!(
                    "unknown field `{name}`; title, class, area_id, trim and file are known"
                )));
            }
        }
    }
    Err(needed("file"))
}

/// A bulletin that is to be.
pub(super) struct Draft {
    pub(super) title: String,
    pub(super) class: Class,
    pub(super) area: Option<AreaId>,
    /// What it says, if it was typed.
    pub(super) text: Option<BulletinText>,
    /// Without the silence around it.
    pub(super) trim: bool,
}

/// Makes a bulletin of a file that is there whole; the file is its original afterwards, or gone.
pub(super) async fn finish(app: App, caller: Caller, draft: Draft, upload: NamedTempFile) -> Answer<store::Bulletin> {
    let now = app.now();
    let id = BulletinId(ids::fresh(now));
    let (programme, original) = (
        app.store().programme(id),
        app.parts.data.originals().join(id.to_string()),
    );
    let encoding = media::Encoding {
        trim: draft.trim,
        ..app.parts.config.encoding()
    };
    let mut limits = app.parts.config.limits();
    if draft.text.is_some() {
        // It was made here, and is bounded in length.
        limits.bytes = u64::MAX;
    }
    let turn = app.decoding.clone().acquire_owned().await.map_err(Problem::internal)?;
    let (to, keep) = (programme.clone(), original.clone());
    let made = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let made = media::ingest(upload.path(), &to, encoding, limits)?;
        upload.as_file().sync_all()?;
        upload.persist(&keep).map_err(|error| error.error)?;
        std::fs::File::open(keep.parent().expect("it lies in a folder"))?.sync_all()?;
        Ok::<_, media::IngestError>(made)
    });
    let added = match made.await.map_err(Problem::internal)? {
        Ok(made) => {
            let new = NewBulletin {
                id,
                title: draft.title,
                class: draft.class.into(),
                format: if draft.text.is_some() {
                    "text"
                } else {
                    made.format.name()
                },
                samples: made.samples,
                area: draft.area,
                text: draft.text,
                sound: store::Sound {
                    fingerprint: Some(made.fingerprint),
                    source_loudness: made.source_loudness,
                    loudness: made.loudness,
                    peaks: made.peaks,
                },
            };
            app.store()
                .add_bulletin(&caller.actor, now, &caller.user, new)
                .await
                .map_err(Problem::from)
        }
        Err(error) => Err(error.into()),
    };
    if added.is_err() {
        app.counters.refused_uploads.add();
        for file in [programme, original] {
            // Mostly it was never there.
            let _ = tokio::fs::remove_file(file).await;
        }
    }
    added
}

/// Streams the file to the disk.
async fn receive(app: &App, mut field: Field<'_>) -> Answer<NamedTempFile> {
    let limit = app.parts.config.upload_max_bytes;
    let mut file = NamedTempFile::new_in(app.parts.data.uploads()).map_err(Problem::internal)?;
    let mut size = 0u64;
    // What the browser says of the file, its name and type, is not looked at.
    let mut head = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        let wanted = media::HEAD.saturating_sub(head.len()).min(chunk.len());
        if wanted > 0 {
            head.extend_from_slice(&chunk[..wanted]);
            if head.len() == media::HEAD
                && let Some(what) = media::not_audio(&head)
            {
                app.counters.refused_uploads.add();
                drain(field).await;
                return Err(media::IngestError::IsSomethingElse(what).into());
            }
        }
        size += chunk.len() as u64;
        if size > limit {
            drain(field).await;
            return Err(Problem::too_large(limit));
        }
        file = tokio::task::spawn_blocking(move || file.write_all(&chunk).map(|()| file))
            .await
            .map_err(Problem::internal)?
            .map_err(Problem::internal)?;
    }
    Ok(file)
}

/// Takes what is still coming and throws it away, within bounds: a browser that is answered while it sends shows a broken
/// connection instead of the answer.
async fn drain(mut field: Field<'_>) {
    let all = async {
        let mut left = DRAIN_BYTES;
        while let Ok(Some(chunk)) = field.chunk().await {
            left = match left.checked_sub(chunk.len()) {
                Some(left) => left,
                None => return,
            };
        }
    };
    // Whoever is slower, or sends more, sees the connection break.
    let _ = tokio::time::timeout(DRAIN_TIME, all).await;
}

async fn text(mut field: Field<'_>, name: &'static str) -> Answer<String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > FIELD {
            return Err(Problem::field(name, "Quá dài.", "Too long."));
        }
    }
    String::from_utf8(bytes).map_err(|_| Problem::field(name, "Không phải chữ UTF-8.", "Not UTF-8 text."))
}

/// The area that a bulletin will belong to, if `caller` makes bulletins there.
pub(super) async fn whose(app: &App, caller: &Caller, area: Option<AreaId>) -> Answer<Option<AreaId>> {
    let area = area.or_else(|| caller.authority.only_area(Right::Compose));
    let view = View::new(app.store(), &caller.authority).await?;
    match area {
        None if !caller.authority.may_everywhere(Right::Compose) => {
            let (vi, en) = (
                "Hãy chọn địa bàn của bản tin.",
                "Say to which area the bulletin belongs.",
            );
            return Err(Problem::field("area_id", vi, en));
        }
        None => {}
        Some(id) => {
            let unknown = store::Error::Invalid {
                field: "area_id",
                why: Invalid::Unknown,
            };
            caller.may(Right::Compose, view.seen_path(id).ok_or(unknown)?)?;
        }
    }
    Ok(area)
}

fn read_class(text: &str) -> Answer<Class> {
    let text: serde::de::value::StrDeserializer<'_, NoClass> = text.into_deserializer();
    let right = "normal, priority, emergency";
    Class::deserialize(text).map_err(|_| {
        Problem::field(
            "class",
            format!("Phải là một trong: {right}."),
            format!("Must be one of {right}."),
        )
    })
}

fn read_switch(name: &'static str, text: &str) -> Answer<bool> {
    let right = "true, false";
    text.parse().map_err(|_| {
        Problem::field(
            name,
            format!("Phải là một trong: {right}."),
            format!("Must be one of {right}."),
        )
    })
}

fn twice(name: &str) -> Problem {
    Problem::bad_request(format!("field `{name}` stands there twice"))
}

fn needed(name: &'static str) -> Problem {
    let en = "Missing; the fields are title, class and, last, file.";
    Problem::field(name, "Thiếu; cần title, class và sau cùng là file.", en)
}

fn broken(error: MultipartError) -> Problem {
    Problem::bad_request(error.body_text())
}
