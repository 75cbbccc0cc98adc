//! Speech from text. Here: how officers want words read, recorded phrases, and what typed bulletins say. Not here: reading
//! and speaking (`speech`), the sound itself, which is a bulletin's.

use loa_protocol::{AreaId, UnixMicros};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::any::AnyRow;

use super::error::Invalid;
use super::row::{Columns as _, integer, micros, written};
use super::{Actor, BulletinId, Entry, Error, PhraseId, ReadingId, Store, User, Work, ids};
use crate::speech::Language;

/// Longest word or phrase with a reading of its own, in characters.
pub const MAX_WORD: usize = 80;
/// Longest reading, in characters.
pub const MAX_READING: usize = 200;
/// Longest recorded phrase, written down, in characters.
pub const MAX_PHRASE: usize = 1000;

/// How a word is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Its identifier.
    pub id: ReadingId,
    /// Where it holds, and below; none: everywhere.
    pub area: Option<AreaId>,
    /// What is written.
    pub word: String,
    /// What is said.
    pub reading: String,
    /// When it was added.
    pub created: UnixMicros,
}

/// A phrase that somebody recorded, in a language that no engine speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    /// Its identifier.
    pub id: PhraseId,
    /// Whose it is; none: of who may do everything everywhere.
    pub area: Option<AreaId>,
    /// Its language.
    pub language: Language,
    /// What is said, in that language.
    pub text: String,
    /// The same in Vietnamese.
    pub meaning: String,
    /// The bulletin that is the recording.
    pub bulletin: BulletinId,
    /// When it was added.
    pub created: UnixMicros,
}

/// A phrase to be added.
#[derive(Debug, Clone)]
pub struct NewPhrase {
    /// Whose it is; none: of who may do everything everywhere.
    pub area: Option<AreaId>,
    /// Its language.
    pub language: Language,
    /// What is said, in that language.
    pub text: String,
    /// The same in Vietnamese.
    pub meaning: String,
    /// The bulletin that is the recording.
    pub bulletin: BulletinId,
}

/// What a typed bulletin says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulletinText {
    /// Its parts, in order.
    pub parts: Vec<TextPart>,
    /// Silence between two parts, in milliseconds.
    pub gap_ms: u32,
}

/// A part of what a typed bulletin says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextPart {
    /// Its language.
    pub language: String,
    /// What was typed, or what the phrase says.
    pub text: String,
    /// What was said for it, by which engine; none: the phrase was played.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// The engine that said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// The phrase that was played.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phrase: Option<String>,
}

