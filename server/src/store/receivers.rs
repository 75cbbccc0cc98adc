//! Receivers: what they are, and what they last said of themselves. Here: enrolling, changing, revoking, replacing secrets. Not
//! here: what the air reads and writes of them (`roster`).

use loa_protocol::agreement::PrivateKey;
use loa_protocol::key::Secret;
use loa_protocol::report::MediaPath;
use loa_protocol::{AreaId, BroadcastId, ReceiverId, UnixMicros};
use serde_json::{Value, json};
use sqlx::any::AnyRow;

use super::claims::ClaimKeys;
use super::error::{Invalid, Refusal};
use super::pool::Transaction;
use super::row::{Columns as _, micros, written};
use super::{Actor, Change, Entry, Error, More, Position, Store, claims, ids, sealed};

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
    /// Where it stands, if somebody has said so.
    pub position: Option<Position>,
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
    /// Since when it is revoked.
    pub revoked: Option<UnixMicros>,
    /// Since when two devices were seen under its name.
    pub cloned: Option<UnixMicros>,
    /// The number of the server's signing key that it last said it trusts.
    pub key_number: Option<u32>,
    /// The newest authority for the broker that it last said it trusts: see `loa_protocol::report::fingerprint`.
    pub authority: Option<[u8; 8]>,
    /// How often its secret was replaced.
    pub epoch: u32,
    /// A new secret was ordered, and is not proven yet.
    pub rotating: bool,
}

