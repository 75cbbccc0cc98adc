//! What can be seen of a receiver from outside. Here: the commands that reach it, the sound, switches and reports that it
//! gives, put together to a [`ReceiverReport`] and to [`News`]. Not here: files (`recording`), the network (`fault`).

use std::collections::VecDeque;

use ebur128::{EbuR128, Mode};
use loa_protocol::command::{Command, Order, Play};
use loa_protocol::precedence::goes_before;
use loa_protocol::report::Receipt;
use loa_protocol::topic::{Downlink, Topic, Uplink};
use loa_protocol::{BroadcastId, SAMPLE_RATE, UnixMicros};
use loa_receiver::{Counters, Enrolment, Status};

use crate::fault::Link;
use crate::recording::{Recording, RecordingError};
use crate::report::{BroadcastReport, ReceiptReport, ReceiverReport};

/// Most broadcasts that are remembered.
const BROADCASTS: usize = 64;

/// Most streams of one broadcast that are remembered.
const STREAMS: usize = 16;

/// How far outside its time a broadcast's sound may lie: the receiver's clock is off by less.
const CLOCK_ERROR: i64 = 500_000;

/// Something worth telling at once.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// It booted.
    Booted,
    /// It has a session, a clock, and listens.
    Ready,
    /// It has no session any more, or no clock.
    NotReady,
    /// It sounds this broadcast.
    Playing(BroadcastId),
    /// It has done with this broadcast.
    Ended(BroadcastId, Box<BroadcastReport>),
}

/// Watches one receiver.
pub(crate) struct Observer {
    enrolment: Enrolment,
    report_key: [u8; 32],
    measure: bool,
    recording: Option<Recording>,
    failure: Option<RecordingError>,
    broadcasts: VecDeque<Broadcast>,
    status: Status,
    amplifier: bool,
    boots: u64,
    moves: u64,
    samples: u64,
    muted: u64,
    overdue: u64,
    counters: Counters,
    ended: u64,
}

struct Broadcast {
    play: Play,
    /// Sources of the streams that carried it before: a restarted server begins a new one. The last few.
    before: Vec<u32>,
    first_at: Option<UnixMicros>,
    samples: u64,
    meter: Option<Box<EbuR128>>,
    level: Option<f64>,
    receipt: Option<Receipt>,
}

impl Observer {
    pub(crate) fn new(enrolment: Enrolment, recording: Option<Recording>, measure: bool) -> Self {
        Self {
            report_key: enrolment
                .unfinished
                .as_ref()
                .map_or(&enrolment.secret, |it| &it.secret)
                .report_key(),
            enrolment,
            measure,
            recording,
            failure: None,
            broadcasts: VecDeque::new(),
            status: Status::default(),
            amplifier: false,
            boots: 0,
            moves: 0,
            samples: 0,
            muted: 0,
            overdue: 0,
            ended: 0,
            counters: Counters::default(),
        }
    }

    /// The receiver's enrolment has changed: what it says and hears is read by that from now on.
    pub(crate) fn enrolled(&mut self, enrolment: &Enrolment) {
        // Reports are under the old secret until the server has the new one.
        let reports = enrolment.unfinished.as_ref().map_or(&enrolment.secret, |it| &it.secret);
        self.report_key = reports.report_key();
        self.enrolment = enrolment.clone();
    }

    /// What the receiver has counted since it booted.
    pub(crate) fn counted(&mut self, counters: Counters) {
        self.counters = counters;
    }

    pub(crate) fn booted(&mut self) -> News {
        self.boots += 1;
        self.amplifier = false;
        self.status = Status::default();
        News::Booted
    }

    /// It has another UDP port.
    pub(crate) fn moved(&mut self) {
        self.moves += 1;
    }

    pub(crate) fn ready(&self) -> bool {
        matches!(self.status, Status::Ready | Status::Streaming | Status::Draining)
    }

    /// How many broadcasts have ended here.
    pub(crate) fn ended(&self) -> u64 {
        self.ended
    }

