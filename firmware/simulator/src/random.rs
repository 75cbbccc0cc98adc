//! Random numbers that are the same for the same seed on every machine, for ever: `SplitMix64`. Good for choosing what
//! gets lost, not for keys.

/// A stream of numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

/// 2⁶⁴ divided by the golden ratio, made odd: the step between states.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Random {
    /// The stream numbered `stream` of those that belong to `seed`: streams do not depend on how many others there are.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        Self(mix(mix(seed).wrapping_add(stream.wrapping_mul(STEP))))
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// A seed for a receiver's own random numbers: others after each boot, and all the same in a simulation that is run again.
    pub fn seed(&mut self) -> [u8; 32] {
        let words: [u64; 4] = core::array::from_fn(|_| self.draw());
        core::array::from_fn(|i| words[i / 8].to_be_bytes()[i % 8])
    }

    /// A number from 0 up to and without 1.
    pub fn fraction(&mut self) -> f64 {
        // 53 bits are what a double holds exactly.
        (self.draw() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number from 0 up to and with `most`.
    pub fn up_to(&mut self, most: u64) -> u64 {
        match most.checked_add(1) {
            Some(count) => ((u128::from(self.draw()) * u128::from(count)) >> 64) as u64,
            None => self.draw(),
        }
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_never_change() {
        // SplitMix64 from state 0, as published with the algorithm: a run ordered years ago can be repeated.
        let mut random = Random(0);
        assert_eq!(
            [random.draw(), random.draw(), random.draw()],
            [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F]
        );
    }

    #[test]
    fn streams_differ() {
        let first = |seed, stream| Random::new(seed, stream).draw();
        assert_eq!(first(1, 2), first(1, 2));
        assert_ne!(first(1, 2), first(1, 3));
        assert_ne!(first(1, 2), first(2, 2));
        assert_ne!(first(1, 2), first(2, 1));
    }
}
