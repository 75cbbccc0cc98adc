//! Whether what comes in is worth sounding. Here: silence, noise and nothing at all, judged frame by frame; pure. Not here: what
//! sounds instead (`switch`).
//!
//! Noise is told from everything else by how flat its spectrum is over half a second: speech and music have peaks and valleys, a
//! receiver without a station has none.

use std::sync::Arc;
use std::time::Duration;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::{FRAME, FRAMES_A_SECOND, Frame};

/// Below this level, RMS of full scale, it is silent: −50 dB.
const SILENT: f64 = 0.003_16;
/// A spectrum at least so flat is noise: white noise has 1, pink 0.7, speech and music less than 0.3.
const FLAT: f64 = 0.5;
/// The bins that are looked at, of 50 Hz each: 300 Hz to 8 kHz.
const BINS: std::ops::Range<usize> = 6..160;
/// Half seconds of noise in a row that are enough.
const NOISY: u32 = 4;
/// Frames in half a second.
const HALF: u32 = FRAMES_A_SECOND / 2;
/// Frames in a row that may be missing.
const MISSING: u32 = HALF;
/// Good half seconds, but for pauses in a row, after which what was no good is good again.
const GOOD: u32 = 4;
/// Frames with sound in a good half second.
const LOUD: u32 = 5;

/// What is no good.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Silence for so long.
    pub silence: Duration,
}

/// Judges what comes in.
pub struct Judge {
    silence: u32,
    fft: Arc<dyn RealToComplex<f32>>,
    input: Vec<f32>,
    output: Vec<Complex<f32>>,
    spectrum: Vec<f64>,
    /// Frames in a row.
    missing: u32,
    silent: u32,
    /// Of this half second.
    frames: u32,
    lost: u32,
    loud: u32,
    /// Half seconds in a row.
    noisy: u32,
    good: u32,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ill {
    /// Nothing comes.
    Gone,
    /// Silence comes.
    Silent,
    /// Noise comes.
    Noise,
}

impl Judge {
    /// One that has heard nothing.
    pub fn new(limits: Limits) -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(FRAME);
        Self {
            silence: (limits.silence.as_secs_f64() * f64::from(FRAMES_A_SECOND)) as u32,
            input: fft.make_input_vec(),
            output: fft.make_output_vec(),
            fft,
            spectrum: vec![0.0; BINS.len()],
            missing: 0,
            silent: 0,
            frames: 0,
            lost: 0,
            loud: 0,
            noisy: 0,
            good: 0,
        }
    }

    /// Hears the next 20 ms; none: nothing has come.
    pub fn hear(&mut self, frame: Option<&Frame>) {
        self.frames += 1;
        match frame {
            None => {
                self.missing += 1;
                self.lost += 1;
            }
            Some(frame) => {
                self.missing = 0;
                match is_silent(frame) {
                    true => self.silent += 1,
                    false => (self.silent, self.loud) = (0, self.loud + 1),
                }
                self.look(frame);
            }
        }
        if self.frames == HALF {
            self.half_second();
        }
    }

    /// What is wrong, if something is.
    pub fn ill(&self) -> Option<Ill> {
        match () {
            () if self.missing >= MISSING => Some(Ill::Gone),
            () if self.silent >= self.silence => Some(Ill::Silent),
            () if self.noisy >= NOISY => Some(Ill::Noise),
            () => None,
        }
    }

    /// Whether it has been good for a while.
    pub fn is_good(&self) -> bool {
        self.good >= GOOD
    }

    fn look(&mut self, frame: &Frame) {
        // Hann's window: without it a single tone would spill over all of the spectrum.
        for (n, (to, sample)) in self.input.iter_mut().zip(frame).enumerate() {
            let window = 0.5 - 0.5 * (std::f32::consts::TAU * n as f32 / FRAME as f32).cos();
            *to = window * f32::from(*sample) / 32_768.0;
        }
        let done = self.fft.process(&mut self.input, &mut self.output);
        done.expect("both buffers have the lengths that the transform asked for");
        for (sum, bin) in self.spectrum.iter_mut().zip(&self.output[BINS]) {
            *sum += f64::from(bin.norm_sqr());
        }
    }

