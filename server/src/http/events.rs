//! Live events (server-sent events, HTML §9.2): first everything, then what changes, until the session, the
//! token or the server ends.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::stream::{self, Stream};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, Sleep};
use utoipa::ToSchema;

use super::App;
use super::bulletins::PAGE;
use super::claims::claims;
use super::error::Guarded;
use super::feed::News;
use super::gate::{self, By, Caller};
use super::shapes::{Area, Broadcast, Claim, Receiver};
use super::shelf::Bulletin;
use super::view::{Place, View};
use crate::authority::{Authority, Right};
use crate::store::{self, Wanted};

/// A comment is sent when nothing else was for this long, so that proxies keep the line and broken ones are noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How often it is looked whether the session or the token goes on.
const SESSION: Duration = Duration::from_secs(30);

/// Everything that one may see, as of now: what `snapshot` carries.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Snapshot {
    areas: Vec<Area>,
    receivers: Vec<Receiver>,
    /// All that are scheduled or on the air, and the last 200.
    broadcasts: Vec<Broadcast>,
    /// The last 200.
    bulletins: Vec<Bulletin>,
    /// Devices that ask to be enrolled, for who may enrol them.
    claims: Vec<Claim>,
}

/// What changes, live
///
/// First an event `snapshot` (`Snapshot`), again whenever more has changed than single events tell; then `receiver`,
/// `broadcast` and `bulletin`, each with the whole of what has changed (`Receiver`, `Broadcast`, `Bulletin`), and `claims` with
/// all that ask to be enrolled (a list of `Claim`), for who may enrol them. `schedules` and `inbox` carry nothing: what they name has changed,
/// and who shows it asks for it.
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
    caller: Caller,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let watcher = Watcher {
        news: app.feed.listen(),
        shutdown: app.parts.shutdown.clone(),
        app,
        by: caller.by,
        look: Box::pin(tokio::time::sleep(Duration::ZERO)),
        authority: caller.authority,
        view: None,
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
    by: By,
    /// When it is looked whether that goes on.
    look: Pin<Box<Sleep>>,
    authority: Authority,
    /// What is seen, as of the last snapshot.
    view: Option<View>,
    /// Everything is to be sent.
    afresh: bool,
}

impl Watcher {
    /// The next event; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if std::mem::take(&mut self.afresh) {
                // What changes while it is read is sent as well: better twice than not at all.
                let snapshot = snapshot(&self.app, &self.authority).await;
                let (view, snapshot) = snapshot
                    .inspect_err(|error| tracing::error!(%error, "no snapshot for a watcher"))
                    .ok()?;
                self.view = Some(view);
                let json = serde_json::to_string(&snapshot).expect("the API's shapes are JSON");
                return Some(Event::default().event("snapshot").data(json));
            }
            let news = tokio::select! {
                _ = self.shutdown.wait_for(|ending| *ending) => return None,
                () = &mut self.look => Ok(News::Sessions),
                news = self.news.recv() => news,
            };
            match news {
                Ok(News::Event(_, _, place)) if !self.view.as_ref().is_some_and(|view| view.sees(&place)) => {}
                Ok(News::Event(name, json, _)) => return Some(Event::default().event(name).data(json)),
                Ok(News::Afresh) | Err(RecvError::Lagged(_)) => self.afresh = true,
                Ok(News::Sessions) => {
                    let still = gate::still(&self.app, &self.by).await;
                    let Ok(Some((authority, until))) = still else {
                        return None;
                    };
                    let left = Duration::from_micros(until.0.saturating_sub(self.app.now().0) + 1);
                    self.look.as_mut().reset(Instant::now() + left.min(SESSION));
                    self.afresh |= authority != self.authority;
                    self.authority = authority;
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

async fn snapshot(app: &App, authority: &Authority) -> Result<(View, Snapshot), store::Error> {
    let store = app.store();
    let view = View::new(store, authority).await?;
    let places = store.areas_of_receivers().await?;
    let areas = store.areas().await?.into_iter();
    let receivers = store.list_receivers().await?.into_iter();
    let heard = |it: &store::Broadcast| view.sees(&Place::of(&it.target, &places));
    let broadcasts = store.broadcasts(None, PAGE, &heard).await?;
    let read = |it: &store::Bulletin| view.sees(&Place::bulletin(it));
    let bulletins = store.bulletins(None, PAGE, &Wanted::default(), &read).await?;
    let claims = match authority.may_somewhere(Right::Receivers) {
        true => claims(app),
        false => Vec::new(),
    };
    let snapshot = Snapshot {
        claims,
        areas: areas.filter(|it| view.names(it.id)).map(Area::from).collect(),
        receivers: receivers
            .filter(|it| view.sees(&Place::In(Some(it.area))))
            .map(Receiver::from)
            .collect(),
        broadcasts: broadcasts.into_iter().map(Broadcast::from).collect(),
        bulletins: bulletins.into_iter().map(Bulletin::from).collect(),
    };
    Ok((view, snapshot))
}
