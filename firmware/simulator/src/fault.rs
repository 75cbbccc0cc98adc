//! A bad network, to order. Here: [`Faults`], what is wrong with it, and [`Link`], one way through it: datagrams go in with
//! the time, and come out when they arrive, if they do. The same seed spoils the same datagrams. Not here: sockets and
//! clocks; what becomes of MQTT (an outage or a reboot cuts it, see `simulation`).
//!
//! By default only sound (RTP) is spoiled, so that what a receiver reports as lost can be compared with [`Counts`] one to
//! one; [`Scope::Everything`] spoils hello and RTCP too.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use loa_protocol::rtp;
use loa_receiver::Micros;
use serde::Serialize;

use crate::random::Random;

/// What is wrong with the network of a receiver, and with its mains. Nothing, by default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Faults {
    /// How many datagrams are lost, each by itself: 0 to 1.
    pub loss: f64,
    /// Losses that come in bursts, on top of `loss`.
    pub burst: Option<Burst>,
    /// How long every datagram is on its way, in microseconds.
    pub delay: u64,
    /// How much longer at most, in microseconds; evenly spread. Order is kept.
    pub jitter: u64,
    /// How many datagrams are held back by [`Faults::held_back`] while others overtake them: 0 to 1.
    pub reorder: f64,
    /// How long those are held back, in microseconds.
    pub held_back: u64,
    /// How many datagrams come twice: 0 to 1.
    pub duplicate: f64,
    /// How many datagrams arrive with one bit changed: 0 to 1.
    pub bit_error: f64,
    /// When nothing passes, neither UDP nor MQTT; since the simulation began.
    pub outages: Vec<Outage>,
    /// No UDP ever passes: MQTT is all there is.
    pub udp_shut: bool,
    /// When the mains fail for a moment; since the simulation began.
    pub reboots: Vec<Micros>,
    /// When it is given another UDP port, as a NAT does; since the simulation began.
    pub rebinds: Vec<Micros>,
    /// What is spoiled.
    pub scope: Scope,
}

/// Losses in bursts (Gilbert and Elliott's model): before each datagram the line may turn bad, or good again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burst {
    /// How likely a good line turns bad: 0 to 1.
    pub enter: f64,
    /// How likely a bad line turns good; bursts last for 1 / `leave` datagrams on average. Above 0, up to 1.
    pub leave: f64,
    /// How many datagrams a bad line loses: 0 to 1.
    pub loss: f64,
}

/// A time when nothing passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// From then on.
    pub from: Micros,
    /// Up to and without then.
    pub to: Micros,
}

/// What faults other than outages apply to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// Sound only (RTP): counts are exact.
    #[default]
    Sound,
    /// Everything on the media socket, both ways.
    Everything,
}

/// A fault that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WrongFault {
    /// A share outside its range.
    #[error("{what} is {value}, it must lie between 0 and 1")]
    Share {
        /// Of what.
        what: &'static str,
        /// The wrong value.
        value: f64,
    },
    /// A burst that would never end.
    #[error("bursts that are never left (leave = 0) would be an outage for ever; give a leave above 0")]
    EndlessBurst,
    /// An outage that ends before it begins.
    #[error("an outage ends at {to} s, before it begins at {from} s")]
    Backwards {
        /// Its beginning, in seconds.
        from: f64,
        /// Its end, in seconds.
        to: f64,
    },
    /// Longer than any network holds a datagram.
    #[error("{what} is {seconds} s, at most {most} s make sense")]
    TooLong {
        /// What is.
        what: &'static str,
        /// The wrong value, in seconds.
        seconds: f64,
        /// What is allowed, in seconds.
        most: f64,
    },
}

/// Longest delay, jitter, and time held back, in microseconds.
const LONGEST: u64 = 60_000_000;

/// Most datagrams that may be on their way at once; a network has no more room either.
const ROOM: usize = 8192;

/// Streams that are counted apart; the oldest go.
const STREAMS: usize = 256;

