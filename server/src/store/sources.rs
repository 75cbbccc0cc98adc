//! Broadcasts that play no file: somebody speaks, or another station is relayed. Here: accepting them, whose the studio is, and what
//! becomes of their sound. Each has a bulletin of its own: of what is said it holds the recording in the end; until then, and for a
//! relay for ever, it is no bulletin that people see.

use std::collections::BTreeSet;

use loa_protocol::precedence::Class;
use loa_protocol::{AreaId, BroadcastId, ReceiverId, UnixMicros};
use serde_json::json;
use sqlx::AnyPool;
use sqlx::any::AnyRow;

use super::broadcasts::{area_of, distinct};
use super::planned::{self, Planned};
use super::pool::Transaction;
use super::row::{Columns as _, integer, micros};
use super::{
    Actor, Broadcast, BroadcastState, BulletinId, BulletinState, Change, Entry, Error, Invalid, More, OverrideId,
    Refusal, Store, Target, User, bulletins, ids, library, overrides, record, search,
};
use crate::media::live::Over;

/// The formats of bulletins that hold no sound (yet).
pub(super) const SOUNDLESS: &str = "('live', 'relay', 'playlist')";
/// The formats of bulletins that people do not see: they hold no sound (yet), or are made of others.
pub(super) const HIDDEN: &str = "('live', 'relay', 'playlist', 'turn')";

/// Where the sound of a broadcast comes from, if it is no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Somebody speaks, in a browser or at an encoder.
    Microphone {
        /// A chime sounds first.
        chime: bool,
        /// What sounds under the voice, by turns.
        bed: Vec<BulletinId>,
    },
    /// Another station.
    Relay {
        /// Its address.
        url: String,
        /// What sounds while it is no good.
        fallback: Vec<BulletinId>,
    },
}

impl Source {
    /// Its name, in the database and in the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Microphone { .. } => "microphone",
            Self::Relay { .. } => "relay",
        }
    }

    /// The bulletins that it needs, and the field that names them.
    fn needs(&self) -> (&'static str, &[BulletinId]) {
        match self {
            Self::Microphone { bed, .. } => ("bed_bulletin_ids", bed),
            Self::Relay { fallback, .. } => ("relay.fallback_bulletin_ids", fallback),
        }
    }
}

/// A live broadcast that somebody asks for.
#[derive(Debug, Clone)]
pub struct NewLive {
    /// What it is called.
    pub title: String,
    /// How urgent it is.
    pub class: Class,
    /// Whose the recording is.
    pub area: Option<AreaId>,
    /// Where.
    pub target: Target,
    /// When it begins to sound.
    pub start: UnixMicros,
    /// When it ends at the latest.
    pub end: UnixMicros,
    /// Where the sound comes from.
    pub source: Source,
    /// What lets it go past hours and minutes.
    pub overrides: Option<OverrideId>,
}

