//! Sound that is made while it is sent: a microphone, an encoder, a relay (tiếp âm). Here: a [`Desk`] asks its [`Feed`] for
//! 20 ms at a time, in time, whatever comes in, and makes one packet of each. Not here: where sound comes from (`relay`, or who
//! writes into a [`Wire`]), sending (`transmit`).
//!
//! `wire` (samples in, bounded) → `microphone` (with music under it: `duck`) or `switch` (what sounds now, gaps filled; `player` makes frames of bulletins) → `desk` (encodes in time) → `ring`
//! (packets by index). Only the desk reads the clock: the feeds count frames, and are tested without one.

mod chime;
mod desk;
mod duck;
mod judge;
mod microphone;
mod player;
mod recorder;
mod ring;
mod switch;
mod wire;

pub use desk::{Beat, Desk, Plan};
pub use judge::{Judge, Limits as JudgeLimits};
pub use microphone::{Microphone, Patience};
pub use ring::Ring;
pub use switch::Switch;
pub use wire::{Depth, Wire};

/// Samples in a frame: 20 ms.
pub const FRAME: usize = 960;
/// Frames in a second.
pub const FRAMES_A_SECOND: u32 = 50;

/// 20 ms of sound.
pub type Frame = [i16; FRAME];

/// What a desk is fed from.
pub trait Feed: Send {
    /// Fills the next frame, with silence where there is no sound, and says what has changed.
    fn fill(&mut self, frame: &mut Frame) -> Option<News>;
}

/// What became of a live source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It is over, for this reason; what follows is silence.
    Over(Over),
    /// It is no good, and something else sounds.
    Trouble(Trouble),
    /// It is good again.
    Good,
}

/// Why a live source is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Whoever spoke has ended it.
    Ended,
    /// Nothing was said for too long.
    Silent,
    /// Whoever spoke is gone.
    Gone,
}

/// What is wrong with a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing comes, for this reason.
    Gone(String),
    /// What comes is silence.
    Silent,
    /// What comes is noise.
    Noise,
}

impl Over {
    /// Its name, in the record and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Silent => "silent",
            Self::Gone => "gone",
        }
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gone(why) => write!(out, "gone: {why}"),
            Self::Silent => out.write_str("silent"),
            Self::Noise => out.write_str("noise"),
        }
    }
}
