//! Any rate to 48 kHz. Here: a streaming resampler whose output is aligned with its input: the filter's delay is taken
//! off the front and drained at the end, so that `n` samples become exactly `round(n × 48000 / rate)`.

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _, WindowFunction};

use loa_protocol::SAMPLE_RATE;

use super::IngestError;

/// Frames of a filter block: a long filter keeps the pass band wide; delay does not matter, as it is taken off.
const BLOCK: usize = 1024;

/// Turns mono sound at one rate into mono sound at 48 kHz.
pub(super) struct Resampler {
    /// Absent when the input is at 48 kHz already.
    filter: Option<Filter>,
    rate: u32,
    taken: u64,
    given: u64,
}

struct Filter {
    fft: Fft<f32>,
    pending: Vec<f32>,
    block_out: Vec<f32>,
    /// Output samples still to be dropped: the filter's delay.
    delay: usize,
}

impl Resampler {
    /// A resampler from `rate` hertz to 48 kHz.
    pub(super) fn new(rate: u32) -> Result<Self, IngestError> {
        let filter = if rate == SAMPLE_RATE {
            None
        } else {
            let (rate_in, rate_out) = (rate as usize, SAMPLE_RATE as usize);
            // An even number of input frames in a block: the filter's centre is half a block in, and half a frame
            // cannot be taken off.
            let unit = 2 * rate_in / gcd(rate_in, rate_out);
            let block = BLOCK.next_multiple_of(unit);
            let window = WindowFunction::BlackmanHarris2;
            let fft = Fft::new_custom(rate_in, rate_out, block, 1, 1, window, FixedSync::Both)
                .map_err(|error| IngestError::Unsupported(error.to_string()))?;
            let block_out = vec![0.0; fft.output_frames_max()];
            let delay = fft.output_delay();
            Some(Filter {
                fft,
                pending: Vec::new(),
                block_out,
                delay,
            })
        };
        Ok(Self {
            filter,
            rate,
            taken: 0,
            given: 0,
        })
    }

    /// Appends to `output` what `input` makes available.
    pub(super) fn push(&mut self, input: &[f32], output: &mut Vec<f32>) {
        self.taken += input.len() as u64;
        let before = output.len();
        match &mut self.filter {
            None => output.extend_from_slice(input),
            Some(filter) => {
                filter.pending.extend_from_slice(input);
                filter.run(output);
            }
        }
        self.given += (output.len() - before) as u64;
    }

    /// Appends the rest, so that the whole output is as long as the whole input.
    pub(super) fn finish(&mut self, output: &mut Vec<f32>) {
        let Some(filter) = &mut self.filter else { return };
        let rate = u128::from(self.rate);
        let whole = ((u128::from(self.taken) * u128::from(SAMPLE_RATE) * 2 + rate) / (rate * 2)) as u64;
        let before = output.len();
        while self.given + ((output.len() - before) as u64) < whole {
            let block = filter.fft.input_frames_next();
            filter
                .pending
                .resize(filter.pending.len().max(1).next_multiple_of(block), 0.0);
            filter.run(output);
        }
        // What is over: the drained block is whole, the sound is not.
        output.truncate(before + (whole - self.given) as usize);
        self.given = whole;
    }
}

impl Filter {
    fn run(&mut self, output: &mut Vec<f32>) {
        let mut start = 0;
        loop {
            let need = self.fft.input_frames_next();
            if self.pending.len() - start < need {
                break;
            }
            let block = &self.pending[start..start + need];
            let frames = self.block_out.len();
            let source = SequentialSlice::new(block, 1, need).expect("the block is as long as the filter asked for");
            let mut sink =
                SequentialSlice::new_mut(&mut self.block_out, 1, frames).expect("made as long as the filter's longest");
            let (_, made) = self
                .fft
                .process_into_buffer(&source, &mut sink, None::<&Indexing>)
                .expect("both buffers have the lengths that the filter asked for");
            let dropped = self.delay.min(made);
            self.delay -= dropped;
            output.extend_from_slice(&self.block_out[dropped..made]);
            start += need;
        }
        self.pending.drain(..start);
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, seconds: f64) -> Vec<f32> {
        let n = (f64::from(rate) * seconds) as usize;
        (0..n)
            .map(|i| (std::f64::consts::TAU * 440.0 * i as f64 / f64::from(rate)).sin() as f32 * 0.5)
            .collect()
    }

    /// Signal to noise, in decibels, of `got` against an ideal 440 Hz tone at 48 kHz; both ends left out, where a
    /// tone that begins at once rings in any band-limited filter.
    fn snr(got: &[f32]) -> f64 {
        let want = tone(SAMPLE_RATE, got.len() as f64 / f64::from(SAMPLE_RATE));
        let edge = 4800.min(got.len() / 4);
        let (mut signal, mut noise) = (0.0, 0.0);
        for (got, want) in got.iter().zip(&want).skip(edge).take(want.len() - 2 * edge) {
            signal += f64::from(*want).powi(2);
            noise += f64::from(got - want).powi(2);
        }
        10.0 * (signal / noise).log10()
    }

    #[test]
    fn keeps_length_and_position_at_every_rate() {
        for rate in [
            8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000, 37_123,
        ] {
            let input = tone(rate, 1.2345);
            for chunk in [1, 577, 4096, input.len()] {
                if chunk == 1 && rate != 44_100 {
                    continue;
                }
                let mut resampler = Resampler::new(rate).expect("a supported rate");
                let mut output = Vec::new();
                for part in input.chunks(chunk) {
                    resampler.push(part, &mut output);
                }
                resampler.finish(&mut output);
                let want = (input.len() as f64 * 48_000.0 / f64::from(rate)).round() as usize;
                assert_eq!(output.len(), want, "{rate} Hz in chunks of {chunk}");
                assert!(snr(&output) > 60.0, "{rate} Hz: {:.1} dB", snr(&output));
            }
        }
    }

    #[test]
    fn nothing_in_nothing_out() {
        let mut resampler = Resampler::new(44_100).expect("a supported rate");
        let mut output = Vec::new();
        resampler.finish(&mut output);
        assert!(output.is_empty());
    }
}
