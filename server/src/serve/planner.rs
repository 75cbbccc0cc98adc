//! Schedules, and emergencies that are said again, become broadcasts in time. Here: when each is looked at, and telling the air. Not here: what becomes of an
//! occurrence (`store`), when it recurs (`schedule`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use loa_protocol::UnixMicros;
use tokio::sync::{broadcast, watch};

use crate::playout::Notice;
use crate::store::{Change, Made, ScheduleId, Store};

/// An occurrence is a broadcast this long before it begins, in microseconds.
const AHEAD: u64 = 120_000_000;
/// What was missed and is to be played whole begins so long after the server has come back, in microseconds: receivers have to
/// come back, too.
pub(super) const COME_BACK: u64 = 10_000_000;
/// Longest sleep, so that a clock that was set is noticed.
const NAP: Duration = Duration::from_secs(30);
/// What failed is tried again after this, in microseconds.
const AGAIN: u64 = 5_000_000;

/// Makes broadcasts of schedules and repetitions until shutdown.
pub(super) struct Planner {
    pub(super) store: Arc<Store>,
    pub(super) clock: fn() -> UnixMicros,
    pub(super) tell: Box<dyn Fn(Notice) + Send + Sync>,
}

impl Planner {
    pub(super) async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let mut changes = self.store.watch();
        // When each schedule's next occurrence begins, as far as it has one.
        let mut due: BTreeMap<ScheduleId, UnixMicros> = BTreeMap::new();
        self.read_all(&mut due).await;
        // When the next repetition begins.
        let mut again = Some(UnixMicros(0));
        loop {
            let now = (self.clock)();
            if again.is_some_and(|at| at.0 <= now.0 + AHEAD) {
                again = self.say_again(now).await;
            }
            let look: Vec<_> = due
                .iter()
                .filter(|it| it.1.0 <= now.0 + AHEAD)
                .map(|it| *it.0)
                .collect();
            for id in look {
                self.look(&mut due, id).await;
            }
            let first = due.values().chain(&again).min();
            let first = first.map_or(u64::MAX, |at| at.0.saturating_sub(AHEAD));
            let wait = Duration::from_micros(first.saturating_sub((self.clock)().0)).min(NAP);
            let change = tokio::select! {
                _ = shutdown.wait_for(|ending| *ending) => return,
                () = tokio::time::sleep(wait) => continue,
                change = changes.recv() => change,
            };
            match change {
                Ok(Change::Schedule(id)) => self.look(&mut due, id).await,
                Ok(Change::Repeats) => again = Some(UnixMicros(0)),
                Ok(Change::Elsewhere) | Err(broadcast::error::RecvError::Lagged(_)) => {
                    self.read_all(&mut due).await;
                    again = Some(UnixMicros(0));
                }
                Ok(_) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    async fn read_all(&self, due: &mut BTreeMap<ScheduleId, UnixMicros>) {
        due.clear();
        match self.store.schedules().await {
            // Each is looked at at once: what was missed while no server was there is dealt with first of all.
            Ok(all) => due.extend(all.iter().map(|it| (it.id, UnixMicros(0)))),
            Err(error) => tracing::error!(%error, "schedules could not be read"),
        }
    }

    /// Makes the next repetitions; gives when there are more.
    async fn say_again(&self, now: UnixMicros) -> Option<UnixMicros> {
        let (begins, until) = (UnixMicros(now.0 + COME_BACK), UnixMicros(now.0 + AHEAD));
        match self.store.make_repeats(now, begins, until).await {
            Ok(Made { accepted, next }) => {
                accepted.into_iter().for_each(|it| (self.tell)(Notice::Accepted(it)));
                next
            }
            Err(error) => {
                tracing::error!(%error, "what is to be said again could not be made");
                Some(UnixMicros(now.0 + AHEAD + AGAIN))
            }
        }
    }

    async fn look(&self, due: &mut BTreeMap<ScheduleId, UnixMicros>, id: ScheduleId) {
        let now = (self.clock)();
        let begins = UnixMicros(now.0 + COME_BACK);
        let made = self
            .store
            .make_broadcasts(now, begins, UnixMicros(now.0 + AHEAD), id)
            .await;
        match made {
            Ok(Made { accepted, next }) => {
                accepted.into_iter().for_each(|it| (self.tell)(Notice::Accepted(it)));
                match next {
                    // Not sooner than that it makes a difference.
                    Some(next) => _ = due.insert(id, UnixMicros(next.0.max(now.0 + AHEAD))),
                    None => _ = due.remove(&id),
                }
            }
            Err(error) => {
                tracing::error!(%error, schedule = %id, "a schedule's next broadcasts could not be made");
                due.insert(id, UnixMicros(now.0 + AHEAD + AGAIN));
            }
        }
    }
}
