//! Random numbers. This machine has no generator of its own, so they are the host's, read from `/dev/urandom` by semihosting. A board
//! has its own generator; only this one borrows.

use crate::semihosting::{File, Mode};
use rand_core::{CryptoRng, Error, RngCore};

/// The host's random numbers.
pub(crate) struct HostRandom(File);

impl HostRandom {
    /// `None` if the host has none.
    pub(crate) fn open() -> Option<Self> {
        File::open(c"/dev/urandom", Mode::Read).map(Self)
    }

    /// A seed for what need not be secret, only different each time: ports and sequence numbers.
    pub(crate) fn seed(&mut self) -> u64 {
        self.next_u64()
    }
}

impl RngCore for HostRandom {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_ne_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_ne_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.try_fill_bytes(bytes)
            .expect("the host's random numbers do not end");
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        match self.0.read(bytes) == bytes.len() {
            true => Ok(()),
            false => Err(core::num::NonZero::new(Error::CUSTOM_START).expect("not zero").into()),
        }
    }
}

impl CryptoRng for HostRandom {}
