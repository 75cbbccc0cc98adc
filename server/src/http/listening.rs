//! Listening in: what a broadcast sounds like at this moment, as a stream. Here: who may, the pace, and when it ends. Not here: the bytes
//! (`media::pages`).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use loa_protocol::UnixMicros;
use tokio::time::{Instant, sleep_until};

use super::App;
use super::broadcasts::seen;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{self, By, Caller};
use crate::media::{Aired, Pages, Programme};
use crate::store::{self, BroadcastState};

/// How often it is looked whether it still sounds, and may still be heard.
const LOOK: Duration = Duration::from_secs(2);

/// Listen in
///
/// What a broadcast sounds like now, from now on until it ends. Takes the right to see it.
#[utoipa::path(
    get, path = "/api/v1/broadcasts/{id}/listen", operation_id = "listenIn", tag = "broadcasts",
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "Opus in Ogg (RFC 7845), mono, without an end", content_type = "audio/ogg"),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`not_on_air`: it does not sound now", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn listen(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<Response> {
    let (_, it) = seen(&app, &caller, &id).await?;
    let aired = match it.state {
        BroadcastState::OnAir => aired(&app, &it).await?,
        _ => None,
    };
    let Some(aired) = aired else {
        let (vi, en) = ("Buổi phát này không đang phát.", "This broadcast does not sound now.");
        return Err(Problem::new(StatusCode::CONFLICT, "not_on_air", vi, en));
    };
    let index = aired.index(it.start, app.now());
    let listener = Listener {
        by: caller.by,
        start: it.start,
        id: it.id,
        aired,
        index,
        pages: Pages::new().map_err(Problem::internal)?,
        look: Instant::now() + LOOK,
        app,
    };
    let pages = stream::unfold(listener, |mut listener| async move {
        let page = listener.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(page)), listener))
    });
    let headers = [(header::CONTENT_TYPE, "audio/ogg"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(pages)).into_response())
}

/// The packets of a broadcast that sounds.
async fn aired(app: &App, it: &store::Broadcast) -> Answer<Option<Aired>> {
    if it.source.is_some() {
        return Ok(app.parts.studio.on_air(it.id).map(Aired::Live));
    }
    let file = app.store().programme(it.bulletin);
    let read = tokio::task::spawn_blocking(move || Programme::open(&file)).await;
    let programme = read.map_err(Problem::internal)?.map_err(Problem::internal)?;
    Ok(Some(Aired::File(Arc::new(programme))))
}

struct Listener {
    app: App,
    by: By,
    id: loa_protocol::BroadcastId,
    start: UnixMicros,
    aired: Aired,
    /// The next packet.
    index: u64,
    pages: Pages,
    /// When it is looked whether that goes on.
    look: Instant,
}

impl Listener {
    /// What sounds next, once it does; `None` ends the stream.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let due = self.aired.due(self.start, self.index);
            let wait = Duration::from_micros(due.0.saturating_sub(self.app.now().0));
            let mut shutdown = self.app.parts.shutdown.clone();
            tokio::select! {
                _ = shutdown.wait_for(|ending| *ending) => return None,
                () = sleep_until(Instant::now() + wait) => {}
            }
            if self.aired.is_over(self.index) {
                return None;
            }
            if Instant::now() >= self.look {
                self.look = Instant::now() + LOOK;
                let sounds = self.app.store().broadcast_by_id(self.id).await;
                let sounds = sounds.is_ok_and(|it| it.state == BroadcastState::OnAir);
                let may = gate::still(&self.app, &self.by).await;
                if !sounds || !matches!(may, Ok(Some(_))) {
                    return None;
                }
            }
            self.pages.add(&self.aired, self.index).ok()?;
            self.index += 1;
            let page = self.pages.take();
            if !page.is_empty() {
                return Some(page);
            }
        }
    }
}