impl Store {
    /// Accepts a live broadcast: it is durable when this returns, and whoever speaks has the studio of its receivers until it ends.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a field that is wrong, [`Error::State`] for a fallback that is not approved, [`Error::Taken`] if
    /// somebody speaks there who does not give way; when the database cannot.
    pub async fn go_live(&self, actor: &Actor, now: UnixMicros, by: &User, new: NewLive) -> Result<Broadcast, Error> {
        let title = bulletins::title(&new.title)?;
        let target = Target {
            areas: distinct(new.target.areas.clone()),
            receivers: distinct(new.target.receivers.clone()),
        };
        let reached = self.reached(&target).await?;
        let (field, needs) = new.source.needs();
        for id in needs {
            let known = self.bulletin(*id).await.map_err(|error| match error {
                Error::Missing(_) => Error::invalid(field, Invalid::Unknown),
                error => error,
            })?;
            if known.state != BulletinState::Approved {
                return Err(Error::State(Refusal::NotApproved));
            }
        }
        let (id, bulletin) = (BroadcastId(ids::fresh(now)), BulletinId(ids::fresh(now)));
        let entry = Entry {
            at: now,
            actor,
            what: "broadcast.accept",
            subject: id.to_string(),
            detail: title.clone(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        if new.overrides.is_some() && !overrides::holds(tx, new.overrides, new.start, &target).await? {
            return Err(Error::invalid("override_id", Invalid::Unknown));
        }
        for id in needs {
            library::usable(tx, *id, new.start).await?;
        }
        if matches!(new.source, Source::Microphone { .. }) {
            free(tx, &new, &target, &reached).await?;
        }
        let format = match new.source {
            Source::Microphone { .. } => "live",
            Source::Relay { .. } => "relay",
        };
        sqlx::query(
            "INSERT INTO bulletins (id, title, class, state, format, samples, created, created_by, area_id, searched) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(bulletin.to_string())
        .bind(title.clone())
        .bind(i64::from(new.class as u8))
        .bind(BulletinState::Draft.name())
        .bind(format)
        .bind(integer(samples(new.start, new.end)))
        .bind(micros(now))
        .bind(by.id.to_string())
        .bind(new.area.map(|area| area.to_string()))
        .bind(search::index(&title))
        .execute(&mut **tx)
        .await?;
        let row = Planned {
            id,
            bulletin,
            state: BroadcastState::Scheduled,
            reason: None,
            start: new.start,
            end: new.end,
            accepted: now,
            by: by.id.to_string(),
            target,
            reached,
            schedule: None,
            allowed_by: new.overrides,
        };
        planned::insert(tx, &row).await?;
        insert_source(tx, id, &new.source).await?;
        let mut shown = row.shown();
        shown["class"] = json!(format!("{:?}", new.class).to_lowercase());
        shown["source"] = json!(new.source.name());
        if let Source::Relay { url, .. } = &new.source {
            shown["url"] = json!(url);
        }
        work.more = More {
            area: area_of(tx, id).await?,
            before: None,
            after: Some(shown),
        };
        work.commit().await?;
        self.tell(Change::Broadcast(id));
        self.broadcast_by_id(id).await
    }

    /// Whether the live broadcast `id`, which is still open, is of that person.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn speaks(&self, id: BroadcastId, user: &User) -> Result<bool, Error> {
        let found = sqlx::query(
            "SELECT b.id FROM broadcasts b JOIN sources s ON s.broadcast_id = b.id \
             WHERE b.id = $1 AND b.accepted_by = $2 AND s.kind = 'microphone' AND b.state IN ('scheduled', 'on_air')",
        )
        .bind(id.to_string())
        .bind(user.id.to_string())
        .fetch_optional(&self.pool)
        .await?;
        Ok(found.is_some())
    }
}

/// Refuses, with the name of who speaks there, a studio that is taken. Who has something more urgent to say goes before.
async fn free(
    tx: &mut Transaction,
    new: &NewLive,
    target: &Target,
    reached: &BTreeSet<ReceiverId>,
) -> Result<(), Error> {
    let open = sqlx::query(
        "SELECT b.id AS id, b.starts AS starts, u.class AS class, p.display_name AS name FROM broadcasts b \
         JOIN sources s ON s.broadcast_id = b.id JOIN bulletins u ON u.id = b.bulletin_id \
         JOIN users p ON p.id = b.accepted_by \
         WHERE s.kind = 'microphone' AND b.state IN ('scheduled', 'on_air') ORDER BY b.id",
    )
    .fetch_all(&mut **tx)
    .await?;
    for row in &open {
        if new.class > bulletins::class(row)? {
            continue;
        }
        let theirs = sqlx::query(
            "SELECT receiver_id AS id FROM receipts WHERE broadcast_id = $1 AND targeted = 1 \
             UNION SELECT target_id AS id FROM targets WHERE broadcast_id = $1",
        )
        .bind(row.text("id")?)
        .fetch_all(&mut **tx)
        .await?;
        for one in &theirs {
            let id = one.text("id")?;
            let area = AreaId::parse(&id).is_some_and(|id| target.areas.contains(&id));
            if area || ReceiverId::parse(&id).is_some_and(|id| reached.contains(&id)) {
                return Err(Error::Taken {
                    by: row.text("name")?,
                    since: row.instant("starts")?,
                });
            }
        }
    }
    Ok(())
}

async fn insert_source(tx: &mut Transaction, id: BroadcastId, source: &Source) -> Result<(), Error> {
    let (chime, url) = match source {
        Source::Microphone { chime, .. } => (*chime, None),
        Source::Relay { url, .. } => (false, Some(url.clone())),
    };
    sqlx::query("INSERT INTO sources (broadcast_id, kind, chime, url) VALUES ($1, $2, $3, $4)")
        .bind(id.to_string())
        .bind(source.name())
        .bind(i64::from(chime))
        .bind(url)
        .execute(&mut **tx)
        .await?;
    for (position, bulletin) in source.needs().1.iter().enumerate() {
        sqlx::query("INSERT INTO fallbacks (broadcast_id, position, bulletin_id) VALUES ($1, $2, $3)")
            .bind(id.to_string())
            .bind(integer(position as u64))
            .bind(bulletin.to_string())
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// The source in a row of broadcasts, without the bulletins that it needs.
pub(super) fn read(row: &AnyRow) -> Result<Option<Source>, Error> {
    Ok(match row.maybe_text("source")?.as_deref() {
        None => None,
        Some("microphone") => Some(Source::Microphone {
            chime: row.maybe_number("chime")? == Some(1),
            bed: Vec::new(),
        }),
        Some("relay") => Some(Source::Relay {
            url: row.maybe_text("url")?.ok_or(Error::Corrupt("url"))?,
            fallback: Vec::new(),
        }),
        Some(_) => return Err(Error::Corrupt("kind")),
    })
}

/// Fills in the bulletins that a source needs.
pub(super) async fn fill(pool: &AnyPool, it: &mut Broadcast) -> Result<(), Error> {
    let needs = match &mut it.source {
        None => return Ok(()),
        Some(Source::Microphone { bed, .. }) => bed,
        Some(Source::Relay { fallback, .. }) => fallback,
    };
    let rows = sqlx::query("SELECT bulletin_id FROM fallbacks WHERE broadcast_id = $1 ORDER BY position")
        .bind(it.id.to_string())
        .fetch_all(pool)
        .await?;
    let ids = rows.iter().map(|row| row.id("bulletin_id", BulletinId::parse));
    *needs = ids.collect::<Result<_, _>>()?;
    Ok(())
}

/// Samples at 48 kHz from then to then.
pub(super) fn samples(start: UnixMicros, end: UnixMicros) -> u64 {
    end.0.saturating_sub(start.0) * 48 / 1000
}

/// What is live is no good, or is good again.
pub(super) async fn trouble(
    tx: &mut Transaction,
    id: BroadcastId,
    trouble: Option<&str>,
    at: UnixMicros,
) -> Result<(), Error> {
    sqlx::query("UPDATE sources SET trouble = $1 WHERE broadcast_id = $2")
        .bind(trouble.map(str::to_owned))
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    let what = match trouble {
        Some(_) => "broadcast.trouble",
        None => "broadcast.good",
    };
    note(tx, id, what, trouble.unwrap_or_default(), at).await
}

/// What is live is over: it has sounded at `end`.
pub(super) async fn over(tx: &mut Transaction, id: BroadcastId, over: Over, end: UnixMicros) -> Result<(), Error> {
    let row = sqlx::query("SELECT starts, bulletin_id FROM broadcasts WHERE id = $1").bind(id.to_string());
    let Some(row) = row.fetch_optional(&mut **tx).await? else {
        return Ok(());
    };
    sqlx::query("UPDATE broadcasts SET ends = $1 WHERE id = $2")
        .bind(micros(end))
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    sqlx::query("UPDATE bulletins SET samples = $1 WHERE id = $2")
        .bind(integer(samples(row.instant("starts")?, end)))
        .bind(row.text("bulletin_id")?)
        .execute(&mut **tx)
        .await?;
    sqlx::query("UPDATE sources SET ended = $1 WHERE broadcast_id = $2")
        .bind(over.name())
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    note(tx, id, "broadcast.ended", over.name(), end).await
}

/// What was said is a bulletin of so many samples from now on; gives which.
pub(super) async fn recorded(
    tx: &mut Transaction,
    id: BroadcastId,
    samples: u64,
    at: UnixMicros,
) -> Result<Option<BulletinId>, Error> {
    let row = sqlx::query("SELECT bulletin_id FROM broadcasts WHERE id = $1").bind(id.to_string());
    let Some(row) = row.fetch_optional(&mut **tx).await? else {
        return Ok(None);
    };
    let bulletin = row.id("bulletin_id", BulletinId::parse)?;
    sqlx::query("UPDATE bulletins SET samples = $1, format = 'opus' WHERE id = $2")
        .bind(integer(samples))
        .bind(bulletin.to_string())
        .execute(&mut **tx)
        .await?;
    note(tx, id, "broadcast.recorded", &bulletin.to_string(), at).await?;
    Ok(Some(bulletin))
}

async fn note(
    tx: &mut Transaction,
    id: BroadcastId,
    what: &'static str,
    detail: &str,
    at: UnixMicros,
) -> Result<(), Error> {
    let entry = Entry {
        at,
        actor: &Actor::server(),
        what,
        subject: id.to_string(),
        detail: detail.to_owned(),
    };
    let more = More {
        area: area_of(tx, id).await?,
        ..More::default()
    };
    record::add(tx, &entry, &more).await
}
