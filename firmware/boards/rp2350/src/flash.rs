//! The enrolment partition: the last 64 KB of flash, which the image leaves alone (`build.rs`). Read where it is: flash is in the
//! address space. Written by cable, see `hardware/README.md`.
#![expect(unsafe_code, reason = "memory outside of the image")]

use loa_protocol::Error;
use loa_protocol::enrolment::MAX_ENROLMENT;
use loa_receiver::Enrolment;

unsafe extern "C" {
    /// Its beginning, from the linker script.
    static _enrolment: [u8; MAX_ENROLMENT];
}

/// Reads the enrolment; `None` if there is none.
pub(crate) fn enrolment() -> Result<Option<Enrolment>, Error> {
    // SAFETY: flash behind the image, of which at least that much is the partition; nothing in this image writes flash.
    Enrolment::decode(unsafe { &_enrolment })
}
