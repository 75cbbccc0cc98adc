//! What happens on the air, written down. Here: a task that takes facts in their order and writes all that are waiting
//! in one transaction (thousands of receivers report at once, and every commit waits for the disk), and
//! `playout::Archive` over it. Not here: what people do.

use std::collections::BTreeSet;
use std::sync::Mutex;

use loa_protocol::key::Secret;
use loa_protocol::report::{self, Outcome};
use loa_protocol::{AreaId, BroadcastId, ReceiverId, UnixMicros};
use serde_json::json;
use sqlx::AnyPool;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::broadcasts::{BroadcastState, area_of};
use super::changes::Changes;
use super::error::Refusal;
use super::planned::insert_targeted;
use super::pool::{self, Kind, Transaction};
use super::receivers::path_name;
use super::row::{Columns as _, integer, micros};
use super::{Actor, Change, Entry, Error, More, Source, Store, claims, history, record, sources};
use crate::data::KnownKey;
use crate::fleet::clones::Sign;
use crate::playout::conductor::State;
use crate::playout::{Archive, BroadcastRow, ClaimRow, Fact, Live, ReceiverRow};

/// Facts that may wait; whoever brings more waits.
const WAITING: usize = 65_536;
/// Facts in one transaction.
const BATCH: usize = 1024;

/// A fact on its way to the disk, and who waits until it is there.
type Waiting = (Fact, Option<oneshot::Sender<()>>);

