//! A programme's outline, for the eye. Here: a thousand or two of peaks, however long it is, in one pass and without knowing
//! its length beforehand. Not here: drawing it (`web-console`).

/// Peaks that there are at most; from half of it on they are fine enough for any screen.
const MOST: usize = 2048;
/// Samples behind one peak at first: 10 ms at 48 kHz.
const FINEST: u64 = 480;

/// Draws the outline of sound as it passes.
pub(super) struct Outline {
    peaks: Vec<u8>,
    /// Samples behind each peak.
    width: u64,
    samples: u64,
    largest: f32,
}

impl Outline {
    pub(super) fn new() -> Self {
        Self {
            peaks: Vec::with_capacity(MOST),
            width: FINEST,
            samples: 0,
            largest: 0.0,
        }
    }

    pub(super) fn push(&mut self, mono: &[f32]) {
        let mut rest = mono;
        while !rest.is_empty() {
            let room = (self.width - self.samples % self.width) as usize;
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.largest = now.iter().fold(self.largest, |most, sample| most.max(sample.abs()));
            self.samples += now.len() as u64;
            if self.samples.is_multiple_of(self.width) {
                self.close();
            }
            rest = later;
        }
    }

    fn close(&mut self) {
        let largest = std::mem::take(&mut self.largest);
        self.peaks.push((largest * 255.0).round().min(255.0) as u8);
        if self.peaks.len() == MOST {
            let pairs = self.peaks.chunks(2).map(|pair| pair[0].max(pair[1]));
            self.peaks = pairs.collect();
            self.width *= 2;
        }
    }

    /// The largest sample of each stretch of equal length, full scale being 255.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if !self.samples.is_multiple_of(self.width) {
            self.close();
        }
        self.peaks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peaks(mono: &[f32]) -> Vec<u8> {
        let mut outline = Outline::new();
        mono.chunks(777).for_each(|part| outline.push(part));
        outline.finish()
    }

    #[test]
    fn short_sound_is_drawn_fine_and_long_sound_is_drawn_whole() {
        assert!(peaks(&[]).is_empty());
        assert_eq!(peaks(&[-0.5; 481]), [128, 128]);
        // Ten minutes: half of it loud.
        let mut long = vec![0.1; 48_000 * 600];
        long[..48_000 * 300].fill(1.0);
        let drawn = peaks(&long);
        assert!((MOST / 2..MOST).contains(&drawn.len()), "{}", drawn.len());
        let loud = drawn.iter().filter(|peak| **peak == 255).count();
        assert!(loud.abs_diff(drawn.len() / 2) <= 1, "{loud} of {}", drawn.len());
    }
}
