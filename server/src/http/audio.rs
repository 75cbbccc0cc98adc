//! A bulletin's sound, for a browser's player: it may ask for any part (RFC 9110 §14).

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use tower_http::services::ServeFile;

use super::App;
use super::bulletins;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::Caller;
use crate::authority::Right;

/// A bulletin's sound
#[utoipa::path(
    get, path = "/api/v1/bulletins/{id}/audio", operation_id = "bulletinAudio", tag = "bulletins",
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "Opus in Ogg (RFC 7845), mono", content_type = "audio/ogg"),
        (status = 206, description = "The part that was asked for", content_type = "audio/ogg"),
        (status = 404, description = "`not_found`", body = Error),
        (status = 416, description = "There is no such part"),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn audio(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Answer<Response> {
    let id = bulletins::may(&app, &caller, Right::See, &id).await?.id;
    if app.store().playlist(id).await.is_ok() {
        // What sounds of it are others.
        return Err(Problem::missing("bulletin"));
    }
    let served = ServeFile::new(app.store().programme(id)).try_call(request).await;
    let mut response = served.map_err(Problem::internal)?.map(Body::new);
    if response.status() == axum::http::StatusCode::NOT_FOUND {
        return Err(Problem::internal(format!("the programme of bulletin {id} is gone")));
    }
    // A bulletin's sound never changes, but only who is signed in may have it.
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=86400"),
    );
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("audio/ogg"));
    Ok(response)
}