/// The task that writes facts down.
pub(super) struct Recorder {
    queue: Mutex<Option<mpsc::Sender<Waiting>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Recorder {
    pub(super) fn start(pool: AnyPool, kind: Kind, changes: Changes) -> Self {
        let (queue, facts) = mpsc::channel(WAITING);
        let task = tokio::spawn(keep(pool, kind, changes, facts));
        Self {
            queue: Mutex::new(Some(queue)),
            task: Mutex::new(Some(task)),
        }
    }

    /// Writes down what is waiting; nothing is taken afterwards.
    pub(super) async fn finish(&self) {
        self.queue.lock().expect("nothing panics while holding it").take();
        let task = self.task.lock().expect("nothing panics while holding it").take();
        if let Some(task) = task {
            // A task that panicked has said so already.
            let _ = task.await;
        }
    }

    fn queue(&self) -> Option<mpsc::Sender<Waiting>> {
        self.queue.lock().expect("nothing panics while holding it").clone()
    }
}

async fn keep(pool: AnyPool, kind: Kind, changes: Changes, mut facts: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(BATCH);
    while facts.recv_many(&mut batch, BATCH).await > 0 {
        if let Err(error) = write_all(&pool, kind, &changes, &batch).await {
            tracing::debug!(%error, facts = batch.len(), "facts are written down one by one");
            for one in &batch {
                if let Err(error) = write_all(&pool, kind, &changes, std::slice::from_ref(one)).await {
                    tracing::error!(%error, fact = ?one.0, "a fact could not be written down");
                }
            }
        }
        for (_, kept) in batch.drain(..) {
            // Whoever waited may have given up.
            kept.map(|kept| kept.send(()));
        }
    }
}

async fn write_all(pool: &AnyPool, kind: Kind, changes: &Changes, facts: &[Waiting]) -> Result<(), Error> {
    let mut tx = pool::begin(pool, kind).await?;
    let mut told = BTreeSet::new();
    for (fact, _) in facts {
        write(&mut tx, fact, &mut |change| _ = told.insert(change)).await?;
    }
    tx.commit().await?;
    told.into_iter().for_each(|change| changes.tell(change));
    Ok(())
}

async fn write(tx: &mut Transaction, fact: &Fact, tell: &mut (dyn FnMut(Change) + Send)) -> Result<(), Error> {
    match fact {
        Fact::Broadcast(id, state, at) => {
            tell(Change::Broadcast(*id));
            state_changed(tx, *id, state, *at).await
        }
        Fact::Targeted(id, receivers, at) => {
            tell(Change::Broadcast(*id));
            targeted(tx, *id, receivers, *at).await
        }
        Fact::Presence(id, online, at) => {
            tell(Change::Receiver(*id));
            if let Some(playing) = playing(tx, *id).await? {
                tell(Change::Broadcast(playing));
            }
            if !online {
                history::dropped(tx, *id, *at).await?;
            }
            let query = if *online {
                "UPDATE receivers SET online = 1, seen = $1 WHERE id = $2 AND revoked IS NULL"
            } else {
                // When a retained "gone" is read at the start, the receiver was last seen earlier than now.
                "UPDATE receivers SET seen = CASE online WHEN 1 THEN $1 ELSE seen END, online = 0, playing = NULL \
                 WHERE id = $2"
            };
            sqlx::query(query)
                .bind(micros(*at))
                .bind(id.to_string())
                .execute(&mut **tx)
                .await?;
            Ok(())
        }
        Fact::Telemetry(id, telemetry, at) => {
            tell(Change::Receiver(*id));
            let before = playing(tx, *id).await?;
            if before != telemetry.playing {
                before
                    .into_iter()
                    .chain(telemetry.playing)
                    .for_each(|id| tell(Change::Broadcast(id)));
            }
            telemetry_came(tx, *id, telemetry, *at).await
        }
        Fact::Receipt(id, receipt, at) => {
            tell(Change::Broadcast(receipt.broadcast));
            tell(Change::Receiver(*id));
            receipt_came(tx, *id, receipt, *at).await
        }
        Fact::Cloned(id, sign, at) => {
            tell(Change::Receiver(*id));
            cloned(tx, *id, *sign, *at).await
        }
        Fact::Trouble(id, trouble, at) => {
            tell(Change::Broadcast(*id));
            sources::trouble(tx, *id, trouble.as_deref(), *at).await
        }
        Fact::Over(id, over, end) => {
            tell(Change::Broadcast(*id));
            sources::over(tx, *id, *over, *end).await
        }
        Fact::Recorded(id, samples, at) => {
            if let Some(bulletin) = sources::recorded(tx, *id, *samples, *at).await? {
                tell(Change::Bulletin(bulletin));
            }
            Ok(())
        }
        Fact::Claims => {
            tell(Change::Claims);
            Ok(())
        }
    }
}

async fn playing(tx: &mut Transaction, id: ReceiverId) -> Result<Option<BroadcastId>, Error> {
    let row = sqlx::query("SELECT playing FROM receivers WHERE id = $1").bind(id.to_string());
    match row.fetch_optional(&mut **tx).await? {
        Some(row) => row.maybe_id("playing", BroadcastId::parse),
        None => Ok(None),
    }
}

async fn state_changed(tx: &mut Transaction, id: BroadcastId, state: &State, at: UnixMicros) -> Result<(), Error> {
    let (name, what, reason) = match state {
        State::OnAir => (BroadcastState::OnAir, "broadcast.on_air", None),
        State::Done => (BroadcastState::Done, "broadcast.done", None),
        State::Stopped => (BroadcastState::Stopped, "broadcast.stopped", None),
        State::Failed(reason) => (BroadcastState::Failed, "broadcast.failed", Some(reason.clone())),
    };
    let before = sqlx::query("SELECT state FROM broadcasts WHERE id = $1").bind(id.to_string());
    let Some(before) = before.fetch_optional(&mut **tx).await? else {
        return Ok(());
    };
    let before = before.id("state", BroadcastState::named)?;
    // What is over stays as it ended: a stop that was accepted is not undone by news from before it.
    if !before.is_open() {
        return Ok(());
    }
    sqlx::query("UPDATE broadcasts SET state = $1, reason = $2 WHERE id = $3")
        .bind(name.name())
        .bind(reason.clone())
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    // On the air already: back on it, after the server was gone.
    let what = if before == name { "broadcast.resumed" } else { what };
    let entry = Entry {
        at,
        actor: &Actor::server(),
        what,
        subject: id.to_string(),
        detail: reason.unwrap_or_default(),
    };
    let more = More {
        area: area_of(tx, id).await?,
        before: Some(json!({ "state": before.name() })),
        after: Some(json!({ "state": name.name() })),
    };
    record::add(tx, &entry, &more).await
}

async fn targeted(
    tx: &mut Transaction,
    id: BroadcastId,
    receivers: &[ReceiverId],
    at: UnixMicros,
) -> Result<(), Error> {
    let before = sqlx::query("SELECT receiver_id FROM receipts WHERE broadcast_id = $1 AND targeted = 1")
        .bind(id.to_string())
        .fetch_all(&mut **tx)
        .await?;
    let before = before.iter().map(|row| row.id("receiver_id", ReceiverId::parse));
    let before = before.collect::<Result<BTreeSet<_>, _>>()?;
    let after: BTreeSet<_> = receivers.iter().copied().collect();
    if before == after {
        return Ok(());
    }
    sqlx::query("UPDATE receipts SET targeted = 0 WHERE broadcast_id = $1")
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    for receiver in receivers {
        insert_targeted(tx, id, *receiver).await?;
    }
    // Who is no longer addressed and never said a word has nothing to account for.
    sqlx::query("DELETE FROM receipts WHERE broadcast_id = $1 AND targeted = 0 AND outcome IS NULL")
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    let entry = Entry {
        at,
        actor: &Actor::server(),
        what: "broadcast.targeted",
        subject: id.to_string(),
        detail: format!("{} receivers", after.len()),
    };
    let list = |these: std::collections::btree_set::Difference<'_, ReceiverId>| {
        let these: Vec<_> = these.map(ReceiverId::to_string).collect();
        (!these.is_empty()).then(|| json!({ "receivers": these }))
    };
    // Only who went and who came: a target may be thousands.
    let more = More {
        area: area_of(tx, id).await?,
        before: list(before.difference(&after)),
        after: list(after.difference(&before)),
    };
    record::add(tx, &entry, &more).await
}

