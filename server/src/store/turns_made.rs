//! What is composed of playlists, as rows. Here: what is to be composed next, keeping it, and letting go of what nobody needs. Not here:
//! playlists themselves (`playlists`), composing (`media::compose`).

use std::collections::{BTreeMap, BTreeSet};

use loa_protocol::UnixMicros;
use serde_json::json;
use sqlx::any::AnyRow;

use super::playlists::{Playlist, TURN, delete, longest, one, recipe};
use super::row::{Columns as _, integer, micros};
use super::{Actor, BulletinId, BulletinState, Change, Entry, Error, More, Store, search};
use crate::schedule::playlist::Row;

/// What is to sound after a part has dropped out is composed so long before, in microseconds: an hour.
const BEFORE: u64 = 3600 * 1_000_000;
/// What could have sounded so long ago may still be asked for, in microseconds: a server that was down for a day plays late.
const AFTER: u64 = 24 * 3600 * 1_000_000;

/// A programme that is to be composed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToMake {
    /// Of which playlist.
    pub playlist: BulletinId,
    /// What it will be known by.
    pub recipe: String,
    /// Of what.
    pub row: Row<BulletinId>,
}

impl Playlist {
    /// All that may sound of it in a while, or could have a while ago, by recipe.
    fn needed(&self, from: UnixMicros, to: UnixMicros) -> BTreeMap<String, Row<BulletinId>> {
        let mut needed = BTreeMap::new();
        for at in [from].into_iter().chain(self.list.expiries(from, to)) {
            let turns = (0..self.list.turns(at)).filter_map(|turn| self.list.row(at, turn));
            needed.extend(turns.map(|row| (recipe(&row), row)));
        }
        needed
    }
}