impl Store {
    /// All readings, by word.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn readings(&self) -> Result<Vec<Reading>, Error> {
        let rows = sqlx::query("SELECT * FROM readings ORDER BY word, id");
        rows.fetch_all(&self.pool).await?.iter().map(reading).collect()
    }

    /// One reading.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot be read.
    pub async fn reading(&self, id: ReadingId) -> Result<Reading, Error> {
        let row = sqlx::query("SELECT * FROM readings WHERE id = $1").bind(id.to_string());
        let row = row.fetch_optional(&self.pool).await?;
        row.as_ref().map(reading).transpose()?.ok_or(Error::Missing("reading"))
    }

    /// Adds a reading.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a word that has one there already; when the database cannot.
    pub async fn add_reading(
        &self,
        actor: &Actor,
        now: UnixMicros,
        by: &User,
        area: Option<AreaId>,
        (word, said): (&str, &str),
    ) -> Result<Reading, Error> {
        let it = Reading {
            id: ReadingId(ids::fresh(now)),
            area,
            word: written("word", word, MAX_WORD)?,
            reading: written("reading", said, MAX_READING)?,
            created: now,
        };
        let mut work = self
            .speech("reading.add", actor, now, it.id.to_string(), it.word.clone())
            .await?;
        work.more.area = area;
        work.more.after = Some(json!({ "word": it.word, "reading": it.reading }));
        sqlx::query(
            "INSERT INTO readings (id, area_id, word, reading, created, created_by) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(it.id.to_string())
        .bind(area.map(|id| id.to_string()))
        .bind(it.word.clone())
        .bind(it.reading.clone())
        .bind(micros(now))
        .bind(by.id.to_string())
        .execute(&mut *work.tx)
        .await
        .map_err(Error::taken("word"))?;
        work.commit().await?;
        Ok(it)
    }

    /// Removes a reading.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot.
    pub async fn remove_reading(&self, actor: &Actor, now: UnixMicros, id: ReadingId) -> Result<(), Error> {
        let it = self.reading(id).await?;
        let mut work = self
            .speech("reading.remove", actor, now, id.to_string(), it.word.clone())
            .await?;
        work.more.area = it.area;
        work.more.before = Some(json!({ "word": it.word, "reading": it.reading }));
        let gone = sqlx::query("DELETE FROM readings WHERE id = $1").bind(id.to_string());
        if gone.execute(&mut *work.tx).await?.rows_affected() == 0 {
            return Err(Error::Missing("reading"));
        }
        work.commit().await
    }

    /// All recorded phrases, by language and meaning.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn phrases(&self) -> Result<Vec<Phrase>, Error> {
        let rows = sqlx::query("SELECT * FROM phrases ORDER BY language, meaning, id");
        rows.fetch_all(&self.pool).await?.iter().map(phrase).collect()
    }

    /// One recorded phrase.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot be read.
    pub async fn phrase(&self, id: PhraseId) -> Result<Phrase, Error> {
        let row = sqlx::query("SELECT * FROM phrases WHERE id = $1").bind(id.to_string());
        let row = row.fetch_optional(&self.pool).await?;
        row.as_ref().map(phrase).transpose()?.ok_or(Error::Missing("phrase"))
    }

    /// Adds a recorded phrase.
    ///
    /// # Errors
    /// [`Error::Invalid`] for one that is there already; when the database cannot.
    pub async fn add_phrase(&self, actor: &Actor, now: UnixMicros, by: &User, new: NewPhrase) -> Result<Phrase, Error> {
        let it = Phrase {
            id: PhraseId(ids::fresh(now)),
            area: new.area,
            language: new.language,
            text: written("text", &new.text, MAX_PHRASE)?,
            meaning: written("meaning", &new.meaning, MAX_PHRASE)?,
            bulletin: new.bulletin,
            created: now,
        };
        let mut work = self
            .speech("phrase.add", actor, now, it.id.to_string(), it.text.clone())
            .await?;
        work.more.area = it.area;
        work.more.after = Some(said_of(&it));
        sqlx::query(
            "INSERT INTO phrases (id, area_id, language, text, meaning, bulletin_id, created, created_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(it.id.to_string())
        .bind(it.area.map(|id| id.to_string()))
        .bind(it.language.tag().to_owned())
        .bind(it.text.clone())
        .bind(it.meaning.clone())
        .bind(it.bulletin.to_string())
        .bind(micros(now))
        .bind(by.id.to_string())
        .execute(&mut *work.tx)
        .await
        .map_err(Error::taken("text"))?;
        work.commit().await?;
        Ok(it)
    }

    /// Changes what a recorded phrase is said to say; what is absent stays.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Invalid`]; when the database cannot.
    pub async fn change_phrase(
        &self,
        actor: &Actor,
        now: UnixMicros,
        id: PhraseId,
        (text, meaning): (Option<&str>, Option<&str>),
    ) -> Result<Phrase, Error> {
        let before = self.phrase(id).await?;
        let mut it = before.clone();
        if let Some(text) = text {
            it.text = written("text", text, MAX_PHRASE)?;
        }
        if let Some(meaning) = meaning {
            it.meaning = written("meaning", meaning, MAX_PHRASE)?;
        }
        if it == before {
            return Ok(it);
        }
        let mut work = self
            .speech("phrase.change", actor, now, id.to_string(), it.text.clone())
            .await?;
        work.more.area = it.area;
        work.more.before = Some(said_of(&before));
        work.more.after = Some(said_of(&it));
        let changed = sqlx::query("UPDATE phrases SET text = $1, meaning = $2 WHERE id = $3")
            .bind(it.text.clone())
            .bind(it.meaning.clone())
            .bind(id.to_string())
            .execute(&mut *work.tx)
            .await
            .map_err(Error::taken("text"))?;
        if changed.rows_affected() == 0 {
            return Err(Error::Missing("phrase"));
        }
        work.commit().await?;
        Ok(it)
    }

    /// Removes a recorded phrase; its recording stays.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot.
    pub async fn remove_phrase(&self, actor: &Actor, now: UnixMicros, id: PhraseId) -> Result<(), Error> {
        let it = self.phrase(id).await?;
        let mut work = self
            .speech("phrase.remove", actor, now, id.to_string(), it.text.clone())
            .await?;
        work.more.area = it.area;
        work.more.before = Some(said_of(&it));
        let gone = sqlx::query("DELETE FROM phrases WHERE id = $1").bind(id.to_string());
        if gone.execute(&mut *work.tx).await?.rows_affected() == 0 {
            return Err(Error::Missing("phrase"));
        }
        work.commit().await
    }

    /// What a typed bulletin says.
    ///
    /// # Errors
    /// [`Error::Missing`] if it was not typed; when the database cannot be read.
    pub async fn bulletin_text(&self, id: BulletinId) -> Result<BulletinText, Error> {
        let row = sqlx::query("SELECT * FROM bulletin_texts WHERE bulletin_id = $1").bind(id.to_string());
        let row = row.fetch_optional(&self.pool).await?.ok_or(Error::Missing("text"))?;
        Ok(BulletinText {
            parts: serde_json::from_str(&row.text("parts")?).map_err(|_| Error::Corrupt("parts"))?,
            gap_ms: u32::try_from(row.number("gap_ms")?).map_err(|_| Error::Corrupt("gap_ms"))?,
        })
    }

    async fn speech<'a>(
        &'a self,
        what: &'static str,
        actor: &'a Actor,
        at: UnixMicros,
        subject: String,
        detail: String,
    ) -> Result<Work<'a>, Error> {
        let entry = Entry {
            at,
            actor,
            what,
            subject,
            detail,
        };
        self.begin(entry).await
    }
}

