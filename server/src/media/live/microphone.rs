//! Somebody speaks. Here: what is on the wire, the chime before it, and when it is over: ended, silent for too long, or gone.

use std::sync::Arc;
use std::time::Duration;

use super::chime::chime;
use super::duck::Duck;
use super::judge::is_silent;
use super::player::Player;
use super::{FRAMES_A_SECOND, Feed, Frame, News, Over, Wire};
use crate::media::Programme;

/// How long a studio is kept for who says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Silence, of who is there.
    pub silent: Duration,
    /// Nobody is there.
    pub gone: Duration,
}

/// A microphone, in a browser or at an encoder.
pub struct Microphone {
    wire: Arc<Wire>,
    chime: Vec<i16>,
    /// Samples of the chime that have sounded.
    chimed: usize,
    /// Frames in a row, and how many are enough.
    silent: [u32; 2],
    gone: [u32; 2],
    over: bool,
    /// What sounds under the voice.
    bed: Option<Duck>,
}

impl Microphone {
    /// What comes through `wire`.
    pub fn new(wire: Arc<Wire>, with_chime: bool, patience: Patience) -> Self {
        let frames = |time: Duration| (time.as_secs_f64() * f64::from(FRAMES_A_SECOND)) as u32;
        Self {
            wire,
            chime: if with_chime { chime() } else { Vec::new() },
            chimed: 0,
            silent: [0, frames(patience.silent)],
            gone: [0, frames(patience.gone)],
            over: false,
            bed: None,
        }
    }

    /// Has `programmes` sound under the voice, by turns, quieter while somebody speaks; none: nothing does.
    ///
    /// # Errors
    /// When no decoder can be had.
    pub fn over(self, programmes: Vec<Programme>) -> Result<Self, opus::Error> {
        let player = (!programmes.is_empty()).then(|| Player::new(programmes)).transpose()?;
        Ok(Self {
            bed: player.map(Duck::new),
            ..self
        })
    }

    fn judge(&mut self, silent: bool) -> Option<Over> {
        let count = |[so_far, enough]: &mut [u32; 2], more: bool| {
            *so_far = if more { *so_far + 1 } else { 0 };
            so_far >= enough
        };
        let silent = count(&mut self.silent, silent);
        let gone = count(&mut self.gone, !self.wire.is_plugged());
        match () {
            () if self.wire.is_spent() => Some(Over::Ended),
            () if gone => Some(Over::Gone),
            () if silent => Some(Over::Silent),
            () => None,
        }
    }
}

impl Feed for Microphone {
    fn fill(&mut self, frame: &mut Frame) -> Option<News> {
        frame.fill(0);
        if self.over {
            return None;
        }
        self.wire.take(frame);
        let silent = is_silent(frame);
        let chime = self.chime.get(self.chimed..).unwrap_or_default();
        for (sample, bell) in frame.iter_mut().zip(chime) {
            *sample = sample.saturating_add(*bell);
        }
        self.chimed += frame.len();
        if let Some(bed) = &mut self.bed {
            bed.put_under(frame, !silent);
        }
        let over = self.judge(silent)?;
        self.over = true;
        self.wire.close();
        Some(News::Over(over))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::live::{Depth, FRAME};

    const PATIENCE: Patience = Patience {
        silent: Duration::from_secs(10),
        gone: Duration::from_secs(4),
    };

    /// Seconds until it is over, and why.
    fn run(microphone: &mut Microphone, mut each: impl FnMut(u32)) -> (u32, Over) {
        for n in 0.. {
            each(n);
            match microphone.fill(&mut [0; FRAME]) {
                Some(News::Over(over)) => return (n / FRAMES_A_SECOND, over),
                other => assert_eq!(other, None),
            }
        }
        unreachable!()
    }

    #[test]
    fn it_is_over_when_it_was_ended_or_nothing_comes() {
        let wire = Arc::new(Wire::default());
        let microphone = || Microphone::new(wire.clone(), false, PATIENCE);
        assert_eq!(run(&mut microphone(), |_| ()), (3, Over::Gone));

        let wire = Arc::new(Wire::default());
        let plug = wire.plug(Depth::VOICE);
        let mut one = Microphone::new(wire.clone(), true, PATIENCE);
        // Speaks for 5 s, then only breathes.
        let over = run(&mut one, |n| {
            let level = if n < 250 { 5000 } else { 10 };
            wire.push(plug, &[level; FRAME]);
        });
        assert_eq!(over, (15, Over::Silent));
        assert!(wire.is_closed() && one.fill(&mut [1; FRAME]).is_none());

        let wire = Arc::new(Wire::default());
        let plug = wire.plug(Depth::VOICE);
        let mut one = Microphone::new(wire.clone(), false, PATIENCE);
        let over = run(&mut one, |n| match n {
            0..100 => _ = wire.push(plug, &[5000; FRAME]),
            _ => wire.finish(),
        });
        assert_eq!(over, (2, Over::Ended));
    }

    #[test]
    fn the_chime_sounds_over_what_is_said_and_silence_is_silence() {
        let wire = Arc::new(Wire::default());
        wire.plug(Depth::VOICE);
        let mut one = Microphone::new(wire, true, PATIENCE);
        let mut all = Vec::new();
        for _ in 0..150 {
            let mut frame = [1; FRAME];
            one.fill(&mut frame);
            all.extend(frame);
        }
        let chime = chime();
        assert_eq!(all[..chime.len()], chime[..]);
        assert!(all[chime.len()..].iter().all(|sample| *sample == 0));
    }
}