/// What is to change about a receiver; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct ReceiverChange {
    /// Its name.
    pub name: Option<String>,
    /// The area that it lies in.
    pub area: Option<AreaId>,
    /// Its volume in per cent.
    pub volume: Option<u8>,
    /// Where it stands.
    pub position: Option<Position>,
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
    /// Where it stands, if that is known.
    pub position: Option<Position>,
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

    /// Enrols a receiver; with `claim`, the device that asked with those keys.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a field that is wrong; when the database cannot.
    pub async fn add_receiver(
        &self,
        actor: &Actor,
        now: UnixMicros,
        new: NewReceiver,
        claim: Option<ClaimKeys>,
    ) -> Result<Receiver, Error> {
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
        let mut after = json!({
            "name": name, "area_id": new.area.to_string(), "volume": new.volume, "by": way(claim.as_ref()),
        });
        if let Some(position) = new.position {
            (after["latitude"], after["longitude"]) = (position.latitude().into(), position.longitude().into());
        }
        work.more = More {
            area: Some(new.area),
            before: None,
            after: Some(after),
        };
        let tx = &mut work.tx;
        let secret = self.vault.seal(sealed::RECEIVER, &id.to_string(), &new.secret.0)?;
        let known = sqlx::query("SELECT 1 AS one FROM areas WHERE id = $1")
            .bind(new.area.to_string())
            .fetch_optional(&mut **tx)
            .await?;
        if known.is_none() {
            return Err(Error::invalid("area_id", Invalid::Unknown));
        }
        let [latitude, longitude] = Position::columns(new.position);
        sqlx::query(
            "INSERT INTO receivers (id, area_id, name, secret, volume, created, latitude, longitude) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(id.to_string())
        .bind(new.area.to_string())
        .bind(name)
        .bind(secret)
        .bind(i64::from(new.volume))
        .bind(micros(now))
        .bind(latitude)
        .bind(longitude)
        .execute(&mut **tx)
        .await
        .map_err(Error::taken("name"))?;
        if let Some(keys) = claim {
            claims::keep(tx, id, &keys, now).await?;
        }
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
        let volume = Some(volume);
        let change = ReceiverChange {
            volume,
            ..ReceiverChange::default()
        };
        self.change_receiver(actor, now, id, change).await
    }

    /// Changes a receiver. Moved to another area it stays who it is, with its history.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Invalid`] for a field that is wrong; when the database cannot.
    pub async fn change_receiver(
        &self,
        actor: &Actor,
        now: UnixMicros,
        id: ReceiverId,
        change: ReceiverChange,
    ) -> Result<Receiver, Error> {
        let name = change.name.map(|name| written("name", &name, MAX_NAME)).transpose()?;
        change.volume.map(checked_volume).transpose()?;
        let (what, detail) = match (&name, change.area, change.volume) {
            (None, None, Some(volume)) if change.position.is_none() => ("receiver.volume", format!("{volume} %")),
            (_, Some(_), _) => ("receiver.move", String::new()),
            _ => ("receiver.change", String::new()),
        };
        let mut work = self.begin(entry(actor, now, what, id, detail)).await?;
        let tx = &mut work.tx;
        let old = locked(tx, id).await?;
        let new = Kept {
            name: name.unwrap_or_else(|| old.name.clone()),
            area: change.area.unwrap_or(old.area),
            volume: change.volume.unwrap_or(old.volume),
            position: change.position.or(old.position),
            ..old.clone()
        };
        if new.area != old.area {
            let known = sqlx::query("SELECT 1 AS one FROM areas WHERE id = $1").bind(new.area.to_string());
            if known.fetch_optional(&mut **tx).await?.is_none() {
                return Err(Error::invalid("area_id", Invalid::Unknown));
            }
        }
        let query =
            "UPDATE receivers SET name = $1, area_id = $2, volume = $3, latitude = $4, longitude = $5 WHERE id = $6";
        let [latitude, longitude] = Position::columns(new.position);
        sqlx::query(query)
            .bind(new.name.clone())
            .bind(new.area.to_string())
            .bind(i64::from(new.volume))
            .bind(latitude)
            .bind(longitude)
            .bind(id.to_string())
            .execute(&mut **tx)
            .await
            .map_err(Error::taken("name"))?;
        let ((before, after), area) = (old.differences(&new), new.area);
        work.more = More {
            area: Some(area),
            before: Some(before),
            after: Some(after),
        };
        work.commit().await?;
        // Who sees only one of two areas sees it come or go.
        self.tell(match new.area == old.area {
            true => Change::Receiver(id),
            false => Change::Areas,
        });
        self.receiver(id).await
    }

    /// Revokes a receiver: its secret is destroyed, its history stays. Undone by nothing but [`Store::replace_secret`].
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::State`] if it is revoked already; when the database cannot.
    pub async fn revoke_receiver(&self, actor: &Actor, now: UnixMicros, id: ReceiverId) -> Result<Receiver, Error> {
        let mut work = self
            .begin(entry(actor, now, "receiver.revoke", id, String::new()))
            .await?;
        let tx = &mut work.tx;
        let old = locked(tx, id).await?;
        if old.revoked {
            return Err(Error::State(Refusal::Revoked));
        }
        // In its place one that nobody has.
        let nobodys = self
            .vault
            .seal(sealed::RECEIVER, &id.to_string(), &crate::data::random::<32>())?;
        sqlx::query(
            "UPDATE receivers SET revoked = $1, secret = $2, rotation = NULL, next_secret = NULL, online = 0, \
             playing = NULL WHERE id = $3",
        )
        .bind(micros(now))
        .bind(nobodys)
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
        claims::forget(tx, id).await?;
        work.more = More {
            area: Some(old.area),
            before: Some(json!({ "name": old.name, "revoked": false, "epoch": old.epoch })),
            after: Some(json!({ "name": old.name, "revoked": true })),
        };
        work.commit().await?;
        self.tell(Change::Receiver(id));
        self.receiver(id).await
    }

    /// Gives a receiver a new secret: the old one is dead at once. With `claim`, to the device that asked with those keys.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot.
    pub async fn replace_secret(
        &self,
        actor: &Actor,
        now: UnixMicros,
        id: ReceiverId,
        secret: &Secret,
        claim: Option<ClaimKeys>,
    ) -> Result<Receiver, Error> {
        let mut work = self
            .begin(entry(actor, now, "receiver.replace", id, String::new()))
            .await?;
        let tx = &mut work.tx;
        let old = locked(tx, id).await?;
        sqlx::query(
            "UPDATE receivers SET secret = $1, epoch = epoch + 1, rotation = NULL, next_secret = NULL, revoked = NULL, \
             cloned = NULL, key_number = NULL, authority = NULL, online = 0, playing = NULL, telemetry_boot = 0, \
             telemetry_number = 0, receipt_boot = 0, receipt_number = 0, rotation_boot = 0, rotation_number = 0 \
             WHERE id = $2",
        )
        .bind(self.vault.seal(sealed::RECEIVER, &id.to_string(), &secret.0)?)
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
        claims::forget(tx, id).await?;
        if let Some(keys) = &claim {
            claims::keep(tx, id, keys, now).await?;
        }
        work.more = More {
            area: Some(old.area),
            before: Some(json!({ "name": old.name, "epoch": old.epoch, "revoked": old.revoked })),
            after: Some(json!({
                "name": old.name, "epoch": old.epoch + 1, "revoked": false, "by": way(claim.as_ref()),
            })),
        };
        work.commit().await?;
        self.tell(Change::Receiver(id));
        self.receiver(id).await
    }

    /// Orders a new secret from a receiver: it is told when it is there. One that was ordered already stays ordered.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::State`] if it is revoked; when the database cannot.
    pub async fn order_rotation(&self, actor: &Actor, now: UnixMicros, id: ReceiverId) -> Result<Receiver, Error> {
        let mut work = self
            .begin(entry(actor, now, "receiver.rotate", id, String::new()))
            .await?;
        let tx = &mut work.tx;
        let old = locked(tx, id).await?;
        if old.revoked {
            return Err(Error::State(Refusal::Revoked));
        }
        let half = PrivateKey::new(crate::data::random());
        let half = zeroize::Zeroizing::new(half.to_bytes());
        sqlx::query("UPDATE receivers SET rotation = $1 WHERE id = $2 AND rotation IS NULL")
            .bind(self.vault.seal(sealed::ROTATION, &id.to_string(), &*half)?)
            .bind(id.to_string())
            .execute(&mut **tx)
            .await?;
        work.more = More {
            area: Some(old.area),
            before: Some(json!({ "epoch": old.epoch })),
            after: Some(json!({ "epoch": old.epoch, "ordered": old.epoch + 1 })),
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
        position: Position::read(row)?,
        online: row.flag("online")?,
        seen: row.maybe_number("seen")?.map(UnixMicros),
        playing: row.maybe_id("playing", BroadcastId::parse)?,
        path: row.maybe_id("path", path_named)?,
        round_trip: row.maybe_number("round_trip")?,
        clock_error: row.maybe_number("clock_error")?,
        packets,
        firmware: row.maybe_text("firmware")?,
        board: row.maybe_text("board")?,
        revoked: row.maybe_number("revoked")?.map(UnixMicros),
        cloned: row.maybe_number("cloned")?.map(UnixMicros),
        key_number: row.maybe_number("key_number")?.and_then(|it| u32::try_from(it).ok()),
        authority: row.maybe_id("authority", fingerprint)?,
        epoch: epoch(row)?,
        rotating: row.maybe_text("rotation")?.is_some(),
    })
}