    /// Whether `broadcast` has ended here.
    pub(crate) fn has_ended(&self, broadcast: BroadcastId) -> bool {
        let receipt = self.find(broadcast).and_then(|at| self.broadcasts[at].receipt.as_ref());
        receipt.is_some_and(|receipt| receipt.outcome.is_final())
    }

    /// A message is about to reach the receiver.
    pub(crate) fn message(&mut self, topic: &str, payload: &[u8]) {
        let Some(Topic::Down(_, Downlink::Command) | Topic::Area(_)) = Topic::parse(topic) else {
            return;
        };
        let Ok(Command {
            order: Order::Play(play),
            ..
        }) = Command::open(&self.enrolment.server_key, payload)
        else {
            return;
        };
        if let Some(at) = self.find(play.broadcast) {
            self.broadcasts[at].renew(play);
            return;
        }
        if self.broadcasts.len() == BROADCASTS {
            self.broadcasts.pop_front();
        }
        let (before, first_at, samples, meter, level, receipt) = (Vec::new(), None, 0, None, None, None);
        self.broadcasts.push_back(Broadcast {
            play,
            before,
            first_at,
            samples,
            meter,
            level,
            receipt,
        });
    }

    /// The receiver publishes a message.
    pub(crate) fn published(&mut self, topic: &str, payload: &[u8], links: Option<&Link>) -> Option<News> {
        let Some(Topic::Up(_, Uplink::Receipt)) = Topic::parse(topic) else {
            return None;
        };
        let receipt = Receipt::open(&self.report_key, payload).ok()?;
        let at = self.find(receipt.broadcast)?;
        let it = &mut self.broadcasts[at];
        let was = it.receipt.as_ref().map(|before| before.outcome);
        let (id, outcome) = (receipt.broadcast, receipt.outcome);
        it.receipt = Some(receipt);
        if outcome.is_final() && !was.is_some_and(|was| was.is_final()) {
            self.ended += 1;
            it.close();
            let report = Box::new(self.broadcasts[at].report(links));
            self.flush();
            return Some(News::Ended(id, report));
        }
        let begins = outcome == loa_protocol::report::Outcome::Playing && was != Some(outcome);
        begins.then_some(News::Playing(id))
    }

    pub(crate) fn status(&mut self, status: Status) -> Option<News> {
        let before = self.ready();
        self.status = status;
        match (before, self.ready()) {
            (false, true) => Some(News::Ready),
            (true, false) => Some(News::NotReady),
            _ => None,
        }
    }

    pub(crate) fn amplifier(&mut self, on: bool) {
        self.amplifier = on;
    }

    /// The receiver hands sound out; its first sample sounds at `at`, which has passed if `overdue`.
    pub(crate) fn sound(&mut self, at: UnixMicros, overdue: bool, pcm: &[i16]) {
        let length = pcm.len() as u64;
        self.samples += length;
        self.muted += if self.amplifier { 0 } else { length };
        self.overdue += if overdue { length } else { 0 };
        // `at` is rounded down to a microsecond: where one broadcast follows another at once, that lies in the one before. A
        // sample has 20.
        let playing = self.playing(at.offset(10));
        let mut of = None;
        if let Some(it) = playing.map(|playing| &mut self.broadcasts[playing]) {
            of = Some(it.play.broadcast);
            it.first_at.get_or_insert(at);
            it.samples += length;
            if self.measure {
                it.measure(pcm);
            }
        }
        if let Some(recording) = &mut self.recording
            && let Err(error) = recording.sound(at, of, pcm)
        {
            self.fail(error);
        }
    }

    /// Makes the recording whole as it is; gives back why that is not possible.
    pub(crate) fn finish(&mut self) -> Option<RecordingError> {
        self.flush();
        self.recording = None;
        self.failure.take()
    }

    /// What was seen. `down` and `up` are the receiver's links, which counted too.
    pub(crate) fn report(&self, down: &Link, up: &Link) -> ReceiverReport {
        ReceiverReport {
            receiver: self.enrolment.receiver.to_string(),
            ready: self.ready(),
            boots: self.boots,
            moves: self.moves,
            samples: self.samples,
            muted: self.muted,
            overdue: self.overdue,
            refused_commands: self.counters.refused_commands,
            refused_media: self.counters.refused_media,
            other_datagrams: down.others(),
            hellos: up.others(),
            broadcasts: self.broadcasts.iter().map(|it| it.report(Some(down))).collect(),
        }
    }

