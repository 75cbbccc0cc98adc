//! Music under a voice (talk-over). Here: how loud it is while somebody speaks, and how it goes down and comes up. Not here: whether somebody
//! speaks (`judge`).

use super::player::Player;
use super::{FRAME, Frame};

/// Its level under a voice, of what it is alone: -18 dB.
const UNDER: f32 = 0.126;
/// It stays down so many frames after the last word: 0.8 s.
const HOLD: u32 = 40;
/// Frames in which it goes down from its whole level, and in which it comes up to it: 0.1 s, so that no first syllable is lost, and 1 s.
const DOWN: f32 = 5.0;
const UP: f32 = 50.0;

/// Music that goes down while somebody speaks.
pub(super) struct Duck {
    player: Player,
    level: f32,
    /// Frames since somebody spoke.
    quiet: u32,
}

impl Duck {
    /// The bulletins of `player`, which come up from silence.
    pub(super) fn new(player: Player) -> Self {
        Self {
            player,
            level: 0.0,
            quiet: HOLD,
        }
    }

    /// Puts the music under `frame`, in which somebody speaks or not.
    pub(super) fn put_under(&mut self, frame: &mut Frame, spoken: bool) {
        self.quiet = if spoken { 0 } else { self.quiet.saturating_add(1) };
        let aim = if self.quiet < HOLD { UNDER } else { 1.0 };
        let to = match aim > self.level {
            true => (self.level + 1.0 / UP).min(aim),
            false => (self.level - 1.0 / DOWN).max(aim),
        };
        let mut music = [0; FRAME];
        self.player.fill(&mut music);
        for (n, (sample, music)) in frame.iter_mut().zip(music).enumerate() {
            let level = self.level + (to - self.level) * (n + 1) as f32 / FRAME as f32;
            *sample = sample.saturating_add((f32::from(music) * level) as i16);
        }
        self.level = to;
    }
}

#[cfg(test)]
mod tests {
    use super::super::player::tests::{bulletin, tone};
    use super::*;

    fn loud(frame: &Frame) -> f64 {
        let power: f64 = frame.iter().map(|it| f64::from(*it).powi(2)).sum();
        10.0 * (power / FRAME as f64 / f64::from(i16::MAX).powi(2)).log10()
    }

    #[test]
    fn music_goes_down_under_a_voice_at_once_and_comes_up_slowly_after_it() {
        let folder = tempfile::tempdir().unwrap();
        // A minute, so that no gap is in it.
        let mut duck = Duck::new(Player::new(vec![bulletin(folder.path(), 3000)]).unwrap());
        let mut levels = Vec::new();
        for n in 0..300 {
            let mut frame = [0; FRAME];
            // Somebody speaks from the third second to the fourth.
            duck.put_under(&mut frame, (100..150).contains(&n));
            levels.push(loud(&frame));
        }
        let whole = loud(&tone(400.0, 0));
        assert!(levels[0] < whole - 30.0, "it comes up: {}", levels[0]);
        assert!((levels[60] - whole).abs() < 1.0, "{} and {whole}", levels[60]);
        assert!(
            (levels[106] - (whole - 18.0)).abs() < 1.0,
            "down in 0.1 s: {}",
            levels[106]
        );
        assert!((levels[185] - (whole - 18.0)).abs() < 1.0, "it holds: {}", levels[185]);
        assert!(levels[200] < whole - 3.0, "and comes up slowly: {}", levels[200]);
        assert!((levels[260] - whole).abs() < 1.0, "{}", levels[260]);
        let steps = levels.windows(2).skip(10).map(|pair| pair[1] - pair[0]);
        assert!(steps.fold(0.0, f64::max) < 3.0, "never with a jump");
    }

    #[test]
    fn a_voice_over_loud_music_does_not_wrap() {
        let folder = tempfile::tempdir().unwrap();
        let mut duck = Duck::new(Player::new(vec![bulletin(folder.path(), 100)]).unwrap());
        for _ in 0..60 {
            let mut frame = [i16::MAX; FRAME];
            duck.put_under(&mut frame, true);
            assert!(frame.iter().all(|it| *it > 20_000));
        }
    }
}
