//! Samples on their way to a desk. Here: a bounded queue between who has sound and who needs it in time: what stays behind a
//! voice is dropped, what is too fast waits; and whether somebody is plugged in. Not here: what sounds instead of nothing.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{FRAME, Frame};

/// How much of a wire waits, in samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// It begins to give once there is so much: what evens out how unevenly sound comes in.
    pub target: usize,
    /// It never holds more.
    pub most: usize,
}

impl Depth {
    /// For a voice that should be heard at once: 60 ms, and 240 at most.
    pub const VOICE: Self = Self {
        target: 3 * FRAME,
        most: 12 * FRAME,
    };
    /// For an encoder, which may bring a second at once: 1.2 s, and 4 at most.
    pub const ENCODER: Self = Self {
        target: 60 * FRAME,
        most: 200 * FRAME,
    };
    /// For a relay: half a second, and two at most.
    pub const RELAY: Self = Self {
        target: 25 * FRAME,
        most: 100 * FRAME,
    };
}

/// Looks after this many frames whether there is always more than needed.
const LOOK: u32 = 100;

/// A queue of samples; 48 kHz, mono.
#[derive(Debug)]
pub struct Wire {
    state: Mutex<State>,
    room: Condvar,
}

#[derive(Debug)]
struct State {
    depth: Depth,
    samples: VecDeque<i16>,
    /// It gives: it had enough, and did not run dry since.
    flowing: bool,
    /// Least that was left after a frame, since it was last looked at, and when that was.
    least: usize,
    frames: u32,
    /// Who is plugged in: only the last one is heard.
    plug: u64,
    plugged: bool,
    /// Something came through the present plug.
    came: bool,
    /// Why nothing comes.
    why: String,
    finished: bool,
    closed: bool,
}

impl Default for Wire {
    fn default() -> Self {
        let state = State {
            depth: Depth::VOICE,
            samples: VecDeque::new(),
            flowing: false,
            least: usize::MAX,
            frames: 0,
            plug: 0,
            plugged: false,
            came: false,
            why: "nothing has come yet".to_owned(),
            finished: false,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            room: Condvar::new(),
        }
    }
}

impl Wire {
    /// Plugs in what comes in that way; whoever was before is heard no more. The plug is what samples come through.
    pub fn plug(&self, depth: Depth) -> u64 {
        let mut state = self.state();
        state.plug += 1;
        (state.plugged, state.came, state.depth) = (true, false, depth);
        self.room.notify_all();
        state.plug
    }

    /// Whether that plug is the one that is heard.
    pub fn is_current(&self, plug: u64) -> bool {
        self.state().plug == plug
    }

    /// Pulls that plug out, for this reason.
    pub fn unplug(&self, plug: u64, why: &str) {
        let mut state = self.state();
        if state.plug == plug {
            state.plugged = false;
            why.clone_into(&mut state.why);
        }
    }

    /// Adds samples of a voice: what is beyond the most drops the oldest down to the target. `false`: nobody listens (any more).
    pub fn push(&self, plug: u64, samples: &[i16]) -> bool {
        let mut state = self.state();
        if state.plug != plug || state.closed || state.finished {
            return false;
        }
        state.came = true;
        state.samples.extend(samples);
        if state.samples.len() > state.depth.most {
            let over = state.samples.len() - state.depth.target;
            state.samples.drain(..over);
        }
        true
    }

    /// Adds samples of a relay, waiting for room; blocking. `false`: nobody listens (any more).
    pub fn offer(&self, plug: u64, samples: &[i16]) -> bool {
        let listened = |state: &State| state.plug == plug && !state.closed;
        for part in samples.chunks(FRAME) {
            let full = |state: &mut State| listened(state) && state.samples.len() + part.len() > state.depth.most;
            let state = self.state();
            let mut state = self
                .room
                .wait_while(state, full)
                .unwrap_or_else(PoisonError::into_inner);
            if !listened(&state) {
                return false;
            }
            state.came = true;
            state.samples.extend(part);
        }
        true
    }

    /// Whoever speaks is done: what is on the wire is still given.
    pub fn finish(&self) {
        self.state().finished = true;
    }

    /// Nobody listens any more.
    pub fn close(&self) {
        self.state().closed = true;
        self.room.notify_all();
    }