/// How often its secret was replaced.
pub(super) fn epoch(row: &AnyRow) -> Result<u32, Error> {
    u32::try_from(row.number("epoch")?).map_err(|_| Error::Corrupt("epoch"))
}

/// 16 hexadecimal digits.
fn fingerprint(text: &str) -> Option<[u8; 8]> {
    let number = u64::from_str_radix(text, 16).ok().filter(|_| text.len() == 16)?;
    Some(number.to_be_bytes())
}

/// By what a receiver gets its secret.
fn way(claim: Option<&ClaimKeys>) -> &'static str {
    match claim {
        Some(_) => "claim",
        None => "file",
    }
}

fn entry<'a>(actor: &'a Actor, at: UnixMicros, what: &'static str, id: ReceiverId, detail: String) -> Entry<'a> {
    let subject = id.to_string();
    Entry {
        at,
        actor,
        what,
        subject,
        detail,
    }
}

/// What people may change about a receiver.
#[derive(Debug, Clone)]
struct Kept {
    name: String,
    area: AreaId,
    volume: u8,
    position: Option<Position>,
    epoch: u32,
    revoked: bool,
}

impl Kept {
    /// What differs: as it is here, and there.
    fn differences(&self, other: &Self) -> (Value, Value) {
        let (mut before, mut after) = (json!({}), json!({}));
        let mut add = |field: &str, one: Value, another: Value| {
            if one != another {
                (before[field], after[field]) = (one, another);
            }
        };
        add("name", json!(self.name), json!(other.name));
        add("area_id", json!(self.area.to_string()), json!(other.area.to_string()));
        add("volume", json!(self.volume), json!(other.volume));
        for (field, degrees) in [
            ("latitude", Position::latitude as fn(Position) -> f64),
            ("longitude", Position::longitude),
        ] {
            add(
                field,
                json!(self.position.map(degrees)),
                json!(other.position.map(degrees)),
            );
        }
        (before, after)
    }
}

/// The row, in a transaction that will write.
async fn locked(tx: &mut Transaction, id: ReceiverId) -> Result<Kept, Error> {
    let row =
        sqlx::query("SELECT name, area_id, volume, latitude, longitude, epoch, revoked FROM receivers WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&mut **tx)
            .await?
            .ok_or(Error::Missing("receiver"))?;
    Ok(Kept {
        name: row.text("name")?,
        area: row.id("area_id", AreaId::parse)?,
        volume: u8::try_from(row.number("volume")?).map_err(|_| Error::Corrupt("volume"))?,
        position: Position::read(&row)?,
        epoch: epoch(&row)?,
        revoked: row.maybe_number("revoked")?.is_some(),
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

pub(super) fn path_named(name: &str) -> Option<MediaPath> {
    [MediaPath::None, MediaPath::Udp, MediaPath::Mqtt]
        .into_iter()
        .find(|path| path_name(*path) == name)
}
