//! What changes, as events. Here: one task that reads what has changed, once for all who watch, at most a few times a
//! second, and that notices what other processes change. Not here: a watcher's stream (`events`).

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::broadcast;

use super::App;
use super::claims::claims;
use super::shapes::{Broadcast, Receiver};
use super::shelf::Bulletin;
use super::view::Place;
use crate::authority::Right;
use crate::playout::Notice;
use crate::store::{Change, Error};

/// Changes are gathered for this long: thousands of receivers report at once, and eyes are slow.
const GATHER: Duration = Duration::from_millis(200);
/// How often it is looked what other processes have changed.
const ELSEWHERE: Duration = Duration::from_secs(1);
/// Events that may wait for a slow watcher; one that falls further behind is given everything anew.
const BACKLOG: usize = 4096;

/// An event that watchers are sent, or what they have to do.
#[derive(Debug, Clone)]
pub(super) enum News {
    /// An event: its name, its JSON, and whom it concerns.
    Event(&'static str, String, Place),
    /// More has changed than events tell: send everything anew.
    Afresh,
    /// Look whether the session goes on.
    Sessions,
}

/// Where events come from.
#[derive(Debug, Clone)]
pub(super) struct Feed(broadcast::Sender<News>);

impl Default for Feed {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

impl Feed {
    /// Events from now on.
    pub(super) fn listen(&self) -> broadcast::Receiver<News> {
        self.0.subscribe()
    }

    fn send(&self, news: News) {
        // Nobody watching is no fault.
        let _ = self.0.send(news);
    }
}

/// Runs until shutdown.
pub(super) async fn run(app: &App) {
    let mut shutdown = app.parts.shutdown.clone();
    let mut changes = app.store().watch();
    let mut look = tokio::time::interval(ELSEWHERE);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let first = tokio::select! {
            _ = shutdown.wait_for(|ending| *ending) => return,
            _ = look.tick() => None,
            change = changes.recv() => Some(change),
        };
        let Some(first) = first else {
            if let Err(error) = app.store().look_elsewhere().await {
                tracing::error!(%error, "it could not be looked what other processes have changed");
            }
            continue;
        };
        tokio::time::sleep(GATHER).await;
        let mut changed = BTreeSet::new();
        let mut next = first;
        loop {
            match next {
                Ok(change) => _ = changed.insert(change),
                Err(broadcast::error::RecvError::Lagged(_)) => _ = changed.insert(Change::Areas),
                Err(broadcast::error::RecvError::Closed) => return,
            }
            next = match changes.try_recv() {
                Ok(change) => Ok(change),
                Err(broadcast::error::TryRecvError::Lagged(n)) => Err(broadcast::error::RecvError::Lagged(n)),
                Err(_) => break,
            };
        }
        if let Err(error) = tell(app, changed).await {
            tracing::error!(%error, "what has changed could not be read");
            app.feed.send(News::Afresh);
        }
    }
}

async fn tell(app: &App, changed: BTreeSet<Change>) -> Result<(), Error> {
    if changed.contains(&Change::Sessions) || changed.contains(&Change::Elsewhere) {
        app.feed.send(News::Sessions);
    }
    if changed.contains(&Change::Elsewhere) {
        app.tell(Notice::ReceiversChanged);
    }
    // There is no event for areas: they change seldom, and receivers move with them.
    if changed.contains(&Change::Areas) || changed.contains(&Change::Elsewhere) {
        app.feed.send(News::Afresh);
        return Ok(());
    }
    if app.feed.0.receiver_count() == 0 {
        return Ok(());
    }
    let broadcasts = changed.iter().any(|change| matches!(change, Change::Broadcast(_)));
    let places = match broadcasts {
        true => app.store().areas_of_receivers().await?,
        false => HashMap::new(),
    };
    let (mut schedules, mut inbox, mut playlists) = (false, false, false);
    for change in changed {
        let event = match change {
            Change::Receiver(id) => {
                let it = app.store().receiver(id).await?;
                let place = Place::In(Some(it.area));
                event("receiver", &Receiver::from(it), place)
            }
            Change::Bulletin(id) => match app.store().bulletin(id).await {
                Ok(it) => {
                    inbox = true;
                    let place = Place::bulletin(&it);
                    event("bulletin", &Bulletin::from(it), place)
                }
                // Deleted: there is no event for what is gone, as that is seldom.
                Err(Error::Missing(_)) => News::Afresh,
                Err(error) => return Err(error),
            },
            Change::Broadcast(id) => {
                let it = app.store().broadcast_by_id(id).await?;
                let place = Place::of(&it.target, &places);
                event("broadcast", &Broadcast::from(it), place)
            }
            // There is no event for schedules but that they have changed: who shows them asks.
            Change::Schedule(_) | Change::Schedules => {
                schedules = true;
                continue;
            }
            // Nor for what lies in inboxes: it is another for everybody.
            Change::Inbox => {
                inbox = true;
                continue;
            }
            // As for schedules.
            Change::Playlist(_) => {
                playlists = true;
                continue;
            }
            Change::Claims => event("claims", &claims(app), Place::Somewhere(Right::Receivers)),
            Change::Areas | Change::Elsewhere | Change::Repeats | Change::Sessions => continue,
        };
        app.feed.send(event);
    }
    if schedules {
        app.feed.send(event("schedules", &(), Place::Somewhere(Right::See)));
    }
    // What waits follows from schedules, too.
    if schedules || inbox {
        app.feed.send(event("inbox", &(), Place::Somewhere(Right::See)));
    }
    if playlists {
        app.feed.send(event("playlists", &(), Place::Somewhere(Right::See)));
    }
    Ok(())
}

fn event(name: &'static str, value: &impl Serialize, place: Place) -> News {
    let json = serde_json::to_string(value).expect("the API's shapes are JSON");
    News::Event(name, json, place)
}
