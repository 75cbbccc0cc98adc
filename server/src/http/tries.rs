//! Attempts to show who one is. Here: each is counted before it is judged, and who failed too often waits; who waits is
//! counted and in the record. Not here: how long (`patience`).

use axum::http::HeaderMap;
use tokio::sync::{Mutex, MutexGuard};

use super::App;
use super::error::{Answer, Problem};
use super::gate;
use crate::patience::{Key, Patience};
use crate::store::{self, Actor, Entry, User};

/// An attempt that was let through. Dropped without a word it stays counted as failed.
pub(super) struct Try<'a> {
    app: &'a App,
    keys: Vec<Key>,
}

/// Lets an attempt through, or says how long to wait.
pub(super) async fn attempt<'a>(app: &'a App, actor: &Actor, keys: Vec<Key>) -> Answer<Try<'a>> {
    let now = app.now();
    let waits = patience(app).await?.attempt(now, &keys);
    let Err(wait) = waits else { return Ok(Try { app, keys }) };
    app.counters.waits.add();
    if wait.news {
        let entry = Entry {
            at: now,
            actor,
            what: "session.wait",
            subject: String::new(),
            detail: format!("{} s", wait.time.as_secs()),
        };
        app.store().note(entry).await?;
    }
    Err(Problem::failures(wait.time))
}

impl Try<'_> {
    /// It was right.
    pub(super) async fn right(self) -> Answer<()> {
        patience(self.app).await?.forgive(&self.keys, true);
        self.keep().await
    }

    /// It was wrong.
    pub(super) async fn wrong(self) -> Answer<()> {
        self.keep().await
    }

    /// It was not judged.
    pub(super) async fn unjudged(self) -> Answer<()> {
        patience(self.app).await?.forgive(&self.keys, false);
        Ok(())
    }

    async fn keep(self) -> Answer<()> {
        let kept = patience(self.app).await?.kept(&self.keys);
        self.app.store().keep_failures(self.app.now(), &kept).await?;
        Ok(())
    }
}

async fn patience(app: &App) -> Answer<MutexGuard<'_, Patience>> {
    let read = async || -> Result<_, store::Error> {
        let kept = app.store().failures(app.now()).await?;
        Ok(Mutex::new(Patience::of(kept)))
    };
    Ok(app.patience.get_or_try_init(read).await?.lock().await)
}

/// The hash of what this browser shows to be one that `user` signed in with before, if it is.
pub(super) async fn device(app: &App, headers: &HeaderMap, user: &User) -> Answer<Option<String>> {
    let Some(token) = gate::cookie(app, headers, &cookie_name(user)) else {
        return Ok(None);
    };
    let hash = gate::hash(&token);
    let known = app.store().knows_device(app.now(), user.id, &hash).await?;
    Ok(known.then_some(hash))
}

/// Makes the browser one that `user` has signed in with: the `Set-Cookie` that does it. One that is already stays it.
pub(super) async fn remember(app: &App, headers: &HeaderMap, user: &User) -> Answer<String> {
    let name = cookie_name(user);
    let token = match device(app, headers, user).await? {
        Some(_) => gate::cookie(app, headers, &name),
        None => None,
    };
    let token = token.unwrap_or_else(gate::fresh_token);
    app.store().keep_device(app.now(), user.id, &gate::hash(&token)).await?;
    let age = store::devices::LASTS / 1_000_000;
    Ok(format!("{}; Max-Age={age}", gate::kept(app, &name, &token)))
}

/// One cookie a user, since a browser may be several people's; its name tells nobody's.
fn cookie_name(user: &User) -> String {
    format!("loa_known_{}", &gate::hash(&user.id.to_string())[..12])
}
