//! Bulletins as frames. Here: decoding them one after the other, again and again. Not here: when they sound (`switch`, `duck`).

use std::collections::VecDeque;

use loa_protocol::SAMPLE_RATE;

use super::{FRAME, Frame};
use crate::media::Programme;

/// Silence between two bulletins, in samples.
const GAP: usize = SAMPLE_RATE as usize;
/// The longest that one packet lasts: 120 ms.
const MOST: usize = 5760;

/// Bulletins that sound one after the other, again and again.
pub(super) struct Player {
    programmes: Vec<Programme>,
    decoder: opus::Decoder,
    current: usize,
    packet: u64,
    /// Samples of the current one that were decoded.
    decoded: u64,
    samples: VecDeque<i16>,
}

impl Player {
    /// Plays `programmes`, at least one, from the first on.
    ///
    /// # Errors
    /// When no decoder can be had.
    pub(super) fn new(programmes: Vec<Programme>) -> Result<Self, opus::Error> {
        Ok(Self {
            programmes,
            decoder: opus::Decoder::new(SAMPLE_RATE, opus::Channels::Mono)?,
            current: 0,
            packet: 0,
            decoded: 0,
            samples: VecDeque::new(),
        })
    }

    /// Begins anew.
    pub(super) fn rewind(&mut self) {
        (self.current, self.packet, self.decoded) = (0, 0, 0);
        self.samples.clear();
    }

    /// Fills the next frame.
    pub(super) fn fill(&mut self, frame: &mut Frame) {
        while self.samples.len() < frame.len() {
            self.decode();
        }
        for (to, from) in frame.iter_mut().zip(self.samples.drain(..FRAME)) {
            *to = from;
        }
    }

    /// Decodes one packet, or goes over to the next bulletin.
    fn decode(&mut self) {
        let programme = &self.programmes[self.current];
        if self.packet == 0 {
            // A decoder that cannot be reset still decodes.
            let _ = self.decoder.reset_state();
        }
        let Some(packet) = programme
            .packet(self.packet)
            .filter(|_| self.decoded < programme.samples())
        else {
            self.samples.extend(std::iter::repeat_n(0, GAP));
            (self.current, self.packet, self.decoded) = ((self.current + 1) % self.programmes.len(), 0, 0);
            return;
        };
        let mut pcm = [0; MOST];
        // What does not decode is silence of its length.
        let length = self.decoder.decode(packet, &mut pcm, false);
        let length = length.unwrap_or(programme.packet_samples() as usize);
        let skipped = if self.packet == 0 {
            usize::from(programme.pre_skip()).min(length)
        } else {
            0
        };
        self.samples.extend(&pcm[skipped..length]);
        self.decoded += (length - skipped) as u64;
        self.packet += 1;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn tone(frequency: f64, from: usize) -> Frame {
        std::array::from_fn(|n| {
            let t = (from + n) as f64 / 48_000.0;
            ((std::f64::consts::TAU * frequency * t).sin() * 8_000.0) as i16
        })
    }

    /// A bulletin of so many frames with a tone of 400 Hz.
    pub(in super::super) fn bulletin(folder: &std::path::Path, frames: usize) -> Programme {
        let path = folder.join("tone.opus");
        let mut file = std::fs::File::create(&path).unwrap();
        let encoding = crate::media::Encoding::default();
        let mut writer = crate::media::encode::Writer::new(&mut file, encoding, false).unwrap();
        for n in 0..frames {
            let frame = tone(400.0, n * FRAME);
            writer.push(&frame.map(|sample| f32::from(sample) / 32_768.0)).unwrap();
        }
        writer.finish().unwrap();
        Programme::open(&path).unwrap()
    }

    #[test]
    fn bulletins_sound_again_and_again_with_a_second_between_them() {
        let folder = tempfile::tempdir().unwrap();
        let mut player = Player::new(vec![bulletin(folder.path(), 100)]).unwrap();
        let mut loud = Vec::new();
        for _ in 0..450 {
            let mut frame = [0; FRAME];
            player.fill(&mut frame);
            loud.push(frame.iter().any(|it| it.unsigned_abs() > 4_000));
        }
        // Two seconds of sound, one of silence.
        for (from, sounds) in [(5, true), (105, false), (155, true), (255, false), (305, true)] {
            assert!(
                loud[from..from + 40].iter().all(|it| *it == sounds),
                "from {from}: {loud:?}"
            );
        }
    }
}
