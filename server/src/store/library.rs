//! Bulletins in the library: what is known of them besides, their outline, until when they may be broadcast, and deleting
//! them. Not here: finding and adding them (`bulletins`), approving them (`approval`).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use loa_protocol::{BroadcastId, UnixMicros};
use serde_json::{Map, Value, json};
use sqlx::AnyPool;

use super::bulletins::title;
use super::error::{Invalid, Refusal};
use super::pool::Transaction;
use super::row::{Columns as _, micros, written};
use super::{
    Actor, Bulletin, BulletinId, BulletinState, Change, Entry, Error, More, PhraseId, ScheduleId, Store, approval,
    search,
};

/// Longest name of a folder, field or tag, in characters.
pub const MAX_NAME: usize = 100;
/// Tags that a bulletin has at most.
pub const MAX_TAGS: usize = 20;

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

/// What still needs a bulletin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Use {
    /// A broadcast that is scheduled or on the air, and its start.
    Broadcast(BroadcastId, UnixMicros),
    /// A schedule, and what it is called.
    Schedule(ScheduleId, String),
    /// A playlist that it is in, and what that is called.
    Playlist(BulletinId, String),
    /// A phrase that was recorded in it, and what it says.
    Phrase(PhraseId, String),
}

impl Store {
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

    /// Changes what a library knows of a bulletin; its sound and its class stay. Under another title it has to be approved again, since it
    /// was approved as what it was called: it is a draft then, and what was scheduled of it fails, and is given so that the air is told.
    /// Nothing else needs approval again: not folder, field, language, tags or expiry.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Invalid`]; when the database cannot.
    pub async fn change_bulletin(
        &self,
        actor: &Actor,
        now: UnixMicros,
        id: BulletinId,
        change: BulletinChange,
    ) -> Result<(Bulletin, Vec<BroadcastId>), Error> {
        let known = self.bulletin(id).await?;
        let mut new = changed(known.clone(), change)?;
        if new.title != known.title && matches!(known.state, BulletinState::Submitted | BulletinState::Approved) {
            new.state = BulletinState::Draft;
        }
        let (before, after) = differences(&known, &new);
        if after.is_empty() {
            return Ok((known, Vec::new()));
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
             searched = $7, state = $8 WHERE id = $9 AND state = $10 AND deleted IS NULL",
        )
        .bind(new.title.clone())
        .bind(new.folder.clone())
        .bind(new.field.clone())
        .bind(new.language.clone())
        .bind(lines(&new.tags))
        .bind(new.expires.map(micros))
        .bind(searched(&new))
        .bind(new.state.name())
        .bind(id.to_string())
        .bind(known.state.name())
        .execute(&mut **tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::State(Refusal::Changed));
        }
        let withdrawn = match new.state == known.state {
            true => Vec::new(),
            false => approval::withdraw(tx, now, id).await?,
        };
        work.more = More {
            area: known.area,
            before: Some(Value::Object(before)),
            after: Some(Value::Object(after)),
        };
        work.commit().await?;
        self.tell(Change::Bulletin(id));
        withdrawn.iter().for_each(|it| self.tell(Change::Broadcast(*it)));
        Ok((self.bulletin(id).await?, withdrawn))
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
pub(super) async fn uses(tx: &mut Transaction, id: BulletinId) -> Result<Vec<Use>, Error> {
    let rows = sqlx::query(
        "SELECT id, starts FROM broadcasts WHERE (bulletin_id = $1 OR id IN (SELECT broadcast_id FROM fallbacks \
         WHERE bulletin_id = $1)) AND (state IN ('scheduled', 'on_air') OR id IN (SELECT broadcast_id FROM repeats \
         WHERE next IS NOT NULL)) ORDER BY starts, id",
    )
    .bind(id.to_string())
    .fetch_all(&mut **tx)
    .await?;
    let mut uses = Vec::new();
    for row in &rows {
        uses.push(Use::Broadcast(
            row.id("id", BroadcastId::parse)?,
            row.instant("starts")?,
        ));
    }
    let schedules = "SELECT id, title FROM schedules WHERE removed IS NULL AND (bulletin_id = $1 \
         OR id IN (SELECT schedule_id FROM schedule_changes WHERE bulletin_id = $1)) ORDER BY id";
    for row in sqlx::query(schedules).bind(id.to_string()).fetch_all(&mut **tx).await? {
        uses.push(Use::Schedule(row.id("id", ScheduleId::parse)?, row.text("title")?));
    }
    let playlists = "SELECT id, title FROM bulletins WHERE id IN (SELECT playlist_id FROM playlist_parts WHERE bulletin_id = $1) ORDER BY id";
    for row in sqlx::query(playlists).bind(id.to_string()).fetch_all(&mut **tx).await? {
        uses.push(Use::Playlist(row.id("id", BulletinId::parse)?, row.text("title")?));
    }
    let phrases = sqlx::query("SELECT id, text FROM phrases WHERE bulletin_id = $1 ORDER BY id").bind(id.to_string());
    for row in phrases.fetch_all(&mut **tx).await? {
        uses.push(Use::Phrase(row.id("id", PhraseId::parse)?, row.text("text")?));
    }
    Ok(uses)
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
            "title": it.title, "state": it.state.name(), "folder": it.folder, "field": it.field, "language": it.language,
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
