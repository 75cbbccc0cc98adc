//! What should be on the air, and what must be done about it. Here: a state machine that is given broadcasts, events and
//! the time, and gives back orders; it reads no clock and does no I/O, so that a week is tested in milliseconds. Not
//! here: who carries the orders out (`Stage`, the shell beside it).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use loa_protocol::precedence::{self, Class, Rank};
use loa_protocol::{BroadcastId, ReceiverId, UnixMicros};

/// A broadcast is made ready this long before it starts, in microseconds: its file read, its receivers told.
pub const PREPARE: u64 = 5_000_000;
/// Streams overlap by this much on either side of a change, in microseconds: a receiver that changes over has the
/// packets of both.
const OVERLAP: u64 = 100_000;
/// Receipts are awaited for this long after the end, in microseconds.
pub const DRAIN: u64 = 10_000_000;

/// One broadcast, as accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broadcast {
    /// Its identifier.
    pub id: BroadcastId,
    /// Its class.
    pub class: Class,
    /// When it begins to sound.
    pub start: UnixMicros,
    /// When it has sounded.
    pub end: UnixMicros,
    /// Who is to play it, and how deep in the tree the area lies that it was addressed to (0 is the root).
    pub receivers: BTreeMap<ReceiverId, u8>,
    /// It was on the air already when this server started: another one began it.
    pub begun: bool,
    /// It goes past the hours and minutes that receivers hold others to.
    pub overrides: bool,
}

/// What the conductor is told.
#[derive(Debug, Clone)]
pub enum Input {
    /// A broadcast was accepted, or its target has changed.
    Broadcast(Broadcast),
    /// Somebody stopped a broadcast.
    Stop(BroadcastId),
    /// What sounds live is over: the broadcast has sounded at that instant, which is sooner than was planned.
    End(BroadcastId, UnixMicros),
    /// The programme asked for by [`Output::Load`] is in memory, or is not, with the reason.
    Loaded(BroadcastId, Result<(), String>),
    /// A receiver came, or went.
    Presence(ReceiverId, bool),
    /// A receiver's final receipt of a broadcast is in.
    Receipt(ReceiverId, BroadcastId),
    /// Time has passed.
    Timer,
}

/// What the conductor orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Bring the programme into memory.
    Load(BroadcastId),
    /// Tell a receiver to play.
    Play(ReceiverId, BroadcastId),
    /// Tell a receiver to stop.
    Stop(ReceiverId, BroadcastId),
    /// From now on the broadcast's packets go to these receivers, and to no others.
    Stream(BroadcastId, Vec<ReceiverId>),
    /// The broadcast sends no more packets; its programme can be dropped.
    Silence(BroadcastId),
    /// The broadcast's state has changed.
    State(BroadcastId, State),
}

/// How a broadcast fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It sounds.
    OnAir,
    /// It has sounded, and the receipts that could be had are in.
    Done,
    /// It was stopped.
    Stopped,
    /// It did not sound, for this reason.
    Failed(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not yet to be made ready.
    Waiting,
    /// Its programme is being read.
    Loading,
    /// Ready; on the air between start and end.
    Ready { announced: bool },
    /// Over; receipts are awaited until then.
    Draining { until: UnixMicros, stopped: bool },
}

struct Entry {
    broadcast: Broadcast,
    phase: Phase,
    /// Receivers that the stream goes to, as last ordered.
    streaming: Option<Vec<ReceiverId>>,
    receipts: BTreeSet<ReceiverId>,
}

/// Decides which broadcasts sound where; see the module.
pub struct Conductor {
    latency: u64,
    entries: BTreeMap<BroadcastId, Entry>,
    online: BTreeSet<ReceiverId>,
    outputs: VecDeque<Output>,
    now: UnixMicros,
}

impl Conductor {
    /// `latency`: microseconds from a packet's sending to its sounding.
    pub fn new(latency: u64) -> Self {
        Self {
            latency,
            entries: BTreeMap::new(),
            online: BTreeSet::new(),
            outputs: VecDeque::new(),
            now: UnixMicros::default(),
        }
    }

