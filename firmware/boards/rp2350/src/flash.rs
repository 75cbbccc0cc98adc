//! The enrolment partition: the last 64 KB of flash, which the image leaves alone (`build.rs`). Read where it is: flash is in the
//! address space. Its first sector is written by cable, see `hardware/README.md`; what changes goes to the second and the third in
//! turn. An image of the enrolment (`loa receiver image`) erases both.
//!
//! While a sector is erased (45 ms as a rule, 400 ms at most) nothing else runs, since code is read from the same flash: sound that
//! plays then may break off for that long. It happens when keys or areas change, and not otherwise.
#![expect(unsafe_code, reason = "memory outside of the image")]

use crate::pins::FLASH_BYTES;
use embassy_rp::Peri;
use embassy_rp::flash::{Blocking, ERASE_SIZE};
use embassy_rp::peripherals::FLASH;
use loa_board_shell::keep::{self, Kept, RECORD};
use loa_protocol::Error;
use loa_protocol::enrolment::MAX_ENROLMENT;
use loa_protocol::flash;

/// Where flash begins in the address space (RP2350 data sheet, 2.2).
const BASE: usize = 0x1000_0000;
const PLACES: usize = 2;

unsafe extern "C" {
    /// Its beginning, from the linker script.
    static _enrolment: [u8; ERASE_SIZE * (1 + PLACES)];
}

/// What is there; `None` if nothing is.
pub(crate) fn read() -> Result<Option<flash::Flash>, Error> {
    flash::Flash::decode(kept().map_or(flashed(), |kept| kept.flash))
}

fn flashed() -> &'static [u8] {
    &partition()[..MAX_ENROLMENT]
}

fn kept() -> Option<Kept<'static>> {
    keep::latest(flashed(), partition()[ERASE_SIZE..].chunks(ERASE_SIZE))
}

fn partition() -> &'static [u8] {
    // SAFETY: flash behind the image, of which at least that much is the partition. Its first sector is never written; the others are by
    // `Flash::store` only, and no reference into them is held then: what is read is decoded, which copies it, or compared at once.
    unsafe { &_enrolment }
}

/// Flash, to write to.
pub(crate) struct Flash(embassy_rp::flash::Flash<'static, FLASH, Blocking, FLASH_BYTES>);

impl Flash {
    pub(crate) fn new(flash: Peri<'static, FLASH>) -> Self {
        Self(embassy_rp::flash::Flash::new_blocking(flash))
    }

    /// Keeps `flash` instead of what was there before; whether that was possible. The latest record stays as it is until this one is whole.
    pub(crate) fn store(&mut self, flash: &[u8]) -> bool {
        let (place, count) = kept().map_or((0, 0), |kept| ((kept.place + 1) % PLACES, kept.count));
        let Some(record) = keep::record(flashed(), count + 1, flash) else {
            return false;
        };
        const { assert!(RECORD <= ERASE_SIZE) };
        // SAFETY: only the address is taken.
        let begin = (&raw const _enrolment).addr() - BASE + ERASE_SIZE * (1 + place);
        let (Ok(from), Ok(to)) = (u32::try_from(begin), u32::try_from(begin + ERASE_SIZE)) else {
            return false;
        };
        let written = self
            .0
            .blocking_erase(from, to)
            .and_then(|()| self.0.blocking_write(from, &record));
        written.is_ok() && kept().is_some_and(|kept| kept.flash == flash)
    }
}
