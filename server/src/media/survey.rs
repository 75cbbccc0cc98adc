//! What there is to know of a file before a programme is made of it. Here: one pass over its sound that measures loudness
//! (EBU R 128) and true peak, finds where sound begins and ends, takes its fingerprint, and keeps a minute of samples of it,
//! for trying things out. Not here: what follows from that (`level`).

use std::ops::Range;

use ebur128::{EbuR128, Mode};
use loa_protocol::SAMPLE_RATE;
use ring::digest;

use super::level::Heard;

/// Samples in a block whose level is kept: 10 ms.
const BLOCK: usize = SAMPLE_RATE as usize / 100;
/// How far under a programme's loudness silence begins, in decibels.
const SILENCE: f64 = 30.0;
/// What is quieter than this is silence in any programme, and what is louder is in none; in decibels of full scale.
const QUIETEST: f64 = -70.0;
const LOUDEST: f64 = -40.0;
/// What is left of the silence before and after, in blocks: breath before a first word, the room's echo after the last.
const BEFORE: usize = 10;
const AFTER: usize = 30;
/// Samples in an excerpt: a second; and how many excerpts there are at most.
const EXCERPT: usize = SAMPLE_RATE as usize;
const EXCERPTS: usize = 64;

/// A meter of one channel at 48 kHz.
pub(super) struct Meter(EbuR128);

impl Meter {
    pub(super) fn new() -> Self {
        Self(EbuR128::new(1, SAMPLE_RATE, Mode::I | Mode::TRUE_PEAK).expect("one channel at a usual rate"))
    }

    pub(super) fn push(&mut self, mono: &[f32]) {
        self.0.add_frames_f32(mono).expect("one channel is whole frames");
    }

    /// Integrated loudness in LUFS; none of silence, or of less than the 400 ms that a measurement takes.
    pub(super) fn loudness(&self) -> Option<f64> {
        self.0.loudness_global().ok().filter(|lufs| lufs.is_finite())
    }

    /// The highest true peak, in decibels of full scale; minus infinity for silence.
    pub(super) fn true_peak(&self) -> f64 {
        20.0 * self.0.true_peak(0).expect("there is one channel").log10()
    }

    /// Both.
    pub(super) fn heard(&self) -> Heard {
        Heard {
            loudness: self.loudness(),
            true_peak: self.true_peak(),
        }
    }
}

/// Seconds of sound from all over a file whose length is not known beforehand.
struct Excerpts {
    kept: Vec<f32>,
    /// Every so manyeth second is kept.
    every: u64,
    seen: u64,
}

impl Excerpts {
    fn push(&mut self, mono: &[f32]) {
        let mut rest = mono;
        while !rest.is_empty() {
            let (second, within) = (self.seen / EXCERPT as u64, (self.seen % EXCERPT as u64) as usize);
            let (now, later) = rest.split_at((EXCERPT - within).min(rest.len()));
            if second % self.every == 0 {
                self.kept.extend_from_slice(now);
            }
            self.seen += now.len() as u64;
            if self.kept.len() == EXCERPTS * EXCERPT {
                let whole = std::mem::take(&mut self.kept);
                self.kept = whole.chunks(EXCERPT).step_by(2).flatten().copied().collect();
                self.every *= 2;
            }
            rest = later;
        }
    }
}

/// Measures sound as it passes.
pub(super) struct Surveyor {
    meter: Meter,
    excerpts: Excerpts,
    digest: digest::Context,
    bytes: Vec<u8>,
    /// Each block's largest sample, in half decibels under full scale.
    levels: Vec<u8>,
    block: (usize, f32),
    samples: u64,
}

/// What a file's sound is like.
pub(super) struct Survey {
    pub(super) samples: u64,
    pub(super) loudness: Option<f64>,
    pub(super) true_peak: f64,
    /// SHA-256 of the sound, mono at 48 kHz and 16 bit: files that differ in tags or in lossless packing have the same.
    pub(super) fingerprint: [u8; 32],
    /// Half a minute to a minute of seconds from all over it; all of it if it is shorter.
    pub(super) excerpts: Vec<f32>,
    levels: Vec<u8>,
}

impl Surveyor {
    pub(super) fn new() -> Self {
        Self {
            meter: Meter::new(),
            excerpts: Excerpts {
                kept: Vec::new(),
                every: 1,
                seen: 0,
            },
            digest: digest::Context::new(&digest::SHA256),
            bytes: Vec::new(),
            levels: Vec::new(),
            block: (0, 0.0),
            samples: 0,
        }
    }