    /// Takes an event at `now`; what follows from it comes out of [`Conductor::poll`].
    pub fn handle(&mut self, now: UnixMicros, input: Input) {
        self.now = now;
        match input {
            Input::Broadcast(broadcast) => self.accept(broadcast),
            Input::Stop(id) => self.stop(id),
            Input::End(id, at) => self.end(id, at),
            Input::Loaded(id, outcome) => self.loaded(id, outcome),
            Input::Presence(receiver, true) => {
                self.online.insert(receiver);
                self.tell_again(receiver);
            }
            Input::Presence(receiver, false) => {
                self.online.remove(&receiver);
            }
            Input::Receipt(receiver, id) => {
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.receipts.insert(receiver);
                }
            }
            Input::Timer => {}
        }
        self.advance();
    }

    /// The next order, in the order in which they are to be carried out.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timer`] is due; `None` while nothing is planned.
    pub fn next_wakeup(&self) -> Option<UnixMicros> {
        self.entries
            .values()
            .flat_map(|entry| self.instants(entry))
            .filter(|at| *at > self.now)
            .min()
    }

    /// Broadcasts that sound at `now`.
    pub fn on_air(&self) -> impl Iterator<Item = &Broadcast> {
        self.entries
            .values()
            .filter(|entry| entry.phase == Phase::Ready { announced: true })
            .map(|entry| &entry.broadcast)
    }

    fn accept(&mut self, broadcast: Broadcast) {
        let id = broadcast.id;
        if let Some(entry) = self.entries.get_mut(&id) {
            let told = matches!(entry.phase, Phase::Ready { .. });
            let gone: Vec<_> = entry
                .broadcast
                .receivers
                .keys()
                .filter(|r| !broadcast.receivers.contains_key(r))
                .copied()
                .collect();
            let come: Vec<_> = broadcast
                .receivers
                .keys()
                .filter(|r| !entry.broadcast.receivers.contains_key(r))
                .copied()
                .collect();
            entry.broadcast.receivers = broadcast.receivers;
            if told {
                self.outputs
                    .extend(gone.into_iter().map(|receiver| Output::Stop(receiver, id)));
                self.outputs
                    .extend(come.into_iter().map(|receiver| Output::Play(receiver, id)));
            }
            return;
        }
        if broadcast.end <= self.now {
            // It is over before this server knew of it: either another one had begun it, or nobody ever did.
            let state = match broadcast.begun {
                true => State::Done,
                false => State::Failed("its time passed while the server was not running".to_owned()),
            };
            self.outputs.push_back(Output::State(id, state));
            return;
        }
        let entry = Entry {
            broadcast,
            phase: Phase::Waiting,
            streaming: None,
            receipts: BTreeSet::new(),
        };
        self.entries.insert(id, entry);
    }

    fn stop(&mut self, id: BroadcastId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        match entry.phase {
            Phase::Draining { .. } => return,
            Phase::Waiting | Phase::Loading => {
                self.entries.remove(&id);
            }
            Phase::Ready { .. } => {
                entry.phase = Phase::Draining {
                    until: self.now.offset(DRAIN as i64),
                    stopped: true,
                };
                entry.streaming = None;
                let receivers = entry.broadcast.receivers.keys();
                self.outputs
                    .extend(receivers.map(|receiver| Output::Stop(*receiver, id)));
                self.outputs.push_back(Output::Silence(id));
            }
        }
        self.outputs.push_back(Output::State(id, State::Stopped));
    }

    fn end(&mut self, id: BroadcastId, at: UnixMicros) {
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| at < entry.broadcast.end) else {
            return;
        };
        entry.broadcast.end = at;
        if matches!(entry.phase, Phase::Ready { .. }) {
            let receivers = entry.broadcast.receivers.keys();
            self.outputs
                .extend(receivers.map(|receiver| Output::Play(*receiver, id)));
        }
    }

    fn loaded(&mut self, id: BroadcastId, outcome: Result<(), String>) {
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.phase == Phase::Loading) else {
            return;
        };
        match outcome {
            Ok(()) => {
                entry.phase = Phase::Ready { announced: false };
                let receivers = entry.broadcast.receivers.keys();
                self.outputs
                    .extend(receivers.map(|receiver| Output::Play(*receiver, id)));
            }
            Err(reason) => {
                self.entries.remove(&id);
                self.outputs.push_back(Output::State(id, State::Failed(reason)));
            }
        }
    }

    /// A receiver that comes (back) may have missed everything, or forgotten it.
    fn tell_again(&mut self, receiver: ReceiverId) {
        for (id, entry) in &self.entries {
            if matches!(entry.phase, Phase::Ready { .. }) && entry.broadcast.receivers.contains_key(&receiver) {
                self.outputs.push_back(Output::Play(receiver, *id));
            }
        }
    }

    fn advance(&mut self) {
        let now = self.now;
        let mut over = Vec::new();
        for (id, entry) in &mut self.entries {
            if entry.phase == Phase::Waiting && now.0 + PREPARE >= entry.broadcast.start.0 {
                entry.phase = Phase::Loading;
                self.outputs.push_back(Output::Load(*id));
            }
            if entry.phase == (Phase::Ready { announced: false }) && now >= entry.broadcast.start {
                entry.phase = Phase::Ready { announced: true };
                self.outputs.push_back(Output::State(*id, State::OnAir));
            }
            if matches!(entry.phase, Phase::Ready { .. } | Phase::Loading) && now >= entry.broadcast.end {
                entry.phase = Phase::Draining {
                    until: entry.broadcast.end.offset(DRAIN as i64),
                    stopped: false,
                };
                entry.streaming = None;
                self.outputs.push_back(Output::Silence(*id));
            }
            if let Phase::Draining { until, stopped } = entry.phase {
                let mut owing = entry.broadcast.receivers.keys().filter(|r| self.online.contains(r));
                if now >= until || owing.all(|receiver| entry.receipts.contains(receiver)) {
                    over.push((*id, stopped));
                }
            }
        }
        for (id, stopped) in over {
            self.entries.remove(&id);
            if !stopped {
                self.outputs.push_back(Output::State(id, State::Done));
            }
        }
        self.direct_streams();
    }

    /// Sends each receiver the packets of what it plays when they arrive, and of nothing else.
    fn direct_streams(&mut self) {
        let centre = self.now.0 + self.latency;
        let mut wanted: BTreeMap<BroadcastId, BTreeSet<ReceiverId>> = BTreeMap::new();
        for instant in [centre.saturating_sub(OVERLAP), centre, centre + OVERLAP] {
            // What a receiver's own rules forbid gives way to the first that they do not bind: it gets the packets of both, and
            // plays what it may.
            let bound = self.winners(UnixMicros(instant), |_| true);
            let free = self.winners(UnixMicros(instant), |it| it.overrides || it.class == Class::Emergency);
            for (receiver, id) in bound.into_iter().chain(free) {
                wanted.entry(id).or_default().insert(receiver);
            }
        }
        for (id, entry) in &mut self.entries {
            // Past its own last packet nothing changes: who is still being sent it, because the sender lags, gets it.
            if !matches!(entry.phase, Phase::Ready { .. }) || centre.saturating_sub(OVERLAP) >= entry.broadcast.end.0 {
                continue;
            }
            let receivers: Vec<_> = wanted.remove(id).unwrap_or_default().into_iter().collect();
            if entry.streaming.as_ref().is_none_or(|old| *old != receivers) {
                entry.streaming = Some(receivers.clone());
                self.outputs.push_back(Output::Stream(*id, receivers));
            }
        }
    }

    /// Who plays what of those that `counts` at `instant`, by the rule that receivers apply too.
    fn winners(&self, instant: UnixMicros, counts: impl Fn(&Broadcast) -> bool) -> BTreeMap<ReceiverId, BroadcastId> {
        let mut best: BTreeMap<ReceiverId, Rank> = BTreeMap::new();
        for (id, entry) in &self.entries {
            let broadcast = &entry.broadcast;
            let sounds = broadcast.start <= instant && instant < broadcast.end;
            if !sounds || !counts(broadcast) || !matches!(entry.phase, Phase::Ready { .. }) {
                continue;
            }
            for (receiver, depth) in &broadcast.receivers {
                let rank = Rank {
                    class: broadcast.class,
                    depth: *depth,
                    start: broadcast.start,
                    broadcast: *id,
                };
                best.entry(*receiver)
                    .and_modify(|best| {
                        if precedence::goes_before(&rank, best) {
                            *best = rank;
                        }
                    })
                    .or_insert(rank);
            }
        }
        best.into_iter()
            .map(|(receiver, rank)| (receiver, rank.broadcast))
            .collect()
    }

    fn instants(&self, entry: &Entry) -> Vec<UnixMicros> {
        let Broadcast { start, end, .. } = entry.broadcast;
        match entry.phase {
            Phase::Waiting => vec![UnixMicros(start.0.saturating_sub(PREPARE))],
            Phase::Loading => vec![end],
            Phase::Ready { .. } => [start, end]
                .into_iter()
                .flat_map(|edge| {
                    let sent = edge.0.saturating_sub(self.latency);
                    [
                        edge,
                        UnixMicros(sent.saturating_sub(OVERLAP)),
                        UnixMicros(sent),
                        UnixMicros(sent + OVERLAP),
                    ]
                })
                .collect(),
            Phase::Draining { until, .. } => vec![until],
        }
    }
}