impl Faults {
    /// Looks whether all of it can be.
    ///
    /// # Errors
    /// What cannot, and what could.
    pub fn check(&self) -> Result<(), WrongFault> {
        let burst = self.burst.unwrap_or(Burst {
            enter: 0.0,
            leave: 1.0,
            loss: 0.0,
        });
        let shares = [
            ("loss", self.loss),
            ("reorder", self.reorder),
            ("duplicate", self.duplicate),
            ("bit errors", self.bit_error),
            ("burst enter", burst.enter),
            ("burst leave", burst.leave),
            ("burst loss", burst.loss),
        ];
        if let Some((what, value)) = shares.into_iter().find(|(_, share)| !(0.0..=1.0).contains(share)) {
            return Err(WrongFault::Share { what, value });
        }
        if burst.leave == 0.0 {
            return Err(WrongFault::EndlessBurst);
        }
        let times = [
            ("delay", self.delay),
            ("jitter", self.jitter),
            ("time held back", self.held_back),
        ];
        if let Some((what, time)) = times.into_iter().find(|(_, time)| *time > LONGEST) {
            return Err(WrongFault::TooLong {
                what,
                seconds: seconds(time),
                most: seconds(LONGEST),
            });
        }
        match self.outages.iter().find(|outage| outage.to < outage.from) {
            Some(outage) => Err(WrongFault::Backwards {
                from: seconds(outage.from.0),
                to: seconds(outage.to.0),
            }),
            None => Ok(()),
        }
    }

    /// Until when nothing passes, if `now` lies in an outage.
    #[must_use]
    pub fn outage(&self, now: Micros) -> Option<Micros> {
        let within = self
            .outages
            .iter()
            .filter(|outage| (outage.from..outage.to).contains(&now));
        within.map(|outage| outage.to).max()
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// What became of the datagrams of one stream, or of all that belong to none.
///
/// `offered = arrived + lost + corrupted + in_outage + crowded_out`, once everything on its way has come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Went in.
    pub offered: u64,
    /// Came out as they went in; a second copy is not counted.
    pub arrived: u64,
    /// Lost, by themselves or in a burst.
    pub lost: u64,
    /// Came out with one bit changed.
    pub corrupted: u64,
    /// Lost in an outage, or because UDP is shut.
    pub in_outage: u64,
    /// Lost because too many were on their way.
    pub crowded_out: u64,
    /// Came out a second time.
    pub duplicated: u64,
    /// Were held back for others to overtake them.
    pub held_back: u64,
}

impl Counts {
    /// Those that a receiver can make nothing of.
    #[must_use]
    pub fn unusable(&self) -> u64 {
        self.lost + self.corrupted + self.in_outage + self.crowded_out
    }
}

impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            offered: self.offered + other.offered,
            arrived: self.arrived + other.arrived,
            lost: self.lost + other.lost,
            corrupted: self.corrupted + other.corrupted,
            in_outage: self.in_outage + other.in_outage,
            crowded_out: self.crowded_out + other.crowded_out,
            duplicated: self.duplicated + other.duplicated,
            held_back: self.held_back + other.held_back,
        }
    }
}

/// One way through the network: from the server to a receiver, or back.
#[derive(Debug)]
pub struct Link {
    faults: Faults,
    random: Random,
    bad: bool,
    /// When the last datagram in order arrives.
    last: Micros,
    serial: u64,
    under_way: BinaryHeap<Reverse<UnderWay>>,
    streams: VecDeque<(u32, Counts)>,
    others: Counts,
}

/// A datagram on its way; the earliest is the least, and of equals the one that went in first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct UnderWay {
    at: Micros,
    serial: u64,
    stream: Option<u32>,
    copy: Copy,
    datagram: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Copy {
    Intact,
    Corrupted,
    Second,
}

impl Link {
    /// A link with these faults, whose choices follow from the stream numbered `stream` of `seed`.
    #[must_use]
    pub fn new(faults: Faults, seed: u64, stream: u64) -> Self {
        Self {
            faults,
            random: Random::new(seed, stream),
            bad: false,
            last: Micros(0),
            serial: 0,
            under_way: BinaryHeap::new(),
            streams: VecDeque::new(),
            others: Counts::default(),
        }
    }

    /// A datagram goes in at `now`, since the simulation began.
    pub fn push(&mut self, now: Micros, datagram: Vec<u8>) {
        let stream = stream(&datagram);
        self.counts_mut(stream).offered += 1;
        if self.faults.udp_shut || self.faults.outage(now).is_some() {
            self.counts_mut(stream).in_outage += 1;
        } else if stream.is_none() && self.faults.scope == Scope::Sound {
            self.send(now, stream, Copy::Intact, datagram);
        } else {
            self.spoil(now, stream, datagram);
        }
    }

