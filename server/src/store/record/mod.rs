//! The record: who did what, to what, when, from where, and what happened on the air. Entries are added with the change
//! that they tell of, in the same transaction, one after the other, each bound to the one before it ([`chain`]). Nothing
//! changes them; [`prune`] takes the oldest away where the settings say so.
//!
//! Not here: how they are printed (`cli::audit`, `http`), apart from making text harmless ([`visible`]).

pub mod chain;
pub mod prune;
#[cfg(test)]
mod tests;
mod visible;

use loa_protocol::{AreaId, UnixMicros};
use serde_json::Value;
use sqlx::any::AnyRow;

pub use chain::{Fault, Head, Verdict};
pub use prune::Pruned;
pub(crate) use visible::steers;
pub use visible::{cell, visible};

use super::pool::{self, Kind, Transaction};
use super::row::{Columns as _, micros};
use super::{Error, Store};

/// Who does something, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// User name; `-` for the server itself and for who has no name yet.
    pub who: String,
    /// Network address, `command line` or `server`.
    pub origin: String,
}

impl Actor {
    /// The server itself.
    pub fn server() -> Self {
        Self {
            who: "-".into(),
            origin: "server".into(),
        }
    }
}

/// An entry to be added.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// When.
    pub at: UnixMicros,
    /// Who, and from where.
    pub actor: &'a Actor,
    /// What, as `thing.verb`.
    pub what: &'static str,
    /// The identifier of what it was done to.
    pub subject: String,
    /// What more there is to say.
    pub detail: String,
}

/// What an entry says besides, where there is something to say. Never a secret.
#[derive(Debug, Clone, Default)]
pub struct More {
    /// The area that it concerns; none: all of them, or nobody's.
    pub area: Option<AreaId>,
    /// What there was of what changed.
    pub before: Option<Value>,
    /// What has become of it.
    pub after: Option<Value>,
}

/// An entry of the record, as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Rises by one, without gaps.
    pub number: u64,
    /// Binds it to all before it; see [`chain`].
    pub hash: [u8; 32],
    /// When.
    pub at: UnixMicros,
    /// Who, and from where.
    pub actor: Actor,
    /// What, as `thing.verb`.
    pub what: String,
    /// The identifier of what it was done to.
    pub subject: String,
    /// The area that it concerns.
    pub area: Option<AreaId>,
    /// What there was of what changed, as JSON.
    pub before: Option<String>,
    /// What has become of it, as JSON.
    pub after: Option<String>,
    /// What more there is to say.
    pub detail: String,
}

/// Which entries are asked for; what is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those with a lower number.
    pub before: Option<u64>,
    /// Those from then on.
    pub since: Option<UnixMicros>,
    /// Those until then (then not included).
    pub until: Option<UnixMicros>,
    /// Those of that user name.
    pub who: Option<String>,
    /// Those that begin so: `broadcast`, `broadcast.stop` …
    pub what: Option<String>,
    /// Those about that identifier.
    pub subject: Option<String>,
}

/// Adds an entry to the chain.
pub(super) async fn add(tx: &mut Transaction, entry: &Entry<'_>, more: &More) -> Result<(), Error> {
    let tail = chain::tail(tx).await?;
    let text = |value: &Option<Value>| value.as_ref().map(Value::to_string);
    let mut line = Line {
        number: tail.number + 1,
        hash: [0; 32],
        at: UnixMicros(micros(entry.at).cast_unsigned()),
        actor: entry.actor.clone(),
        what: entry.what.into(),
        subject: entry.subject.clone(),
        area: more.area,
        before: text(&more.before),
        after: text(&more.after),
        detail: entry.detail.clone(),
    };
    keepable(&mut line);
    line.hash = line.hash_after(&tail.hash);
    insert(tx, &line).await
}

/// PostgreSQL keeps no NUL in a text.
fn keepable(line: &mut Line) {
    for text in [
        &mut line.actor.who,
        &mut line.actor.origin,
        &mut line.subject,
        &mut line.detail,
    ] {
        if text.contains('\0') {
            *text = text.replace('\0', "\u{fffd}");
        }
    }
}

async fn insert(tx: &mut Transaction, line: &Line) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO record (number, hash, at, who, origin, what, subject, area, was, became, detail) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(line.number.cast_signed())
    .bind(chain::hex(&line.hash))
    .bind(micros(line.at))
    .bind(line.actor.who.clone())
    .bind(line.actor.origin.clone())
    .bind(line.what.clone())
    .bind(line.subject.clone())
    .bind(line.area.map(|id| id.to_string()))
    .bind(line.before.clone())
    .bind(line.after.clone())
    .bind(line.detail.clone())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Carries over what was written down before there was a chain, in its order.
