//! The whole database, out and in: for backups. Here: all tables as they are at one instant, row by row, in a form that both
//! kinds of database can take; and filling an empty one in one transaction. Not here: files and encryption (`backup`).
//!
//! Tables are found in the database itself, so that what another part adds is saved, too. What is not to be saved
//! is named here: sessions and one-time links end with the server that gave them.

use futures_util::TryStreamExt as _;
use serde_json::Value;
use sqlx::any::{AnyRow, AnyTypeInfoKind};
use sqlx::{AnyPool, Column as _, Row as _, ValueRef as _};

use super::pool::{self, Kind, Transaction};
use super::record::{Head, Verdict, chain};
use super::row::Columns as _;
use super::sources::SOUNDLESS;
use super::{Error, Store, sealed};
use crate::data::Vault;

/// Tables whose rows stay behind.
const LEFT: &[&str] = &[
    "_sqlx_migrations",
    "sessions",
    "setup_tokens",
    "links",
    "failures",
    "devices",
    // Most of all rows, and told anew every ten minutes.
    "receiver_history",
];
/// Columns that are no use to anybody without the keys, or tell who reads them something that opens doors.
const SECRET: &[(&str, &str)] = &[("users", "password")];
/// Tables that hold nothing but what opens doors.
const SECRETS: &[&str] = &[
    "vault",
    "tokens",
    "factors",
    "recovery_codes",
    // Of no use without the private keys: a server without them begins anew, and enrols anew.
    "signing_keys",
    "claims",
];
/// Tables that a fresh database has rows in.
const SEEDED: &[&str] = &["changes", "record_start", "vault"];
/// Rows handed out at once.
const PAGE: usize = 1000;

/// Some rows of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The table.
    pub table: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// Rows: text, whole numbers and nothing.
    pub rows: Vec<Vec<Value>>,
}

/// One state of the database, whatever is written meanwhile.
pub struct Snapshot {
    tx: Transaction,
    kind: Kind,
}

/// A database that is being filled; dropped, it stays as it was.
pub struct Filling {
    pool: AnyPool,
    kind: Kind,
    tx: Transaction,
    tables: Vec<String>,
    /// Statements that put foreign keys back.
    keys: Vec<String>,
}

/// The versions of all migrations that this program knows.
pub fn known_versions() -> Vec<i64> {
    pool::versions()
}

/// Whether a column must be emptied in what is saved without keys.
fn is_secret(table: &str, column: &str) -> bool {
    let sealed = sealed::COLUMNS.iter().map(|it| (it.table, it.column));
    sealed.chain(SECRET.iter().copied()).any(|it| it == (table, column))
}

impl Store {
    /// The database as it is now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        let mut tx = pool::snapshot(&self.pool, self.kind).await?;
        // SQLite takes the state of the first reading.
        chain::tail(&mut tx).await?;
        Ok(Snapshot { tx, kind: self.kind })
    }

    /// What kind of database it is.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Sqlite => "sqlite",
            Kind::Postgres => "postgres",
        }
    }
}

