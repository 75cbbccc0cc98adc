//! The enrolment partition: the last 64 KB of what stands for flash. QEMU fills it from a file.
#![expect(unsafe_code, reason = "memory outside of the image")]

use loa_protocol::Error;
use loa_receiver::Enrolment;

/// Where it begins; `memory.x` leaves it out.
pub(crate) const PARTITION: usize = 0x103F_0000;
const LENGTH: usize = 64 * 1024;

/// Reads the enrolment; `None` if there is none.
pub(crate) fn enrolment() -> Result<Option<Enrolment>, Error> {
    // SAFETY: memory of the board that nothing in this image writes to, see `memory.x`.
    let partition = unsafe { core::slice::from_raw_parts(PARTITION as *const u8, LENGTH) };
    Enrolment::decode(partition)
}
