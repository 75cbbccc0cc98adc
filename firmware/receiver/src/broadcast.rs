//! One broadcast that the receiver was told to play. Here: which sample sounds when, and the account that its receipt gives. Not
//! here: which broadcast sounds ([`crate::player`]).

use crate::clock::{Local, Offset};
use crate::level;
use loa_protocol::command::Play;
use loa_protocol::key::{Secret, SrtpMaster};
use loa_protocol::report::{Outcome, Receipt};
use loa_protocol::rtp::Header;
use loa_protocol::srtp::Opener;
use loa_protocol::{Error, UnixMicros};

/// A correction of the clock by more than this, and more than its own uncertainty, moves sound that runs already, in microseconds.
const HOLD: Local = 20_000;

/// What was heard of a broadcast, or not. `expected = received + lost`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// Samples handed out, concealed ones included.
    pub played: u64,
    /// Packets that were to sound.
    pub expected: u64,
    /// Packets that came in time.
    pub received: u64,
    /// Packets that did not.
    pub lost: u64,
    /// Packets of those that came afterwards.
    pub late: u64,
    /// Packets that came more than once.
    pub duplicate: u64,
    /// Samples that were concealed, or rebuilt from redundancy.
    pub concealed: u64,
    squares: u64,
}

impl Account {
    /// Adds samples that sound.
    pub(crate) fn sounded(&mut self, pcm: &[i16], concealed: bool) {
        let length = pcm.len() as u64;
        self.played += length;
        if concealed {
            self.concealed += length;
        }
        let squares: u64 = pcm
            .iter()
            .map(|sample| u64::from(u32::from(sample.unsigned_abs()).pow(2)))
            .sum();
        self.squares = self.squares.saturating_add(squares);
    }

    /// Level of what sounded, in hundredths of dB below full scale.
    #[must_use]
    pub fn level(&self) -> Option<u16> {
        level::level(self.squares, self.played)
    }

    /// A receipt that says so; its serial and time are left to the caller.
    pub(crate) fn receipt(&self, play: &Play, outcome: Outcome) -> Receipt {
        Receipt {
            broadcast: play.broadcast,
            outcome,
            planned: play.samples,
            played: self.played,
            expected: self.expected,
            received: self.received,
            lost: self.lost,
            late: self.late,
            duplicate: self.duplicate,
            concealed: self.concealed,
            level: self.level(),
            ..Receipt::default()
        }
    }
}

pub(crate) struct Broadcast {
    pub(crate) play: Play,
    opener: Opener,
    /// Under the other of two secrets, until the first authentic packet shows which one it is.
    spare: Option<SrtpMaster>,
    pub(crate) account: Account,
    /// When sample 0 sounds: held from the first sound on, whatever becomes of the clock.
    anchor: Option<Local>,
    /// It does not sound before: it was not known, or not allowed.
    pub(crate) from: Local,
    /// The first sample that was not handed out.
    pub(crate) sample: u64,
    /// The packet that is decided next.
    pub(crate) packet: u64,
    /// Packets below this are in the account, if they were to sound.
    pub(crate) counted: u64,
    /// Bit `n`: packet `counted - 1 - n` is lost and has not come since.
    lost: u128,
    /// When its last packet came.
    pub(crate) heard: Local,
    /// One above the highest packet that came.
    pub(crate) highest: u64,
    /// A receipt that is to be sent.
    pub(crate) owed: Option<Outcome>,
}

impl Broadcast {
    pub(crate) fn new(play: Play, secrets: Secrets<'_>, from: Local, now: Local) -> Self {
        let (opener, spare) = openers(&play, secrets);
        Self {
            play,
            opener,
            spare,
            account: Account::default(),
            anchor: None,
            from,
            sample: 0,
            packet: 0,
            counted: 0,
            lost: 0,
            heard: now,
            highest: 0,
            owed: Some(Outcome::Received),
        }
    }

    /// Goes over to another stream of the same broadcast.
    pub(crate) fn replace(&mut self, play: Play, secrets: Secrets<'_>) {
        (self.opener, self.spare) = openers(&play, secrets);
        self.play = play;
        self.highest = 0;
        self.lost = 0;
    }

    /// Opens a packet in place: see [`Opener::rtp`].
    pub(crate) fn rtp(&mut self, packet: &mut [u8], near: u64) -> Result<(u64, Header, usize), Error> {
        self.open(packet, |opener, packet| opener.rtp(packet, near))
    }

    /// Opens a report in place: see [`Opener::rtcp`].
    pub(crate) fn rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Error> {
        self.open(packet, Opener::rtcp)
    }

    fn open<T>(
        &mut self,
        packet: &mut [u8],
        how: impl Fn(&mut Opener, &mut [u8]) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let opened = how(&mut self.opener, packet);
        match (&self.spare, &opened) {
            (Some(spare), Err(Error::Unauthentic)) => {
                let mut other = Opener::new(spare, self.play.ssrc);
                let opened = how(&mut other, packet)?;
                (self.opener, self.spare) = (other, None);
                Ok(opened)
            }
            (Some(_), Ok(_)) => {
                self.spare = None;
                opened
            }
            _ => opened,
        }
    }