    /// What has arrived by `now`, in the order in which it did.
    pub fn poll(&mut self, now: Micros) -> Option<Vec<u8>> {
        if self.under_way.peek()?.0.at > now {
            return None;
        }
        let Reverse(arrived) = self.under_way.pop()?;
        let counts = self.counts_mut(arrived.stream);
        match arrived.copy {
            Copy::Intact => counts.arrived += 1,
            Copy::Corrupted => counts.corrupted += 1,
            Copy::Second => counts.duplicated += 1,
        }
        Some(arrived.datagram)
    }

    /// When [`Link::poll`] has something.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Micros> {
        self.under_way.peek().map(|next| next.0.at)
    }

    /// What became of the sound of the stream with this synchronisation source.
    #[must_use]
    pub fn counts(&self, ssrc: u32) -> Counts {
        let found = self.streams.iter().find(|(other, _)| *other == ssrc);
        found.map(|(_, counts)| *counts).unwrap_or_default()
    }

    /// What became of everything else: hello, its answers, RTCP.
    #[must_use]
    pub fn others(&self) -> Counts {
        self.others
    }

    /// Applies chance. Every datagram draws the same number of random numbers, so that what is chosen for one does not
    /// depend on what was ordered besides.
    fn spoil(&mut self, now: Micros, stream: Option<u32>, mut datagram: Vec<u8>) {
        let [turn, burst, loss, late, held, twice, second, error] = std::array::from_fn(|_| self.random.fraction());
        let bit = self.random.draw();
        let faults = &self.faults;
        let lost_in_burst = faults.burst.is_some_and(|model| {
            self.bad = turn < if self.bad { 1.0 - model.leave } else { model.enter };
            self.bad && burst < model.loss
        });
        if lost_in_burst || loss < faults.loss {
            self.counts_mut(stream).lost += 1;
            return;
        }
        let jitter = |draw: f64| (draw * faults.jitter as f64) as u64;
        let earliest = now.0 + faults.delay;
        let mut at = Micros(earliest + jitter(late)).max(self.last);
        let duplicate = (twice < faults.duplicate).then(|| Micros(at.0.max(earliest + jitter(second))));
        let (hold, by) = (held < faults.reorder, faults.held_back);
        let corrupt = error < faults.bit_error && !datagram.is_empty();
        match hold {
            true => {
                at.0 += by;
                self.counts_mut(stream).held_back += 1;
            }
            false => self.last = at,
        }
        let copy = match corrupt {
            true => {
                let bit = (bit % (datagram.len() as u64 * 8)) as usize;
                datagram[bit / 8] ^= 1 << (bit % 8);
                Copy::Corrupted
            }
            false => Copy::Intact,
        };
        // The copy is as damaged as the first: otherwise it would make up for it, and counts would not be what was lost.
        let second = duplicate.map(|at| (at, datagram.clone()));
        self.send(at, stream, copy, datagram);
        if let Some((at, datagram)) = second {
            self.send(at, stream, Copy::Second, datagram);
        }
    }

    fn send(&mut self, at: Micros, stream: Option<u32>, copy: Copy, datagram: Vec<u8>) {
        if self.under_way.len() >= ROOM {
            self.counts_mut(stream).crowded_out += u64::from(copy != Copy::Second);
            return;
        }
        self.serial += 1;
        let serial = self.serial;
        self.under_way.push(Reverse(UnderWay {
            at,
            serial,
            stream,
            copy,
            datagram,
        }));
    }

    fn counts_mut(&mut self, stream: Option<u32>) -> &mut Counts {
        let Some(ssrc) = stream else { return &mut self.others };
        if let Some(at) = self.streams.iter().position(|(other, _)| *other == ssrc) {
            return &mut self.streams[at].1;
        }
        if self.streams.len() == STREAMS {
            self.streams.pop_front();
        }
        self.streams.push_back((ssrc, Counts::default()));
        let last = self.streams.len() - 1;
        &mut self.streams[last].1
    }
}

/// The synchronisation source of a datagram that carries sound.
fn stream(datagram: &[u8]) -> Option<u32> {
    if rtp::is_rtcp(datagram) {
        return None;
    }
    rtp::Header::parse(datagram).ok().map(|header| header.ssrc)
}
