//! Bulletins: what is broadcast. Their sound lies in files; a row is there only once its files are.

use loa_protocol::precedence::Class;
use loa_protocol::{AreaId, UnixMicros};
use serde_json::json;
use sqlx::any::AnyRow;

use super::row::{Columns as _, integer, micros, written};
use super::sources::SOUNDLESS;
use super::{Actor, BulletinId, Change, Entry, Error, More, Store, User};

/// Longest title, in characters.
pub const MAX_TITLE: usize = 200;

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
}

/// A title as it will be kept.
///
/// # Errors
/// [`Error::Invalid`] if it is empty, too long or no line of text.
pub fn title(text: &str) -> Result<String, Error> {
    written("title", text, MAX_TITLE)
}

impl Store {
    /// The last `most` bulletins that are `seen`, the newest first; those before `before` if given.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn bulletins(
        &self,
        before: Option<BulletinId>,
        most: u32,
        seen: &(dyn Fn(&Bulletin) -> bool + Sync),
    ) -> Result<Vec<Bulletin>, Error> {
        let mut bulletins = Vec::new();
        let mut last = before.map_or_else(|| "g".to_owned(), |id| id.to_string());
        while bulletins.len() < most as usize {
            let query = format!(
                "SELECT * FROM bulletins WHERE id < $1 AND format NOT IN {SOUNDLESS} ORDER BY id DESC LIMIT $2"
            );
            // All of it is constant.
            let rows = sqlx::query(sqlx::AssertSqlSafe(query))
                .bind(last.clone())
                .bind(i64::from(most))
                .fetch_all(&self.pool)
                .await?;
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

    /// The identifiers of all bulletins.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn bulletin_ids(&self) -> Result<std::collections::HashSet<BulletinId>, Error> {
        let rows = sqlx::query("SELECT id FROM bulletins").fetch_all(&self.pool).await?;
        rows.iter().map(|row| row.id("id", BulletinId::parse)).collect()
    }

    /// One bulletin.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot be read.
    pub async fn bulletin(&self, id: BulletinId) -> Result<Bulletin, Error> {
        let row = sqlx::query("SELECT * FROM bulletins WHERE id = $1")
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
            "INSERT INTO bulletins (id, title, class, state, format, samples, created, created_by, area_id) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(new.id.to_string())
        .bind(title)
        .bind(i64::from(new.class as u8))
        .bind(BulletinState::Draft.name())
        .bind(new.format)
        .bind(integer(new.samples))
        .bind(micros(now))
        .bind(by.id.to_string())
        .bind(new.area.map(|area| area.to_string()))
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
    })
}

pub(super) fn class(row: &AnyRow) -> Result<Class, Error> {
    let number = u8::try_from(row.number("class")?).map_err(|_| Error::Corrupt("class"))?;
    Class::try_from(number).map_err(|_| Error::Corrupt("class"))
}