    /// Whether nobody listens any more.
    pub fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Waits until nobody listens any more, or for so long; says which.
    pub fn wait_closed(&self, most: Duration) -> bool {
        let state = self.state();
        let waited = self.room.wait_timeout_while(state, most, |state| !state.closed);
        waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    /// Whether somebody is plugged in.
    pub fn is_plugged(&self) -> bool {
        self.state().plugged
    }

    /// Whether who spoke is done, and all of it was given.
    pub(super) fn is_spent(&self) -> bool {
        let state = self.state();
        state.finished && state.samples.len() < FRAME
    }

    /// Why nothing comes, as far as is known.
    pub(super) fn why(&self) -> String {
        let state = self.state();
        match state.plugged && state.came {
            true => "stalled".to_owned(),
            false => state.why.clone(),
        }
    }

    /// The next frame, if there is one.
    pub(super) fn take(&self, frame: &mut Frame) -> bool {
        let mut state = self.state();
        state.flowing |= state.samples.len() >= state.depth.target || state.finished;
        if !state.flowing || state.samples.len() < FRAME {
            state.flowing = false;
            (state.least, state.frames) = (usize::MAX, 0);
            return false;
        }
        for (to, from) in frame.iter_mut().zip(state.samples.drain(..FRAME)) {
            *to = from;
        }
        state.least = state.least.min(state.samples.len());
        state.frames += 1;
        // A speaker's clock runs faster than ours, or a burst has left more than is needed: a voice catches up, 20 ms at a time.
        if state.depth == Depth::VOICE && state.frames >= LOOK {
            if state.least >= state.depth.target {
                state.samples.drain(..FRAME);
            }
            (state.least, state.frames) = (usize::MAX, 0);
        }
        self.room.notify_all();
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // It is whole between any two of its operations.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(wire: &Wire) -> Option<i16> {
        let mut frame = [0; FRAME];
        wire.take(&mut frame).then_some(frame[0])
    }

    #[test]
    fn a_voice_begins_at_the_target_and_never_lags_by_more_than_the_most() {
        let wire = Wire::default();
        let plug = wire.plug(Depth::VOICE);
        wire.push(plug, &[1; 2 * FRAME]);
        assert_eq!(taken(&wire), None);
        wire.push(plug, &[2; FRAME]);
        assert_eq!(
            [taken(&wire), taken(&wire), taken(&wire), taken(&wire)],
            [Some(1), Some(1), Some(2), None]
        );
        // Dry: it waits for the target again.
        wire.push(plug, &[3; FRAME]);
        assert_eq!(taken(&wire), None);
        for n in 0..100 {
            wire.push(plug, &[n; FRAME]);
        }
        let first = taken(&wire).unwrap();
        assert!(first >= 88, "{first}");
    }

    #[test]
    fn a_voice_catches_up_with_what_a_burst_left_behind() {
        let wire = Wire::default();
        let plug = wire.plug(Depth::VOICE);
        wire.push(plug, &[0; 10 * FRAME]);
        for n in 0..1000i16 {
            wire.push(plug, &[n; FRAME]);
            let got = taken(&wire).unwrap();
            if n == 999 {
                assert!(n - got <= 4, "{} frames behind", n - got);
            }
        }
    }

    #[test]
    fn only_the_last_plug_is_heard() {
        let wire = Wire::default();
        let (old, new) = (wire.plug(Depth::VOICE), wire.plug(Depth::VOICE));
        assert!(!wire.push(old, &[1; 9]) && wire.push(new, &[1; 9]));
        wire.unplug(old, "late");
        assert!(wire.is_plugged());
        wire.close();
        assert!(!wire.push(new, &[1; 9]) && !wire.offer(new, &[1; 9]));
    }

    #[test]
    fn a_relay_waits_for_room_and_is_let_go_when_nobody_listens() {
        let wire = Wire::default();
        let plug = wire.plug(Depth::RELAY);
        std::thread::scope(|scope| {
            let offering = scope.spawn(|| wire.offer(plug, &[5; 120 * FRAME]));
            let mut got = 0;
            while got < 30 {
                got += usize::from(taken(&wire).is_some());
            }
            assert!(offering.join().unwrap());
            assert!(scope.spawn(|| wire.offer(plug, &[5; FRAME])).join().unwrap());
            let waiting = scope.spawn(|| wire.offer(plug, &[5; 120 * FRAME]));
            wire.close();
            assert!(!waiting.join().unwrap());
        });
    }
}
