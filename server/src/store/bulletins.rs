//! Bulletins: what is broadcast. Their sound lies in files; a row is there only once its files are. One that is deleted
//! keeps its row, without sound, for the record of the broadcasts that it was in.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use loa_protocol::precedence::Class;
use loa_protocol::{AreaId, BroadcastId, UnixMicros};
use serde_json::{Map, Value, json};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, AssertSqlSafe, SqlSafeStr as _};

use super::error::{Invalid, Refusal};
use super::pool::Transaction;
use super::row::{Columns as _, integer, micros, written};
use super::{Actor, BulletinId, Change, Entry, Error, More, Store, User, search};

/// Longest title, in characters.
pub const MAX_TITLE: usize = 200;
/// Longest name of a folder, field or tag, in characters.
pub const MAX_NAME: usize = 100;
/// Tags that a bulletin has at most.
pub const MAX_TAGS: usize = 20;

/// Whether a bulletin may be broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulletinState {
    /// Nobody has approved it.
    Draft,
    /// Somebody has.
    Approved,
}

impl BulletinState {
    /// Its name, in the database and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Approved => "approved",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Draft, Self::Approved]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// A bulletin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bulletin {
    /// Its identifier.
    pub id: BulletinId,
    /// Its title.
    pub title: String,
    /// How urgent it is.
    pub class: Class,
    /// Whether it may be broadcast.
    pub state: BulletinState,
    /// What kind of file was uploaded.
    pub format: String,
    /// Samples of sound, at 48 kHz.
    pub samples: u64,
    /// When it was uploaded.
    pub created: UnixMicros,
    /// Whose it is; none: of who may do everything everywhere.
    pub area: Option<AreaId>,
    /// Where it is put; folders in folders have a `/` between their names.
    pub folder: Option<String>,
    /// What it is about (lĩnh vực).
    pub field: Option<String>,
    /// Which language it is in (BCP 47).
    pub language: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// From when on it is not broadcast any more.
    pub expires: Option<UnixMicros>,
    /// Loudness of what was uploaded, in hundredths of a LUFS.
    pub source_loudness: Option<i64>,
    /// Loudness of the programme, in hundredths of a LUFS.
    pub loudness: Option<i64>,
    /// The oldest bulletin of the same area with the same sound, if that is another one.
    pub duplicate_of: Option<BulletinId>,
}

/// A bulletin whose files are in place.
#[derive(Debug, Clone)]
pub struct NewBulletin {
    /// Its identifier, which names its files.
    pub id: BulletinId,
    /// Its title.
    pub title: String,
    /// How urgent it is.
    pub class: Class,
    /// What kind of file was uploaded.
    pub format: &'static str,
    /// Samples of sound, at 48 kHz.
    pub samples: u64,
    /// Whose it is; none: of who may do everything everywhere.
    pub area: Option<AreaId>,
    /// What was measured of its sound.
    pub sound: Sound,
}

/// What was measured of a bulletin's sound.
#[derive(Debug, Clone, Default)]
pub struct Sound {
    /// SHA-256 of what was uploaded, decoded.
    pub fingerprint: Option<[u8; 32]>,
    /// Loudness of what was uploaded, in LUFS.
    pub source_loudness: Option<f64>,
    /// Loudness of the programme, in LUFS.
    pub loudness: Option<f64>,
    /// The programme's outline.
    pub peaks: Vec<u8>,
}

/// What to change of a bulletin: what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct BulletinChange {
    /// Another title.
    pub title: Option<String>,
    /// Another folder; none if empty.
    pub folder: Option<String>,
    /// Another field; none if empty.
    pub field: Option<String>,
    /// Another language.
    pub language: Option<String>,
    /// Other tags.
    pub tags: Option<Vec<String>>,
    /// Another expiry, or none any more.
    pub expires: Option<Option<UnixMicros>>,
}

/// Which bulletins are wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Words that are in title, folder, field or tags, with or without marks.
    pub search: String,
    /// This folder, or one in it.
    pub folder: Option<String>,
    /// This field.
    pub field: Option<String>,
    /// This language.
    pub language: Option<String>,
    /// With this tag.
    pub tag: Option<String>,
}