    /// When sample 0 sounds, in local time.
    pub(crate) fn start(&self, offset: Offset) -> Local {
        let fresh = self.play.start.0.cast_signed() - offset.micros;
        let hold = HOLD + offset.error;
        self.anchor
            .filter(|anchor| (anchor - fresh).abs() <= hold)
            .unwrap_or(fresh)
    }

    /// Holds the start where it is now.
    pub(crate) fn hold(&mut self, offset: Offset) {
        self.anchor = Some(self.start(offset));
    }

    /// When its last sample has sounded.
    pub(crate) fn end(&self, offset: Offset) -> Local {
        self.start(offset) + (self.play.samples * 125).div_ceil(6).cast_signed()
    }

    /// When sample `n` sounds; rounded down, so that the first lies where the command says.
    pub(crate) fn sounds(&self, n: u64, offset: Offset) -> Local {
        self.start(offset) + span(n)
    }

    /// The first sample that sounds at `at` or later.
    pub(crate) fn sample_at(&self, at: Local, offset: Offset) -> u64 {
        let since = u64::try_from(at - self.start(offset)).unwrap_or(0);
        (since * 6).div_ceil(125)
    }

    /// How many samples have sounded at `at`.
    pub(crate) fn samples_before(&self, at: Local, offset: Offset) -> u64 {
        u64::try_from(at - self.start(offset)).unwrap_or(0) * 6 / 125
    }

    /// Wall time of a local instant, by the broadcast's own mapping.
    pub(crate) fn wall(&self, at: Local, offset: Offset) -> UnixMicros {
        self.play.start.offset(at - self.start(offset))
    }

    /// The local instant of a wall time, by the broadcast's own mapping.
    pub(crate) fn local(&self, at: UnixMicros, offset: Offset) -> Local {
        self.start(offset) + at.since(self.play.start)
    }

    /// The packet that sample `n` is in.
    pub(crate) fn packet_of(&self, n: u64) -> u64 {
        match n {
            // What is skipped has to be decoded too.
            0 => 0,
            n => (n + u64::from(self.play.pre_skip)) / u64::from(self.play.packet_samples),
        }
    }

    /// The first sample of packet `index`, and the first one after it; below zero they are skipped.
    pub(crate) fn samples_of(&self, index: u64) -> (i64, i64) {
        let length = i64::from(self.play.packet_samples);
        let first = index.cast_signed() * length - i64::from(self.play.pre_skip);
        (first, first + length)
    }

    /// Notes whether packet `index`, whose time has come, is there. Each counts once.
    pub(crate) fn decide(&mut self, index: u64, received: bool) {
        if index < self.counted {
            return;
        }
        self.pass(index);
        self.lost = self.lost << 1 | u128::from(!received);
        self.counted = index + 1;
        self.account.expected += 1;
        match received {
            true => self.account.received += 1,
            false => self.account.lost += 1,
        }
    }

    /// Packets before `index` were not to sound here.
    pub(crate) fn pass(&mut self, index: u64) {
        if let Some(ahead) = index.checked_sub(self.counted) {
            self.lost = self
                .lost
                .checked_shl(u32::try_from(ahead).unwrap_or(u32::MAX))
                .unwrap_or(0);
            self.counted = index;
        }
    }

    /// Packets before `index` were to sound here and are lost; returns how many.
    pub(crate) fn lose(&mut self, index: u64) -> u64 {
        let lost = index.saturating_sub(self.counted);
        self.pass(index);
        self.lost |= 1u128
            .checked_shl(u32::try_from(lost).unwrap_or(u32::MAX))
            .map_or(u128::MAX, |bit| bit - 1);
        self.account.expected += lost;
        self.account.lost += lost;
        lost
    }

    /// Packet `index` came, though its time is over; whether it was missed.
    pub(crate) fn came_late(&mut self, index: u64) -> bool {
        let Some(back) = self
            .counted
            .checked_sub(index + 1)
            .and_then(|back| u32::try_from(back).ok())
        else {
            return false;
        };
        let bit = 1u128.checked_shl(back).unwrap_or(0);
        let missed = self.lost & bit != 0;
        self.lost &= !bit;
        self.account.late += u64::from(missed);
        missed
    }

    /// How it went, now that it is over.
    pub(crate) fn outcome(&self, forbidden: bool) -> Outcome {
        match self.account.played {
            played if played >= self.play.samples => Outcome::Played,
            0 if forbidden => Outcome::Refused,
            0 => Outcome::Failed,
            _ => Outcome::Interrupted,
        }
    }
}

/// The secrets that a stream may be sealed under, the likely one first.
pub(crate) type Secrets<'a> = (&'a Secret, Option<&'a Secret>);

fn openers(play: &Play, (likely, other): Secrets<'_>) -> (Opener, Option<SrtpMaster>) {
    let opener = Opener::new(&likely.srtp(play.stream), play.ssrc);
    (opener, other.map(|other| other.srtp(play.stream)))
}

/// Microseconds that `samples` last, rounded down.
fn span(samples: u64) -> Local {
    (samples * 125 / 6).cast_signed()
}
