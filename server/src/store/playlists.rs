//! Playlists: several bulletins as one. Here: rows, and what people do to them. Not here: what is composed of them (`turns_made`),
//! what sounds when (`schedule::playlist`).
//!
//! A playlist goes by the identifier of a bulletin that has no sound: whatever names a bulletin to be broadcast may name it. What a
//! broadcast of it sounds like is another bulletin that nobody sees, which never changes once it was made.

use std::collections::BTreeMap;

use loa_protocol::precedence::Class;
use loa_protocol::{AreaId, UnixMicros};
use ring::digest;
use serde_json::{Value, json};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::bulletins::{class, title};
use super::error::{Invalid, Refusal};
use super::library::{self, Use};
use super::pool::Transaction;
use super::row::{Columns as _, integer, micros};
use super::sources::HIDDEN;
use super::{Actor, BulletinId, BulletinState, Change, Entry, Error, More, Store, User, ids, search};
use crate::schedule::playlist::{Joins, List, Part, Row};

/// The format of the bulletin that a playlist goes by, and of what was composed.
pub(super) const PLAYLIST: &str = "playlist";
pub(super) const TURN: &str = "turn";

/// Parts that a playlist has at most.
pub const MAX_PARTS: usize = 500;
/// Longest gap, and longest fade, in milliseconds.
pub const MAX_GAP: u32 = 600_000;
/// See [`MAX_GAP`].
pub const MAX_FADE: u32 = 30_000;
/// Longest that a turn lasts, in samples at 48 kHz: a day.
pub const MAX_SAMPLES: u64 = 24 * 3600 * 48_000;

/// A playlist that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPlaylist {
    /// What it is called.
    pub title: String,
    /// Whose it is; none: of who may do everything everywhere. It stays whose it was when a playlist is changed.
    pub area: Option<AreaId>,
    /// The jingle before.
    pub opening: Option<BulletinId>,
    /// What sounds, in order; the same may be there twice.
    pub parts: Vec<BulletinId>,
    /// The jingle after.
    pub closing: Option<BulletinId>,
    /// How they join.
    pub joins: Joins,
    /// How many parts sound each time, by turns; none: all of them.
    pub take: Option<u32>,
}

/// A playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playlist {
    /// The bulletin that it goes by.
    pub id: BulletinId,
    /// Rises with every change.
    pub version: u64,
    /// What it is called.
    pub title: String,
    /// How urgent it is: as its least urgent part.
    pub class: Class,
    /// Whose it is.
    pub area: Option<AreaId>,
    /// What is in it.
    pub list: List<BulletinId>,
    /// What the bulletins in it are called.
    pub titles: BTreeMap<BulletinId, String>,
    /// What was composed of it, by recipe.
    pub made: BTreeMap<String, BulletinId>,
    /// Why it could not be composed.
    pub trouble: Option<String>,
}

/// What of a playlist sounds at an occurrence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sounding {
    /// Its programme; none: it is not composed.
    pub made: Option<BulletinId>,
    /// Samples of sound, at 48 kHz.
    pub samples: u64,
}

impl Playlist {
    /// What sounds if it begins at `at`, and so many occurrences came before it; none if nothing of it is left.
    pub fn sounding(&self, at: UnixMicros, place: u64) -> Option<Sounding> {
        let row = self.list.row(at, place)?;
        Some(Sounding {
            made: self.made.get(&recipe(&row)).copied(),
            samples: row.samples(),
        })
    }

    /// Whether all that would sound at `at`, whoever's turn it is, is composed.
    pub fn is_made(&self, at: UnixMicros) -> bool {
        let mut turns = (0..self.list.turns(at)).filter_map(|turn| self.sounding(at, turn));
        turns.all(|it| it.made.is_some())
    }
}

