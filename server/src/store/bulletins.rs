//! Bulletins: what is broadcast. Their sound lies in files; a row is there only once its files are. One that is deleted
//! keeps its row, without sound, for the record of the broadcasts that it was in. Not here: whether it may be broadcast
//! (`approval`), what is known of it besides (`library`), sending it to areas below (`inbox`).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use loa_protocol::precedence::Class;
use loa_protocol::{AreaId, UnixMicros};
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use super::playlists::{PLAYLIST, TURN};
use super::row::{Columns as _, integer, micros, written};
use super::sources::HIDDEN;
use super::speech::{BulletinText, keep_text};
use super::{Actor, BulletinId, Change, Entry, Error, More, Store, User, UserId, search};

/// Longest title, in characters.
pub const MAX_TITLE: usize = 200;

/// Whether a bulletin may be broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulletinState {
    /// Nobody has approved it, and nobody was asked to.
    Draft,
    /// Somebody asks for approval.
    Submitted,
    /// It may.
    Approved,
    /// It may not, and was told why.
    Refused,
}

impl BulletinState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Submitted, Self::Approved, Self::Refused];

    /// Its name, in the database and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Submitted => "submitted",
            Self::Approved => "approved",
            Self::Refused => "refused",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
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
    /// Why it may not, if somebody said so.
    pub refusal: Option<String>,
    /// What kind of file was uploaded.
    pub format: String,
    /// Samples of sound, at 48 kHz.
    pub samples: u64,
    /// When it was uploaded.
    pub created: UnixMicros,
    /// Who made it.
    pub author: UserId,
    /// Whose it is; none: of who may do everything everywhere.
    pub area: Option<AreaId>,
    /// Areas below that it was sent to.
    pub sent_to: Vec<AreaId>,
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

impl Bulletin {
    /// Whether it stands for a playlist, or was composed of one: people change playlists, not these.
    pub fn is_composed(&self) -> bool {
        self.format == PLAYLIST || self.format == TURN
    }
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
    /// What it says, if it was typed.
    pub text: Option<BulletinText>,
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
    /// In this state.
    pub state: Option<BulletinState>,
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
            "{SELECT} AND b.format NOT IN {HIDDEN} AND b.id < $1 AND ($2 = '' OR b.field = $2) AND ($3 = '' OR b.language = $3) \
             AND ($4 = '' OR b.folder = $4 OR b.folder LIKE $5 ESCAPE '\\') AND b.tags LIKE $6 ESCAPE '\\' AND ($7 = '' OR b.state = $7)"
        );
        for place in (8..).step_by(2).take(words.len()) {
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
                .bind(tag.clone())
                .bind(wanted.state.map_or("", BulletinState::name));
            for pattern in words.iter().flatten() {
                query = query.bind(pattern.clone());
            }
            let rows = query.fetch_all(&self.pool).await?;
            let mut page = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
            self.fill_sent(&mut page).await?;
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
        let mut found = [row.as_ref().map(read).transpose()?.ok_or(Error::Missing("bulletin"))?];
        self.fill_sent(&mut found).await?;
        let [found] = found;
        Ok(found)
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
            what: if new.text.is_some() {
                "bulletin.speak"
            } else {
                "bulletin.upload"
            },
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
        if let Some(text) = &new.text {
            keep_text(&mut work, new.id, text).await?;
        }
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
}

fn hundredths(lufs: f64) -> i64 {
    (lufs * 100.0).round() as i64
}

fn hex(bytes: [u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(row: &AnyRow) -> Result<Bulletin, Error> {
    let state = row.id("state", BulletinState::named)?;
    Ok(Bulletin {
        id: row.id("id", BulletinId::parse)?,
        title: row.text("title")?,
        class: class(row)?,
        state,
        refusal: row.maybe_text("refusal")?.filter(|_| state == BulletinState::Refused),
        format: row.text("format")?,
        samples: row.number("samples")?,
        created: row.instant("created")?,
        author: row.id("created_by", UserId::parse)?,
        sent_to: Vec::new(),
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
