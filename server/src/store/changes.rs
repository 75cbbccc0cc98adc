//! Who is watching is told what has changed. Here: the channel, and noticing what another process changed (`loa user
//! add` beside a running server) by a counter that every change by people raises. Not here: what is done about it.

use std::sync::Arc;

use loa_protocol::{BroadcastId, ReceiverId};
use sqlx::AnyPool;
use tokio::sync::{Mutex, MutexGuard, broadcast};

use super::ids::{BulletinId, ScheduleId};
use super::pool::Transaction;
use super::row::Columns as _;
use super::{Error, Store};

/// Changes that may wait for a slow watcher; one that falls further behind is told so by the channel.
const BACKLOG: usize = 16_384;

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change {
    /// The tree of areas.
    Areas,
    /// A receiver, or what it says of itself.
    Receiver(ReceiverId),
    /// A bulletin.
    Bulletin(BulletinId),
    /// What lies in inboxes, or what was answered.
    Inbox,
    /// A broadcast, or how it fares.
    Broadcast(BroadcastId),
    /// Which broadcasts are to be said again.
    Repeats,
    /// A playlist, or what is composed of it.
    Playlist(BulletinId),
    /// A schedule.
    Schedule(ScheduleId),
    /// What schedules depend on: what areas allow, what may go past it.
    Schedules,
    /// Which devices ask to be enrolled.
    Claims,
    /// A session has ended.
    Sessions,
    /// Something, by another process.
    Elsewhere,
}

#[derive(Clone)]
pub(super) struct Changes {
    sender: broadcast::Sender<Change>,
    /// How much of the counter's value others are the cause of, plus a constant: held while this process changes it.
    others: Arc<Mutex<Counted>>,
}

struct Counted {
    own: i64,
    others: i64,
}

/// Held from before a change's transaction until after it.
pub(super) struct Held<'a>(MutexGuard<'a, Counted>);

impl Held<'_> {
    /// The change was committed.
    pub(super) fn counted(mut self) {
        self.0.own += 1;
    }
}

/// Raises the counter.
pub(super) async fn count(tx: &mut Transaction) -> Result<(), Error> {
    sqlx::query("UPDATE changes SET n = n + 1 WHERE id = 1")
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn read(pool: &AnyPool) -> Result<i64, Error> {
    Ok(sqlx::query("SELECT n FROM changes WHERE id = 1")
        .fetch_one(pool)
        .await?
        .number("n")?
        .cast_signed())
}

impl Changes {
    pub(super) async fn new(pool: &AnyPool) -> Result<Self, Error> {
        let counted = Counted {
            own: 0,
            others: read(pool).await?,
        };
        Ok(Self {
            sender: broadcast::Sender::new(BACKLOG),
            others: Arc::new(Mutex::new(counted)),
        })
    }

    pub(super) async fn hold(&self) -> Held<'_> {
        Held(self.others.lock().await)
    }

    pub(super) fn tell(&self, change: Change) {
        // Nobody watching is no fault.
        let _ = self.sender.send(change);
    }
}

impl Store {
    /// What changes from now on.
    pub fn watch(&self) -> broadcast::Receiver<Change> {
        self.changes.sender.subscribe()
    }

    /// Looks whether another process has changed something since this was last asked, and tells the watchers if so.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn look_elsewhere(&self) -> Result<bool, Error> {
        let mut counted = self.changes.others.lock().await;
        let others = read(&self.pool).await? - counted.own;
        let changed = std::mem::replace(&mut counted.others, others) != others;
        drop(counted);
        if changed {
            self.changes.tell(Change::Elsewhere);
        }
        Ok(changed)
    }

    pub(super) fn tell(&self, change: Change) {
        self.changes.tell(change);
    }
}
