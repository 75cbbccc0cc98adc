//! What sounds. Here: the broadcasts that are known, which of them sounds at an instant, and handing out its sound in time. Not
//! here: packets coming in and becoming samples ([`crate::hearing`]).
//!
//! Time is decided from front to back: everything before the cursor was handed out, or is silence for good. A stretch is a time in
//! which one broadcast is the one to sound; within it sound adjoins sound, packet by packet.

use crate::broadcast::{Broadcast, Secrets};
use crate::clock::{Local, Offset};
use crate::hearing::{Heard, Hearing};
use crate::limits::Limits;
use crate::receipts::Over;
use crate::{Counters, Decoder, LEAD};
use heapless::Deque;
use loa_protocol::command::{Play, Policy};
use loa_protocol::precedence::{Rank, goes_before};
use loa_protocol::report::Outcome;
use loa_protocol::{BroadcastId, UnixMicros};

/// Broadcasts that are known at a time: what sounds, what it pre-empted, and what comes next.
pub(crate) const ROOM: usize = 4;
/// Streams that have ended, of which packets may still come.
const ENDED: usize = 4;
/// If nobody looked at the time for so long, in microseconds, what should have sounded meanwhile is given up.
const STALL: Local = 500_000;
/// A silence shorter than this does not switch the amplifier off, in microseconds.
const GAP: Local = 200_000;
const AHEAD: Local = LEAD as Local;

/// A time in which one broadcast is the one to sound.
struct Stretch {
    slot: usize,
    /// Where the broadcast's first sample lies.
    start: Local,
    /// Time was lost: go on where the clock says.
    broken: bool,
}

pub(crate) struct Player<D> {
    pub(crate) hearing: Hearing<D>,
    pub(crate) limits: Limits,
    pub(crate) broadcasts: [Option<Broadcast>; ROOM],
    pub(crate) ended: Deque<u32, ENDED>,
    stretch: Option<Stretch>,
    cursor: Local,
    /// When what was handed out has sounded.
    sounds_until: Local,
    amplifier: bool,
    sounding: Option<BroadcastId>,
    wakeup: Option<Local>,
}

/// What came of looking at the time.
pub(crate) enum Step {
    /// Samples to hand out: [`Player::pcm`].
    Sound { at: Local, from: usize, length: usize },
    /// A broadcast is over.
    Over(Over),
    /// Nothing, until [`Player::wakeup`].
    Idle,
}

enum Piece {
    Sound {
        at: Local,
        from: usize,
        length: usize,
    },
    Silence,
    /// It is not time yet.
    Until(Local),
}

impl<D: Decoder> Player<D> {
    pub(crate) fn new(decoder: D) -> Self {
        Self {
            hearing: Hearing::new(decoder),
            limits: Limits::default(),
            broadcasts: [const { None }; ROOM],
            ended: Deque::new(),
            stretch: None,
            cursor: Local::MIN / 2,
            sounds_until: Local::MIN / 2,
            amplifier: false,
            sounding: None,
            wakeup: None,
        }
    }

    pub(crate) fn pcm(&self, from: usize, length: usize) -> &[i16] {
        self.hearing.pcm.get(from..from + length).unwrap_or_default()
    }

    /// Whether the amplifier is to be on.
    pub(crate) fn amplifier(&self) -> bool {
        self.amplifier
    }

    /// What sounds.
    pub(crate) fn sounding(&self) -> Option<BroadcastId> {
        self.sounding
    }

    /// When to call [`Player::step`] again, as of the last one that was idle.
    pub(crate) fn wakeup(&self) -> Option<Local> {
        self.wakeup
    }