async fn telemetry_came(
    tx: &mut Transaction,
    id: ReceiverId,
    telemetry: &report::Telemetry,
    at: UnixMicros,
) -> Result<(), Error> {
    history::heard(tx, id, telemetry, at).await?;
    sqlx::query(
        "UPDATE receivers SET online = 1, seen = $1, playing = $2, path = $3, round_trip = $4, clock_error = $5, \
         expected = $6, lost = $7, uptime = $8, refused_media = $9, refused_commands = $10, firmware = $11, board = $12, \
         key_number = $13, authority = $14, telemetry_boot = $15, telemetry_number = $16 \
         WHERE id = $17 AND revoked IS NULL",
    )
    .bind(micros(at))
    .bind(telemetry.playing.map(|id| id.to_string()))
    .bind(path_name(telemetry.path))
    .bind(i64::from(telemetry.round_trip))
    .bind(i64::from(telemetry.clock_error))
    .bind(integer(telemetry.expected))
    .bind(integer(telemetry.lost))
    .bind(i64::from(telemetry.uptime))
    .bind(i64::from(telemetry.refused_media))
    .bind(i64::from(telemetry.refused_commands))
    .bind(telemetry.firmware.to_string())
    .bind(telemetry.board.to_string())
    .bind((telemetry.key_number > 0).then_some(i64::from(telemetry.key_number)))
    .bind(telemetry.authority.map(|it| format!("{:016x}", u64::from_be_bytes(it))))
    .bind(integer(telemetry.serial.boot))
    .bind(integer(telemetry.serial.number))
    .bind(id.to_string())
    .execute(&mut **tx)
    .await?;
    // It has come: it need not be answered as a claimant any more.
    claims::forget(tx, id).await
}

/// Two devices were seen under one name.
async fn cloned(tx: &mut Transaction, id: ReceiverId, sign: Sign, at: UnixMicros) -> Result<(), Error> {
    let row =
        sqlx::query("SELECT area_id, cloned FROM receivers WHERE id = $1 AND revoked IS NULL").bind(id.to_string());
    let Some(row) = row.fetch_optional(&mut **tx).await? else {
        return Ok(());
    };
    sqlx::query("UPDATE receivers SET cloned = COALESCE(cloned, $1) WHERE id = $2")
        .bind(micros(at))
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    let entry = Entry {
        at,
        actor: &Actor::server(),
        what: "receiver.cloned",
        subject: id.to_string(),
        detail: sign.name().into(),
    };
    let more = More {
        area: Some(row.id("area_id", AreaId::parse)?),
        before: Some(json!({ "cloned": row.maybe_number("cloned")?.is_some() })),
        after: Some(json!({ "cloned": true, "sign": sign.name() })),
    };
    record::add(tx, &entry, &more).await
}

