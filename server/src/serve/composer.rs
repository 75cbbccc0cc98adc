//! Playlists are composed in the background. Here: when, one after the other, and that what nobody needs any more goes. Not here: what is to
//! be composed (`store`), how (`media`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use loa_protocol::UnixMicros;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, broadcast, watch};

use crate::media::{ComposeError, Encoding, Piece, compose};
use crate::store::{BulletinId, Change, Error, Store, ToMake, ids};

/// Longest sleep, so that a clock that was set is noticed.
const NAP: Duration = Duration::from_secs(30);
/// What failed for want of the database is tried again after this.
const AGAIN: Duration = Duration::from_secs(5);
/// After so many stretches of sound, some seconds' work, others who wait for the same core go first.
const TURN: u32 = 4096;

/// Composes playlists until shutdown.
pub(crate) struct Composer {
    pub(crate) store: Arc<Store>,
    pub(crate) encoding: Encoding,
    /// Held while it works.
    pub(crate) decoding: Arc<Semaphore>,
    pub(crate) clock: fn() -> UnixMicros,
}

impl Composer {
    pub(crate) async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let mut changes = self.store.watch();
        if let Err(error) = self.try_again().await {
            tracing::error!(%error, "playlists could not be read");
        }
        loop {
            let next = match self.work(&mut changes, &mut shutdown).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::error!(%error, "playlists could not be composed");
                    Some(UnixMicros((self.clock)().0 + AGAIN.as_micros() as u64))
                }
            };
            loop {
                let now = (self.clock)();
                if *shutdown.borrow() {
                    return;
                }
                if next.is_some_and(|next| next <= now) {
                    break;
                }
                let wait = next.map_or(NAP, |next| Duration::from_micros(next.0 - now.0).min(NAP));
                let change = tokio::select! {
                    _ = shutdown.wait_for(|ending| *ending) => return,
                    () = tokio::time::sleep(wait) => continue,
                    change = changes.recv() => change,
                };
                match change {
                    Err(broadcast::error::RecvError::Closed) => return,
                    Ok(change) if !concerns(change) => {}
                    _ => break,
                }
            }
        }
    }

    /// What could not be composed before the server started may be possible now.
    async fn try_again(&self) -> Result<(), Error> {
        for it in self.store.playlists().await? {
            if it.trouble.is_some() {
                self.store.playlist_trouble(it.id, None).await?;
            }
        }
        Ok(())
    }

    /// Composes all that is to be, and gives when there will be more.
    async fn work(
        &self,
        changes: &mut broadcast::Receiver<Change>,
        shutdown: &mut watch::Receiver<bool>,
    ) -> Result<Option<UnixMicros>, Error> {
        loop {
            for id in self.store.forget_turns((self.clock)()).await? {
                self.remove(id).await;
            }
            let (missing, next) = self.store.to_make((self.clock)()).await?;
            let Some(first) = missing.into_iter().next() else {
                return Ok(next);
            };
            if *shutdown.borrow() {
                return Ok(None);
            }
            self.make(&first, changes, shutdown).await?;
        }
    }

    /// Composes one, unless it turns out meanwhile that nobody wants it.
    async fn make(
        &self,
        it: &ToMake,
        changes: &mut broadcast::Receiver<Change>,
        shutdown: &mut watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let id = BulletinId(ids::fresh((self.clock)()));
        let stop = Stop::default();
        let mut task = tokio::task::spawn_blocking({
            let pieces = it.row.sounds.iter().map(|sound| Piece {
                programme: self.store.programme(sound.id),
                samples: sound.samples,
                fades: match sound.fades {
                    true => it.row.joins.fade_samples(sound.samples),
                    false => (0, 0),
                },
            });
            let pieces: Vec<_> = pieces.collect();
            let (gap, encoding) = (it.row.joins.gap_samples(), self.encoding);
            let (destination, decoding, stop) = (self.store.programme(id), self.decoding.clone(), stop.0.clone());
            let handle = Handle::current();
            move || {
                let take = || handle.block_on(decoding.clone().acquire_owned()).ok();
                let (mut permit, mut stretches) = (take(), 0);
                compose(&pieces, gap, &destination, encoding, || {
                    stretches += 1;
                    if stretches % TURN == 0 {
                        drop(permit.take());
                        permit = take();
                    }
                    !stop.load(Ordering::Relaxed)
                })
            }
        });
        let made = loop {
            let stopping = stop.0.load(Ordering::Relaxed);
            tokio::select! {
                made = &mut task => break made,
                () = async { _ = shutdown.wait_for(|ending| *ending).await }, if !stopping => {
                    stop.0.store(true, Ordering::Relaxed);
                }
                change = changes.recv() => {
                    if !matches!(change, Ok(change) if !concerns(change)) {
                        let (missing, _) = self.store.to_make((self.clock)()).await?;
                        stop.0.fetch_or(!missing.contains(it), Ordering::Relaxed);
                    }
                }
            }
        };
        match made {
            Ok(Ok(_)) => {
                if !self.store.made((self.clock)(), it, id).await? {
                    self.remove(id).await;
                }
            }
            Ok(Err(ComposeError::Stopped)) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, playlist = %it.playlist, "a playlist could not be composed");
                self.store
                    .playlist_trouble(it.playlist, Some(&error.to_string()))
                    .await?;
            }
            Err(error) => {
                tracing::error!(%error, playlist = %it.playlist, "a playlist could not be composed");
                self.store.playlist_trouble(it.playlist, Some("panic")).await?;
            }
        }
        Ok(())
    }

    async fn remove(&self, id: BulletinId) {
        let file = self.store.programme(id);
        if let Err(error) = tokio::fs::remove_file(&file).await {
            // A server that starts sweeps what is left.
            tracing::warn!(%error, file = %file.display(), "what was composed and nobody needs could not be removed");
        }
    }
}

/// Stops what is being composed when it is told to, or dropped.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Whether it may change what is to be composed.
fn concerns(change: Change) -> bool {
    matches!(change, Change::Playlist(_) | Change::Bulletin(_) | Change::Elsewhere)
}
