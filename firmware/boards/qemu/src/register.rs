//! One memory-mapped register. Every other access to hardware in this image goes through here.
#![expect(unsafe_code, reason = "device registers are memory")]

/// A 32-bit register at a fixed address.
#[derive(Clone, Copy)]
pub(crate) struct Register(usize);

impl Register {
    /// The register `offset` bytes above `base`.
    ///
    /// # Safety
    /// There must be a 32-bit device register at that address on the mps2-an505, and writing it must not break memory safety
    /// (no bus masters, no memory controllers).
    pub(crate) const unsafe fn at(base: usize, offset: usize) -> Self {
        Self(base + offset)
    }

    pub(crate) fn read(self) -> u32 {
        // SAFETY: promised to `at`.
        unsafe { (self.0 as *const u32).read_volatile() }
    }

    pub(crate) fn write(self, value: u32) {
        // SAFETY: promised to `at`.
        unsafe { (self.0 as *mut u32).write_volatile(value) }
    }
}
