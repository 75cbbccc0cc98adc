//! Receivers: what they are, and what they last said of themselves.

use loa_protocol::key::Secret;
use loa_protocol::report::MediaPath;
use loa_protocol::{AreaId, BroadcastId, ReceiverId, UnixMicros};
use serde_json::json;
use sqlx::any::AnyRow;

use super::error::Invalid;
use super::row::{Columns as _, micros, written};
use super::{Actor, Change, Entry, Error, More, Store, ids, sealed};

/// Longest name, in characters.
const MAX_NAME: usize = 120;

/// A receiver, without its secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Receiver {
    /// Its identifier.
    pub id: ReceiverId,
    /// The area that it lies in.
    pub area: AreaId,
    /// Its name.
    pub name: String,
    /// Its volume in per cent.
    pub volume: u8,
    /// Whether it is connected.
    pub online: bool,
    /// When it was last heard of.
    pub seen: Option<UnixMicros>,
    /// What it plays.
    pub playing: Option<BroadcastId>,
    /// How sound reaches it; none until it has said so.
    pub path: Option<MediaPath>,
    /// Round trip to it, in microseconds.
    pub round_trip: Option<u64>,
    /// How far its clock may be off, in microseconds.
    pub clock_error: Option<u64>,
    /// Media packets expected and lost since it booted.
    pub packets: Option<(u64, u64)>,
    /// Version of its firmware.
    pub firmware: Option<String>,
    /// Its kind of board.
    pub board: Option<String>,
}

/// A receiver to be enrolled.
#[derive(Debug, Clone)]
pub struct NewReceiver {
    /// The area that it lies in.
    pub area: AreaId,
    /// Its name, unlike that of any other in its area.
    pub name: String,
    /// Its volume in per cent.
    pub volume: u8,
    /// What it shares with the server.
    pub secret: Secret,
}

/// Whether that is a volume in per cent.
///
/// # Errors
/// [`Error::Invalid`] if it is none.
pub fn checked_volume(volume: u8) -> Result<(), Error> {
    let form = Invalid::Form("0 to 100 (per cent)", "0 đến 100 (phần trăm)");
    match volume {
        0..=100 => Ok(()),
        _ => Err(Error::invalid("volume", form)),
    }
}

impl Store {
    /// All receivers by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_receivers(&self) -> Result<Vec<Receiver>, Error> {
        let rows = sqlx::query("SELECT * FROM receivers ORDER BY name, id")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }

    /// One receiver.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot be read.
    pub async fn receiver(&self, id: ReceiverId) -> Result<Receiver, Error> {
        let row = sqlx::query("SELECT * FROM receivers WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read).transpose()?.ok_or(Error::Missing("receiver"))
    }

    /// Enrols a receiver.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a field that is wrong; when the database cannot.
    pub async fn add_receiver(&self, actor: &Actor, now: UnixMicros, new: NewReceiver) -> Result<Receiver, Error> {
        let name = written("name", &new.name, MAX_NAME)?;
        checked_volume(new.volume)?;
        let id = ReceiverId(ids::fresh(now));
        let entry = Entry {
            at: now,
            actor,
            what: "receiver.enrol",
            subject: id.to_string(),
            detail: name.clone(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        let secret = self.vault.seal(sealed::RECEIVER, &id.to_string(), &new.secret.0)?;
        let known = sqlx::query("SELECT 1 AS one FROM areas WHERE id = $1")
            .bind(new.area.to_string())
            .fetch_optional(&mut **tx)
            .await?;
        if known.is_none() {
            return Err(Error::invalid("area_id", Invalid::Unknown));
        }
        sqlx::query(
            "INSERT INTO receivers (id, area_id, name, secret, volume, created) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(id.to_string())
        .bind(new.area.to_string())
        .bind(name)
        .bind(secret)
        .bind(i64::from(new.volume))
        .bind(micros(now))
        .execute(&mut **tx)
        .await
        .map_err(Error::taken("name"))?;
        work.more = More {
            area: Some(new.area),
            before: None,
            after: Some(json!({ "name": work.entry.detail, "area_id": new.area.to_string(), "volume": new.volume })),
        };
        work.commit().await?;
        self.tell(Change::Receiver(id));
        self.receiver(id).await
    }

    /// Sets the volume of a receiver, in per cent.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Invalid`]; when the database cannot.
    pub async fn set_volume(
        &self,
        actor: &Actor,
        now: UnixMicros,
        id: ReceiverId,
        volume: u8,
    ) -> Result<Receiver, Error> {
        checked_volume(volume)?;
        let (subject, detail) = (id.to_string(), format!("{volume} %"));
        let mut work = self
            .begin(Entry {
                at: now,
                actor,
                what: "receiver.volume",
                subject,
                detail,
            })
            .await?;
        let tx = &mut work.tx;
        let before = sqlx::query("SELECT area_id, volume FROM receivers WHERE id = $1").bind(id.to_string());
        let before = before.fetch_optional(&mut **tx).await?;
        let before = before.ok_or(Error::Missing("receiver"))?;
        sqlx::query("UPDATE receivers SET volume = $1 WHERE id = $2")
            .bind(i64::from(volume))
            .bind(id.to_string())
            .execute(&mut **tx)
            .await?;
        work.more = More {
            area: Some(before.id("area_id", AreaId::parse)?),
            before: Some(json!({ "volume": before.number("volume")? })),
            after: Some(json!({ "volume": volume })),
        };
        work.commit().await?;
        self.tell(Change::Receiver(id));
        self.receiver(id).await
    }

    /// Takes every receiver for absent until it says otherwise: for a server that starts.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn forget_presence(&self) -> Result<(), Error> {
        sqlx::query("UPDATE receivers SET online = 0, playing = NULL")
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

fn read(row: &AnyRow) -> Result<Receiver, Error> {
    let packets = row.maybe_number("expected")?.zip(row.maybe_number("lost")?);
    Ok(Receiver {
        id: row.id("id", ReceiverId::parse)?,
        area: row.id("area_id", AreaId::parse)?,
        name: row.text("name")?,
        volume: u8::try_from(row.number("volume")?).map_err(|_| Error::Corrupt("volume"))?,
        online: row.flag("online")?,
        seen: row.maybe_number("seen")?.map(UnixMicros),
        playing: row.maybe_id("playing", BroadcastId::parse)?,
        path: row.maybe_id("path", path_named)?,
        round_trip: row.maybe_number("round_trip")?,
        clock_error: row.maybe_number("clock_error")?,
        packets,
        firmware: row.maybe_text("firmware")?,
        board: row.maybe_text("board")?,
    })
}

/// The name of a path, in the database and in the API.
pub fn path_name(path: MediaPath) -> &'static str {
    match path {
        MediaPath::None => "none",
        MediaPath::Udp => "udp",
        MediaPath::Mqtt => "mqtt",
    }
}

fn path_named(name: &str) -> Option<MediaPath> {
    [MediaPath::None, MediaPath::Udp, MediaPath::Mqtt]
        .into_iter()
        .find(|path| path_name(*path) == name)
}