    /// Takes up a broadcast that is not over, or more news of one; returns what had to make room for it, or itself if it may not sound.
    pub(crate) fn play(&mut self, play: Play, secrets: Secrets<'_>, now: Local, offset: Offset) -> Option<Over> {
        if let Some(slot) = self.slot(play.broadcast) {
            self.renew(slot, play, secrets);
            return None;
        }
        let wall = UnixMicros(u64::try_from(now + offset.micros).unwrap_or(0));
        let refused = |outcome| {
            Some(Over {
                play,
                account: Default::default(),
                outcome,
            })
        };
        if self.limits.forbids(&play, wall) {
            return refused(Outcome::Refused);
        }
        let mut over = None;
        let slot = match self.broadcasts.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                let (last, rank) = self.last()?;
                if !goes_before(&play.rank(), &rank) {
                    return refused(Outcome::Failed);
                }
                over = self.end(last, now, false);
                last
            }
        };
        let from = match play.start > wall {
            true => Local::MIN,
            false => now + AHEAD,
        };
        self.broadcasts[slot] = Some(Broadcast::new(play, secrets, from, now));
        over
    }

    /// Stops a broadcast at once.
    pub(crate) fn stop(&mut self, broadcast: BroadcastId, now: Local) -> Option<Over> {
        self.end(self.slot(broadcast)?, now, false)
    }

    /// Stops everything, without an account.
    pub(crate) fn silence(&mut self) {
        self.broadcasts = [const { None }; ROOM];
        (self.stretch, self.sounding, self.amplifier, self.wakeup) = (None, None, false, None);
    }

    pub(crate) fn set_policy(&mut self, policy: Policy, now: Local, offset: Offset) {
        let mut shut = [false; ROOM];
        for (shut, broadcast) in shut.iter_mut().zip(&self.broadcasts) {
            let wall = |broadcast: &Broadcast| broadcast.wall(now, offset);
            *shut = broadcast
                .as_ref()
                .is_some_and(|it| !self.limits.allows(&it.play, wall(it)));
        }
        self.limits.set_policy(policy);
        for (shut, broadcast) in shut.into_iter().zip(self.broadcasts.iter_mut()) {
            // What opens now does not sound in the past.
            if let Some(broadcast) = broadcast.as_mut().filter(|_| shut) {
                broadcast.from = broadcast.from.max(now + AHEAD);
            }
        }
    }

    /// Decides what is due at `now`; call until it is idle.
    pub(crate) fn step(&mut self, now: Local, offset: Offset, counters: &mut Counters) -> Step {
        if self.cursor < now - STALL {
            self.cursor = now - STALL;
            if let Some(stretch) = &mut self.stretch {
                stretch.broken = true;
            }
        }
        let next = loop {
            if self.cursor > now + AHEAD {
                break Some(self.cursor - AHEAD);
            }
            let Some(slot) = self.winner(self.cursor, offset) else {
                self.stretch = None;
                match self.next_opening(self.cursor, offset) {
                    Some(at) if at <= now + AHEAD => self.cursor = at.max(self.cursor + 1),
                    at => break at.map(|at| at - AHEAD),
                }
                continue;
            };
            match self.piece(slot, now, offset, counters) {
                Piece::Sound { at, from, length } => return Step::Sound { at, from, length },
                Piece::Silence => {}
                Piece::Until(at) => break Some(at - AHEAD),
            }
        };
        if let Some(over) = self.over(now, offset) {
            return Step::Over(over);
        }
        self.rest(now, offset, next);
        Step::Idle
    }

    /// The broadcast that sounds at `at`.
    fn winner(&self, at: Local, offset: Offset) -> Option<usize> {
        let mut best: Option<(usize, Rank)> = None;
        for (slot, broadcast) in self.known() {
            if self.opening(slot, at, offset) != Some(at) {
                continue;
            }
            let rank = broadcast.play.rank();
            if best.is_none_or(|(_, best)| goes_before(&rank, &best)) {
                best = Some((slot, rank));
            }
        }
        best.map(|(slot, _)| slot)
    }

    /// The first instant from `at` on at which a broadcast may sound.
    fn opening(&self, slot: usize, at: Local, offset: Offset) -> Option<Local> {
        let broadcast = self.broadcasts[slot].as_ref()?;
        let at = at.max(broadcast.start(offset)).max(broadcast.from);
        if broadcast.sample >= broadcast.play.samples || at >= broadcast.end(offset) {
            return None;
        }
        let opens = self.limits.opens(&broadcast.play, broadcast.wall(at, offset))?;
        Some(broadcast.local(opens, offset))
    }

    fn next_opening(&self, at: Local, offset: Offset) -> Option<Local> {
        (0..ROOM).filter_map(|slot| self.opening(slot, at, offset)).min()
    }

    /// The next packet of `slot`, which is the one to sound at the cursor: decodes it if it is due.
    fn piece(&mut self, slot: usize, now: Local, offset: Offset, counters: &mut Counters) -> Piece {
        self.take_up(slot, offset, counters);
        let Some(broadcast) = &self.broadcasts[slot] else {
            return Piece::Silence;
        };
        let index = broadcast.packet;
        let (first, after) = broadcast.samples_of(index);
        let skipped = after <= 0;
        let from = broadcast.sample.max(u64::try_from(first).unwrap_or(0));
        let at = broadcast.sounds(from, offset).max(self.cursor);
        let after = u64::try_from(after).unwrap_or(0);
        let until = broadcast.sounds(after.max(from), offset);
        let edge = self.edge(slot, at, until, offset);
        let first_change = edge.map_or(at, |edge| edge.min(at));
        if first_change > now + AHEAD {
            return Piece::Until(first_change);
        }
        if edge.is_some_and(|edge| edge <= at) {
            self.cursor = first_change;
            return Piece::Silence;
        }
        let wall = broadcast.wall(at, offset);
        let mut to = after.min(broadcast.play.samples);
        to = to.min(from.saturating_add(self.limits.left(&broadcast.play, wall)));
        if let Some(edge) = edge {
            to = to.min(broadcast.samples_before(edge, offset));
        }
        if to <= from && !skipped {
            self.cursor = edge.unwrap_or(until).max(self.cursor + 1);
            if let Some(broadcast) = &mut self.broadcasts[slot] {
                broadcast.packet += 1;
            }
            return Piece::Silence;
        }
        let Some(broadcast) = &mut self.broadcasts[slot] else {
            return Piece::Silence;
        };
        let heard = self.hearing.decode(slot, broadcast, now, counters);
        broadcast.packet += 1;
        if skipped {
            return Piece::Silence;
        }
        broadcast.sample = to;
        let length = (to - from) as usize;
        let place = usize::try_from(from.cast_signed() - first).unwrap_or(0);
        let end = match edge {
            Some(edge) if to < after => edge,
            _ if to == broadcast.play.samples => broadcast.end(offset),
            _ => broadcast.sounds(to, offset),
        };
        self.cursor = end.max(self.cursor);
        if heard == Heard::Nothing {
            return Piece::Silence;
        }
        let volume = self.limits.volume(broadcast.play.class, wall);
        let pcm = self.hearing.pcm.get_mut(place..place + length).unwrap_or_default();
        scale(pcm, volume);
        if broadcast.account.played == 0 {
            broadcast.owed = Some(Outcome::Playing);
        }
        broadcast.account.sounded(pcm, heard != Heard::Packet);
        self.limits.spend(&broadcast.play, wall, length as u64);
        self.sounding = Some(broadcast.play.broadcast);
        (self.sounds_until, self.amplifier) = (self.cursor, true);
        Piece::Sound {
            at: broadcast.sounds(from, offset),
            from: place,
            length,
        }
    }

    /// Makes `slot` the one that sounds from the cursor on, unless it is.
    fn take_up(&mut self, slot: usize, offset: Offset, counters: &mut Counters) {
        let Some(broadcast) = &mut self.broadcasts[slot] else {
            return;
        };
        let start = broadcast.start(offset);
        let current = self.stretch.as_ref().filter(|stretch| stretch.slot == slot);
        if current.is_some_and(|stretch| stretch.start == start && !stretch.broken) {
            return;
        }
        let jumped = current.is_some();
        broadcast.hold(offset);
        // Nothing sounds twice, wherever the clock was put.
        let sample = broadcast
            .sample_at(self.cursor, offset)
            .max(broadcast.sample)
            .min(broadcast.play.samples);
        let packet = broadcast.packet_of(sample);
        match jumped {
            true => {
                let lost = broadcast.lose(packet);
                counters.expected += lost;
                counters.lost += lost;
                counters.jumps += 1;
            }
            false => broadcast.pass(packet),
        }
        (broadcast.sample, broadcast.packet) = (sample, packet);
        self.hearing.begin(slot, packet);
        self.stretch = Some(Stretch {
            slot,
            start,
            broken: false,
        });
    }

    /// The first instant after the cursor and before `until` at which `slot`, whose next packet sounds from `at`, gives way or is not
    /// allowed any more.
    fn edge(&self, slot: usize, at: Local, until: Local, offset: Offset) -> Option<Local> {
        let broadcast = self.broadcasts[slot].as_ref()?;
        let rank = broadcast.play.rank();
        let better = self.known().filter(|(_, other)| goes_before(&other.play.rank(), &rank));
        let gives_way = better
            .filter_map(|(other, _)| self.opening(other, self.cursor + 1, offset))
            .min();
        let wall = |at| broadcast.wall(at, offset);
        let shut = self.limits.shuts(&broadcast.play, wall(at), wall(until));
        let shut = shut.map(|shut| broadcast.local(shut, offset));
        gives_way.into_iter().chain(shut).min().filter(|edge| *edge < until)
    }

    /// A broadcast whose time is over, or will never come.
    fn over(&mut self, now: Local, offset: Offset) -> Option<Over> {
        for slot in 0..ROOM {
            let Some(broadcast) = &self.broadcasts[slot] else {
                continue;
            };
            let silent = broadcast.account.expected == 0;
            let wall = broadcast.wall(now, offset);
            if broadcast.end(offset) <= now {
                let forbidden = silent && self.limits.opens(&broadcast.play, broadcast.play.start).is_none();
                return self.end(slot, Local::MIN, forbidden);
            }
            if silent && wall < broadcast.play.end() && self.limits.forbids(&broadcast.play, wall) {
                return self.end(slot, Local::MIN, true);
            }
        }
        None
    }

    /// Takes a broadcast out; what was handed out of it and would sound after `now` does not.
    fn end(&mut self, slot: usize, now: Local, forbidden: bool) -> Option<Over> {
        let broadcast = self.broadcasts[slot].take()?;
        self.hearing.forget(slot);
        if self.ended.is_full() {
            self.ended.pop_front();
        }
        let _ = self.ended.push_back(broadcast.play.ssrc);
        if self.stretch.as_ref().is_some_and(|stretch| stretch.slot == slot) {
            self.stretch = None;
        }
        if now > Local::MIN && self.sounding == Some(broadcast.play.broadcast) {
            self.sounds_until = self.sounds_until.min(now);
        }
        let outcome = broadcast.outcome(forbidden);
        Some(Over {
            play: broadcast.play,
            account: broadcast.account,
            outcome,
        })
    }

    /// Nothing is due: whether the amplifier may go off, and when to look again.
    fn rest(&mut self, now: Local, offset: Offset, next: Option<Local>) {
        let opening = self.next_opening(self.cursor, offset);
        let silent = now >= self.sounds_until;
        if silent {
            let current = self
                .stretch
                .as_ref()
                .and_then(|stretch| self.broadcasts[stretch.slot].as_ref());
            self.sounding = self
                .sounding
                .filter(|id| current.is_some_and(|current| current.play.broadcast == *id));
        }
        // Within a stretch sound may come back at any moment.
        let soon = opening.is_some_and(|at| at <= self.sounds_until + GAP);
        let hold = (self.stretch.is_some() || soon) && now < self.sounds_until + GAP;
        if silent && !hold {
            self.amplifier = false;
        }
        let quiet = [self.sounds_until, self.sounds_until + GAP];
        let quiet = quiet.into_iter().filter(|_| self.amplifier || self.sounding.is_some());
        let ends = self.broadcasts.iter().flatten().map(|broadcast| broadcast.end(offset));
        self.wakeup = next.into_iter().chain(quiet).chain(ends).filter(|at| *at > now).min();
    }

    /// A second command for a broadcast: another target, or another stream.
    fn renew(&mut self, slot: usize, play: Play, secrets: Secrets<'_>) {
        let Some(broadcast) = &mut self.broadcasts[slot] else {
            return;
        };
        // What is live ends when it ends: only then is it known how long it was.
        let same = Play {
            samples: play.samples,
            depth: play.depth,
            class: play.class,
            overrides: play.overrides,
            ..broadcast.play
        } == play;
        match same {
            true => broadcast.play = play,
            false => {
                broadcast.replace(play, secrets);
                self.hearing.forget(slot);
                if let Some(stretch) = self.stretch.as_mut().filter(|stretch| stretch.slot == slot) {
                    stretch.broken = true;
                }
            }
        }
        // The server asks since it does not know.
        broadcast.owed = Some(if broadcast.account.played > 0 {
            Outcome::Playing
        } else {
            Outcome::Received
        });
    }

    fn slot(&self, broadcast: BroadcastId) -> Option<usize> {
        self.known()
            .find(|(_, known)| known.play.broadcast == broadcast)
            .map(|(slot, _)| slot)
    }

    /// The broadcast that gives way to all others.
    fn last(&self) -> Option<(usize, Rank)> {
        let ranks = self.known().map(|(slot, broadcast)| (slot, broadcast.play.rank()));
        ranks.reduce(|last, next| if goes_before(&next.1, &last.1) { last } else { next })
    }

    fn known(&self) -> impl Iterator<Item = (usize, &Broadcast)> {
        let slots = self.broadcasts.iter().enumerate();
        slots.filter_map(|(slot, broadcast)| Some((slot, broadcast.as_ref()?)))
    }

    /// The packet of `slot` that is due next.
    pub(crate) fn due(&self, slot: usize, now: Local, offset: Offset) -> u64 {
        let Some(broadcast) = &self.broadcasts[slot] else {
            return 0;
        };
        match &self.stretch {
            Some(stretch) if stretch.slot == slot => broadcast.packet,
            _ => broadcast
                .packet_of(broadcast.sample_at(now, offset))
                .max(broadcast.counted),
        }
    }
}

/// Scales samples to `volume` per cent; at 100 they stay as they are.
fn scale(pcm: &mut [i16], volume: u8) {
    if volume >= 100 {
        return;
    }
    let gain = (i32::from(volume) * 32_768 + 50) / 100;
    for sample in pcm {
        *sample = ((i32::from(*sample) * gain + 16_384) >> 15) as i16;
    }
}
