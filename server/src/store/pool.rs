//! Connections. Here: how each kind of database is opened so that what is committed is durable, migrations, and
//! transactions that do not deadlock. Not here: queries.

use std::str::FromStr as _;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyPool, ConnectOptions as _, Executor as _};

use super::Error;

/// A transaction: rolled back when dropped.
pub(super) type Transaction = sqlx::Transaction<'static, sqlx::Any>;

/// Connections kept at most.
const CONNECTIONS: u32 = 8;

/// The lock that those hold who write to PostgreSQL: a number that others are not likely to have.
const WRITERS: i64 = 0x6c6f_6120_7265_6301;

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
}

/// All migrations, the oldest first. One that was released is never edited.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "first", include_str!("../../migrations/0001_first.sql")),
    (2, "people", include_str!("../../migrations/0002_people.sql")),
    (3, "record", include_str!("../../migrations/0003_record.sql")),
    (4, "factors", include_str!("../../migrations/0004_factors.sql")),
    (5, "tokens", include_str!("../../migrations/0005_tokens.sql")),
    (6, "enrolment", include_str!("../../migrations/0006_enrolment.sql")),
    (9, "schedules", include_str!("../../migrations/0009_schedules.sql")),
    (12, "csrf", include_str!("../../migrations/0012_csrf.sql")),
    (8, "speech", include_str!("../../migrations/0008_speech.sql")),
    (7, "identities", include_str!("../../migrations/0007_identities.sql")),
    (10, "library", include_str!("../../migrations/0010_library.sql")),
    (11, "sources", include_str!("../../migrations/0011_sources.sql")),
    (13, "playlists", include_str!("../../migrations/0013_playlists.sql")),
    (14, "inbox", include_str!("../../migrations/0014_inbox.sql")),
    (15, "map", include_str!("../../migrations/0015_map.sql")),
    (16, "repeats", include_str!("../../migrations/0016_repeats.sql")),
];

/// What a migration does besides on one kind of database.
const OWN: &[(i64, Kind, &str)] = &[
    (3, Kind::Sqlite, include_str!("../../migrations/0003_record_sqlite.sql")),
    (
        3,
        Kind::Postgres,
        include_str!("../../migrations/0003_record_postgres.sql"),
    ),
];

/// The versions of all migrations.
pub(super) fn versions() -> Vec<i64> {
    MIGRATIONS.iter().map(|it| it.0).collect()
}

pub(super) async fn open(url: &str) -> Result<(AnyPool, Kind), Error> {
    open_at(url, None).await
}

/// With `versions` only these migrations are made, and there is one connection.
pub(super) async fn open_at(url: &str, versions: Option<&[i64]>) -> Result<(AnyPool, Kind), Error> {
    sqlx::any::install_default_drivers();
    let kind = match url.split_once(':') {
        Some(("sqlite", _)) => Kind::Sqlite,
        Some(("postgres" | "postgresql", _)) => Kind::Postgres,
        _ => return Err(Error::Address),
    };
    let options = AnyConnectOptions::from_str(url)?.disable_statement_logging();
    let pool = AnyPoolOptions::new()
        .max_connections(versions.map_or(CONNECTIONS, |_| 1))
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if kind == Kind::Sqlite {
                    // FULL: a commit is on the disk before it is answered, as invariant 3 asks.
                    let settings = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; \
                                    PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;";
                    connection.execute(settings).await?;
                }
                Ok(())
            })
        })
        .connect_with(options)
        .await?;
    let migrations = MIGRATIONS
        .iter()
        .filter(|it| versions.is_none_or(|only| only.contains(&it.0)))
        .map(|(version, name, sql)| {
            let own = OWN
                .iter()
                .find(|(of, only, _)| (of, *only) == (version, kind))
                .map_or("", |it| it.2);
            // All of them are constants of this file.
            let sql = sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe([*sql, own].concat()));
            Migration::new(*version, (*name).into(), MigrationType::Simple, sql, false)
        })
        .collect();
    Migrator::with_migrations(migrations).run(&pool).await?;
    Ok((pool, kind))
}

/// Begins a transaction that will write. SQLite must know so at once: one that turns from reading to writing fails when
/// somebody else has written in between. In PostgreSQL they queue likewise: the record is one chain, and none may begin on a
/// tail that is no longer it.
pub(super) async fn begin(pool: &AnyPool, kind: Kind) -> Result<Transaction, Error> {
    Ok(match kind {
        Kind::Sqlite => pool.begin_with("BEGIN IMMEDIATE").await?,
        Kind::Postgres => {
            let mut tx = pool.begin().await?;
            sqlx::query("SELECT pg_advisory_xact_lock($1)")
                .bind(WRITERS)
                .execute(&mut *tx)
                .await?;
            tx
        }
    })
}

/// Begins a transaction that reads one state of the database and changes nothing.
pub(super) async fn snapshot(pool: &AnyPool, kind: Kind) -> Result<Transaction, Error> {
    Ok(match kind {
        Kind::Sqlite => pool.begin_with("BEGIN").await?,
        Kind::Postgres => {
            pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                .await?
        }
    })
}