/// What a composed programme is known by: all that it is made of, and how.
pub(super) fn recipe(row: &Row<BulletinId>) -> String {
    let Joins { gap, fade_in, fade_out } = row.joins;
    let mut text = format!("{gap} {fade_in} {fade_out}\n");
    for it in &row.sounds {
        text += &format!("{} {} {}\n", it.id, it.samples, it.fades);
    }
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Store {
    /// All playlists, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn playlists(&self) -> Result<Vec<Playlist>, Error> {
        let mut connection = self.pool.acquire().await?;
        read(&mut connection, None).await
    }

    /// One playlist.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot be read.
    pub async fn playlist(&self, id: BulletinId) -> Result<Playlist, Error> {
        let mut connection = self.pool.acquire().await?;
        one(&mut connection, id).await?.ok_or(Error::Missing("playlist"))
    }

    /// Adds a playlist; it is composed in a while.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a field that is wrong, [`Error::Part`] for a part that is not approved; when the database cannot.
    pub async fn add_playlist(
        &self,
        actor: &Actor,
        now: UnixMicros,
        by: &User,
        new: NewPlaylist,
    ) -> Result<Playlist, Error> {
        let title = judge(&new)?;
        let id = BulletinId(ids::fresh(now));
        let entry = Entry {
            at: now,
            actor,
            what: "playlist.add",
            subject: id.to_string(),
            detail: title.clone(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        sqlx::query(
            "INSERT INTO bulletins (id, title, class, state, format, samples, created, created_by, area_id, searched) \
             VALUES ($1, $2, 0, $3, $4, 0, $5, $6, $7, $8)",
        )
        .bind(id.to_string())
        .bind(title.clone())
        // Whoever does not know of playlists takes it for something that nobody approved.
        .bind(BulletinState::Draft.name())
        .bind(PLAYLIST)
        .bind(micros(now))
        .bind(by.id.to_string())
        .bind(new.area.map(|it| it.to_string()))
        .bind(search::index(&title))
        .execute(&mut **tx)
        .await?;
        sqlx::query(
            "INSERT INTO playlists (bulletin_id, version, gap, fade_in, fade_out, changed_by) VALUES ($1, 0, 0, 0, 0, $2)",
        )
        .bind(id.to_string())
        .bind(by.id.to_string())
        .execute(&mut **tx)
        .await?;
        let added = put(tx, now, by, id, &new).await?;
        work.more = More {
            area: added.area,
            before: None,
            after: Some(shown(&added)),
        };
        work.commit().await?;
        self.tell(Change::Playlist(id));
        Ok(added)
    }

    /// Changes the playlist `id`, which was seen in `version`. Broadcasts that were accepted sound as they would have.
    ///
    /// # Errors
    /// As [`Store::add_playlist`]; [`Error::Missing`]; [`Error::State`] if somebody else has changed it meanwhile.
    pub async fn change_playlist(
        &self,
        actor: &Actor,
        now: UnixMicros,
        by: &User,
        (id, version): (BulletinId, u64),
        new: NewPlaylist,
    ) -> Result<Playlist, Error> {
        let title = judge(&new)?;
        let entry = Entry {
            at: now,
            actor,
            what: "playlist.change",
            subject: id.to_string(),
            detail: title.clone(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        let before = one(tx, id).await?.ok_or(Error::Missing("playlist"))?;
        if before.version != version {
            return Err(Error::State(Refusal::Changed));
        }
        sqlx::query("UPDATE bulletins SET title = $1, searched = $2 WHERE id = $3")
            .bind(title.clone())
            .bind(search::index(&title))
            .bind(id.to_string())
            .execute(&mut **tx)
            .await?;
        let after = put(tx, now, by, id, &new).await?;
        work.more = More {
            area: after.area,
            before: Some(shown(&before)),
            after: Some(shown(&after)),
        };
        work.commit().await?;
        self.tell(Change::Playlist(id));
        Ok(after)
    }

    /// Removes a playlist, unless something still needs it: that is given then. Else those are given that were composed of it: their
    /// files are to be removed.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot.
    pub async fn remove_playlist(
        &self,
        actor: &Actor,
        now: UnixMicros,
        id: BulletinId,
    ) -> Result<Result<Vec<BulletinId>, Vec<Use>>, Error> {
        let entry = Entry {
            at: now,
            actor,
            what: "playlist.remove",
            subject: id.to_string(),
            detail: String::new(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        let before = one(tx, id).await?.ok_or(Error::Missing("playlist"))?;
        work.entry.detail.clone_from(&before.title);
        let mut uses = library::uses(tx, id).await?;
        for turn in before.made.values() {
            uses.extend(library::uses(tx, *turn).await?);
        }
        if !uses.is_empty() {
            return Ok(Err(uses));
        }
        for table in [
            "DELETE FROM playlist_turns WHERE playlist_id = $1",
            "DELETE FROM playlist_parts WHERE playlist_id = $1",
            "DELETE FROM playlists WHERE bulletin_id = $1",
        ] {
            sqlx::query(table).bind(id.to_string()).execute(&mut **tx).await?;
        }
        for it in before.made.values().chain([&id]) {
            delete(tx, now, *it).await?;
        }
        work.more = More {
            area: before.area,
            before: Some(shown(&before)),
            after: None,
        };
        work.commit().await?;
        self.tell(Change::Playlist(id));
        Ok(Ok(before.made.into_values().collect()))
    }
}

/// Marks a bulletin that people do not see as deleted.
pub(super) async fn delete(tx: &mut Transaction, now: UnixMicros, id: BulletinId) -> Result<(), Error> {
    sqlx::query("UPDATE bulletins SET deleted = $1 WHERE id = $2")
        .bind(micros(now))
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Judges what can be judged without looking; gives the title as it will be kept.
fn judge(new: &NewPlaylist) -> Result<String, Error> {
    let wrong = |field, en, vi| Err(Error::invalid(field, Invalid::Form(en, vi)));
    let Joins { gap, fade_in, fade_out } = new.joins;
    match new.take {
        _ if new.parts.is_empty() => return Err(Error::invalid("bulletin_ids", Invalid::Empty)),
        _ if new.parts.len() > MAX_PARTS => return wrong("bulletin_ids", "at most 500 parts", "nhiều nhất 500 phần"),
        _ if gap > MAX_GAP => return wrong("gap_ms", "at most 600000 (10 minutes)", "nhiều nhất 600000 (10 phút)"),
        _ if fade_in > MAX_FADE => return wrong("fade_in_ms", "at most 30000", "nhiều nhất 30000"),
        _ if fade_out > MAX_FADE => return wrong("fade_out_ms", "at most 30000", "nhiều nhất 30000"),
        Some(take) if take == 0 || take as usize > new.parts.len() => {
            return wrong(
                "take",
                "at least 1 and at most as many as there are",
                "ít nhất 1 và nhiều nhất bằng số phần",
            );
        }
        _ => {}
    }
    title(&new.title)
}

/// Puts what is wanted in the place of what the playlist has, as another version.
async fn put(
    tx: &mut Transaction,
    now: UnixMicros,
    by: &User,
    id: BulletinId,
    new: &NewPlaylist,
) -> Result<Playlist, Error> {
    sqlx::query(
        "UPDATE playlists SET version = version + 1, gap = $1, fade_in = $2, fade_out = $3, take = $4, trouble = NULL, \
         changed_by = $5 WHERE bulletin_id = $6",
    )
    .bind(i64::from(new.joins.gap))
    .bind(i64::from(new.joins.fade_in))
    .bind(i64::from(new.joins.fade_out))
    .bind(new.take.map(i64::from))
    .bind(by.id.to_string())
    .bind(id.to_string())
    .execute(&mut **tx)
    .await?;
    sqlx::query("DELETE FROM playlist_parts WHERE playlist_id = $1")
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    let opening = new.opening.iter().map(|it| ("opening", "opening_id", it));
    let parts = new.parts.iter().map(|it| ("part", "bulletin_ids", it));
    let closing = new.closing.iter().map(|it| ("closing", "closing_id", it));
    let mut least = Class::Priority;
    for (position, (role, field, part)) in opening.chain(parts).chain(closing).enumerate() {
        let class = fitting(tx, now, field, *part).await?;
        if role == "part" {
            least = least.min(class);
        }
        sqlx::query("INSERT INTO playlist_parts (playlist_id, role, position, bulletin_id) VALUES ($1, $2, $3, $4)")
            .bind(id.to_string())
            .bind(role)
            .bind(integer(position as u64))
            .bind(part.to_string())
            .execute(&mut **tx)
            .await?;
    }
    let it = one(tx, id).await?.ok_or(Error::Missing("playlist"))?;
    let longest = longest(&it, now);
    if longest > MAX_SAMPLES {
        let form = Invalid::Form("at most 24 hours in all", "nhiều nhất 24 giờ tất cả");
        return Err(Error::invalid("bulletin_ids", form));
    }
    sqlx::query("UPDATE bulletins SET class = $1, samples = $2 WHERE id = $3")
        .bind(i64::from(least as u8))
        .bind(integer(longest))
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(Playlist { class: least, ..it })
}

/// The samples of its longest turn, as it is at `now`.
pub(super) fn longest(it: &Playlist, now: UnixMicros) -> u64 {
    let turns = (0..it.list.turns(now)).filter_map(|turn| it.list.row(now, turn));
    turns.map(|row| row.samples()).max().unwrap_or(0)
}

/// The class of a bulletin that may be a part: one with sound of its own, approved and no emergency.
async fn fitting(tx: &mut Transaction, now: UnixMicros, field: &'static str, id: BulletinId) -> Result<Class, Error> {
    let sql = format!(
        "SELECT title, class, state, expires FROM bulletins WHERE id = $1 AND deleted IS NULL AND format NOT IN {HIDDEN}"
    );
    // Both parts are constants.
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.to_string());
    let row = row.fetch_optional(&mut **tx).await?;
    let row = row.ok_or(Error::invalid(field, Invalid::Unknown))?;
    let class = class(&row)?;
    if class == Class::Emergency {
        let form = Invalid::Form(
            "of class normal or priority: emergencies are broadcast by themselves",
            "bản tin thông thường hoặc ưu tiên: bản tin khẩn cấp được phát riêng",
        );
        return Err(Error::invalid(field, form));
    }
    // What has expired drops out by itself.
    let expired = row.maybe_number("expires")?.is_some_and(|at| at <= now.0);
    if !expired && row.id("state", BulletinState::named)? != BulletinState::Approved {
        return Err(Error::Part {
            title: row.text("title")?,
            why: Refusal::NotApproved,
        });
    }
    Ok(class)
}

/// The playlist of that identifier, if there is one.
pub(super) async fn one(connection: &mut AnyConnection, id: BulletinId) -> Result<Option<Playlist>, Error> {
    Ok(read(connection, Some(id)).await?.pop())
}

/// All playlists, or the one of that identifier.
async fn read(connection: &mut AnyConnection, only: Option<BulletinId>) -> Result<Vec<Playlist>, Error> {
    let only = only.map_or_else(|| "%".to_owned(), |id| id.to_string());
    let rows = sqlx::query(
        "SELECT p.*, u.title AS title, u.class AS class, u.area_id AS area_id FROM playlists p \
         JOIN bulletins u ON u.id = p.bulletin_id WHERE p.bulletin_id LIKE $1 ORDER BY p.bulletin_id",
    );
    let rows = rows.bind(only.clone()).fetch_all(&mut *connection).await?;
    let mut all: BTreeMap<BulletinId, Playlist> = BTreeMap::new();
    for row in &rows {
        let it = read_one(row)?;
        all.insert(it.id, it);
    }
    let parts = sqlx::query(
        "SELECT p.playlist_id AS playlist_id, p.role AS role, u.id AS id, u.title AS title, u.samples AS samples, u.state AS state, \
         u.expires AS expires, u.deleted AS deleted, i.answer AS answer, i.valid_until AS valid_until FROM playlist_parts p \
         JOIN bulletins u ON u.id = p.bulletin_id JOIN bulletins l ON l.id = p.playlist_id \
         LEFT JOIN inbox i ON i.bulletin_id = u.id AND i.area_id = l.area_id \
         WHERE p.playlist_id LIKE $1 ORDER BY p.playlist_id, p.position",
    );
    for row in parts.bind(only.clone()).fetch_all(&mut *connection).await? {
        let Some(it) = all.get_mut(&row.id("playlist_id", BulletinId::parse)?) else {
            continue;
        };
        // What came from above is valid as long as those say who sent it, and gone once it was refused.
        let ends = [row.maybe_number("expires")?, row.maybe_number("valid_until")?];
        let refused = row.maybe_text("answer")?.is_some_and(|it| it == "refused");
        let part = Part {
            id: row.id("id", BulletinId::parse)?,
            samples: row.number("samples")?,
            expires: ends.into_iter().flatten().min().map(UnixMicros),
            there: !refused && row.maybe_number("deleted")?.is_none(),
            approved: row.id("state", BulletinState::named)? == BulletinState::Approved,
        };
        it.titles.insert(part.id, row.text("title")?);
        match row.text("role")?.as_str() {
            "opening" => it.list.opening = Some(part),
            "part" => it.list.parts.push(part),
            "closing" => it.list.closing = Some(part),
            _ => return Err(Error::Corrupt("role")),
        }
    }
    let turns = sqlx::query("SELECT playlist_id, recipe, bulletin_id FROM playlist_turns WHERE playlist_id LIKE $1");
    for row in turns.bind(only).fetch_all(&mut *connection).await? {
        if let Some(it) = all.get_mut(&row.id("playlist_id", BulletinId::parse)?) {
            it.made
                .insert(row.text("recipe")?, row.id("bulletin_id", BulletinId::parse)?);
        }
    }
    Ok(all.into_values().collect())
}

fn read_one(row: &AnyRow) -> Result<Playlist, Error> {
    let ms = |column| u32::try_from(row.number(column)?).map_err(|_| Error::Corrupt(column));
    Ok(Playlist {
        id: row.id("bulletin_id", BulletinId::parse)?,
        version: row.number("version")?,
        title: row.text("title")?,
        class: class(row)?,
        area: row.maybe_id("area_id", AreaId::parse)?,
        list: List {
            opening: None,
            parts: Vec::new(),
            closing: None,
            joins: Joins {
                gap: ms("gap")?,
                fade_in: ms("fade_in")?,
                fade_out: ms("fade_out")?,
            },
            take: row.maybe_number("take")?.map(|take| take as usize),
        },
        titles: BTreeMap::new(),
        made: BTreeMap::new(),
        trouble: row.maybe_text("trouble")?,
    })
}

/// What the record says of it.
fn shown(it: &Playlist) -> Value {
    let id = |part: &Option<Part<BulletinId>>| part.as_ref().map(|it| it.id.to_string());
    json!({
        "title": it.title,
        "opening_id": id(&it.list.opening),
        "bulletin_ids": it.list.parts.iter().map(|part| part.id.to_string()).collect::<Vec<_>>(),
        "closing_id": id(&it.list.closing),
        "gap_ms": it.list.joins.gap,
        "fade_in_ms": it.list.joins.fade_in,
        "fade_out_ms": it.list.joins.fade_out,
        "take": it.list.take,
        "version": it.version,
    })
}