impl Snapshot {
    /// The end of the record.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn head(&mut self) -> Result<Head, Error> {
        chain::tail(&mut self.tx).await
    }

    /// The versions of the migrations that made the tables.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn versions(&mut self) -> Result<Vec<i64>, Error> {
        let rows = sqlx::query("SELECT version FROM _sqlx_migrations ORDER BY version");
        let rows = rows.fetch_all(&mut *self.tx).await?;
        rows.iter().map(|row| Ok(row.try_get("version")?)).collect()
    }

    /// The identifiers of all bulletins that have their sound.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn bulletins(&mut self) -> Result<Vec<String>, Error> {
        // All of it is constant.
        let query = format!("SELECT id FROM bulletins WHERE deleted IS NULL AND format NOT IN {SOUNDLESS} ORDER BY id");
        let rows = sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(&mut *self.tx).await?;
        rows.iter().map(|row| row.text("id")).collect()
    }

    /// The tables that are saved.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn tables(&mut self) -> Result<Vec<String>, Error> {
        let mut tables = tables(&mut self.tx, self.kind).await?;
        tables.retain(|table| !LEFT.contains(&table.as_str()));
        Ok(tables)
    }

    /// Gives the rows of `table` to `take`, some at a time; without `secrets` what is secret is left out.
    ///
    /// # Errors
    /// When they cannot be read, or `take` fails.
    pub async fn rows<E: From<Error>>(
        &mut self,
        table: &str,
        secrets: bool,
        mut take: impl FnMut(Page) -> Result<(), E>,
    ) -> Result<u64, E> {
        if !secrets && SECRETS.contains(&table) {
            return Ok(0);
        }
        // The name was read from the database.
        let select = format!("SELECT * FROM {}", quoted(table));
        let mut rows = sqlx::query(sqlx::AssertSqlSafe(select)).fetch(&mut *self.tx);
        let mut page: Option<Page> = None;
        let mut count = 0;
        while let Some(row) = rows.try_next().await.map_err(|error| E::from(error.into()))? {
            count += 1;
            let page_now = page.get_or_insert_with(|| Page {
                table: table.into(),
                columns: row.columns().iter().map(|it| it.name().to_owned()).collect(),
                rows: Vec::new(),
            });
            let mut values = values(&row)?;
            for (value, column) in values.iter_mut().zip(&page_now.columns) {
                if !secrets && is_secret(table, column) && !value.is_null() {
                    *value = "".into();
                }
            }
            page_now.rows.push(values);
            if page_now.rows.len() == PAGE {
                take(page.take().expect("it was filled"))?;
            }
        }
        page.map_or(Ok(()), take)?;
        Ok(count)
    }
}

fn values(row: &AnyRow) -> Result<Vec<Value>, Error> {
    let value = |index| {
        let raw = row.try_get_raw(index)?;
        if raw.is_null() {
            return Ok(Value::Null);
        }
        match raw.type_info().kind() {
            AnyTypeInfoKind::Text => Ok(row.try_get::<String, _>(index)?.into()),
            AnyTypeInfoKind::SmallInt | AnyTypeInfoKind::Integer | AnyTypeInfoKind::BigInt => {
                Ok(row.try_get::<i64, _>(index)?.into())
            }
            // The tables are made so that both kinds of database have the same in them.
            _ => Err(Error::Corrupt("column that is neither text nor a whole number")),
        }
    };
    (0..row.columns().len()).map(value).collect()
}