/// What still needs a bulletin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Use {
    /// A broadcast that is scheduled or on the air, and its start.
    Broadcast(BroadcastId, UnixMicros),
}

const SELECT: &str = "SELECT b.*, (SELECT MIN(o.id) FROM bulletins o WHERE o.fingerprint = b.fingerprint AND o.id < b.id \
    AND o.deleted IS NULL AND COALESCE(o.area_id, '') = COALESCE(b.area_id, '')) AS duplicate_of \
    FROM bulletins b WHERE b.deleted IS NULL ";

/// A title as it will be kept.
///
/// # Errors
/// [`Error::Invalid`] if it is empty, too long or no line of text.
pub fn title(text: &str) -> Result<String, Error> {
    written("title", text, MAX_TITLE)
}

impl Store {
    /// The last `most` bulletins that are `wanted` and `seen`, the newest first; those before `before` if given.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn bulletins(
        &self,
        before: Option<BulletinId>,
        most: u32,
        wanted: &Wanted,
        seen: &(dyn Fn(&Bulletin) -> bool + Sync),
    ) -> Result<Vec<Bulletin>, Error> {
        let words = search::patterns(&wanted.search);
        let mut sql = format!(
            "{SELECT} AND b.id < $1 AND ($2 = '' OR b.field = $2) AND ($3 = '' OR b.language = $3) \
             AND ($4 = '' OR b.folder = $4 OR b.folder LIKE $5 ESCAPE '\\') AND b.tags LIKE $6 ESCAPE '\\'"
        );
        for place in (7..).step_by(2).take(words.len()) {
            let other = place + 1;
            sql += &format!(" AND (b.searched LIKE ${place} ESCAPE '\\' OR b.searched LIKE ${other} ESCAPE '\\')");
        }
        sql += &format!(" ORDER BY b.id DESC LIMIT {most}");
        let exactly = |text: &Option<String>| text.clone().unwrap_or_default();
        let folder = exactly(&wanted.folder);
        let beneath = search::within(&format!("{folder}/"))[1..].to_owned();
        let tag = wanted
            .tag
            .as_ref()
            .map_or("%".into(), |tag| search::within(&format!("\n{tag}\n")));
        let mut bulletins = Vec::new();
        let mut last = before.map_or_else(|| "g".to_owned(), |id| id.to_string());
        while bulletins.len() < most as usize {
            // Only numbers were put into it.
            let mut query = sqlx::query(AssertSqlSafe(sql.clone()).into_sql_str())
                .bind(last.clone())
                .bind(exactly(&wanted.field))
                .bind(exactly(&wanted.language))
                .bind(folder.clone())
                .bind(beneath.clone())
                .bind(tag.clone());
            for pattern in words.iter().flatten() {
                query = query.bind(pattern.clone());
            }
            let rows = query.fetch_all(&self.pool).await?;
            let page = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
            if let Some(oldest) = page.last() {
                last = oldest.id.to_string();
            }
            let left = most as usize - bulletins.len();
            bulletins.extend(page.into_iter().filter(seen).take(left));
            if rows.len() < most as usize {
                break;
            }
        }
        Ok(bulletins)
    }

    /// The identifiers of all bulletins that have their sound.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn bulletin_ids(&self) -> Result<std::collections::HashSet<BulletinId>, Error> {
        let rows = sqlx::query("SELECT id FROM bulletins WHERE deleted IS NULL");
        let rows = rows.fetch_all(&self.pool).await?;
        rows.iter().map(|row| row.id("id", BulletinId::parse)).collect()
    }

    /// One bulletin.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot be read.
    pub async fn bulletin(&self, id: BulletinId) -> Result<Bulletin, Error> {
        let sql = AssertSqlSafe(format!("{SELECT} AND b.id = $1"));
        let row = sqlx::query(sql.into_sql_str())
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read).transpose()?.ok_or(Error::Missing("bulletin"))
    }

    /// Adds a bulletin, not approved.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a field that is wrong; when the database cannot.
    pub async fn add_bulletin(
        &self,
        actor: &Actor,
        now: UnixMicros,
        by: &User,
        new: NewBulletin,
    ) -> Result<Bulletin, Error> {
        let title = title(&new.title)?;
        let fingerprint = new.sound.fingerprint.map(hex);
        let entry = Entry {
            at: now,
            actor,
            what: "bulletin.upload",
            subject: new.id.to_string(),
            detail: title.clone(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        sqlx::query(
            "INSERT INTO bulletins (id, title, class, state, format, samples, created, created_by, area_id, searched, \
             fingerprint, source_loudness, loudness) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        )
        .bind(new.id.to_string())
        .bind(title.clone())
        .bind(i64::from(new.class as u8))
        .bind(BulletinState::Draft.name())
        .bind(new.format)
        .bind(integer(new.samples))
        .bind(micros(now))
        .bind(by.id.to_string())
        .bind(new.area.map(|area| area.to_string()))
        .bind(search::index(&title))
        .bind(fingerprint.clone())
        .bind(new.sound.source_loudness.map(hundredths))
        .bind(new.sound.loudness.map(hundredths))
        .execute(&mut **tx)
        .await?;
        sqlx::query("INSERT INTO outlines (bulletin_id, peaks) VALUES ($1, $2)")
            .bind(new.id.to_string())
            .bind(BASE64_STANDARD.encode(&new.sound.peaks))
            .execute(&mut **tx)
            .await?;
        work.more = More {
            area: new.area,
            before: None,
            after: Some(json!({
                "title": work.entry.detail,
                "class": format!("{:?}", new.class).to_lowercase(),
                "format": new.format,
                "samples": new.samples,
                // Tells for ever what it was, should its sound be deleted.
                "fingerprint": fingerprint,
            })),
        };
        work.commit().await?;
        self.tell(Change::Bulletin(new.id));
        self.bulletin(new.id).await
    }

    /// Approves a bulletin; one that is approved stays as it is.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot.
    pub async fn approve(&self, actor: &Actor, now: UnixMicros, by: &User, id: BulletinId) -> Result<Bulletin, Error> {
        let known = self.bulletin(id).await?;
        if known.state == BulletinState::Approved {
            return Ok(known);
        }
        let (subject, detail) = (id.to_string(), String::new());
        let mut work = self
            .begin(Entry {
                at: now,
                actor,
                what: "bulletin.approve",
                subject,
                detail,
            })
            .await?;
        let tx = &mut work.tx;
        sqlx::query("UPDATE bulletins SET state = $1, approved = $2, approved_by = $3 WHERE id = $4")
            .bind(BulletinState::Approved.name())
            .bind(micros(now))
            .bind(by.id.to_string())
            .bind(id.to_string())
            .execute(&mut **tx)
            .await?;
        let state = |state: BulletinState| Some(json!({ "state": state.name() }));
        work.more = More {
            area: known.area,
            before: state(known.state),
            after: state(BulletinState::Approved),
        };
        work.commit().await?;
        self.tell(Change::Bulletin(id));
        self.bulletin(id).await
    }

    /// The outline of a bulletin's sound; empty if none was drawn when it came.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn peaks(&self, id: BulletinId) -> Result<Vec<u8>, Error> {
        let row = sqlx::query("SELECT peaks FROM outlines WHERE bulletin_id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        let text = row.map(|row| row.text("peaks")).transpose()?.unwrap_or_default();
        BASE64_STANDARD.decode(text).map_err(|_| Error::Corrupt("peaks"))
    }

    /// Changes what a library knows of a bulletin; its sound stays.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Invalid`]; when the database cannot.
    pub async fn change_bulletin(
        &self,
        actor: &Actor,
        now: UnixMicros,
        id: BulletinId,
        change: BulletinChange,
    ) -> Result<Bulletin, Error> {
        let known = self.bulletin(id).await?;
        let new = changed(known.clone(), change)?;
        let (before, after) = differences(&known, &new);
        if after.is_empty() {
            return Ok(known);
        }
        let entry = Entry {
            at: now,
            actor,
            what: "bulletin.change",
            subject: id.to_string(),
            detail: new.title.clone(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        let done = sqlx::query(
            "UPDATE bulletins SET title = $1, folder = $2, field = $3, language = $4, tags = $5, expires = $6, \
             searched = $7 WHERE id = $8 AND deleted IS NULL",
        )
        .bind(new.title.clone())
        .bind(new.folder.clone())
        .bind(new.field.clone())
        .bind(new.language.clone())
        .bind(lines(&new.tags))
        .bind(new.expires.map(micros))
        .bind(searched(&new))
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::Missing("bulletin"));
        }
        work.more = More {
            area: known.area,
            before: Some(Value::Object(before)),
            after: Some(Value::Object(after)),
        };
        work.commit().await?;
        self.tell(Change::Bulletin(id));
        self.bulletin(id).await
    }

    /// Deletes a bulletin, unless something still needs it: that is given then. Its files are to be removed afterwards.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot.
    pub async fn delete_bulletin(
        &self,
        actor: &Actor,
        now: UnixMicros,
        id: BulletinId,
    ) -> Result<Result<(), Vec<Use>>, Error> {
        let known = self.bulletin(id).await?;
        let entry = Entry {
            at: now,
            actor,
            what: "bulletin.delete",
            subject: id.to_string(),
            detail: known.title.clone(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        let uses = uses(tx, id).await?;
        if !uses.is_empty() {
            return Ok(Err(uses));
        }
        let done = sqlx::query("UPDATE bulletins SET deleted = $1 WHERE id = $2 AND deleted IS NULL")
            .bind(micros(now))
            .bind(id.to_string())
            .execute(&mut **tx)
            .await?;
        if done.rows_affected() == 0 {
            return Err(Error::Missing("bulletin"));
        }
        sqlx::query("DELETE FROM outlines WHERE bulletin_id = $1")
            .bind(id.to_string())
            .execute(&mut **tx)
            .await?;
        work.more = More {
            area: known.area,
            before: Some(json!({ "title": known.title, "state": known.state.name() })),
            after: None,
        };
        work.commit().await?;
        self.tell(Change::Bulletin(id));
        Ok(Ok(()))
    }
}

/// All that still needs a bulletin: whatever comes to refer to bulletins is asked here.
async fn uses(tx: &mut Transaction, id: BulletinId) -> Result<Vec<Use>, Error> {
    let rows = sqlx::query(
        "SELECT id, starts FROM broadcasts WHERE bulletin_id = $1 AND state IN ('scheduled', 'on_air') ORDER BY starts, id",
    )
    .bind(id.to_string())
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Use::Broadcast(
                row.id("id", BroadcastId::parse)?,
                row.instant("starts")?,
            ))
        })
        .collect()
}

/// That a bulletin is there to be broadcast from `start` on, as the transaction sees it.
pub(super) async fn usable(tx: &mut Transaction, id: BulletinId, start: UnixMicros) -> Result<(), Error> {
    let row = sqlx::query("SELECT expires FROM bulletins WHERE id = $1 AND deleted IS NULL")
        .bind(id.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    let expires = row.ok_or(Error::Missing("bulletin"))?.maybe_number("expires")?;
    match expires.is_some_and(|expires| expires <= start.0) {
        true => Err(Error::State(Refusal::Expired)),
        false => Ok(()),
    }
}

/// Makes what bulletins are searched by where it was not made: they are from before there was search.
pub(super) async fn adopt(pool: &AnyPool) -> Result<(), Error> {
    let rows = sqlx::query("SELECT id, title FROM bulletins WHERE searched IS NULL");
    for row in rows.fetch_all(pool).await? {
        sqlx::query("UPDATE bulletins SET searched = $1 WHERE id = $2 AND searched IS NULL")
            .bind(search::index(&row.text("title")?))
            .bind(row.text("id")?)
            .execute(pool)
            .await?;
    }
    Ok(())
}

/// What a bulletin becomes by a change, judged.
fn changed(mut it: Bulletin, change: BulletinChange) -> Result<Bulletin, Error> {
    let name = |field, text: String| match text.trim().is_empty() {
        true => Ok(None),
        false => written(field, &text, MAX_NAME).map(Some),
    };
    if let Some(text) = change.title {
        it.title = title(&text)?;
    }
    if let Some(text) = change.folder {
        it.folder = name("folder", text)?;
        let parts = it.folder.iter().flat_map(|folder| folder.split('/'));
        if parts.into_iter().any(|part| part.trim() != part || part.is_empty()) {
            let form = Invalid::Form(
                "names of folders with a / between them",
                "tên các thư mục, cách nhau bằng dấu /",
            );
            return Err(Error::invalid("folder", form));
        }
    }
    if let Some(text) = change.field {
        it.field = name("field", text)?;
    }
    if let Some(text) = change.language {
        it.language = language(&text)?;
    }
    if let Some(tags) = change.tags {
        if tags.len() > MAX_TAGS {
            let form = Invalid::Form("at most 20 tags", "nhiều nhất 20 nhãn");
            return Err(Error::invalid("tags", form));
        }
        let tags = tags.iter().map(|tag| written("tags", tag, MAX_NAME));
        it.tags = tags.collect::<Result<_, _>>()?;
        it.tags.sort();
        it.tags.dedup();
    }
    if let Some(expires) = change.expires {
        it.expires = expires;
    }
    Ok(it)
}

/// A language tag of the form of BCP 47, such as `vi` or `hmn-Latn`.
fn language(text: &str) -> Result<String, Error> {
    let part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_alphanumeric());
    let first = text.split('-').next().unwrap_or_default();
    let fits = (2..=3).contains(&first.len()) && first.bytes().all(|c| c.is_ascii_lowercase());
    if fits && text.len() <= 35 && text.split('-').all(part) {
        return Ok(text.to_owned());
    }
    let form = Invalid::Form(
        "a language tag such as vi, en or hmn",
        "mã ngôn ngữ như vi, en hoặc hmn",
    );
    Err(Error::invalid("language", form))
}

/// The fields that differ, as they were and as they are.
fn differences(before: &Bulletin, after: &Bulletin) -> (Map<String, Value>, Map<String, Value>) {
    let fields = |it: &Bulletin| {
        json!({
            "title": it.title, "folder": it.folder, "field": it.field, "language": it.language,
            "tags": it.tags, "expires": it.expires.map(|at| at.0),
        })
    };
    let (mut old, mut new) = (Map::new(), Map::new());
    if let (Value::Object(before), Value::Object(after)) = (fields(before), fields(after)) {
        for ((name, was), (_, is)) in before.into_iter().zip(after).filter(|(was, is)| was.1 != is.1) {
            old.insert(name.clone(), was);
            new.insert(name, is);
        }
    }
    (old, new)
}

fn searched(it: &Bulletin) -> String {
    let texts = [Some(&it.title), it.folder.as_ref(), it.field.as_ref()];
    let all: Vec<&str> = texts
        .into_iter()
        .flatten()
        .chain(&it.tags)
        .map(String::as_str)
        .collect();
    search::index(&all.join("\n"))
}

/// Tags as they are kept.
fn lines(tags: &[String]) -> String {
    tags.iter().fold(String::from("\n"), |lines, tag| lines + tag + "\n")
}

fn hundredths(lufs: f64) -> i64 {
    (lufs * 100.0).round() as i64
}

fn hex(bytes: [u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(row: &AnyRow) -> Result<Bulletin, Error> {
    Ok(Bulletin {
        id: row.id("id", BulletinId::parse)?,
        title: row.text("title")?,
        class: class(row)?,
        state: row.id("state", BulletinState::named)?,
        format: row.text("format")?,
        samples: row.number("samples")?,
        created: row.instant("created")?,
        area: row.maybe_id("area_id", AreaId::parse)?,
        folder: row.maybe_text("folder")?,
        field: row.maybe_text("field")?,
        language: row.text("language")?,
        tags: row
            .text("tags")?
            .lines()
            .filter(|tag| !tag.is_empty())
            .map(String::from)
            .collect(),
        expires: row.maybe_number("expires")?.map(UnixMicros),
        source_loudness: row.maybe_number("source_loudness")?.map(u64::cast_signed),
        loudness: row.maybe_number("loudness")?.map(u64::cast_signed),
        duplicate_of: row.maybe_id("duplicate_of", BulletinId::parse)?,
    })
}

pub(super) fn class(row: &AnyRow) -> Result<Class, Error> {
    let number = u8::try_from(row.number("class")?).map_err(|_| Error::Corrupt("class"))?;
    Class::try_from(number).map_err(|_| Error::Corrupt("class"))
}
