//! A relay, and what sounds while it is no good. Here: going over to the fallback and back, each with a short fade. Not here: what
//! is no good (`judge`), where the relay comes from (`relay`).

use std::sync::Arc;

use super::judge::{Ill, Judge, Limits};
use super::player::Player;
use super::{FRAME, Feed, Frame, News, Trouble, Wire};
use crate::media::Programme;

/// A relay with a fallback.
pub struct Switch {
    wire: Arc<Wire>,
    judge: Judge,
    fallback: Option<Player>,
    trouble: Option<Trouble>,
}

impl Switch {
    /// What comes through `wire`; while that is no good the bulletins of `fallback` by turns, or silence if there are none.
    ///
    /// # Errors
    /// When no decoder can be had.
    pub fn new(wire: Arc<Wire>, limits: Limits, fallback: Vec<Programme>) -> Result<Self, opus::Error> {
        let fallback = (!fallback.is_empty()).then(|| Player::new(fallback)).transpose()?;
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::player::tests::{bulletin, tone};
    use super::*;
    use crate::media::live::Depth;

    /// Crossings of zero: which tone it is.
    fn pitch(frame: &Frame) -> usize {
        frame.windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count() * 25
    }

    #[test]
    fn the_fallback_sounds_until_the_relay_is_good_again() {
        let folder = tempfile::tempdir().unwrap();
        let wire = Arc::new(Wire::default());
        let silence = Duration::from_secs(3);
        let mut switch = Switch::new(wire.clone(), Limits { silence }, vec![bulletin(folder.path(), 100)]).unwrap();
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
