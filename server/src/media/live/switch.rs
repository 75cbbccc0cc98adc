//! A relay, and what sounds while it is no good. Here: going over to the fallback and back, each with a short fade. Not here: what
//! is no good (`judge`), where the relay comes from (`relay`).

use std::collections::VecDeque;
use std::sync::Arc;

use loa_protocol::SAMPLE_RATE;

use super::judge::{Ill, Judge, Limits};
use super::{FRAME, Feed, Frame, News, Trouble, Wire};
use crate::media::Programme;

/// Silence between two bulletins of a fallback, in samples.
const GAP: usize = SAMPLE_RATE as usize;
/// The longest that one packet lasts: 120 ms.
const MOST: usize = 5760;

/// A relay with a fallback.
pub struct Switch {
    wire: Arc<Wire>,
    judge: Judge,
    fallback: Option<Fallback>,
    trouble: Option<Trouble>,
}

impl Switch {
    /// What comes through `wire`; while that is no good the bulletins of `fallback` by turns, or silence if there are none.
    ///
    /// # Errors
    /// When no decoder can be had.
    pub fn new(wire: Arc<Wire>, limits: Limits, fallback: Vec<Programme>) -> Result<Self, opus::Error> {
        let fallback = (!fallback.is_empty()).then(|| Fallback::new(fallback)).transpose()?;
        Ok(Self {
            wire,
            judge: Judge::new(limits),
            fallback,
            trouble: None,
        })
    }

    fn instead(&mut self, frame: &mut Frame) {
        match &mut self.fallback {
            Some(fallback) => fallback.fill(frame),
            None => frame.fill(0),
        }
    }
}

impl Feed for Switch {
    fn fill(&mut self, frame: &mut Frame) -> Option<News> {
        frame.fill(0);
        let came = self.wire.take(frame);
        self.judge.hear(came.then_some(&*frame));
        let trouble = match (&self.trouble, self.judge.ill()) {
            (None, Some(Ill::Gone)) => Some(Trouble::Gone(self.wire.why())),
            (None, Some(Ill::Silent)) => Some(Trouble::Silent),
            (None, Some(Ill::Noise)) => Some(Trouble::Noise),
            (None, None) => return None,
            (Some(_), None) if self.judge.is_good() => None,
            (Some(_), _) => {
                self.instead(frame);
                return None;
            }
        };
        let relay = *frame;
        if trouble.is_some()
            && let Some(fallback) = &mut self.fallback
        {
            fallback.rewind();
        }
        self.instead(frame);
        let share = |n: usize| match trouble {
            Some(_) => (FRAME - n) as i32,
            None => n as i32,
        };
        for (n, (sample, relay)) in frame.iter_mut().zip(relay).enumerate() {
            let (own, whole) = (share(n), FRAME as i32);
            *sample = ((i32::from(relay) * own + i32::from(*sample) * (whole - own)) / whole) as i16;
        }
        self.trouble.clone_from(&trouble);
        Some(trouble.map_or(News::Good, News::Trouble))
    }
}

/// Bulletins that sound one after the other, again and again.
struct Fallback {
    programmes: Vec<Programme>,
    decoder: opus::Decoder,
    current: usize,
    packet: u64,
    /// Samples of the current one that were decoded.
    decoded: u64,
    samples: VecDeque<i16>,
}

impl Fallback {
    fn new(programmes: Vec<Programme>) -> Result<Self, opus::Error> {
        Ok(Self {
            programmes,
            decoder: opus::Decoder::new(SAMPLE_RATE, opus::Channels::Mono)?,
            current: 0,
            packet: 0,
            decoded: 0,
            samples: VecDeque::new(),
        })
    }

    fn rewind(&mut self) {
        (self.current, self.packet, self.decoded) = (0, 0, 0);
        self.samples.clear();
    }

    fn fill(&mut self, frame: &mut Frame) {
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
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::media::live::Depth;

    fn tone(frequency: f64, from: usize) -> Frame {
        std::array::from_fn(|n| {
            let t = (from + n) as f64 / 48_000.0;
            ((std::f64::consts::TAU * frequency * t).sin() * 8_000.0) as i16
        })
    }

    /// Crossings of zero: which tone it is.
    fn pitch(frame: &Frame) -> usize {
        frame.windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count() * 25
    }

    /// A bulletin with a tone of 400 Hz.
    fn bulletin(folder: &std::path::Path) -> Programme {
        let path = folder.join("fallback.opus");
        let mut file = std::fs::File::create(&path).unwrap();
        let encoding = crate::media::Encoding::default();
        let mut writer = crate::media::encode::Writer::new(&mut file, encoding, false).unwrap();
        for n in 0..100 {
            let frame = tone(400.0, n * FRAME);
            writer.push(&frame.map(|sample| f32::from(sample) / 32_768.0)).unwrap();
        }
        writer.finish().unwrap();
        Programme::open(&path).unwrap()
    }

    #[test]
    fn the_fallback_sounds_until_the_relay_is_good_again() {
        let folder = tempfile::tempdir().unwrap();
        let wire = Arc::new(Wire::default());
        let silence = Duration::from_secs(3);
        let mut switch = Switch::new(wire.clone(), Limits { silence }, vec![bulletin(folder.path())]).unwrap();
        let plug = wire.plug(Depth::RELAY);
        let mut heard = Vec::new();
        let mut news = Vec::new();
        // 5 s of the relay's 1 kHz, then nothing for 6 s, then the relay again.
        for n in 0..50 * 20 {
            if !(250..550).contains(&n) {
                wire.push(plug, &tone(1000.0, n * FRAME));
            }
            if n == 250 {
                wire.unplug(plug, "refused");
            }
            let mut frame = [0; FRAME];
            news.extend(switch.fill(&mut frame).map(|it| (n, it)));
            heard.push(pitch(&frame));
        }
        let [(gone, News::Trouble(why)), (good, News::Good)] = &news[..] else {
            panic!("{news:?}")
        };
        // What waited on the wire still sounded, and half a second was waited for more.
        assert_eq!(
            (why.clone(), *gone),
            (Trouble::Gone("refused".into()), 24 + 250 + 25 - 1),
            "{news:?}"
        );
        assert!((650..=725).contains(good), "{news:?}");
        assert!(
            heard[30..270].iter().all(|pitch| pitch.abs_diff(1000) <= 25),
            "{heard:?}"
        );
        assert!(
            heard[gone + 5..gone + 80].iter().all(|pitch| pitch.abs_diff(400) <= 25),
            "{heard:?}"
        );
        assert!(
            heard[good + 5..].iter().all(|pitch| pitch.abs_diff(1000) <= 25),
            "{heard:?}"
        );
    }

    #[test]
    fn without_a_fallback_it_is_silent() {
        let wire = Arc::new(Wire::default());
        let silence = Duration::from_secs(3);
        let mut switch = Switch::new(wire, Limits { silence }, Vec::new()).unwrap();
        for _ in 0..100 {
            let mut frame = [1; FRAME];
            switch.fill(&mut frame);
            assert_eq!(frame, [0; FRAME]);
        }
    }
}
