//! What the area allows. Here: the policy that was last signed, applied: hours, minutes a day, volume. Not here: reading it
//! (`loa-protocol`).
//!
//! Until a policy has come only emergencies sound. Minutes a day are counted from boot: there is nothing to keep them in.

use loa_protocol::UnixMicros;
use loa_protocol::command::{Play, Policy};
use loa_protocol::precedence::Class;

const MINUTE: u64 = 60_000_000;
const SAMPLES_A_MINUTE: u64 = 60 * 48_000;
/// Most minutes that a broadcast touches: a day, begun and ended within one.
const MOST_MINUTES: usize = 1442;

pub(crate) struct Limits {
    policy: Option<Policy>,
    volume: u8,
    /// Civil day whose sound is counted, and its samples.
    day: i64,
    used: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            policy: None,
            volume: 100,
            day: 0,
            used: 0,
        }
    }
}

impl Limits {
    pub(crate) fn set_policy(&mut self, policy: Policy) {
        self.policy = Some(policy);
    }

    pub(crate) fn set_volume(&mut self, volume: u8) {
        self.volume = volume;
    }

    /// The volume that sound of this class has at `at`, in per cent: emergencies go past the cap, an override past that of hours.
    pub(crate) fn volume(&self, class: Class, at: UnixMicros) -> u8 {
        match &self.policy {
            Some(policy) if class != Class::Emergency => {
                self.volume.min(policy.volume(at).unwrap_or(policy.volume_cap))
            }
            _ => self.volume,
        }
    }

    /// Whether `play` may sound at `at`.
    pub(crate) fn allows(&self, play: &Play, at: UnixMicros) -> bool {
        if play.class == Class::Emergency {
            return true;
        }
        let Some(policy) = &self.policy else { return false };
        play.overrides || policy.allows(at) && self.left(play, at) > 0
    }

    /// Samples of `play` that the day of `at` has left.
    pub(crate) fn left(&self, play: &Play, at: UnixMicros) -> u64 {
        let limit = self.policy.as_ref().and_then(|policy| policy.daily_minutes);
        match (&self.policy, limit) {
            (Some(policy), Some(minutes)) if play.class != Class::Emergency && !play.overrides => {
                let used = if policy.civil_day(at) == self.day { self.used } else { 0 };
                (u64::from(minutes) * SAMPLES_A_MINUTE).saturating_sub(used)
            }
            _ => u64::MAX,
        }
    }

    /// So many samples of `play` sound from `at` on.
    pub(crate) fn spend(&mut self, play: &Play, at: UnixMicros, samples: u64) {
        let Some(policy) = self.policy.as_ref().filter(|_| play.class != Class::Emergency) else {
            return;
        };
        let day = policy.civil_day(at);
        if day != self.day {
            (self.day, self.used) = (day, 0);
        }
        self.used += samples;
    }

    /// The first instant from `at` on, and before the end of `play`, at which it may sound.
    pub(crate) fn opens(&self, play: &Play, at: UnixMicros) -> Option<UnixMicros> {
        let minutes = core::iter::successors(Some(at), |at| Some(next_minute(*at)));
        minutes
            .take(MOST_MINUTES)
            .take_while(|at| *at < play.end())
            .find(|at| self.allows(play, *at))
    }

    /// When `play`, which may sound at `at`, may not any more, if that is before `until`. `until` is less than a minute away.
    pub(crate) fn shuts(&self, play: &Play, at: UnixMicros, until: UnixMicros) -> Option<UnixMicros> {
        let minute = next_minute(at);
        (minute < until && !self.allows(play, minute)).then_some(minute)
    }

    /// A policy is there, and forbids all of `play` from `at` on.
    pub(crate) fn forbids(&self, play: &Play, at: UnixMicros) -> bool {
        self.policy.is_some() && self.opens(play, at.max(play.start)).is_none()
    }
}

fn next_minute(at: UnixMicros) -> UnixMicros {
    UnixMicros((at.0 / MINUTE + 1) * MINUTE)
}