    /// Which broadcast sounds at `at`, by the rule that the receiver is to follow.
    fn playing(&self, at: UnixMicros) -> Option<usize> {
        let distance = |play: &Play| match at {
            at if at < play.start => play.start.since(at),
            at if at >= play.end() => at.since(play.end()),
            _ => 0,
        };
        let near = |it: &Broadcast| {
            let done = it.receipt.as_ref().is_some_and(|receipt| receipt.outcome.is_final());
            !done && distance(&it.play) <= CLOCK_ERROR
        };
        let candidates = self.broadcasts.iter().enumerate().filter(|(_, it)| near(it));
        let before = |a: &Play, b: &Play| {
            (distance(a) == 0).cmp(&(distance(b) == 0)).reverse().then_with(|| {
                match goes_before(&a.rank(), &b.rank()) {
                    true => std::cmp::Ordering::Less,
                    false => std::cmp::Ordering::Greater,
                }
            })
        };
        candidates
            .min_by(|(_, a), (_, b)| before(&a.play, &b.play))
            .map(|(at, _)| at)
    }

    fn find(&self, broadcast: BroadcastId) -> Option<usize> {
        self.broadcasts.iter().position(|it| it.play.broadcast == broadcast)
    }

    fn flush(&mut self) {
        if let Some(Err(error)) = self.recording.as_mut().map(Recording::flush) {
            self.fail(error);
        }
    }

    /// Gives the recording up; the receiver plays on.
    fn fail(&mut self, error: RecordingError) {
        tracing::error!(receiver = %self.enrolment.receiver, %error, "the recording ends");
        self.recording = None;
        self.failure.get_or_insert(error);
    }
}

impl Broadcast {
    fn renew(&mut self, play: Play) {
        if play.ssrc != self.play.ssrc && !self.before.contains(&self.play.ssrc) {
            if self.before.len() == STREAMS {
                self.before.remove(0);
            }
            self.before.push(self.play.ssrc);
        }
        self.before.retain(|ssrc| *ssrc != play.ssrc);
        self.play = play;
    }

    fn measure(&mut self, pcm: &[i16]) {
        // A histogram instead of every block: memory stays the same however long it plays.
        let meter = self.meter.get_or_insert_with(|| {
            Box::new(
                EbuR128::new(1, SAMPLE_RATE, Mode::I | Mode::HISTOGRAM).expect("one channel at 48 kHz is supported"),
            )
        });
        meter
            .add_frames_i16(pcm)
            .expect("any number of mono samples are whole frames");
    }

    /// No more sound comes: frees the meter.
    fn close(&mut self) {
        self.level = self.level();
        self.meter = None;
    }

    fn level(&self) -> Option<f64> {
        let measured = self.meter.as_ref().and_then(|meter| meter.loudness_global().ok());
        measured.filter(|level| level.is_finite()).or(self.level)
    }

    fn report(&self, down: Option<&Link>) -> BroadcastReport {
        BroadcastReport {
            broadcast: self.play.broadcast.to_string(),
            start: self.play.start.0,
            first_at: self.first_at.map(|at| at.0),
            samples: self.samples,
            level_lufs: self.level(),
            receipt: self.receipt.as_ref().map(|receipt| ReceiptReport {
                outcome: receipt.outcome,
                planned: receipt.planned,
                played: receipt.played,
                expected: receipt.expected,
                received: receipt.received,
                lost: receipt.lost,
                late: receipt.late,
                duplicate: receipt.duplicate,
                concealed: receipt.concealed,
                level_dbfs: receipt.level.map(|level| -f64::from(level) / 100.0),
            }),
            network: down
                .map(|down| {
                    self.before
                        .iter()
                        .fold(down.counts(self.play.ssrc), |sum, ssrc| sum + down.counts(*ssrc))
                })
                .unwrap_or_default(),
        }
    }
}