    fn half_second(&mut self) {
        // What is silent is not noisy: its dither would be.
        let noisy = self.loud >= LOUD && flatness(&self.spectrum) >= FLAT;
        self.noisy = if noisy { self.noisy + 1 } else { 0 };
        // A pause in speech says nothing either way.
        self.good = match self.lost > 0 || noisy || self.silent >= self.silence {
            true => 0,
            false if self.loud >= LOUD => self.good + 1,
            false => self.good,
        };
        self.spectrum.fill(0.0);
        (self.frames, self.lost, self.loud) = (0, 0, 0);
    }
}

/// Whether there is nothing to be heard in it.
pub(super) fn is_silent(frame: &Frame) -> bool {
    let squares: f64 = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (squares / FRAME as f64).sqrt() < SILENT * 32_768.0
}

/// The geometric mean of a power spectrum by its arithmetic one.
fn flatness(spectrum: &[f64]) -> f64 {
    let n = spectrum.len() as f64;
    let mean = spectrum.iter().sum::<f64>() / n;
    let logs = spectrum.iter().map(|power| power.max(1e-20).ln()).sum::<f64>() / n;
    logs.exp() / mean.max(1e-20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge() -> Judge {
        let silence = Duration::from_secs(3);
        Judge::new(Limits { silence })
    }

    /// Frames of noise, all of the same colour: each sample is mixed with the one before by `keep`.
    fn noise(keep: f64) -> impl FnMut() -> Frame {
        let (mut seed, mut last) = (1u64, 0.0);
        move || {
            std::array::from_fn(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let white = (seed >> 33) as f64 / f64::from(1u32 << 31) - 0.5;
                last = keep * last + (1.0 - keep) * white;
                (last * 16_000.0) as i16
            })
        }
    }

    /// A voice, more or less: harmonics that glide, with pauses.
    fn voice() -> impl FnMut() -> Frame {
        let mut n = 0f64;
        move || {
            std::array::from_fn(|_| {
                n += 1.0;
                let t = n / 48_000.0;
                let pitch = 150.0 + 30.0 * (t * 3.0).sin();
                let loud = (t * 4.0).sin().max(0.0);
                let harmonics =
                    (1..20).map(|k| (std::f64::consts::TAU * pitch * f64::from(k) * t).sin() / f64::from(k));
                (harmonics.sum::<f64>() * loud * 6_000.0) as i16
            })
        }
    }

    /// After how many frames it says so.
    fn until(judge: &mut Judge, mut frame: impl FnMut() -> Option<Frame>, ill: Option<Ill>) -> u32 {
        for n in 1..1000 {
            judge.hear(frame().as_ref());
            let done = match ill {
                None => judge.is_good(),
                ill => judge.ill() == ill,
            };
            if done {
                return n;
            }
        }
        panic!("never {ill:?}");
    }

    #[test]
    fn each_trouble_is_known_within_its_time_and_good_sound_after_two_seconds_of_it() {
        let (mut voice, mut white, mut dull) = (voice(), noise(0.0), noise(0.3));
        let mut judge = judge();
        assert!(until(&mut judge, || Some(voice()), None) <= 125);
        assert_eq!(judge.ill(), None);
        assert_eq!(until(&mut judge, || None, Some(Ill::Gone)), 25);
        assert!(until(&mut judge, || Some(voice()), None) <= 175);
        assert_eq!(until(&mut judge, || Some([3; FRAME]), Some(Ill::Silent)), 150);
        assert!(until(&mut judge, || Some(voice()), None) <= 175);
        for noise in [&mut white as &mut dyn FnMut() -> Frame, &mut dull] {
            let frames = until(&mut judge, || Some(noise()), Some(Ill::Noise));
            assert!((75..=125).contains(&frames), "{frames}");
            assert!(until(&mut judge, || Some(voice()), None) <= 175);
        }
    }

    #[test]
    fn a_minute_of_speech_is_never_ill() {
        let (mut voice, mut judge) = (voice(), judge());
        for _ in 0..60 * FRAMES_A_SECOND {
            judge.hear(Some(&voice()));
            assert_eq!(judge.ill(), None);
        }
    }
}
