//! Live events (server-sent events, HTML §9.2): first everything, then what changes, until the session or the server ends.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::stream::{self, Stream};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use utoipa::ToSchema;

use super::App;
use super::bulletins::PAGE;
use super::error::Guarded;
use super::feed::News;
use super::gate::Officer;
use super::shapes::{Area, Broadcast, Bulletin, Receiver};
use crate::store;

/// A comment is sent when nothing else was for this long, so that proxies keep the line and broken ones are noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How often it is looked whether the session goes on.
const SESSION: Duration = Duration::from_secs(30);

/// Everything, as of now: what `snapshot` carries.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Snapshot {
    areas: Vec<Area>,
    receivers: Vec<Receiver>,
    /// All that are scheduled or on the air, and the last 200.
    broadcasts: Vec<Broadcast>,
    /// The last 200.
    bulletins: Vec<Bulletin>,
}

/// What changes, live
///
/// First an event `snapshot` (`Snapshot`), again whenever more has changed than single events tell; then `receiver`,
/// `broadcast` and `bulletin`, each with the whole of what has changed (`Receiver`, `Broadcast`, `Bulletin`).
#[utoipa::path(
    get, path = "/api/v1/events", operation_id = "events", tag = "events",
    responses(
        (status = 200, description = "A stream of events", body = Snapshot, content_type = "text/event-stream"),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn events(
    State(app): State<App>,
    officer: Officer,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let watcher = Watcher {
        news: app.feed.listen(),
        shutdown: app.parts.shutdown.clone(),
        app,
        token_hash: officer.token_hash,
        afresh: true,
    };
    let stream = stream::unfold(watcher, |mut watcher| async move {
        Some((Ok(watcher.next().await?), watcher))
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

struct Watcher {
    app: App,
    news: broadcast::Receiver<News>,
    shutdown: watch::Receiver<bool>,
    token_hash: String,
    /// Everything is to be sent.
    afresh: bool,
}

impl Watcher {
    /// The next event; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if std::mem::take(&mut self.afresh) {
                // What changes while it is read is sent as well: better twice than not at all.
                let snapshot = snapshot(&self.app).await;
                let snapshot = snapshot
                    .inspect_err(|error| tracing::error!(%error, "no snapshot for a watcher"))
                    .ok()?;
                let json = serde_json::to_string(&snapshot).expect("the API's shapes are JSON");
                return Some(Event::default().event("snapshot").data(json));
            }
            let news = tokio::select! {
                _ = self.shutdown.wait_for(|ending| *ending) => return None,
                () = tokio::time::sleep(SESSION) => Ok(News::Sessions),
                news = self.news.recv() => news,
            };
            match news {
                Ok(News::Event(name, json)) => return Some(Event::default().event(name).data(json)),
                Ok(News::Afresh) | Err(RecvError::Lagged(_)) => self.afresh = true,
                Ok(News::Sessions) => {
                    let session = self.app.store().session(self.app.now(), &self.token_hash).await;
                    if !matches!(session, Ok(Some(_))) {
                        return None;
                    }
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

async fn snapshot(app: &App) -> Result<Snapshot, store::Error> {
    let store = app.store();
    Ok(Snapshot {
        areas: store.areas().await?.into_iter().map(Area::from).collect(),
        receivers: store.list_receivers().await?.into_iter().map(Receiver::from).collect(),
        broadcasts: store
            .broadcasts(None, PAGE)
            .await?
            .into_iter()
            .map(Broadcast::from)
            .collect(),
        bulletins: store
            .bulletins(None, PAGE)
            .await?
            .into_iter()
            .map(Bulletin::from)
            .collect(),
    })
}
