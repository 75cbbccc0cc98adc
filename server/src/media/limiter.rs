//! Peaks held under a ceiling without a click and without clipping. Here: a limiter that looks ahead, on true peaks (ITU-R
//! BS.1770 annex 2: what lies between samples counts), with as many samples out as in, none shifted. Not here: how much
//! louder a programme is to become (`level`).

use std::collections::VecDeque;

use loa_protocol::SAMPLE_RATE;

/// How far it looks ahead, in samples: 5 ms, in which the gain glides down before a peak.
const AHEAD: usize = SAMPLE_RATE as usize / 200;
/// Within how many seconds the gain comes back by two thirds.
const RELEASE: f32 = 0.05;
/// Samples between a sample's coming in and the peaks around it being known: half of the interpolating filter.
const HALF: usize = TAPS / 2;
/// Taps of each phase of the interpolating filter.
const TAPS: usize = 12;
/// The filter of BS.1770 annex 2, for four times as many samples; the other two phases are these backwards.
const PHASES: [[f32; TAPS]; 2] = [
    [
        0.001_708_984_4,
        0.010_986_328,
        -0.019_653_32,
        0.033_203_125,
        -0.059_448_242,
        0.137_329_1,
        0.972_167_97,
        -0.102_294_92,
        0.047_607_422,
        -0.026_611_328,
        0.014_892_578,
        -0.008_300_781,
    ],
    [
        -0.029_174_805,
        0.029_296_875,
        -0.051_757_812,
        0.089_111_33,
        -0.166_503_9,
        0.465_087_9,
        0.779_785_16,
        -0.200_317_38,
        0.101_562_5,
        -0.058_227_54,
        0.033_081_055,
        -0.018_920_898,
    ],
];
/// No interpolated sample is larger than the largest of those around it by more than this: the sum of the largest phase.
const OVERSHOOT: f32 = 2.03;
/// Samples that are looked at together, to see that none of them comes near the ceiling.
const STRIDE: usize = 64;

/// A gain, and a ceiling that nothing exceeds after it.
pub(super) struct Limiter {
    gain: f32,
    ceiling: f32,
    /// The last samples, for the filter to begin a stretch with.
    tail: [f32; TAPS - 1],
    /// Samples on their way through.
    line: VecDeque<f32>,
    /// What the peak before asked for.
    before: f32,
    /// The least gain of what is ahead: gains that rise, each with its place.
    least: VecDeque<(u64, f32)>,
    place: u64,
    /// The gain that comes back slowly, and its last values, whose mean is applied.
    held: f32,
    recent: VecDeque<f32>,
    sum: f64,
    release: f32,
    /// Samples of its own delay still to be dropped.
    skip: usize,
    scratch: Vec<f32>,
}

impl Limiter {
    /// Makes sound louder by the factor `gain`, and holds true peaks under `ceiling` (full scale is 1).
    pub(super) fn new(gain: f32, ceiling: f32) -> Self {
        let mut limiter = Self {
            gain,
            ceiling,
            tail: [0.0; TAPS - 1],
            line: VecDeque::from(vec![0.0; AHEAD + HALF]),
            before: 1.0,
            least: VecDeque::with_capacity(AHEAD + 1),
            place: 0,
            held: 1.0,
            recent: VecDeque::from(vec![1.0; AHEAD]),
            sum: AHEAD as f64,
            release: 1.0 - (-1.0 / (RELEASE * SAMPLE_RATE as f32)).exp(),
            skip: 2 * AHEAD + HALF,
            scratch: Vec::new(),
        };
        // Silence before the sound, in which the gain may come down for a peak at its very beginning.
        limiter.push(&[0.0; AHEAD], &mut Vec::new());
        limiter
    }

    /// Appends to `output` what `input` makes available.
    pub(super) fn push(&mut self, input: &[f32], output: &mut Vec<f32>) {
        for stretch in input.chunks(STRIDE) {
            let mut samples = std::mem::take(&mut self.scratch);
            samples.clear();
            samples.extend_from_slice(&self.tail);
            samples.extend(stretch.iter().map(|sample| sample * self.gain));
            self.tail.copy_from_slice(&samples[stretch.len()..]);
            let largest = samples.iter().fold(0f32, |most, sample| most.max(sample.abs()));
            let quiet = largest * OVERSHOOT <= self.ceiling;
            for window in samples.windows(TAPS) {
                let wanted = match quiet {
                    true => 1.0,
                    false => (self.ceiling / peak(window)).min(1.0),
                };
                let applied = self.follow(wanted);
                self.line.push_back(window[TAPS - 1]);
                let sample = self.line.pop_front().expect("it is as long as the delay");
                match self.skip {
                    0 => output.push(sample * applied),
                    _ => self.skip -= 1,
                }
            }
            self.scratch = samples;
        }
    }

    /// Appends the rest, so that the whole output is as long as the whole input.
    pub(super) fn finish(&mut self, output: &mut Vec<f32>) {
        self.push(&[0.0; AHEAD + HALF], output);
    }

