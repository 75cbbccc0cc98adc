//! Uploads that go on after the line broke: tus 1.0 (creation, termination), a file in pieces, each from where the last one
//! ended. Here: the pieces, and making a bulletin of a file that is whole. What there is to know of an upload is in its file's name, and how far it
//! has come is its length: nothing to be kept in step, and it goes on after the server was started again. Not here: one
//! that comes at once (`upload`).

use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use axum::Json;
use axum::body::Body as Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use futures_util::StreamExt as _;
use loa_protocol::AreaId;
use serde::Deserialize;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
use utoipa::ToSchema;

use super::App;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Body, Caller};
use super::shapes::{Class, no_id};
use super::shelf::Bulletin;
use super::upload::{self, Draft};
use crate::authority::Right;
use crate::media;
use crate::store::bulletins;
use crate::store::ids::{self, UploadId};

const VERSION: &str = "1.0.0";
const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
/// What pieces are sent as.
const PIECE: &str = "application/offset+octet-stream";
/// Uploads that one person may have under way, and how many of the largest they may be together.
const MOST: usize = 20;
const LARGEST: u64 = 2;
/// One that nothing came of for so long is given up.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// An upload under way: `<id>.<owner>.<length>.part`.
struct Part {
    path: PathBuf,
    id: String,
    owner: String,
    length: u64,
    offset: u64,
}

/// How far an upload has come.
#[derive(serde::Serialize, ToSchema)]
pub(super) struct Progress {
    /// Bytes that are there: the next piece begins here.
    offset: u64,
    /// Bytes that it will have.
    length: u64,
}

/// What the bulletin of an upload is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OfUpload {
    title: String,
    class: Class,
    /// Whose it is. Absent: the only area in which who uploads makes bulletins, else of who may do everything everywhere.
    area_id: Option<String>,
    /// Silence before the first and after the last sound is left out.
    trim: Option<bool>,
}

/// Headers of an answer.
type Told = [(HeaderName, String); 2];

