//! Files on the host by Arm semihosting: where this board has no flash and no DAC of its own. Only this board has it; a call
//! stops the machine until the host is done.

#![expect(unsafe_code, reason = "calls of the host, by addresses")]

use cortex_m_semihosting::{nr, syscall};

/// How a file is opened: the modes of `fopen`, in semihosting's numbers.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    /// `rb`
    Read = 1,
    /// `wb`
    Write = 5,
    /// `ab`
    Append = 9,
}

/// An open file in QEMU's working directory.
pub(crate) struct File(usize);

impl File {
    /// Opens `name`, which ends in a zero byte.
    pub(crate) fn open(name: &'static core::ffi::CStr, mode: Mode) -> Option<Self> {
        let arguments = [name.as_ptr() as usize, mode as usize, name.count_bytes()];
        // SAFETY: SYS_OPEN takes a pointer to a string with a zero at its end, a mode and its length.
        let handle = unsafe { syscall(nr::OPEN, &arguments) };
        (handle as isize >= 0).then_some(Self(handle))
    }

    /// Writes all of `bytes`; tells whether the host took them.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> bool {
        let arguments = [self.0, bytes.as_ptr() as usize, bytes.len()];
        // SAFETY: SYS_WRITE reads that many bytes from that address and returns how many it did not write.
        unsafe { syscall(nr::WRITE, &arguments) == 0 }
    }

    /// Writes samples, 16 bits little-endian each.
    pub(crate) fn write_samples(&mut self, samples: &[i16]) -> bool {
        let arguments = [self.0, samples.as_ptr() as usize, size_of_val(samples)];
        // SAFETY: as above; this machine is little-endian.
        unsafe { syscall(nr::WRITE, &arguments) == 0 }
    }

    /// Reads up to `bytes.len()` bytes and returns how many.
    pub(crate) fn read(&mut self, bytes: &mut [u8]) -> usize {
        let arguments = [self.0, bytes.as_mut_ptr() as usize, bytes.len()];
        // SAFETY: SYS_READ writes at most that many bytes to that address and returns how many it did not fill.
        let missing = unsafe { syscall(nr::READ, &arguments) };
        bytes.len().saturating_sub(missing)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: SYS_CLOSE takes the handle.
        unsafe { syscall(nr::CLOSE, &[self.0]) };
    }
}

/// Gives a closed file another name, in place of what has that name, in one step; whether the host did.
pub(crate) fn rename(from: &'static core::ffi::CStr, to: &'static core::ffi::CStr) -> bool {
    let arguments = [
        from.as_ptr() as usize,
        from.count_bytes(),
        to.as_ptr() as usize,
        to.count_bytes(),
    ];
    // SAFETY: SYS_RENAME takes two strings with a zero at their ends, and their lengths.
    unsafe { syscall(nr::RENAME, &arguments) == 0 }
}

/// Ends QEMU with this exit code (SYS_EXIT_EXTENDED).
pub(crate) fn exit(code: u32) -> ! {
    const EXIT_EXTENDED: usize = 0x20;
    const APPLICATION_EXIT: usize = 0x2_0026;
    loop {
        // SAFETY: takes two words, and does not come back.
        unsafe { syscall(EXIT_EXTENDED, &[APPLICATION_EXIT, code as usize]) };
    }
}