    /// The gain for the sample that leaves, when the newest known peak wants `wanted`: the least of what is ahead, coming
    /// back slowly, and smoothed over the look-ahead, so that it has come down in time.
    fn follow(&mut self, wanted: f32) -> f32 {
        // A peak lies between two samples: both are held down.
        let both = wanted.min(std::mem::replace(&mut self.before, wanted));
        while self.least.back().is_some_and(|(_, gain)| *gain >= both) {
            self.least.pop_back();
        }
        self.least.push_back((self.place, both));
        if self
            .least
            .front()
            .is_some_and(|(at, _)| at + (AHEAD as u64) < self.place)
        {
            self.least.pop_front();
        }
        self.place += 1;
        let least = self.least.front().map_or(1.0, |(_, gain)| *gain);
        self.held = least.min(self.held + (1.0 - self.held) * self.release);
        self.recent.push_back(self.held);
        let oldest = self.recent.pop_front().unwrap_or(1.0);
        self.sum += f64::from(self.held) - f64::from(oldest);
        (self.sum / AHEAD as f64) as f32
    }
}

/// The largest absolute value around the middle of `window`, between its samples, too.
fn peak(window: &[f32]) -> f32 {
    let window: &[f32; TAPS] = window.try_into().expect("as long as the filter");
    let mut sums = [0f32; 4];
    for tap in 0..TAPS {
        sums[0] += window[tap] * PHASES[0][tap];
        sums[1] += window[tap] * PHASES[1][tap];
        sums[2] += window[tap] * PHASES[1][TAPS - 1 - tap];
        sums[3] += window[tap] * PHASES[0][TAPS - 1 - tap];
    }
    let middle = window[HALF - 1].abs().max(window[HALF].abs());
    sums.iter().fold(middle, |most, sum| most.max(sum.abs()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limited(input: &[f32], gain: f32, ceiling: f32, chunk: usize) -> Vec<f32> {
        let mut limiter = Limiter::new(gain, ceiling);
        let mut output = Vec::new();
        for part in input.chunks(chunk) {
            limiter.push(part, &mut output);
        }
        limiter.finish(&mut output);
        output
    }

    /// By the meter of another hand.
    fn true_peak(samples: &[f32]) -> f64 {
        let mut meter = ebur128::EbuR128::new(1, SAMPLE_RATE, ebur128::Mode::TRUE_PEAK).expect("a meter");
        meter.add_frames_f32(samples).expect("sound");
        meter.true_peak(0).expect("one channel")
    }

    #[test]
    fn what_stays_under_the_ceiling_is_only_made_louder() {
        let input: Vec<f32> = (0..10_000).map(|i| (i as f32 * 0.05).sin() * 0.2).collect();
        let output = limited(&input, 2.0, 0.9, 777);
        assert_eq!(output.len(), input.len());
        assert!(input.iter().zip(&output).all(|(a, b)| (a * 2.0 - b).abs() < 1e-6));
    }

    #[test]
    fn a_peak_at_the_very_beginning_and_end_is_held_too() {
        let mut input = vec![0.05f32; 4000];
        (input[0], input[3999]) = (1.0, -1.0);
        let output = limited(&input, 3.0, 0.5, 4000);
        assert_eq!(output.len(), input.len());
        assert!(output.iter().all(|sample| sample.abs() <= 0.5001));
    }

    /// A quarter of the sample rate, at 45°: all samples lie 3 dB under the peaks between them.
    #[test]
    fn peaks_between_samples_count() {
        let turn = std::f64::consts::FRAC_PI_2;
        let input: Vec<f32> = (0..48_000)
            .map(|i| (f64::from(i % 4) * turn + turn / 2.0).sin() as f32)
            .collect();
        assert!(input.iter().all(|sample| sample.abs() < 0.71));
        let output = limited(&input, 1.0, 0.5, 4096);
        let settled = true_peak(&output[2000..46_000]);
        assert!((0.47..0.51).contains(&settled), "{settled}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever comes: as many samples, none over the ceiling, the same in pieces of any size.
        #[test]
        fn nothing_exceeds_the_ceiling(
            bursts in prop::collection::vec((0usize..600, 0.0f32..1.0, 0.01f32..3.1), 1..12),
            gain in 0.1f32..20.0,
            chunk in 1usize..2000,
        ) {
            let mut input = Vec::new();
            for (length, level, pace) in bursts {
                input.extend((0..length).map(|i| level * (i as f32 * pace).sin()));
            }
            let output = limited(&input, gain, 0.8, chunk);
            prop_assert_eq!(output.len(), input.len());
            prop_assert!(output.iter().all(|sample| sample.abs() <= 0.8001));
            // Where sound begins and ends at once, meters ring; hence a little more than the ceiling.
            prop_assert!(true_peak(&output) < 0.8 * 1.12);
            prop_assert_eq!(output, limited(&input, gain, 0.8, 1 << 20));
        }
    }
}
