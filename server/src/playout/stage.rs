//! The shell around the conductor. Here: one task that owns everything that changes (conductor, programmes in memory,
//! what receivers were told), reads rows, and carries orders out through `transmit` and `fleet`. Writing facts down is
//! another task's, so that a slow disk delays no sound. Not here: decisions (`conductor`).

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use loa_protocol::command::Play;
use loa_protocol::{BroadcastId, ClaimId, ReceiverId, StreamId, UnixMicros};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::archive::{Archive, BroadcastRow, Fact, ReceiverRow};
use super::conductor::{Broadcast, Conductor, Input, Output, State};
use super::roll::Roll;
use super::studio::Studio;
use super::target;
use crate::broker::Credentials;
use crate::broker::tls::Trusted;
use crate::data::Keyring;
use crate::enrol::claims::Book;
use crate::fleet::clones::{Sign, Watch};
use crate::fleet::{Fleet, News};
use crate::media::live::{Desk, News as LiveNews};
use crate::media::{Programme, Sound};
use crate::transmit::{Timing, Transmitter, stream_under};

/// With this many facts waiting to be written down, how receivers are is not kept: it is told again soon. What was on the
/// air is kept whatever happens.
const BUSY: usize = 10_000;
/// Longest sleep without an alarm, in microseconds, so that a clock that was set is noticed.
const NAP: u64 = 60_000_000;

/// What the rest of the server tells the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A broadcast was accepted: it is in the archive.
    Accepted(BroadcastId),
    /// A broadcast is to stop: so it stands in the archive.
    Stopped(BroadcastId),
    /// Receivers, areas or keys were added, changed or removed.
    ReceiversChanged,
    /// A receiver is to make a new secret.
    Rotate(ReceiverId),
    /// A device was claimed, which trusts the signing key of that number.
    Claimed(ClaimId, u32),
    /// A receiver's volume was changed.
    Volume(ReceiverId),
    /// A receiver is to start afresh.
    Reboot(ReceiverId),
}

/// Tells the stage; clones tell the same one.
#[derive(Debug, Clone)]
pub struct Notifier(mpsc::UnboundedSender<(Notice, oneshot::Sender<()>)>);

impl Notifier {
    /// Passes `notice` on, at once; who wants to know when it is done waits for [`Heeded::done`]. Without effect once the
    /// server is shutting down.
    pub fn tell(&self, notice: Notice) -> Heeded {
        let (done, heeded) = oneshot::channel();
        let _ = self.0.send((notice, done));
        Heeded(Some(heeded))
    }
}

/// What becomes of a notice. The default is one that is done already.
#[derive(Debug, Default)]
pub struct Heeded(Option<oneshot::Receiver<()>>);

impl Heeded {
    /// Waits until the stage has done what the notice asks for, or runs no more.
    pub async fn done(self) {
        if let Some(heeded) = self.0 {
            // Dropped by a stage that has ended: nobody heeds anything then.
            let _ = heeded.await;
        }
    }
}

/// Carries out what the conductor orders.
pub(super) struct Stage<A: Archive> {
    pub(super) archive: Arc<A>,
    pub(super) transmitter: Transmitter,
    pub(super) fleet: Fleet,
    pub(super) credentials: Option<Arc<Credentials>>,
    pub(super) keys: Arc<Keyring>,
    pub(super) trusted: Arc<arc_swap::ArcSwap<Trusted>>,
    /// What receivers are led to trust at present.
    pub(super) told: Arc<Trusted>,
    pub(super) refresh: Box<dyn Fn() + Send + Sync>,
    pub(super) claims: Arc<Mutex<Book>>,
    pub(super) watch: Watch,
    alarms: mpsc::UnboundedReceiver<(ReceiverId, Sign)>,
    pub(super) studio: Arc<Studio>,
    /// What becomes of what is live.
    live: (mpsc::UnboundedSender<OfLive>, mpsc::UnboundedReceiver<OfLive>),
    pub(super) clock: fn() -> UnixMicros,
    pub(super) latency: u64,
    conductor: Conductor,
    pub(super) roll: Roll,
    pub(super) receivers: HashMap<ReceiverId, ReceiverRow>,
    pub(super) shows: HashMap<BroadcastId, Show>,
    /// Live broadcasts that are over, and until when who was away may still wait for them.
    pub(super) cut: HashMap<BroadcastId, UnixMicros>,
    loading: JoinSet<(BroadcastId, Result<Loaded, String>)>,
    /// Recordings that are being made bulletins of, by how many samples they have.
    pub(super) keeping: JoinSet<(BroadcastId, Option<u64>)>,
    facts: mpsc::UnboundedSender<Fact>,
    waiting: Arc<AtomicUsize>,
    notices: mpsc::UnboundedReceiver<(Notice, oneshot::Sender<()>)>,
    keeper: Option<Keeper<A>>,
}