impl Store {
    /// What of playlists is not composed yet and may sound from `now` on, and when there will be more if nobody changes anything.
    /// Playlists of which something could not be composed wait for a change.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn to_make(&self, now: UnixMicros) -> Result<(Vec<ToMake>, Option<UnixMicros>), Error> {
        let soon = UnixMicros(now.0 + BEFORE);
        let (mut missing, mut next) = (Vec::new(), None::<UnixMicros>);
        for it in self.playlists().await? {
            let later = it.list.expiries(soon, UnixMicros(i64::MAX as u64));
            let later = later.first().map(|at| UnixMicros(at.0 - BEFORE));
            next = [next, later].into_iter().flatten().min();
            if it.trouble.is_some() {
                continue;
            }
            let mut known: BTreeSet<String> = it.made.keys().cloned().collect();
            // What sounds now first.
            for (recipe, row) in it.needed(now, now).into_iter().chain(it.needed(now, soon)) {
                if known.insert(recipe.clone()) {
                    missing.push(ToMake {
                        playlist: it.id,
                        recipe,
                        row,
                    });
                }
            }
        }
        Ok((missing, next))
    }

    /// Keeps what was composed as the bulletin `id`, whose file is in place; `false` if nobody wants it any more.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn made(&self, now: UnixMicros, made: &ToMake, id: BulletinId) -> Result<bool, Error> {
        let entry = Entry {
            at: now,
            actor: &Actor::server(),
            what: "playlist.compose",
            subject: made.playlist.to_string(),
            detail: String::new(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        let Some(it) = one(tx, made.playlist).await? else {
            return Ok(false);
        };
        let wanted = it.needed(now, UnixMicros(now.0 + BEFORE));
        if it.made.contains_key(&made.recipe) || !wanted.contains_key(&made.recipe) {
            return Ok(false);
        }
        work.entry.detail.clone_from(&it.title);
        let by = sqlx::query("SELECT changed_by FROM playlists WHERE bulletin_id = $1").bind(it.id.to_string());
        let by = by.fetch_one(&mut **tx).await?.text("changed_by")?;
        sqlx::query(
            "INSERT INTO bulletins (id, title, class, state, format, samples, created, created_by, area_id, searched) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(id.to_string())
        .bind(it.title.clone())
        .bind(i64::from(it.class as u8))
        .bind(BulletinState::Draft.name())
        .bind(TURN)
        .bind(integer(made.row.samples()))
        .bind(micros(now))
        .bind(by)
        .bind(it.area.map(|area| area.to_string()))
        .bind(search::index(&it.title))
        .execute(&mut **tx)
        .await?;
        sqlx::query("INSERT INTO playlist_turns (playlist_id, recipe, bulletin_id) VALUES ($1, $2, $3)")
            .bind(it.id.to_string())
            .bind(made.recipe.clone())
            .bind(id.to_string())
            .execute(&mut **tx)
            .await?;
        sqlx::query("UPDATE bulletins SET samples = $1 WHERE id = $2")
            .bind(integer(longest(&it, now)))
            .bind(it.id.to_string())
            .execute(&mut **tx)
            .await?;
        let sounds = made.row.sounds.iter().map(|it| it.id.to_string());
        work.more = More {
            area: it.area,
            before: None,
            // Tells for ever what was in it.
            after: Some(json!({
                "bulletin_id": id.to_string(),
                "bulletin_ids": sounds.collect::<Vec<_>>(),
                "samples": made.row.samples(),
            })),
        };
        work.commit().await?;
        self.tell(Change::Playlist(it.id));
        Ok(true)
    }

    /// A playlist cannot be composed, for that reason; or it is tried again.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn playlist_trouble(&self, id: BulletinId, why: Option<&str>) -> Result<(), Error> {
        sqlx::query("UPDATE playlists SET trouble = $1 WHERE bulletin_id = $2")
            .bind(why.map(str::to_owned))
            .bind(id.to_string())
            .execute(&self.pool)
            .await?;
        self.tell(Change::Playlist(id));
        Ok(())
    }

    /// Lets go of what was composed and nobody needs: it cannot sound any more, and no broadcast of it is to come. Gives which: their
    /// files are to be removed.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn forget_turns(&self, now: UnixMicros) -> Result<Vec<BulletinId>, Error> {
        let (from, to) = (UnixMicros(now.0.saturating_sub(AFTER)), UnixMicros(now.0 + BEFORE));
        let held = self.changes.hold().await;
        let mut tx = super::pool::begin(&self.pool, self.kind).await?;
        let rows = sqlx::query(
            "SELECT playlist_id, recipe, bulletin_id FROM playlist_turns WHERE bulletin_id NOT IN \
             (SELECT bulletin_id FROM broadcasts WHERE state IN ('scheduled', 'on_air'))",
        );
        let rows = rows.fetch_all(&mut *tx).await?;
        let mut needed: BTreeMap<BulletinId, BTreeMap<String, Row<BulletinId>>> = BTreeMap::new();
        let mut gone = Vec::new();
        for row in &rows {
            let (playlist, recipe, id) = read(row)?;
            let needed = match needed.entry(playlist) {
                std::collections::btree_map::Entry::Occupied(it) => it.into_mut(),
                std::collections::btree_map::Entry::Vacant(it) => {
                    let list = one(&mut tx, playlist).await?;
                    it.insert(list.map(|list| list.needed(from, to)).unwrap_or_default())
                }
            };
            if needed.contains_key(&recipe) {
                continue;
            }
            sqlx::query("DELETE FROM playlist_turns WHERE bulletin_id = $1")
                .bind(id.to_string())
                .execute(&mut *tx)
                .await?;
            delete(&mut tx, now, id).await?;
            gone.push(id);
        }
        if !gone.is_empty() {
            super::changes::count(&mut tx).await?;
            tx.commit().await?;
            held.counted();
        }
        Ok(gone)
    }
}

fn read(row: &AnyRow) -> Result<(BulletinId, String, BulletinId), Error> {
    Ok((
        row.id("playlist_id", BulletinId::parse)?,
        row.text("recipe")?,
        row.id("bulletin_id", BulletinId::parse)?,
    ))
}
