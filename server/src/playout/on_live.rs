//! What becomes of live broadcasts on the stage. Here: how they end, and what was recorded of them. Not here: how their sound is made
//! (`media::live`).

use loa_protocol::{BroadcastId, ReceiverId, UnixMicros};
use tokio::task::JoinError;

use super::archive::{Archive, Fact, Live};
use super::conductor::Input;
use super::stage::Stage;
use crate::media::live::{Desk, News, Over};

/// A live broadcast that is over ends this much after its last sound, in microseconds: receivers are told in time.
const TAIL: u64 = 1_000_000;
/// Samples and microseconds of 20 ms, to which an end is rounded.
const FRAME: (u64, u64) = (960, 20_000);

impl<A: Archive> Stage<A> {
    pub(super) fn live_news(&mut self, id: BroadcastId, news: News) {
        let now = (self.clock)();
        tracing::info!(broadcast = %id, ?news, "live");
        match news {
            News::Trouble(trouble) => self.keep(Fact::Trouble(id, Some(trouble.to_string()), now)),
            News::Good => self.keep(Fact::Trouble(id, None, now)),
            News::Over(over) => self.over(id, over, now),
        }
    }

    fn over(&mut self, id: BroadcastId, over: Over, now: UnixMicros) {
        let Some(show) = self.shows.get_mut(&id) else { return };
        let lasted = (now.0 + self.latency + TAIL).saturating_sub(show.row.start.0);
        show.row.samples = show.row.samples.min(lasted.div_ceil(FRAME.1) * FRAME.0);
        let end = show.end();
        self.keep(Fact::Over(id, over, end));
        self.tell(Input::End(id, end));
    }

    /// A live broadcast is over before the longest time that receivers were told: who was away when it ended still waits for more.
    pub(super) fn gone(&mut self, id: BroadcastId) {
        let Some(show) = self.shows.get(&id).filter(|show| show.row.live.is_some()) else {
            return;
        };
        self.cut.insert(id, show.longest);
    }

    /// Tells a receiver that has come what is over.
    pub(super) fn tell_over(&mut self, receiver: ReceiverId) {
        let now = (self.clock)();
        self.cut.retain(|_, until| *until > now);
        for id in self.cut.keys() {
            self.fleet.stop(receiver, *id);
        }
    }

    /// Ends what comes in for a broadcast, and keeps what was said.
    pub(super) fn close(&mut self, id: BroadcastId) {
        self.studio.close(id);
        let Some(show) = self.shows.get_mut(&id) else { return };
        let (Some(desk), Some(Live::Microphone { .. })) = (show.desk.take(), &show.row.live) else {
            return;
        };
        let (studio, programme) = (self.studio.clone(), show.row.programme.clone());
        self.keeping.spawn_blocking(move || {
            desk.finish();
            (id, studio.keep(&programme))
        });
    }

    pub(super) fn kept(&self, kept: Result<(BroadcastId, Option<u64>), JoinError>) {
        match kept {
            Ok((id, Some(samples))) => self.keep(Fact::Recorded(id, samples, (self.clock)())),
            Ok((_, None)) => {}
            Err(error) => tracing::error!(%error, "keeping a recording was broken off"),
        }
    }

    /// The server ends: closes what is being recorded.
    pub(super) async fn shut(&mut self) {
        for desk in self.shows.values_mut().filter_map(|show| show.desk.take()) {
            let closed = tokio::task::spawn_blocking(|| Desk::finish(desk)).await;
            // What panicked has said so.
            drop(closed);
        }
        while let Some(kept) = self.keeping.join_next().await {
            self.kept(kept);
        }
    }
}