async fn tables(tx: &mut Transaction, kind: Kind) -> Result<Vec<String>, Error> {
    let query = match kind {
        Kind::Sqlite => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
        }
        Kind::Postgres => {
            "SELECT table_name::text AS name FROM information_schema.tables \
             WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY table_name"
        }
    };
    let rows = sqlx::query(query).fetch_all(&mut **tx).await?;
    rows.iter().map(|row| row.text("name")).collect()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Filling {
    /// Opens the database at `url`, brings it to the `versions` of what will be filled in, and begins; `None` if there is
    /// something in it already and `force` is not given.
    ///
    /// # Errors
    /// When there is no database to be had there, or its tables are from another version.
    pub async fn begin(url: &str, versions: &[i64], force: bool) -> Result<Option<Self>, Error> {
        let (pool, kind) = pool::open_at(url, Some(versions)).await?;
        if kind == Kind::Sqlite {
            // Rows come in any order; all are checked at the end. The pool has one connection.
            sqlx::query("PRAGMA foreign_keys = OFF").execute(&pool).await?;
        }
        let mut tx = pool::begin(&pool, kind).await?;
        let tables = tables(&mut tx, kind).await?;
        for table in tables
            .iter()
            .filter(|it| !SEEDED.contains(&it.as_str()) && **it != "_sqlx_migrations")
        {
            let any = format!("SELECT 1 AS one FROM {} LIMIT 1", quoted(table));
            let any = sqlx::query(sqlx::AssertSqlSafe(any)).fetch_optional(&mut *tx).await?;
            if any.is_some() && !force {
                tx.rollback().await?;
                pool.close().await;
                return Ok(None);
            }
        }
        let keys = loosen(&mut tx, kind).await?;
        // The guard lets go of what was pruned.
        let pruned = "UPDATE record_start SET number = 9223372036854775807";
        if tables.iter().any(|table| table == "record_start") {
            sqlx::query(pruned).execute(&mut *tx).await?;
        }
        for table in tables
            .iter()
            .filter(|table| **table != "_sqlx_migrations" && **table != "record_start")
        {
            let delete = format!("DELETE FROM {}", quoted(table));
            sqlx::query(sqlx::AssertSqlSafe(delete)).execute(&mut *tx).await?;
        }
        if tables.iter().any(|table| table == "record_start") {
            sqlx::query("DELETE FROM record_start").execute(&mut *tx).await?;
        }
        Ok(Some(Self {
            pool,
            kind,
            tx,
            tables,
            keys,
        }))
    }

    /// Puts rows in.
    ///
    /// # Errors
    /// When they do not fit.
    pub async fn add(&mut self, page: &Page) -> Result<(), Error> {
        let columns: Vec<_> = page.columns.iter().map(|it| quoted(it)).collect();
        for row in &page.rows {
            let mut count = 0;
            let places: Vec<_> = row
                .iter()
                .map(|value| {
                    if value.is_null() {
                        // Written out, since nothing has no type of its own.
                        return "NULL".to_owned();
                    }
                    count += 1;
                    format!("${count}")
                })
                .collect();
            let insert = format!(
                "INSERT INTO {} ({}) VALUES ({})",
                quoted(&page.table),
                columns.join(", "),
                places.join(", ")
            );
            // Names are quoted, values bound.
            let mut query = sqlx::query(sqlx::AssertSqlSafe(insert));
            for value in row {
                query = match value {
                    Value::Null => query,
                    Value::String(text) => query.bind(text.clone()),
                    value => query.bind(value.as_i64().ok_or(Error::Corrupt("value"))?),
                };
            }
            query.execute(&mut *self.tx).await?;
        }
        Ok(())
    }

    /// Walks the record that was put in; `None` if it is from before there was a chain.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn verify_record(&mut self, noted: &[Head]) -> Result<Option<Verdict>, Error> {
        match self.has("record_start") {
            true => chain::walk(&mut self.tx, noted).await.map(Some),
            false => Ok(None),
        }
    }

    fn has(&self, table: &str) -> bool {
        self.tables.iter().any(|it| it == table)
    }

    /// Whether the secrets that were put in are sealed by `vault`.
    ///
    /// # Errors
    /// [`Error::Foreign`] if not; when the database cannot be read.
    pub async fn check(&mut self, vault: &Vault) -> Result<(), Error> {
        match self.has("vault") {
            true => sealed::check(&mut self.tx, vault).await,
            false => Ok(()),
        }
    }

    /// Makes it durable.
    ///
    /// # Errors
    /// When rows refer to others that are not there, or the database cannot.
    pub async fn finish(mut self) -> Result<(), Error> {
        for key in std::mem::take(&mut self.keys) {
            sqlx::query(sqlx::AssertSqlSafe(key)).execute(&mut *self.tx).await?;
        }
        if self.kind == Kind::Sqlite {
            let lost = sqlx::query("PRAGMA foreign_key_check")
                .fetch_optional(&mut *self.tx)
                .await?;
            if lost.is_some() {
                return Err(Error::Corrupt("row that refers to another that is not there"));
            }
        }
        self.tx.commit().await?;
        self.pool.close().await;
        Ok(())
    }
}

/// Takes foreign keys away inside the transaction, and gives the statements that put them back. SQLite was told before.
async fn loosen(tx: &mut Transaction, kind: Kind) -> Result<Vec<String>, Error> {
    if kind == Kind::Sqlite {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(
        "SELECT conrelid::regclass::text AS on_table, quote_ident(conname) AS name, pg_get_constraintdef(oid) AS def \
         FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace",
    );
    let mut back = Vec::new();
    for row in rows.fetch_all(&mut **tx).await? {
        let (table, name, definition) = (row.text("on_table")?, row.text("name")?, row.text("def")?);
        let drop = format!("ALTER TABLE {table} DROP CONSTRAINT {name}");
        sqlx::query(sqlx::AssertSqlSafe(drop)).execute(&mut **tx).await?;
        back.push(format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"));
    }
    Ok(back)
}