/// Writes facts down.
struct Keeper<A: Archive> {
    archive: Arc<A>,
    facts: mpsc::UnboundedReceiver<Fact>,
    waiting: Arc<AtomicUsize>,
}

impl<A: Archive> Keeper<A> {
    /// Runs until the stage is gone and its last fact is written.
    async fn run(mut self) {
        while let Some(fact) = self.facts.recv().await {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            if let Err(error) = self.archive.record(fact).await {
                tracing::error!(%error, "a fact could not be recorded");
            }
        }
    }
}

/// What becomes of a live broadcast.
type OfLive = (BroadcastId, LiveNews);

/// What was asked for by [`Output::Load`].
enum Loaded {
    Programme(Programme),
    Desk(Desk),
}

/// A broadcast at hand.
pub(super) struct Show {
    pub(super) row: BroadcastRow,
    stream: StreamId,
    /// When it ends at the latest.
    pub(super) longest: UnixMicros,
    /// Who it is addressed to, and by how deep an area.
    receivers: BTreeMap<ReceiverId, u8>,
    /// In memory from shortly before the start to the end.
    sound: Option<Sound>,
    /// Who makes it, if it is live.
    pub(super) desk: Option<Desk>,
    /// Who its packets go to, once they go.
    streaming: Option<Vec<ReceiverId>>,
}

/// What a stage is put together from.
pub(super) struct Cast<A: Archive> {
    pub(super) archive: Arc<A>,
    pub(super) transmitter: Transmitter,
    pub(super) fleet: Fleet,
    /// The embedded broker's, if it is that one.
    pub(super) credentials: Option<Arc<Credentials>>,
    pub(super) keys: Arc<Keyring>,
    pub(super) trusted: Arc<arc_swap::ArcSwap<Trusted>>,
    /// Looks what has changed about authorities.
    pub(super) refresh: Box<dyn Fn() + Send + Sync>,
    pub(super) claims: Arc<Mutex<Book>>,
    pub(super) watch: Watch,
    pub(super) alarms: mpsc::UnboundedReceiver<(ReceiverId, Sign)>,
    pub(super) studio: Arc<Studio>,
    pub(super) clock: fn() -> UnixMicros,
    /// Microseconds from a packet's sending to its sounding.
    pub(super) latency: u64,
}

impl Show {
    pub(super) fn end(&self) -> UnixMicros {
        UnixMicros(self.row.start.0 + (self.row.samples * 1000).div_ceil(48))
    }
}

/// The stream of a broadcast. Of a file it is one for good: file and start never change once it is accepted, so that a packet
/// index never carries other bytes, under whichever server it is sent. What is live never comes again: each time that a server
/// takes it up, it is another stream.
fn stream_of(row: &BroadcastRow) -> StreamId {
    match row.live {
        None => StreamId(row.id.0),
        Some(_) => StreamId(crate::data::random()),
    }
}

/// The synchronisation source of a stream: any number does that differs between a receiver's streams.
fn ssrc_of(id: StreamId) -> u32 {
    id.0.chunks_exact(4).fold(0, |ssrc, word| {
        ssrc ^ u32::from_be_bytes([word[0], word[1], word[2], word[3]])
    })
}

