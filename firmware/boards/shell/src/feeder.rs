//! From stretches of sound with a time each to the endless row of samples that a DAC wants.
//!
//! A DAC takes samples at the pace of its own clock, and the times of stretches follow the server's: the two drift apart, by some ten
//! parts in a million. The feeder holds the schedule by playing one sample twice or leaving one out, at most one a block, whenever the
//! smoothed difference has grown to a sample (21 µs). Not here: DMA, and what the samples are.

use heapless::Deque;
use loa_protocol::SAMPLE_RATE;
use loa_receiver::Micros;

/// Stretches that may wait.
const STRETCHES: usize = 64;
/// A sample in nanoseconds, rounded.
const SAMPLE: i64 = 1_000_000_000 / SAMPLE_RATE as i64;
/// Further than this from its time, a stretch is no drift but another place: silence is put before it, or its beginning is left
/// out.
const JUMP: i64 = 5_000_000;
/// The difference is smoothed over about so many blocks: a block's time is measured with some jitter.
const SMOOTHING: i64 = 16;

struct Stretch {
    /// When its next sample sounds, in nanoseconds of local time.
    at: i64,
    /// Samples of it that are left.
    left: usize,
}

/// Up to `N` samples on their way to a DAC.
pub struct Feeder<const N: usize> {
    samples: Deque<i16, N>,
    stretches: Deque<Stretch, STRETCHES>,
    /// Whether the sample before sounded, so that what follows joins it.
    sounding: bool,
    last: i16,
    /// Smoothed difference between schedule and DAC, in nanoseconds; positive: the DAC is ahead.
    difference: i64,
}

impl<const N: usize> Feeder<N> {
    /// A feeder with nothing in it: silence.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            samples: Deque::new(),
            stretches: Deque::new(),
            sounding: false,
            last: 0,
            difference: 0,
        }
    }

    /// Takes a stretch whose first sample sounds at `at`, later than those before. `false` if there is no room: then nothing of it
    /// sounds.
    pub fn put(&mut self, at: Micros, pcm: &[i16]) -> bool {
        let room = self.samples.storage_capacity() - self.samples.len();
        let at = i64::try_from(at.0).unwrap_or(i64::MAX).saturating_mul(1000);
        if pcm.len() > room || self.stretches.push_back(Stretch { at, left: pcm.len() }).is_err() {
            return false;
        }
        for sample in pcm {
            self.samples.push_back(*sample).expect("there is room");
        }
        true
    }

    /// Fills `block`, whose first sample sounds at `at`; `write` puts a sample into a place of it.
    pub fn fill<T>(&mut self, at: Micros, block: &mut [T], mut write: impl FnMut(&mut T, i16)) {
        let start = i64::try_from(at.0).unwrap_or(i64::MAX).saturating_mul(1000);
        let length = block.len();
        let mut place = 0;
        let mut measured = false;
        while place < length {
            let Some(stretch) = self.stretches.front_mut() else {
                self.sounding = false;
                block[place..].iter_mut().for_each(|to| write(to, 0));
                return;
            };
            let time = start.saturating_add(nanoseconds(place));
            let difference = stretch.at.saturating_sub(time);
            if !self.sounding || difference.abs() > JUMP {
                self.difference = 0;
                measured = true;
                let distance = usize::try_from(difference.abs() / SAMPLE).unwrap_or(usize::MAX);
                if difference > 0 {
                    // Not yet.
                    let end = length.min(place.saturating_add(distance));
                    block[place..end].iter_mut().for_each(|to| write(to, 0));
                    self.sounding = end < length;
                    place = end;
                } else {
                    // Its beginning is past.
                    let skipped = stretch.left.min(distance);
                    self.skip(skipped);
                    self.sounding = skipped == distance;
                }
                if !self.sounding {
                    continue;
                }
            } else if !measured {
                measured = true;
                self.difference += (difference - self.difference) / SMOOTHING;
                if self.difference >= SAMPLE {
                    self.difference -= SAMPLE;
                    write(&mut block[place], self.last);
                    place += 1;
                } else if self.difference <= -SAMPLE {
                    self.difference += SAMPLE;
                    self.skip(1);
                }
            }
            place += self.copy(&mut block[place..], &mut write);
        }
    }

    /// Copies from the stretch in front until it or `block` ends; returns how many samples.
    fn copy<T>(&mut self, block: &mut [T], write: &mut impl FnMut(&mut T, i16)) -> usize {
        let length = self
            .stretches
            .front()
            .map_or(0, |stretch| stretch.left.min(block.len()));
        for to in &mut block[..length] {
            self.last = self.samples.pop_front().unwrap_or(0);
            write(to, self.last);
        }
        self.pass(length);
        length
    }

    /// Leaves samples of the stretch in front out.
    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.samples.pop_front();
        }
        self.pass(count);
    }

    /// So many samples of the stretch in front are gone.
    fn pass(&mut self, count: usize) {
        if let Some(stretch) = self.stretches.front_mut() {
            stretch.left -= count;
            stretch.at = stretch.at.saturating_add(nanoseconds(count));
            if stretch.left == 0 {
                self.stretches.pop_front();
            }
        }
    }
}

