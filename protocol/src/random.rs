//! Random numbers from a seed: what a receiver draws from the 32 bytes that its board's generator gave it at boot.
//!
//! HKDF-SHA-256 (RFC 5869) of the seed, with a count in the info string: whoever does not know the seed can foresee none of them.
//! Not here: where seeds come from.

use crate::key::Secret;

/// Draws random numbers. Not printed by `Debug`, not cloned: none is drawn twice.
#[derive(Debug)]
pub struct Random {
    seed: Secret,
    drawn: u64,
}

impl Random {
    /// From a seed that nobody knows, another one after each boot.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            seed: Secret(seed),
            drawn: 0,
        }
    }

    /// The next 32 bytes.
    pub fn bytes(&mut self) -> [u8; 32] {
        self.drawn += 1;
        self.seed.derive(&[b"loa/1 random", &self.drawn.to_be_bytes()])
    }

    /// The next 64 bits.
    pub fn number(&mut self) -> u64 {
        let bytes = self.bytes();
        u64::from_be_bytes(core::array::from_fn(|i| bytes[i]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_seed_and_another_draw_give_other_numbers() {
        let (mut a, mut again, mut b) = (Random::new([1; 32]), Random::new([1; 32]), Random::new([2; 32]));
        let first = a.bytes();
        assert_eq!(again.bytes(), first);
        assert_ne!(a.bytes(), first);
        assert_ne!(b.bytes(), first);
        assert_ne!(a.number(), b.number());
        assert_eq!(format!("{a:?}"), "Random { seed: Secret(…), drawn: 3 }");
    }
}