    pub(super) fn push(&mut self, mono: &[f32]) {
        self.samples += mono.len() as u64;
        self.meter.push(mono);
        self.excerpts.push(mono);
        self.bytes.clear();
        let pcm = mono.iter().map(|sample| (sample * 32_768.0).round() as i16);
        self.bytes.extend(pcm.flat_map(i16::to_le_bytes));
        self.digest.update(&self.bytes);
        let mut rest = mono;
        while !rest.is_empty() {
            let (now, later) = rest.split_at((BLOCK - self.block.0).min(rest.len()));
            self.block.0 += now.len();
            self.block.1 = now.iter().fold(self.block.1, |most, sample| most.max(sample.abs()));
            rest = later;
            if self.block.0 == BLOCK {
                self.close_block();
            }
        }
    }

    fn close_block(&mut self) {
        let (_, largest) = std::mem::take(&mut self.block);
        self.levels.push((-40.0 * largest.log10()).clamp(0.0, 255.0) as u8);
    }

    pub(super) fn finish(mut self) -> Survey {
        if self.block.0 > 0 {
            self.close_block();
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(self.digest.finish().as_ref());
        Survey {
            samples: self.samples,
            loudness: self.meter.loudness(),
            true_peak: self.meter.true_peak(),
            fingerprint,
            excerpts: self.excerpts.kept,
            levels: self.levels,
        }
    }
}

impl Survey {
    /// The samples between the silence before and the silence after; all of them if there is nothing but silence.
    pub(super) fn sounding(&self) -> Range<u64> {
        let silence = self
            .loudness
            .map_or(QUIETEST, |lufs| (lufs - SILENCE).clamp(QUIETEST, LOUDEST));
        let sounds = |level: &u8| -f64::from(*level) / 2.0 > silence;
        let (Some(first), Some(last)) = (
            self.levels.iter().position(sounds),
            self.levels.iter().rposition(sounds),
        ) else {
            return 0..self.samples;
        };
        let at = |block: usize| ((block * BLOCK) as u64).min(self.samples);
        at(first.saturating_sub(BEFORE))..at(last + 1 + AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(mono: &[f32]) -> Survey {
        let mut surveyor = Surveyor::new();
        mono.chunks(1009).for_each(|part| surveyor.push(part));
        surveyor.finish()
    }

    /// EBU Tech 3341, case 1, in one channel instead of two.
    #[test]
    fn a_tone_has_the_loudness_that_it_should() {
        let tone: Vec<f32> = (0..48_000 * 20)
            .map(|i| (std::f64::consts::TAU * 1000.0 * f64::from(i) / 48_000.0).sin() as f32 * 0.1)
            .collect();
        let survey = survey(&tone);
        let lufs = survey.loudness.expect("loud enough");
        assert!((lufs - -23.01).abs() < 0.1, "{lufs}");
        assert!((survey.true_peak - -20.0).abs() < 0.1, "{}", survey.true_peak);
    }

    #[test]
    fn silence_around_is_found_and_a_pause_within_is_not() {
        let mut mono = vec![0.0001f32; 48_000 * 4];
        for at in [48_000, 96_000] {
            mono[at..at + 24_000].fill(0.2);
        }
        let span = survey(&mono).sounding();
        assert_eq!(span, 48_000 - 4800..96_000 + 24_000 + 14_400);
        assert_eq!(survey(&[0.0; 5000]).sounding(), 0..5000, "nothing but silence stays");
        assert_eq!(survey(&[0.5; 300]).sounding(), 0..300);
    }

    #[test]
    fn excerpts_are_from_all_over() {
        let short = survey(&[0.5; 100_000]).excerpts;
        assert_eq!(short, [0.5; 100_000]);
        // Each second of ten minutes has a sample of its own.
        let long: Vec<f32> = (0..600 * 48_000).map(|i| (i / 48_000) as f32 / 600.0).collect();
        let kept = survey(&long).excerpts;
        assert!((32..64).contains(&(kept.len() / EXCERPT)), "{}", kept.len());
        let seconds: Vec<u32> = kept.chunks(EXCERPT).map(|it| (it[0] * 600.0).round() as u32).collect();
        assert!(seconds.windows(2).all(|pair| pair[1] - pair[0] == 16), "{seconds:?}");
        assert!(seconds.last().is_some_and(|last| *last >= 584));
    }

    #[test]
    fn the_fingerprint_is_of_the_sound() {
        let one = survey(&[0.25; 1000]).fingerprint;
        assert_eq!(one, survey(&[0.25; 1000]).fingerprint);
        assert_ne!(one, survey(&[0.25; 1001]).fingerprint);
    }
}
