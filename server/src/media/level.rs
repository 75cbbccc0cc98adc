//! All programmes equally loud. Here: how much louder or quieter a file is to become, tried out on excerpts of it where peaks
//! have to be limited, and corrected by what its programme sounded like when decoded again: a limiter and a lossy codec both
//! change loudness and peaks. Not here:
//! measuring (`survey`), holding peaks down (`limiter`).

use super::limiter::Limiter;
use super::survey::{Meter, Survey};

/// No true peak of a programme is higher, in decibels of full scale; a fifth lower than is promised (-1), as meters of true
/// peaks differ by as much.
const CEILING: f64 = -1.2;
/// Under the ceiling by so much peaks are held before they are encoded, as decoding throws some higher.
const ROOM: f64 = 0.8;
/// Encoding makes sound quieter by about this, in LU.
const CODEC: f64 = 0.1;
/// A programme this near to what was wanted is near enough, in LU.
const NEAR: f64 = 0.3;
/// The most that anything is amplified, in decibels: what is fainter is noise.
const MOST_GAIN: f64 = 30.0;
/// The most that a limiter takes off a peak: beyond it a programme had better stay quieter than sound crushed.
const MOST_LIMITED: f64 = 24.0;
/// Of each decibel of gain a limiter leaves about two thirds: what is missing takes that much more.
const AGAIN: f64 = 1.4;
/// How often a gain is tried out on the excerpts.
const TRIES: u32 = 6;
/// Attempts at most, and after how many only the ceiling matters.
const ATTEMPTS: u32 = 7;
const EXACT: u32 = 3;

/// What a programme sounded like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    /// In LUFS; none of silence.
    pub(super) loudness: Option<f64>,
    /// In decibels of full scale.
    pub(super) true_peak: f64,
}

/// How sound is levelled, in decibels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plan {
    target: f64,
    pub(super) gain: f64,
    /// Where peaks are held before encoding.
    ceiling: f64,
    /// The highest peak of the file.
    peak: f64,
    attempt: u32,
}

impl Plan {
    /// To make what was surveyed as loud as `target` LUFS. Sound that cannot be measured stays as loud as it is.
    pub(super) fn new(target: f64, survey: &Survey) -> Self {
        let gain = survey.loudness.map_or(0.0, |lufs| target + CODEC - lufs);
        Self {
            target,
            gain,
            ceiling: CEILING - ROOM,
            peak: survey.true_peak,
            attempt: 1,
        }
        .bounded()
        .tried_out(survey)
    }

    /// What a limiter will take, found by limiting the excerpts.
    fn tried_out(mut self, survey: &Survey) -> Self {
        let loudness = |leveller: &mut Leveller| {
            let (mut meter, mut output) = (Meter::new(), Vec::new());
            leveller.push(&survey.excerpts, &mut output);
            meter.push(&output);
            meter.loudness()
        };
        let (Some(whole), Some(excerpts)) = (survey.loudness, loudness(&mut Leveller::Gain(1.0))) else {
            return self;
        };
        for _ in 0..TRIES {
            let mut leveller = self.leveller();
            let Leveller::Limiter(_) = leveller else { break };
            let Some(limited) = loudness(&mut leveller) else { break };
            let missing = self.target + CODEC - (whole + limited - excerpts);
            if missing.abs() < NEAR / 6.0 || (missing > 0.0 && self.gain >= self.most_gain()) {
                break;
            }
            self.gain += missing * AGAIN;
            self = self.bounded();
        }
        self
    }

    fn most_gain(&self) -> f64 {
        MOST_GAIN.min(self.ceiling - self.peak + MOST_LIMITED)
    }

    fn bounded(self) -> Self {
        Self {
            gain: self.gain.min(self.most_gain()),
            ..self
        }
    }

    /// What to do better, after what was heard of the programme; `None` if it is good.
    pub(super) fn after(self, heard: Heard) -> Option<Self> {
        let excess = (heard.true_peak - CEILING).max(0.0);
        let missing = match heard.loudness {
            Some(lufs) if self.attempt <= EXACT => self.target - lufs,
            _ => 0.0,
        };
        let enough = missing.abs() <= NEAR || (missing > 0.0 && self.gain >= self.most_gain());
        if (excess == 0.0 && enough) || self.attempt == ATTEMPTS {
            return None;
        }
        let lower = if excess > 0.0 { excess + 0.1 } else { 0.0 };
        // At last all of it, not only the peaks.
        let all = if self.attempt > EXACT { lower } else { 0.0 };
        let next = Self {
            gain: self.gain + missing * AGAIN - all,
            ceiling: self.ceiling - lower,
            attempt: self.attempt + 1,
            ..self
        };
        Some(next.bounded())
    }

    /// What does it.
    pub(super) fn leveller(&self) -> Leveller {
        let gain = factor(self.gain);
        if self.peak + self.gain <= self.ceiling {
            Leveller::Gain(gain)
        } else {
            Leveller::Limiter(Box::new(Limiter::new(gain, factor(self.ceiling))))
        }
    }
}

fn factor(decibels: f64) -> f32 {
    10f64.powf(decibels / 20.0) as f32
}

/// Makes sound louder or quieter as it passes.
pub(super) enum Leveller {
    Gain(f32),
    Limiter(Box<Limiter>),
}

impl Leveller {
    /// For sound that is as loud as it is to be, and is encoded again: only its peaks are held.
    pub(super) fn ceiling() -> Self {
        Self::Limiter(Box::new(Limiter::new(1.0, factor(CEILING - ROOM))))
    }

    /// Replaces `output` by what `input` makes available.
    pub(super) fn push(&mut self, input: &[f32], output: &mut Vec<f32>) {
        output.clear();
        match self {
            Self::Gain(gain) => output.extend(input.iter().map(|sample| sample * *gain)),
            Self::Limiter(limiter) => limiter.push(input, output),
        }
    }

    /// Replaces `output` by the rest.
    pub(super) fn finish(&mut self, output: &mut Vec<f32>) {
        output.clear();
        if let Self::Limiter(limiter) = self {
            limiter.finish(output);
        }
    }
}