/// Keeps what a bulletin says, with the bulletin.
pub(super) async fn keep_text(work: &mut Work<'_>, id: BulletinId, text: &BulletinText) -> Result<(), Error> {
    sqlx::query("INSERT INTO bulletin_texts (bulletin_id, parts, gap_ms) VALUES ($1, $2, $3)")
        .bind(id.to_string())
        .bind(serde_json::to_string(&text.parts).expect("parts are JSON"))
        .bind(integer(u64::from(text.gap_ms)))
        .execute(&mut *work.tx)
        .await?;
    Ok(())
}

fn said_of(it: &Phrase) -> serde_json::Value {
    json!({
        "language": it.language.tag(), "text": it.text, "meaning": it.meaning, "bulletin_id": it.bulletin.to_string(),
    })
}

fn reading(row: &AnyRow) -> Result<Reading, Error> {
    Ok(Reading {
        id: row.id("id", ReadingId::parse)?,
        area: row.maybe_id("area_id", AreaId::parse)?,
        word: row.text("word")?,
        reading: row.text("reading")?,
        created: row.instant("created")?,
    })
}

fn phrase(row: &AnyRow) -> Result<Phrase, Error> {
    Ok(Phrase {
        id: row.id("id", PhraseId::parse)?,
        area: row.maybe_id("area_id", AreaId::parse)?,
        language: row.id("language", Language::parse)?,
        text: row.text("text")?,
        meaning: row.text("meaning")?,
        bulletin: row.id("bulletin_id", BulletinId::parse)?,
        created: row.instant("created")?,
    })
}

/// What officers type: composed (NFC), of at most `most` characters, without control characters but line breaks and tabs.
///
/// # Errors
/// [`Error::Invalid`] for text that is none.
pub fn typed(field: &'static str, text: &str, most: usize) -> Result<String, Error> {
    use unicode_normalization::UnicodeNormalization as _;
    let text: String = text.trim().nfc().collect();
    if text.is_empty() {
        return Err(Error::invalid(field, Invalid::Empty));
    }
    if text.chars().count() > most {
        return Err(Error::invalid(field, Invalid::Long(most)));
    }
    match text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        true => {
            let form = Invalid::Form("text without control characters", "văn bản không có ký tự điều khiển");
            Err(Error::invalid(field, form))
        }
        false => Ok(text),
    }
}