async fn receipt_came(
    tx: &mut Transaction,
    id: ReceiverId,
    receipt: &report::Receipt,
    at: UnixMicros,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO receipts (broadcast_id, receiver_id, targeted, outcome, reported, planned, played, expected, \
         received, lost, late, duplicate, concealed, level) \
         VALUES ($1, $2, 0, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
         ON CONFLICT (broadcast_id, receiver_id) DO UPDATE SET outcome = excluded.outcome, \
         reported = excluded.reported, planned = excluded.planned, played = excluded.played, \
         expected = excluded.expected, received = excluded.received, lost = excluded.lost, late = excluded.late, \
         duplicate = excluded.duplicate, concealed = excluded.concealed, level = excluded.level",
    )
    .bind(receipt.broadcast.to_string())
    .bind(id.to_string())
    .bind(outcome_name(receipt.outcome))
    .bind(micros(at))
    .bind(integer(receipt.planned))
    .bind(integer(receipt.played))
    .bind(integer(receipt.expected))
    .bind(integer(receipt.received))
    .bind(integer(receipt.lost))
    .bind(integer(receipt.late))
    .bind(integer(receipt.duplicate))
    .bind(integer(receipt.concealed))
    .bind(receipt.level.map(i64::from))
    .execute(&mut **tx)
    .await?;
    sqlx::query("UPDATE receivers SET receipt_boot = $1, receipt_number = $2 WHERE id = $3")
        .bind(integer(receipt.serial.boot))
        .bind(integer(receipt.serial.number))
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    // What it plays follows from its receipts sooner than from its telemetry.
    let broadcast = receipt.broadcast.to_string();
    let query = match receipt.outcome {
        Outcome::Playing => "UPDATE receivers SET playing = $1 WHERE id = $2",
        Outcome::Received => return Ok(()),
        _ => "UPDATE receivers SET playing = NULL WHERE playing = $1 AND id = $2",
    };
    sqlx::query(query)
        .bind(broadcast)
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The name of an outcome, in the database and in the API.
fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Received => "received",
        Outcome::Playing => "playing",
        Outcome::Played => "played",
        Outcome::Interrupted => "interrupted",
        Outcome::Failed => "failed",
        Outcome::Refused => "refused",
    }
}

impl Archive for Store {
    type Error = Error;

    async fn receivers(&self) -> Result<Vec<ReceiverRow>, Error> {
        self.roster().await
    }

    async fn receiver(&self, id: ReceiverId) -> Result<Option<ReceiverRow>, Error> {
        self.roster_one(id).await
    }

    async fn revoked(&self) -> Result<Vec<ReceiverId>, Error> {
        self.revoked_receivers().await
    }

    async fn renew(&self, id: ReceiverId, epoch: u32, next: &Secret, serial: report::Serial) -> Result<bool, Error> {
        self.next_secret_came(id, epoch, next, serial).await
    }

    async fn renewed(&self, id: ReceiverId, epoch: u32, at: UnixMicros) -> Result<bool, Error> {
        self.next_secret_proven(id, epoch, at).await
    }

    async fn keys(&self) -> Result<Vec<KnownKey>, Error> {
        self.signing_keys().await
    }

    async fn claims(&self) -> Result<Vec<ClaimRow>, Error> {
        self.approved_claims().await
    }

    async fn broadcast(&self, id: BroadcastId) -> Result<Option<BroadcastRow>, Error> {
        match self.broadcast_by_id(id).await {
            Ok(it) if it.state.is_open() => Ok(Some(self.row(it))),
            Ok(_) | Err(Error::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn open_broadcasts(&self) -> Result<Vec<BroadcastRow>, Error> {
        let mut open = self.still_open().await?;
        self.fill_targets(&mut open).await?;
        Ok(open.into_iter().map(|it| self.row(it)).collect())
    }

    /// What a broadcast's state has become is durable when this returns; the rest a moment later, in order.
    async fn record(&self, fact: Fact) -> Result<(), Error> {
        let Some(queue) = self.recorder.queue() else {
            return Err(Error::State(Refusal::Closed));
        };
        let (kept, durable) = oneshot::channel();
        let awaited = matches!(fact, Fact::Broadcast(..));
        if queue.send((fact, awaited.then_some(kept))).await.is_err() {
            return Err(Error::State(Refusal::Closed));
        }
        if awaited {
            // A failure to write has been told where it happened.
            let _ = durable.await;
        }
        Ok(())
    }
}

impl Store {
    fn live(&self, source: Source) -> Live {
        match source {
            Source::Microphone { chime, bed } => Live::Microphone {
                chime,
                bed: bed.into_iter().map(|id| self.programme(id)).collect(),
            },
            Source::Relay { url, fallback } => Live::Relay {
                url,
                fallback: fallback.into_iter().map(|id| self.programme(id)).collect(),
            },
        }
    }

    fn row(&self, it: super::Broadcast) -> BroadcastRow {
        BroadcastRow {
            id: it.id,
            class: it.class,
            start: it.start,
            begun: it.state == BroadcastState::OnAir,
            programme: self.programme(it.bulletin),
            samples: match it.source {
                None => it.samples,
                Some(_) => sources::samples(it.start, it.end),
            },
            live: it.source.map(|source| self.live(source)),
            areas: it.target.areas,
            receivers: it.target.receivers,
            overrides: it.overrides,
        }
    }
}
