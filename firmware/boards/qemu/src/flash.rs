//! The enrolment partition: the last 64 KB of what stands for flash. QEMU fills it from a file, and again at each reset; what
//! changes is kept in a file of its own, `enrolment.kept` in QEMU's working directory.
#![expect(unsafe_code, reason = "memory outside of the image")]

use crate::semihosting::{File, Mode, rename};
use loa_board_shell::keep::{self, Kept, RECORD};
use loa_protocol::Error;
use loa_protocol::flash::Flash;

/// Where it begins; `memory.x` leaves it out.
pub(crate) const PARTITION: usize = 0x103F_0000;
const LENGTH: usize = 64 * 1024;

const KEPT: &core::ffi::CStr = c"enrolment.kept";
const NEW: &core::ffi::CStr = c"enrolment.new";

/// What is there; `None` if nothing is.
pub(crate) fn read() -> Result<Option<Flash>, Error> {
    Flash::decode(kept(&mut [0; RECORD]).map_or(flashed(), |kept| kept.flash))
}

/// Keeps `flash` instead of what was there before; whether that was possible. The host puts the new file in place in one step.
pub(crate) fn store(flash: &[u8]) -> bool {
    let count = kept(&mut [0; RECORD]).map_or(0, |kept| kept.count);
    let Some(record) = keep::record(flashed(), count + 1, flash) else {
        return false;
    };
    let written = File::open(NEW, Mode::Write).is_some_and(|mut file| file.write(&record));
    written && rename(NEW, KEPT)
}

fn kept(record: &mut [u8; RECORD]) -> Option<Kept<'_>> {
    let length = File::open(KEPT, Mode::Read)?.read(record);
    keep::latest(flashed(), [&record[..length]])
}

fn flashed() -> &'static [u8] {
    // SAFETY: memory of the board that nothing in this image writes to, see `memory.x`.
    unsafe { core::slice::from_raw_parts(PARTITION as *const u8, LENGTH) }
}