/// Begin an upload
///
/// tus 1.0: `Upload-Length` says how many bytes will come, by PATCH; `Location` says where to. What nothing came of for a day
/// is removed.
#[utoipa::path(
    post, path = "/api/v1/uploads", operation_id = "beginUpload", tag = "uploads",
    params(
        ("Upload-Length" = u64, Header, minimum = 1, description = "Bytes of the whole file"),
        ("Tus-Resumable" = Option<String>, Header, nullable = false, description = "`1.0.0`"),
    ),
    responses(
        (status = 201, description = "It may come", headers(
            ("Location" = String, description = "Where its pieces go"),
            ("Tus-Resumable" = String, description = "`1.0.0`"),
        )),
        (status = 409, description = "`too_many_uploads`: so many are under way already", body = Error),
        (status = 412, description = "`tus_version`: not 1.0.0", body = Error),
        (status = 413, description = "`too_large`: more bytes than the server allows", body = Error),
        (status = 422, description = "`empty_file`: none at all", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn begin(State(app): State<App>, caller: Caller, headers: HeaderMap) -> Answer<(StatusCode, Told)> {
    version(&headers)?;
    caller.may_somewhere(Right::Compose)?;
    let length = number(&headers, &LENGTH)?;
    if length == 0 {
        return Err(media::IngestError::Empty.into());
    }
    let limit = app.parts.config.upload_max_bytes;
    if length > limit {
        return Err(Problem::too_large(limit));
    }
    let (mut under_way, mut promised) = (0, length);
    for part in parts(&app).await? {
        if part.owner == caller.user.id.to_string() {
            under_way += 1;
            promised += part.length;
        }
    }
    if under_way >= MOST || promised > LARGEST * limit {
        let vi = "Bạn có quá nhiều tệp đang tải lên dở dang. Hãy đợi hoặc bỏ bớt.";
        let en = "You have too many uploads under way. Wait, or give some up.";
        return Err(Problem::new(StatusCode::CONFLICT, "too_many_uploads", vi, en));
    }
    let id = UploadId(ids::fresh(app.now()));
    let name = format!("{id}.{}.{length}.part", caller.user.id);
    let path = app.parts.data.uploads().join(name);
    tokio::fs::File::create_new(path).await.map_err(Problem::internal)?;
    let location = (header::LOCATION, format!("/api/v1/uploads/{id}"));
    Ok((StatusCode::CREATED, [location, (RESUMABLE, VERSION.into())]))
}

/// How far an upload has come
///
/// Asked by HEAD, as tus does, the headers say the same.
#[utoipa::path(
    get, path = "/api/v1/uploads/{id}", operation_id = "uploadProgress", tag = "uploads",
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "So far", body = Progress, headers(
            ("Upload-Offset" = u64, description = "Bytes that are there"),
            ("Upload-Length" = u64, description = "Bytes that it will have"),
            ("Tus-Resumable" = String, description = "`1.0.0`"),
        )),
        (status = 404, description = "`not_found`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn progress(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<([(HeaderName, String); 3], Json<Progress>)> {
    let Part { length, offset, .. } = find(&app, &caller, &id).await?;
    let headers = [
        (OFFSET, offset.to_string()),
        (LENGTH, length.to_string()),
        (RESUMABLE, VERSION.into()),
    ];
    Ok((headers, Json(Progress { offset, length })))
}

/// The next piece of an upload
///
/// tus 1.0: `Upload-Offset` says where it begins, which must be where the last one ended. Of a piece that is cut off, what came stays.
#[utoipa::path(
    patch, path = "/api/v1/uploads/{id}", operation_id = "continueUpload", tag = "uploads",
    params(
        ("id" = String, Path),
        ("Upload-Offset" = u64, Header, description = "Where the piece begins"),
        ("Tus-Resumable" = Option<String>, Header, nullable = false, description = "`1.0.0`"),
    ),
    request_body(content = String, content_type = "application/offset+octet-stream", description = "The piece"),
    responses(
        (status = 204, description = "It is there, and on the disk", headers(
            ("Upload-Offset" = u64, description = "Where the next one begins"),
            ("Tus-Resumable" = String, description = "`1.0.0`"),
        )),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`upload_offset`: pieces do not fit together; `upload_busy`: one is coming just now", body = Error),
        (status = 412, description = "`tus_version`: not 1.0.0", body = Error),
        (status = 413, description = "`too_large`: more than was said; the upload is as it was", body = Error),
        (status = 415, description = "`unsupported_media_type`: not `application/offset+octet-stream`", body = Error),
        (status = 422, description = "`not_audio`: the upload was given up", body = Error),
        (status = 503, description = "`busy`: too many uploads at once", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn piece(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<(StatusCode, Told)> {
    version(&headers)?;
    let _place = app.uploading.try_acquire().map_err(|_| Problem::busy())?;
    if headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != PIECE) {
        let vi = format!("Phải gửi dưới dạng {PIECE}.");
        let en = format!("Must be sent as {PIECE}.");
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            vi,
            en,
        ));
    }
    let from = number(&headers, &OFFSET)?;
    find(&app, &caller, &id).await?;
    let _held = app.hold(&id).ok_or_else(in_hand)?;
    // As it is now that nobody else writes.
    let part = find(&app, &caller, &id).await?;
    if from != part.offset {
        let vi = format!("Phần tiếp theo phải bắt đầu từ byte {}.", part.offset);
        let en = format!("The next piece must begin at byte {}.", part.offset);
        return Err(Problem::new(StatusCode::CONFLICT, "upload_offset", vi, en));
    }
    let mut file = tokio::fs::File::options()
        .write(true)
        .open(&part.path)
        .await
        .map_err(Problem::internal)?;
    file.seek(std::io::SeekFrom::Start(from))
        .await
        .map_err(Problem::internal)?;
    let mut offset = from;
    let mut stream = body.into_data_stream();
    while let Some(bytes) = stream.next().await {
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => {
                // What has come is kept: that is what all this is for.
                file.flush().await.map_err(Problem::internal)?;
                return Err(Problem::bad_request(error.to_string()));
            }
        };
        if offset + bytes.len() as u64 > part.length {
            file.flush().await.map_err(Problem::internal)?;
            file.set_len(from).await.map_err(Problem::internal)?;
            return Err(Problem::too_large(part.length));
        }
        if offset == 0
            && let Some(what) = media::not_audio(&bytes[..bytes.len().min(media::HEAD)])
        {
            let _ = tokio::fs::remove_file(&part.path).await;
            app.counters.refused_uploads.add();
            return Err(media::IngestError::IsSomethingElse(what).into());
        }
        file.write_all(&bytes).await.map_err(Problem::internal)?;
        offset += bytes.len() as u64;
    }
    file.flush().await.map_err(Problem::internal)?;
    file.sync_all().await.map_err(Problem::internal)?;
    let headers = [(OFFSET, offset.to_string()), (RESUMABLE, VERSION.into())];
    Ok((StatusCode::NO_CONTENT, headers))
}

/// Give an upload up
#[utoipa::path(
    delete, path = "/api/v1/uploads/{id}", operation_id = "endUpload", tag = "uploads",
    params(("id" = String, Path)),
    responses(
        (status = 204, description = "It is gone", headers(("Tus-Resumable" = String, description = "`1.0.0`"))),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`upload_busy`: a piece is coming just now", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn end(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<(StatusCode, [(HeaderName, &'static str); 1])> {
    let part = find(&app, &caller, &id).await?;
    let _held = app.hold(&id).ok_or_else(in_hand)?;
    tokio::fs::remove_file(part.path).await.map_err(Problem::internal)?;
    Ok((StatusCode::NO_CONTENT, [(RESUMABLE, VERSION)]))
}

