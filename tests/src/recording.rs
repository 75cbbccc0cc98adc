//! What a receiver played, as it left it: samples at 48 kHz, mono.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

/// The share of a window's power that is in one tone (Goertzel); nothing of what is hardly there.
pub fn tone_share(window: &[i16], hertz: f64) -> f64 {
    let step = 2.0 * (std::f64::consts::TAU * hertz / 48_000.0).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in window {
        (last, before) = (f64::from(*sample) + step * last - before, last);
    }
    let n = window.len() as f64;
    let tone = (last * last + before * before - step * last * before) * 2.0 / n;
    let all: f64 = window.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    if all / n < 100.0 { 0.0 } else { tone / all }
}

/// Samples that a receiver gave out, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording(pub Vec<i16>);

impl Recording {
    /// Reads a WAV file (48 kHz, mono, 16 bit).
    pub fn wav(path: &Path) -> Result<Self> {
        let mut reader = hound::WavReader::open(path).with_context(|| format!("{}", path.display()))?;
        let spec = reader.spec();
        ensure!(
            (spec.sample_rate, spec.channels, spec.bits_per_sample) == (48_000, 1, 16),
            "{}: {spec:?}",
            path.display()
        );
        Ok(Self(reader.samples::<i16>().collect::<Result<_, _>>()?))
    }

    /// Reads raw samples, little-endian.
    pub fn raw(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("{}", path.display()))?;
        Ok(Self(
            bytes
                .chunks_exact(2)
                .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
                .collect(),
        ))
    }

    /// Writes a WAV file.
    pub fn write_wav(&self, path: &Path) -> Result<()> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 48_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec)?;
        for sample in &self.0 {
            writer.write_sample(*sample)?;
        }
        Ok(writer.finalize()?)
    }

    /// Length in seconds.
    pub fn seconds(&self) -> f64 {
        self.0.len() as f64 / 48_000.0
    }

    /// Integrated loudness by EBU R 128, in LUFS; `None` for silence.
    pub fn lufs(&self) -> Option<f64> {
        let mut meter = ebur128::EbuR128::new(1, 48_000, ebur128::Mode::I).ok()?;
        meter.add_frames_i16(&self.0).ok()?;
        meter.loudness_global().ok().filter(|lufs| lufs.is_finite())
    }

    /// In words, how `self` and `other` differ; `None` if they do not.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let pairs = self.0.iter().zip(&other.0);
        let off = pairs.clone().filter(|(a, b)| a != b).count();
        let most = pairs
            .clone()
            .map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs())
            .max()
            .unwrap_or(0);
        let first = pairs.clone().position(|(a, b)| a != b);
        (self != other).then(|| {
            let (length, other_length) = (self.0.len(), other.0.len());
            format!("{length} and {other_length} samples; {off} differ, by {most} at most, the first at {first:?}")
        })
    }

    /// Signal-to-noise ratio against `wanted`, in dB; infinite if they are equal. Compares what both have.
    pub fn snr(&self, wanted: &Self) -> f64 {
        let (mut signal, mut noise) = (0.0, 0.0);
        for (got, want) in self.0.iter().zip(&wanted.0) {
            signal += f64::from(*want).powi(2);
            noise += (f64::from(*got) - f64::from(*want)).powi(2);
        }
        10.0 * (signal / noise).log10()
    }
}
