//! libopus' fixed-point decoder for the receiver, on a chip and on a host.
//!
//! Here: [`OpusDecoder`], 48 kHz mono, its state in place and no memory allocated. In fixed point, and with 64-bit
//! products on both sides (the boards' toolchain file sees to it), a chip and a host turn the same packets into the same
//! samples, bit for bit. Not here: packets, jitter, when to conceal (`loa-receiver` decides), and encoding (the server).
//!
//! The one module with `unsafe` is [`state`]: it calls C.
#![no_std]
#![deny(unsafe_code)]

mod state;

use loa_receiver::{DecodeError, Decoder};
use state::State;

/// Longest packet of sound, in samples: RFC 6716 §2.1.4 allows 120 ms.
pub const MAX_PACKET_SAMPLES: usize = 5760;

/// Granularity of what can be concealed, in samples: 2.5 ms (RFC 6716 §2.1.4).
const GRAIN: usize = 120;

/// A decoder of one stream: mono, 48 kHz, signed 16 bit.
pub struct OpusDecoder {
    state: State,
}

impl OpusDecoder {
    /// A decoder that has heard nothing yet. About 20 KB: build it where it shall stay.
    #[must_use]
    pub fn new() -> Self {
        Self { state: State::new() }
    }
}

impl Default for OpusDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder for OpusDecoder {
    /// Decodes `packet` into `pcm` and returns how many samples it holds; without a packet, or with `fec`, fills all of `pcm`.
    ///
    /// # Errors
    /// [`DecodeError`] for a packet that is no Opus packet (RFC 6716 §3.4), that holds more than `pcm` has room for, or for a
    /// `pcm` to conceal that is not a multiple of 2.5 ms; the decoder can go on with the next packet.
    fn decode(&mut self, packet: Option<&[u8]>, fec: bool, pcm: &mut [i16]) -> Result<usize, DecodeError> {
        let whole = (packet.is_none() || fec) && !pcm.len().is_multiple_of(GRAIN);
        if pcm.is_empty() || pcm.len() > MAX_PACKET_SAMPLES || whole || packet.is_some_and(<[u8]>::is_empty) {
            return Err(DecodeError);
        }
        self.state.decode(packet, fec, pcm).ok_or(DecodeError)
    }

    fn reset(&mut self) {
        self.state.reset();
    }
}
