//! libopus' decoder state and the three C functions that touch it. Nothing else in this crate is `unsafe`.
#![expect(unsafe_code, reason = "libopus is C")]

use core::mem::MaybeUninit;
use opusic_sys as c;

/// Room for the state. libopus 1.6 in fixed point needs 18.3 KB for mono on a 32-bit chip and a little more where pointers
/// are wider; [`State::new`] asks libopus and checks.
const STATE_BYTES: usize = 20 * 1024;

/// Sample rate in hertz, and channels.
const RATE: c::opus_int32 = 48_000;
const CHANNELS: core::ffi::c_int = 1;

/// `OPUS_RESET_STATE` of opus_defines.h: as after initialisation, in what can be heard.
const RESET_STATE: core::ffi::c_int = 4028;

/// The decoder's memory: one block without pointers into itself (opus.h: "can be shallow copied"), so that it may be moved.
#[repr(C, align(8))]
pub(crate) struct State([MaybeUninit<u8>; STATE_BYTES]);

// SAFETY of all calls below: `self.0` is a live block, aligned for any C type, at least as large as opus_decoder_get_size
// says (checked once in `new`), initialised by opus_decoder_init, and borrowed mutably for the length of the call. libopus
// keeps no pointer to it, to the packet or to the samples after it returns.

impl State {
    pub(crate) fn new() -> Self {
        let mut state = Self([MaybeUninit::uninit(); STATE_BYTES]);
        // SAFETY: takes and returns a number.
        let needed = unsafe { c::opus_decoder_get_size(CHANNELS) };
        assert!(
            usize::try_from(needed).is_ok_and(|needed| needed <= STATE_BYTES),
            "libopus' decoder outgrew its room"
        );
        // SAFETY: the block is large enough, see above.
        let result = unsafe { c::opus_decoder_init(state.pointer(), RATE, CHANNELS) };
        assert!(result == 0, "libopus always accepts 48 kHz mono");
        state
    }

    /// `None` if libopus refuses. `pcm` is not empty and at most 120 ms long, `packet` is not empty.
    pub(crate) fn decode(&mut self, packet: Option<&[u8]>, fec: bool, pcm: &mut [i16]) -> Option<usize> {
        let (data, length) = match packet {
            Some(packet) => (packet.as_ptr(), packet.len().try_into().ok()?),
            None => (core::ptr::null(), 0),
        };
        let room = pcm.len().try_into().ok()?;
        // SAFETY: see above; the lengths are those of the slices.
        let samples = unsafe { c::opus_decode(self.pointer(), data, length, pcm.as_mut_ptr(), room, fec.into()) };
        usize::try_from(samples).ok()
    }

    pub(crate) fn reset(&mut self) {
        // SAFETY: see above; this request takes no argument.
        let result = unsafe { c::opus_decoder_ctl(self.pointer(), RESET_STATE) };
        debug_assert!(result == 0, "a reset cannot fail");
    }

    fn pointer(&mut self) -> *mut c::OpusDecoder {
        self.0.as_mut_ptr().cast()
    }
}
