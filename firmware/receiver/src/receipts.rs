//! Final receipts that wait for the network. Here: keeping them until they were published in a session that lasted. Not here:
//! what they say ([`crate::broadcast::Account`]).

use crate::broadcast::Account;
use crate::clock::Local;
use heapless::Vec;
use loa_protocol::command::Play;
use loa_protocol::report::Outcome;

/// Receipts kept.
const KEPT: usize = 8;
/// A session that lasts so long after a publication has carried it, in microseconds: one that is dead is noticed sooner.
const CARRIED: Local = 90_000_000;
/// For so long after its publication a receipt is on the way, in microseconds.
const ON_THE_WAY: Local = 1_000_000;

/// A broadcast that is over.
#[derive(Clone, Copy)]
pub(crate) struct Over {
    pub(crate) play: Play,
    pub(crate) account: Account,
    pub(crate) outcome: Outcome,
}

struct Kept {
    over: Over,
    published: Option<Local>,
}

#[derive(Default)]
pub(crate) struct Receipts {
    kept: Vec<Kept, KEPT>,
}

impl Receipts {
    /// Keeps one; if there are too many, the oldest goes, rather one that was published.
    pub(crate) fn keep(&mut self, over: Over) {
        if self.kept.is_full() {
            let victim = self.kept.iter().position(|kept| kept.published.is_some()).unwrap_or(0);
            self.kept.remove(victim);
        }
        let _ = self.kept.push(Kept { over, published: None });
    }

    /// The next one to publish, which then counts as published.
    pub(crate) fn next(&mut self, now: Local) -> Option<Over> {
        let kept = self.kept.iter_mut().find(|kept| kept.published.is_none())?;
        kept.published = Some(now);
        Some(kept.over)
    }

    /// The session has ended: what was published just before it may not have been carried.
    pub(crate) fn session_ended(&mut self) {
        for kept in &mut self.kept {
            kept.published = None;
        }
    }

    /// Forgets what was carried.
    pub(crate) fn tick(&mut self, now: Local) {
        self.kept
            .retain(|kept| kept.published.is_none_or(|at| now - at < CARRIED));
    }

    /// Whether one has still to be published, or was just now.
    pub(crate) fn on_the_way(&self, now: Local) -> bool {
        self.kept
            .iter()
            .any(|kept| kept.published.is_none_or(|at| now - at < ON_THE_WAY))
    }

    /// When [`Receipts::tick`] or [`Receipts::on_the_way`] changes by itself.
    pub(crate) fn due(&self, now: Local) -> Option<Local> {
        let instants = self
            .kept
            .iter()
            .filter_map(|kept| kept.published)
            .flat_map(|at| [at + ON_THE_WAY, at + CARRIED]);
        instants.filter(|at| *at > now).min()
    }
}