/// Waits for the end. What [`watch::Receiver::wait_for`] gives may not be kept across an await, and is not here.
async fn ended(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|ending| *ending).await;
}

impl<A: Archive> Stage<A> {
    /// A stage, and how to tell it.
    pub(super) fn new(cast: Cast<A>) -> (Self, Notifier) {
        let (notifier, notices) = mpsc::unbounded_channel();
        let (facts, kept) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let keeper = Keeper {
            archive: cast.archive.clone(),
            facts: kept,
            waiting: waiting.clone(),
        };
        let stage = Self {
            archive: cast.archive,
            transmitter: cast.transmitter,
            fleet: cast.fleet,
            credentials: cast.credentials,
            keys: cast.keys,
            told: cast.trusted.load_full(),
            trusted: cast.trusted,
            refresh: cast.refresh,
            claims: cast.claims,
            watch: cast.watch,
            alarms: cast.alarms,
            studio: cast.studio,
            live: mpsc::unbounded_channel(),
            clock: cast.clock,
            latency: cast.latency,
            conductor: Conductor::new(cast.latency),
            roll: Roll::default(),
            receivers: HashMap::new(),
            shows: HashMap::new(),
            cut: HashMap::new(),
            loading: JoinSet::new(),
            keeping: JoinSet::new(),
            facts,
            waiting,
            notices,
            keeper: Some(keeper),
        };
        (stage, Notifier(notifier))
    }

    /// Takes up what should be on the air, and runs until `shutdown` turns true and the last fact is written.
    ///
    /// # Errors
    /// When the archive cannot be read at the start.
    pub(super) async fn run(mut self, shutdown: watch::Receiver<bool>) -> Result<(), A::Error> {
        let keeper = self.keeper.take().expect("a stage runs once");
        let (outcome, ()) = tokio::join!(self.direct(shutdown), keeper.run());
        outcome
    }

    async fn direct(mut self, mut shutdown: watch::Receiver<bool>) -> Result<(), A::Error> {
        self.read_receivers().await?;
        for row in self.archive.open_broadcasts().await? {
            self.accept(row);
        }
        loop {
            let alarm = self.conductor.next_wakeup();
            let wait = alarm.map_or(NAP, |at| at.0.saturating_sub((self.clock)().0).min(NAP));
            tokio::select! {
                () = ended(&mut shutdown) => {
                    self.shut().await;
                    return Ok(());
                }
                () = tokio::time::sleep(std::time::Duration::from_micros(wait)) => {
                    self.strike_out();
                    self.tell_policies();
                    self.tell(Input::Timer);
                }
                Some((id, sign)) = self.alarms.recv() => self.alarm(id, sign),
                Some((notice, done)) = self.notices.recv() => {
                    self.notice(notice).await;
                    // Whoever told it may not wait.
                    let _ = done.send(());
                }
                Some(news) = self.fleet.news() => self.news(news).await,
                Some(done) = self.loading.join_next() => self.loaded(done),
                Some((id, news)) = self.live.1.recv() => self.live_news(id, news),
                Some(kept) = self.keeping.join_next() => self.kept(kept),
            }
        }
    }

    pub(super) fn tell(&mut self, input: Input) {
        self.conductor.handle((self.clock)(), input);
        while let Some(output) = self.conductor.poll() {
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Load(id) => {
                let Some(show) = self.shows.get(&id) else { return };
                let row = show.row.clone();
                let (studio, latency, clock, news) =
                    (self.studio.clone(), self.latency, self.clock, self.live.0.clone());
                self.loading.spawn_blocking(move || {
                    let loaded = match &row.live {
                        None => Programme::open(&row.programme)
                            .map(Loaded::Programme)
                            .map_err(|error| error.to_string()),
                        Some(live) => {
                            // Without a stage nobody wants to know.
                            let tell = Box::new(move |it| _ = news.send((id, it)));
                            studio.desk(&row, live, latency, clock, tell).map(Loaded::Desk)
                        }
                    };
                    (id, loaded)
                });
            }
            Output::Play(receiver, id) => {
                if let Some(play) = self.play(receiver, id) {
                    self.fleet.play(receiver, &play);
                }
            }
            Output::Stop(receiver, id) => self.fleet.stop(receiver, id),
            Output::Stream(id, receivers) => self.stream(id, receivers),
            Output::Silence(id) => {
                let Some(show) = self.shows.get_mut(&id) else { return };
                self.transmitter.silence(show.stream);
                show.sound = None;
                self.close(id);
            }
            Output::State(id, state) => {
                tracing::info!(broadcast = %id, ?state, "broadcast");
                if state != State::OnAir {
                    self.studio.close(id);
                    self.gone(id);
                    self.shows.remove(&id);
                }
                self.keep(Fact::Broadcast(id, state, (self.clock)()));
            }
        }
    }