/// Make a bulletin of an upload
///
/// The same as uploading it at once. What cannot be taken as audio is gone afterwards; after another mistake the upload stays.
#[utoipa::path(
    post, path = "/api/v1/uploads/{id}/bulletin", operation_id = "bulletinOfUpload", tag = "uploads",
    params(("id" = String, Path)),
    request_body = OfUpload,
    responses(
        (status = 201, description = "The bulletin", body = Bulletin),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`upload_unfinished`: not all of it is there; `upload_busy`: a piece is coming just now", body = Error),
        (status = 422, description = "`invalid`: see `fields`; `empty_file`, `not_audio`, `no_audio_track`, `unsupported_audio`, `truncated`, `damaged`, `too_long`: the file was not taken", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn bulletin(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(it): Body<OfUpload>,
) -> Answer<(StatusCode, Json<Bulletin>)> {
    caller.may_somewhere(Right::Compose)?;
    let title = bulletins::title(&it.title)?;
    let area = it
        .area_id
        .as_deref()
        .map(|text| AreaId::parse(text).ok_or_else(|| no_id("area_id", text)));
    let draft = Draft {
        title,
        class: it.class,
        area: upload::whose(&app, &caller, area.transpose()?).await?,
        trim: it.trim.unwrap_or(false),
        text: None,
    };
    find(&app, &caller, &id).await?;
    let held = app.hold(&id).ok_or_else(in_hand)?;
    let part = find(&app, &caller, &id).await?;
    if part.offset < part.length {
        let vi = format!(
            "Tệp chưa tải lên xong: mới có {} trong {} byte.",
            part.offset, part.length
        );
        let en = format!(
            "The upload is not finished: {} of {} bytes are there.",
            part.offset, part.length
        );
        return Err(Problem::new(StatusCode::CONFLICT, "upload_unfinished", vi, en));
    }
    // From here on it is no longer the browser's to break off.
    let whole = app.clone();
    let finished = tokio::spawn(async move {
        let _held = held;
        let file = std::fs::File::open(&part.path).map_err(Problem::internal)?;
        let path = tempfile::TempPath::try_from_path(part.path).map_err(Problem::internal)?;
        let file = tempfile::NamedTempFile::from_parts(file, path);
        upload::finish(whole, caller, draft, file).await
    });
    let bulletin = finished.await.map_err(Problem::internal)??;
    app.counters.uploads.add();
    Ok((StatusCode::CREATED, Json(bulletin.into())))
}

fn in_hand() -> Problem {
    let vi = "Tệp này đang được tải lên ở nơi khác. Thử lại sau ít giây.";
    let en = "A piece of that upload is coming just now. Try again in a few seconds.";
    Problem::new(StatusCode::CONFLICT, "upload_busy", vi, en)
}

fn version(headers: &HeaderMap) -> Answer<()> {
    match headers.get(RESUMABLE) {
        Some(said) if said != VERSION => {
            let vi = format!("Chỉ dùng được tus {VERSION}.");
            let en = format!("tus {VERSION} is what is spoken here.");
            Err(Problem::new(StatusCode::PRECONDITION_FAILED, "tus_version", vi, en))
        }
        _ => Ok(()),
    }
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Answer<u64> {
    let digits = |text: &&str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let said = headers.get(name).and_then(|value| value.to_str().ok()).filter(digits);
    said.and_then(|text| text.parse().ok())
        .ok_or_else(|| Problem::bad_request(format!("the header `{name}` must be a whole number of bytes")))
}

/// All uploads under way; those that nothing came of for too long are removed.
async fn parts(app: &App) -> Answer<Vec<Part>> {
    let mut found = Vec::new();
    let mut folder = tokio::fs::read_dir(app.parts.data.uploads())
        .await
        .map_err(Problem::internal)?;
    while let Some(entry) = folder.next_entry().await.map_err(Problem::internal)? {
        let name = entry.file_name();
        let words: Vec<&str> = name.to_str().unwrap_or_default().split('.').collect();
        let (&[id, owner, length, "part"], Ok(file)) = (&words[..], entry.metadata().await) else {
            continue;
        };
        let Ok(length) = length.parse() else { continue };
        let at = file.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let since = at.and_then(|at| Duration::from_micros(app.now().0).checked_sub(at));
        if since.is_some_and(|since| since > KEPT) && app.hold(id).is_some() {
            let _ = tokio::fs::remove_file(entry.path()).await;
            continue;
        }
        found.push(Part {
            path: entry.path(),
            id: id.to_owned(),
            owner: owner.to_owned(),
            length,
            offset: file.len(),
        });
    }
    Ok(found)
}

/// The upload of that identifier, if it is `caller`'s.
async fn find(app: &App, caller: &Caller, id: &str) -> Answer<Part> {
    let (all, owner) = (parts(app).await?, caller.user.id.to_string());
    let found = all.into_iter().find(|part| part.id == id && part.owner == owner);
    found.ok_or_else(|| Problem::missing("upload"))
}
