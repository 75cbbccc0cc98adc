//! What a broadcast sends. Here: packets by index, of a stored programme or of sound that is being made. Not here: making
//! them, sending them.

use std::sync::Arc;

use super::Programme;
use super::live::{FRAME, Ring};

/// Sound as packets by index; the same index never gives other bytes.
#[derive(Debug, Clone)]
pub enum Sound {
    /// All of it is there.
    Stored(Arc<Programme>),
    /// It is being made.
    Live(Arc<Ring>),
}

impl Sound {
    /// Copies packet `index` to the start of `out` and gives its length; none if it is not there: not yet, not any more, or
    /// never.
    pub fn copy(&self, index: u64, out: &mut [u8]) -> Option<usize> {
        match self {
            Self::Stored(programme) => {
                let packet = programme.packet(index)?;
                out.get_mut(..packet.len())?.copy_from_slice(packet);
                Some(packet.len())
            }
            Self::Live(ring) => ring.copy(index, out),
        }
    }

    /// Samples in each packet, at 48 kHz.
    pub fn packet_samples(&self) -> u32 {
        match self {
            Self::Stored(programme) => programme.packet_samples(),
            Self::Live(_) => FRAME as u32,
        }
    }

    /// Decoded samples to drop before the first of the sound.
    pub fn pre_skip(&self) -> u16 {
        match self {
            Self::Stored(programme) => programme.pre_skip(),
            // The decoder's own delay is part of the way.
            Self::Live(_) => 0,
        }
    }

    /// How many packets hold `samples` of sound.
    pub fn packets(&self, samples: u64) -> u64 {
        match self {
            Self::Stored(programme) => programme.packets(),
            Self::Live(_) => samples.div_ceil(FRAME as u64),
        }
    }

    /// Bytes in the packets before `index`, as a function of it alone: what is live is counted at its nominal rate.
    pub fn bytes_before(&self, index: u64) -> u64 {
        match self {
            Self::Stored(programme) => programme.bytes_before(index),
            Self::Live(ring) => index * ring.nominal(),
        }
    }
}

impl From<Arc<Programme>> for Sound {
    fn from(programme: Arc<Programme>) -> Self {
        Self::Stored(programme)
    }
}
