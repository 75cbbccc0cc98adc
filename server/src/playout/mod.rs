//! Broadcasts on the air. Here: [`conductor`], which decides what sounds where (pure), and the stage, which carries its
//! orders out. Not here: how bytes get to receivers (`transmit`, `fleet`), when schedules make broadcasts.
//!
//! A server starts it by [`prepare`], gives it rows and takes its facts by an [`Archive`], and tells it by a [`Notifier`]
//! what has changed.

mod air;
mod archive;
pub mod conductor;
mod on_live;
mod roll;
mod stage;
#[cfg(test)]
mod stage_tests;
mod studio;
mod target;
#[cfg(test)]
mod tests;

pub use air::{Air, Ground, Program, prepare};
pub use archive::{Archive, BroadcastRow, ClaimRow, Fact, Live, ReceiverRow, Renewal};
pub use stage::{Heeded, Notice, Notifier};
pub use studio::{Manner, Studio};

use std::time::Duration;

/// A broadcast that is to start now starts this much later: its command and its first packets need time to arrive.
pub const LEAD: Duration = Duration::from_millis(1500);