impl<const N: usize> Default for Feeder<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// How long so many samples last.
fn nanoseconds(samples: usize) -> i64 {
    samples as i64 * 1_000_000_000 / i64::from(SAMPLE_RATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: usize = 480;

    fn fill(feeder: &mut Feeder<16_384>, at: u64, length: usize) -> Vec<i16> {
        let mut block = vec![i16::MIN; length];
        feeder.fill(Micros(at), &mut block, |to, sample| *to = sample);
        block
    }

    #[test]
    fn a_stretch_begins_at_its_sample_and_silence_is_around_it() {
        let mut feeder = Feeder::new();
        assert_eq!(fill(&mut feeder, 0, BLOCK), [0; BLOCK]);
        // 100 samples into the next block.
        assert!(feeder.put(Micros(10_000 + 2_084), &[7; 50]));
        let block = fill(&mut feeder, 10_000, BLOCK);
        assert_eq!(block[..100], [0; 100]);
        assert_eq!(block[100..150], [7; 50]);
        assert_eq!(block[150..], [0; 330]);
    }

    #[test]
    fn stretches_that_follow_each_other_join() {
        let mut feeder = Feeder::new();
        let pcm: Vec<i16> = (1..=9_600).collect();
        for (n, stretch) in pcm.chunks(960).enumerate() {
            assert!(feeder.put(Micros(n as u64 * 20_000), stretch));
        }
        let played: Vec<i16> = (0..20).flat_map(|n| fill(&mut feeder, n * 10_000, BLOCK)).collect();
        assert_eq!(played, pcm);
    }

    #[test]
    fn what_is_past_is_left_out() {
        let mut feeder = Feeder::new();
        let pcm: Vec<i16> = (0..960).collect();
        assert!(feeder.put(Micros(0), &pcm));
        // 5 ms late: 240 samples are past.
        let block = fill(&mut feeder, 5_000, BLOCK);
        assert_eq!(block, pcm[240..720]);
        let mut late = Feeder::new();
        assert!(late.put(Micros(0), &pcm));
        assert_eq!(fill(&mut late, 1_000_000, BLOCK), [0; BLOCK]);
    }

    #[test]
    fn a_gap_within_a_block_is_silent() {
        let mut feeder = Feeder::new();
        assert!(feeder.put(Micros(0), &[1; 48]));
        assert!(feeder.put(Micros(7_000), &[2; 48]));
        let block = fill(&mut feeder, 0, BLOCK);
        assert_eq!(block[..48], [1; 48]);
        assert_eq!(block[48..336], [0; 288]);
        assert_eq!(block[336..384], [2; 48]);
    }

    #[test]
    fn what_does_not_fit_is_refused_whole() {
        let mut feeder = Feeder::<100>::new();
        assert!(feeder.put(Micros(0), &[1; 60]));
        assert!(!feeder.put(Micros(1_250), &[2; 60]));
        assert!(feeder.put(Micros(1_250), &[3; 40]));
    }

    /// A DAC whose clock is `ppm` fast plays a minute; returns the largest distance from the schedule after the first second, in
    /// samples, and how many samples were played twice or left out.
    fn drift(ppm: i64) -> (i64, i64) {
        let mut feeder = Feeder::<16_384>::new();
        let (mut handed, mut worst, mut corrections) = (0_u64, 0, 0);
        let mut last = None;
        for n in 0..6_000_u64 {
            let at = (n as i64 * 10_000 * (1_000_000 - ppm) / 1_000_000) as u64;
            // The sample's number counts up from 1; the schedule says when each sounds.
            while handed * 20_000 < at + 60_000 {
                let pcm: Vec<i16> = (0..960).map(|n| ((handed * 960 + n) % 20_000) as i16 + 1).collect();
                assert!(feeder.put(Micros(handed * 20_000), &pcm));
                handed += 1;
            }
            // The time of a block is measured 40 µs too late every other time.
            let block = fill(&mut feeder, at + n % 2 * 40, BLOCK);
            for sample in &block {
                if let Some(last) = last {
                    let step = (i64::from(*sample) - i64::from(last)).rem_euclid(20_000);
                    assert!((0..=2).contains(&step), "a step of {step} at block {n}");
                    corrections += i64::from(step != 1);
                }
                last = Some(*sample);
            }
            let due = at as i64 * 48 / 1000 % 20_000 + 1;
            let distance = (i64::from(block[BLOCK / 2]) - due - BLOCK as i64 / 2).rem_euclid(20_000);
            let distance = distance.min(20_000 - distance);
            worst = if n > 100 { worst.max(distance) } else { worst };
        }
        (worst, corrections)
    }

    #[test]
    fn the_schedule_is_held_however_the_clocks_drift() {
        for ppm in [-200, -30, 0, 30, 200] {
            let (worst, corrections) = drift(ppm);
            assert!(worst <= 4, "{ppm} ppm: {worst} samples off");
            let expected = 60 * 48_000 * ppm.abs() / 1_000_000;
            assert!(
                (corrections - expected).abs() <= 5,
                "{ppm} ppm: {corrections} instead of {expected}"
            );
        }
    }
}
