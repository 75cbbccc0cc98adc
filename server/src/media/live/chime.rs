//! The chime before an announcement. Here: three falling bells, made of sines, always the same. Not here: when it sounds.

use std::f32::consts::TAU;

use loa_protocol::SAMPLE_RATE;

/// Frequencies of the bells, in hertz: a falling major triad.
const BELLS: [f32; 3] = [783.99, 659.26, 523.25];
/// From bell to bell, in samples.
const APART: usize = SAMPLE_RATE as usize * 45 / 100;
/// How long a bell rings, in samples.
const RING: usize = SAMPLE_RATE as usize * 9 / 10;
/// Full scale is 1.
const LOUDNESS: f32 = 0.25;

/// The chime; 48 kHz, mono, 1.8 s.
pub(super) fn chime() -> Vec<i16> {
    let mut samples = vec![0f32; APART * (BELLS.len() - 1) + RING];
    for (bell, frequency) in BELLS.into_iter().enumerate() {
        for (n, sample) in samples[bell * APART..].iter_mut().take(RING).enumerate() {
            let (t, left) = (n as f32 / SAMPLE_RATE as f32, 1.0 - n as f32 / RING as f32);
            let attack = (n as f32 / 240.0).min(1.0);
            let wave = (TAU * frequency * t).sin() + 0.3 * (TAU * 2.0 * frequency * t).sin();
            *sample += LOUDNESS * attack * left * left * wave;
        }
    }
    let whole = |sample: f32| (sample * 32_767.0).clamp(-32_768.0, 32_767.0) as i16;
    samples.into_iter().map(whole).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_ends_in_silence_and_never_clips() {
        let chime = super::chime();
        assert!(chime.iter().all(|sample| sample.unsigned_abs() < 30_000));
        assert!(chime.iter().any(|sample| sample.unsigned_abs() > 6_000));
        assert!(chime.iter().rev().take(100).all(|sample| sample.unsigned_abs() < 30));
    }
}
