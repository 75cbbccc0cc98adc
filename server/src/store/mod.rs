//! What is kept: the database behind one type. Here: all SQL of the server, the same text for SQLite (the default) and
//! PostgreSQL (by URL); each change is one transaction, durable when the method returns, together with its line in the
//! record. Not here: files of sound, who may do what (`http`), what should be on the air (`playout`).
//!
//! The map: [`areas`], [`receivers`], [`claims`], [`keys`], [`users`], [`sessions`], [`tokens`], [`bulletins`], [`library`],
//! [`approval`], [`inbox`], [`playlists`], [`turns_made`], [`repeats`], [`receipts`], [`broadcasts`], [`schedules`], [`turns`], [`overrides`] hold rows and what people
//! do to them; [`sources`] are of broadcasts
//! that play no file; [`speech`] holds what is read aloud; [`factors`], [`identities`],
//! [`links`], [`devices`] and [`failures`] are about how people come in;
//! [`reports`] and [`accounts`] say what came of it all, [`history`] how receivers were; [`record`] is who did what; [`facts`] writes down what happens on the air and implements
//! `playout::Archive`; [`changes`] tells who is watching, other processes' changes included.

pub mod accounts;
pub mod approval;
pub mod areas;
pub mod broadcasts;
pub mod bulletins;
pub mod changes;
pub mod claims;
pub mod devices;
pub mod dump;
mod error;
pub mod factors;
pub mod facts;
pub mod failures;
pub mod history;
pub mod identities;
pub mod ids;
pub mod inbox;
pub mod keys;
pub mod library;
pub mod links;
pub mod overrides;
mod planned;
pub mod playlists;
mod pool;
mod position;
pub mod receipts;
pub mod receivers;
pub mod record;
pub mod repeats;
pub mod reports;
mod roster;
mod row;
mod schedule_rows;
pub mod schedules;
pub mod sealed;
mod search;
pub mod sessions;
pub mod sources;
pub mod speech;
#[cfg(test)]
pub(crate) mod tests;
pub mod tokens;
pub mod turns;
mod turns_made;
pub mod users;

use std::path::{Path, PathBuf};

use sqlx::AnyPool;

pub use accounts::Account;
pub use areas::{Area, NewArea};
pub use broadcasts::{Broadcast, BroadcastState, Counts, NewBroadcast, Target};
pub use bulletins::{Bulletin, BulletinState, NewBulletin, Sound, Wanted};
pub use changes::Change;
pub use claims::ClaimKeys;
pub use error::{Error, Invalid, Refusal};
pub use factors::{Factor, FactorKind, NewFactor};
pub use history::{History, Stretch};
pub use identities::{Identity, Outside};
pub use ids::{
    BulletinId, DeliveryId, FactorId, IdentityId, OverrideId, PhraseId, ReadingId, ScheduleId, SessionId, TokenId,
    UserId,
};
pub use inbox::{Answer, Delivery, NewSending};
pub use library::{BulletinChange, Use};
pub use links::{Link, LinkKind};
pub use overrides::Override;
pub use playlists::{NewPlaylist, Playlist, Sounding};
pub use position::Position;
pub use receipts::Receipt;
pub use receivers::{NewReceiver, Receiver, ReceiverChange};
pub use record::{Actor, Entry, More};
pub use repeats::{NewRepeat, Repeat};
pub use reports::{Fared, Report};
pub use schedules::{Late, NewSchedule, Once, Schedule};
pub use sealed::Rotated;
pub use sessions::{How, NewSession, Session, SessionSeen};
pub use sources::{NewLive, Source};
pub use speech::{BulletinText, NewPhrase, Phrase, Reading, TextPart};
pub use tokens::{NewToken, Token};
pub use turns::{Foreseen, Lengths, Made};
pub use turns_made::ToMake;
pub use users::{NewUser, User, UserChange};

use crate::data::Vault;
use changes::Changes;
use facts::Recorder;
use pool::{Kind, Transaction};
use row::Columns as _;

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Receivers.
    pub receivers: u64,
    /// Receivers that are connected.
    pub online: u64,
    /// Receivers that say that they play.
    pub playing: u64,
    /// Broadcasts whose start is to come.
    pub scheduled: u64,
    /// Broadcasts that sound.
    pub on_air: u64,
}

/// The database.
pub struct Store {
    pool: AnyPool,
    kind: Kind,
    /// Where the programmes of bulletins lie.
    programmes: PathBuf,
    /// Seals secrets.
    vault: Vault,
    changes: Changes,
    recorder: Recorder,
}

impl Store {
    /// Opens the database at `url` (`sqlite:///…` or `postgres://…`), creates what is missing and brings its tables up to
    /// date. `programmes` is the folder with the bulletins' programmes, `vault` seals the secrets in the database.
    ///
    /// # Errors
    /// When there is no database to be had there, it is from a newer version, or was sealed by another vault.
    pub async fn open(url: &str, programmes: &Path, vault: Vault) -> Result<Self, Error> {
        let (pool, kind) = pool::open(url).await?;
        sealed::settle(&pool, kind, &vault).await?;
        record::adopt(&pool, kind).await?;
        library::adopt(&pool).await?;
        let changes = Changes::new(&pool).await?;
        let recorder = Recorder::start(pool.clone(), kind, changes.clone());
        Ok(Self {
            pool,
            kind,
            programmes: programmes.to_owned(),
            vault,
            changes,
            recorder,
        })
    }

    /// Writes down what is still waiting and closes the database.
    pub async fn close(&self) {
        self.recorder.finish().await;
        self.pool.close().await;
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        sqlx::query("SELECT 1 AS one").execute(&self.pool).await?;
        Ok(())
    }

    /// How many there are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tally(&self) -> Result<Tally, Error> {
        let row = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM receivers WHERE revoked IS NULL) AS receivers, \
             (SELECT COUNT(*) FROM receivers WHERE online = 1) AS online, \
             (SELECT COUNT(*) FROM receivers WHERE online = 1 AND playing IS NOT NULL) AS playing, \
             (SELECT COUNT(*) FROM broadcasts WHERE state = 'scheduled') AS scheduled, \
             (SELECT COUNT(*) FROM broadcasts WHERE state = 'on_air') AS on_air",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Tally {
            receivers: row.number("receivers")?,
            online: row.number("online")?,
            playing: row.number("playing")?,
            scheduled: row.number("scheduled")?,
            on_air: row.number("on_air")?,
        })
    }

    /// Where the programme of `bulletin` lies.
    pub fn programme(&self, bulletin: BulletinId) -> PathBuf {
        self.programmes.join(format!("{bulletin}.opus"))
    }

    /// Begins a change by a person or a program: it and its line in the record come to be together at [`Work::commit`], or not at all.
    /// What changed goes into [`Work::more`].
    async fn begin<'a>(&'a self, entry: Entry<'a>) -> Result<Work<'a>, Error> {
        let held = self.changes.hold().await;
        let tx = pool::begin(&self.pool, self.kind).await?;
        Ok(Work {
            tx,
            entry,
            more: More::default(),
            held,
        })
    }
}

/// A change by a person, under way; dropped, it never was.
struct Work<'a> {
    tx: Transaction,
    entry: Entry<'a>,
    more: More,
    held: changes::Held<'a>,
}

impl Work<'_> {
    /// Makes it durable.
    async fn commit(mut self) -> Result<(), Error> {
        record::add(&mut self.tx, &self.entry, &self.more).await?;
        changes::count(&mut self.tx).await?;
        self.tx.commit().await?;
        self.held.counted();
        Ok(())
    }
}