    /// What `receiver` is told of the broadcast `id`; nothing before its programme is in memory.
    fn play(&self, receiver: ReceiverId, id: BroadcastId) -> Option<Play> {
        let show = self.shows.get(&id)?;
        let (sound, depth) = (show.sound.as_ref()?, *show.receivers.get(&receiver)?);
        let epoch = self.receivers.get(&receiver)?.epoch;
        Some(Play {
            broadcast: id,
            stream: stream_under(show.stream, epoch),
            ssrc: ssrc_of(show.stream),
            class: show.row.class,
            depth,
            start: show.row.start,
            samples: show.row.samples,
            packet_samples: u16::try_from(sound.packet_samples()).ok()?,
            pre_skip: sound.pre_skip(),
            overrides: show.row.overrides,
        })
    }

    fn stream(&mut self, id: BroadcastId, receivers: Vec<ReceiverId>) {
        let latency = self.latency;
        let Some(show) = self.shows.get_mut(&id) else { return };
        let Some(sound) = &show.sound else { return };
        let timing = timing(show, sound, latency);
        if show.streaming.is_some() {
            self.transmitter
                .redirect(show.stream, timing, receivers.iter().copied());
        } else {
            let (ssrc, to) = (ssrc_of(show.stream), receivers.iter().copied());
            self.transmitter.stream(show.stream, ssrc, timing, sound.clone(), to);
        }
        show.streaming = Some(receivers);
    }

    /// Seals what goes to `receiver` anew, under the secret that it has now.
    pub(super) fn redirect(&self, receiver: ReceiverId) {
        for show in self.shows.values() {
            let (Some(to), Some(sound)) = (&show.streaming, &show.sound) else {
                continue;
            };
            if to.contains(&receiver) {
                let timing = timing(show, sound, self.latency);
                self.transmitter.redirect(show.stream, timing, to.iter().copied());
            }
        }
    }