pub(super) async fn adopt(pool: &sqlx::AnyPool, kind: Kind) -> Result<(), Error> {
    const ANY: &str = "SELECT 1 AS one FROM record_before LIMIT 1";
    if sqlx::query(ANY).fetch_optional(pool).await?.is_none() {
        return Ok(());
    }
    let mut tx = pool::begin(pool, kind).await?;
    let mut tail = chain::tail(&mut tx).await?;
    let rows = sqlx::query("SELECT * FROM record_before ORDER BY at, id");
    for row in rows.fetch_all(&mut *tx).await? {
        let mut line = Line {
            number: tail.number + 1,
            hash: [0; 32],
            at: row.instant("at")?,
            actor: Actor {
                who: row.text("who")?,
                origin: row.text("origin")?,
            },
            what: row.text("what")?,
            subject: row.text("subject")?,
            area: None,
            before: None,
            after: None,
            detail: row.text("detail")?,
        };
        line.hash = line.hash_after(&tail.hash);
        tail = line.head();
        insert(&mut tx, &line).await?;
    }
    sqlx::query("DELETE FROM record_before").execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}

impl Store {
    /// Writes down what changed no row of its own.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn note(&self, entry: Entry<'_>) -> Result<(), Error> {
        self.note_more(entry, More::default()).await
    }

    /// Writes down what changed no row of its own, and more about it.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn note_more(&self, entry: Entry<'_>, more: More) -> Result<(), Error> {
        let mut tx = pool::begin(&self.pool, self.kind).await?;
        add(&mut tx, &entry, &more).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The last `most` entries, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn lines(&self, most: u32) -> Result<Vec<Line>, Error> {
        self.entries(&Filter::default(), most).await
    }

    /// The last `most` entries of those asked for, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn entries(&self, filter: &Filter, most: u32) -> Result<Vec<Line>, Error> {
        self.find(filter, None, most).await
    }

    /// The first `most` entries of those asked for after the one with number `after`, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn entries_after(&self, filter: &Filter, after: u64, most: u32) -> Result<Vec<Line>, Error> {
        self.find(filter, Some(after), most).await
    }

    async fn find(&self, filter: &Filter, after: Option<u64>, most: u32) -> Result<Vec<Line>, Error> {
        let mut text = "SELECT * FROM record WHERE number < $1 AND number > $2".to_owned();
        let numbers = [("at >=", filter.since), ("at <", filter.until)];
        let texts = [
            ("who =", &filter.who),
            ("subject =", &filter.subject),
            ("substr(what, 1, length($)) =", &filter.what),
        ];
        let mut count = 2;
        let mut condition = |condition: &str| {
            count += 1;
            let condition = condition.replace('$', &format!("${count}"));
            text += &format!(" AND {condition} ${count}");
        };
        numbers
            .iter()
            .filter(|it| it.1.is_some())
            .for_each(|it| condition(it.0));
        texts.iter().filter(|it| it.1.is_some()).for_each(|it| condition(it.0));
        let order = if after.is_some() { "ASC" } else { "DESC" };
        text += &format!(" ORDER BY number {order} LIMIT ${}", count + 1);
        // Put together from constants of this function; what people ask for is bound.
        let mut query = sqlx::query(sqlx::AssertSqlSafe(text));
        query = query.bind(super::row::integer(filter.before.unwrap_or(u64::MAX)));
        query = query.bind(super::row::integer(after.unwrap_or(0)));
        for at in numbers.into_iter().filter_map(|it| it.1) {
            query = query.bind(micros(at));
        }
        for text in texts.into_iter().filter_map(|it| it.1.clone()) {
            query = query.bind(text);
        }
        let rows = query.bind(i64::from(most)).fetch_all(&self.pool).await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &AnyRow) -> Result<Line, Error> {
    Ok(Line {
        number: row.number("number")?,
        hash: row.id("hash", chain::unhex)?,
        at: row.instant("at")?,
        actor: Actor {
            who: row.text("who")?,
            origin: row.text("origin")?,
        },
        what: row.text("what")?,
        subject: row.text("subject")?,
        area: row.maybe_id("area", AreaId::parse)?,
        before: row.maybe_text("was")?,
        after: row.maybe_text("became")?,
        detail: row.text("detail")?,
    })
}