    async fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Accepted(id) => match self.archive.broadcast(id).await {
                Ok(Some(row)) => self.accept(row),
                Ok(None) => tracing::warn!(broadcast = %id, "accepted, but not in the archive"),
                Err(error) => tracing::error!(%error, broadcast = %id, "an accepted broadcast could not be read"),
            },
            Notice::Stopped(id) => self.tell(Input::Stop(id)),
            Notice::ReceiversChanged => match self.read_receivers().await {
                Ok(()) => self.retarget(),
                Err(error) => tracing::error!(%error, "receivers could not be read"),
            },
            Notice::Volume(id) => {
                if let Err(error) = self.read_receivers().await {
                    tracing::error!(%error, "receivers could not be read");
                }
                if let Some(row) = self.receivers.get(&id) {
                    self.fleet.volume(id, row.volume);
                }
            }
            Notice::Reboot(id) => self.fleet.reboot(id),
            Notice::Rotate(id) => {
                self.read_receiver(id).await;
                self.order_rotation(id);
            }
            Notice::Claimed(claim, trusts) => {
                if let Err(error) = self.read_receivers().await {
                    tracing::error!(%error, "receivers could not be read");
                }
                self.retarget();
                self.answer(claim, trusts);
            }
        }
    }

    async fn news(&mut self, news: News) {
        let now = (self.clock)();
        match news {
            News::Presence(receiver, online) => {
                match online {
                    true => self.roll.online.insert(receiver),
                    false => self.roll.online.remove(&receiver),
                };
                if online {
                    self.welcome(receiver);
                }
                self.keep(Fact::Presence(receiver, online, now));
                self.tell(Input::Presence(receiver, online));
            }
            News::Telemetry(receiver, telemetry) => {
                self.heard(receiver, &telemetry);
                self.keep(Fact::Telemetry(receiver, telemetry, now));
            }
            News::Rotation(receiver, rotation) => self.rotated(receiver, rotation).await,
            News::Proven(receiver) => self.proven(receiver).await,
            News::Claim(claim, request) => self.asked(claim, request),
            News::Receipt(receiver, receipt) => {
                let (broadcast, is_final) = (receipt.broadcast, receipt.outcome.is_final());
                self.keep(Fact::Receipt(receiver, receipt, now));
                if is_final {
                    self.tell(Input::Receipt(receiver, broadcast));
                }
            }
            News::Uplink(receiver, datagram) => {
                if let Some(answer) = self.transmitter.tunnelled(receiver, &datagram) {
                    self.fleet.media(receiver, &answer);
                }
            }
        }
    }

    fn loaded(&mut self, done: Result<(BroadcastId, Result<Loaded, String>), tokio::task::JoinError>) {
        let (id, outcome) = match done {
            Ok(done) => done,
            Err(error) => return tracing::error!(%error, "reading a programme was broken off"),
        };
        let outcome = outcome.and_then(|loaded| match (self.shows.get_mut(&id), loaded) {
            // The conductor counts with the row's length: another file would end at another time.
            (Some(show), Loaded::Programme(programme)) if show.row.samples != programme.samples() => Err(format!(
                "its file has {} samples instead of {}",
                programme.samples(),
                show.row.samples
            )),
            (Some(show), Loaded::Programme(programme)) => {
                show.sound = Some(Arc::new(programme).into());
                Ok(())
            }
            (Some(show), Loaded::Desk(desk)) => {
                show.sound = Some(Sound::Live(desk.ring().clone()));
                show.desk = Some(desk);
                Ok(())
            }
            (None, _) => {
                self.studio.close(id);
                Ok(())
            }
        });
        if let Err(reason) = &outcome {
            tracing::error!(broadcast = %id, reason, "a programme could not be read");
        }
        self.tell(Input::Loaded(id, outcome));
    }

    fn accept(&mut self, row: BroadcastRow) {
        let id = row.id;
        self.shows.entry(id).or_insert_with(|| Show {
            stream: stream_of(&row),
            longest: UnixMicros(row.start.0 + (row.samples * 1000).div_ceil(48)),
            row,
            receivers: BTreeMap::new(),
            sound: None,
            desk: None,
            streaming: None,
        });
        self.retarget_one(id);
    }

    fn retarget(&mut self) {
        for id in self.shows.keys().copied().collect::<Vec<_>>() {
            self.retarget_one(id);
        }
    }

    fn retarget_one(&mut self, id: BroadcastId) {
        let Some(show) = self.shows.get_mut(&id) else { return };
        let receivers = target::resolve(&show.row, self.receivers.values());
        show.receivers.clone_from(&receivers);
        let broadcast = Broadcast {
            id,
            class: show.row.class,
            start: show.row.start,
            end: show.end(),
            receivers,
            begun: show.row.begun,
            overrides: show.row.overrides,
        };
        let receivers = broadcast.receivers.keys().copied().collect();
        self.keep(Fact::Targeted(id, receivers, (self.clock)()));
        self.tell(Input::Broadcast(broadcast));
    }

    pub(super) fn keep(&self, fact: Fact) {
        let passing = matches!(fact, Fact::Telemetry(..));
        if passing && self.waiting.load(Ordering::Relaxed) >= BUSY {
            return;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.facts.send(fact).expect("the keeper ends after the stage");
    }
}

fn timing(show: &Show, sound: &Sound, latency: u64) -> Timing {
    Timing {
        play_at: show.row.start,
        latency,
        packet_samples: sound.packet_samples(),
        packets: sound.packets(show.row.samples),
    }
}
