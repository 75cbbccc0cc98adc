//! Areas: the tree of territories.

use std::collections::HashMap;

use chrono_tz::Tz;
use loa_protocol::enrolment::MAX_DEPTH;
use loa_protocol::{AreaId, UnixMicros};
use serde_json::json;
use sqlx::any::AnyRow;

use super::error::Invalid;
use super::pool::Transaction;
use super::row::{Columns as _, micros, written};
use super::{Actor, Change, Entry, Error, More, Store, ids};
use crate::schedule::rules::{Place, Rules};

/// Longest name, in characters.
const MAX_NAME: usize = 120;

/// A node of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// Its identifier.
    pub id: AreaId,
    /// The area that it lies in; none for a root.
    pub parent: Option<AreaId>,
    /// From the root to itself.
    pub path: Vec<AreaId>,
    /// What kind of area: `province`, `commune`, `village` …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its official code.
    pub code: Option<String>,
    /// The zone of its civil time, where it says so.
    pub zone: Option<Tz>,
    /// What it allows.
    pub rules: Rules,
    /// What it was called before, the oldest first.
    pub former: Vec<Former>,
}

/// What an area was called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    /// Its name.
    pub name: String,
    /// Its official code.
    pub code: Option<String>,
    /// Until when.
    pub until: UnixMicros,
}

/// An area to be added.
#[derive(Debug, Clone)]
pub struct NewArea {
    /// The area that it lies in; none for a root.
    pub parent: Option<AreaId>,
    /// What kind of area.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its official code.
    pub code: Option<String>,
}

impl Store {
    /// All areas, each after the one that it lies in.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn areas(&self) -> Result<Vec<Area>, Error> {
        let rows = sqlx::query("SELECT * FROM areas ORDER BY name, id")
            .fetch_all(&self.pool)
            .await?;
        let mut areas = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let rows = sqlx::query("SELECT * FROM area_names ORDER BY until")
            .fetch_all(&self.pool)
            .await?;
        let mut former: HashMap<AreaId, Vec<Former>> = HashMap::new();
        for row in &rows {
            let it = Former {
                name: row.text("name")?,
                code: row.maybe_text("code")?,
                until: row.instant("until")?,
            };
            former.entry(row.id("area_id", AreaId::parse)?).or_default().push(it);
        }
        for area in &mut areas {
            area.former = former.remove(&area.id).unwrap_or_default();
        }
        lay_out(&mut areas);
        Ok(areas)
    }

    /// Where each area lies: the areas from the root down to itself.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn paths(&self) -> Result<HashMap<AreaId, Vec<AreaId>>, Error> {
        Ok(self
            .areas()
            .await?
            .into_iter()
            .map(|area| (area.id, area.path))
            .collect())
    }

    /// What holds in each area: its own rules and those of the areas above it, in its civil time.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn places(&self) -> Result<HashMap<AreaId, Place>, Error> {
        let mut places: HashMap<AreaId, Place> = HashMap::new();
        for area in self.areas().await? {
            let mut place = area
                .parent
                .and_then(|parent| places.get(&parent))
                .cloned()
                .unwrap_or_default();
            place.zone = area.zone.unwrap_or(place.zone);
            if area.rules != Rules::default() {
                place.rules.push(area.rules);
            }
            places.insert(area.id, place);
        }
        Ok(places)
    }

    /// Sets what an area allows, and the zone of its civil time (`None`: that of the area above).
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::Invalid`] for rules that are wrong, or that are too many together with those above or below;
    /// when the database cannot.
    pub async fn set_rules(
        &self,
        actor: &Actor,
        now: UnixMicros,
        id: AreaId,
        (zone, rules): (Option<Tz>, Rules),
    ) -> Result<Area, Error> {
        let form = |it: crate::schedule::rules::Wrong| Error::invalid(it.field, Invalid::Form(it.right, it.vi));
        rules.check().map_err(form)?;
        let areas = self.areas().await?;
        let before = areas
            .iter()
            .find(|it| it.id == id)
            .ok_or(Error::Missing("area"))?
            .clone();
        let entry = Entry {
            at: now,
            actor,
            what: "area.rules",
            subject: id.to_string(),
            detail: before.name.clone(),
        };
        let mut work = self.begin(entry).await?;
        let json = serde_json::to_string(&rules).map_err(|_| Error::Corrupt("rules"))?;
        sqlx::query("UPDATE areas SET zone = $1, rules = $2 WHERE id = $3")
            .bind(zone.map(|it| it.name().to_owned()))
            .bind((rules != Rules::default()).then_some(json))
            .bind(id.to_string())
            .execute(&mut *work.tx)
            .await?;
        let shown = |zone: Option<Tz>, rules: &Rules| json!({ "zone": zone.map(|it| it.name()), "rules": rules });
        work.more = More {
            area: Some(id),
            before: Some(shown(before.zone, &before.rules)),
            after: Some(shown(zone, &rules)),
        };
        // What a receiver is told has room for so many windows: refused before anything is kept.
        let mut changed = areas;
        for it in changed.iter_mut().filter(|it| it.id == id) {
            (it.zone, it.rules) = (zone, rules.clone());
        }
        let of = |id: &AreaId| changed.iter().find(|it| it.id == *id);
        for below in changed.iter().filter(|it| it.path.contains(&id)) {
            let place = Place {
                rules: below.path.iter().filter_map(of).map(|it| it.rules.clone()).collect(),
                ..Place::default()
            };
            place.all_policies(now).map_err(form)?;
        }
        work.commit().await?;
        self.tell(Change::Areas);
        self.tell(Change::Schedules);
        let after = changed.into_iter().find(|it| it.id == id);
        after.ok_or(Error::Missing("area"))
    }

    /// Adds an area.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a field that is wrong; when the database cannot.
    pub async fn add_area(&self, actor: &Actor, now: UnixMicros, new: NewArea) -> Result<Area, Error> {
        let area = self.judge_new(now, new).await?;
        let entry = Entry {
            at: now,
            actor,
            what: "area.add",
            subject: area.id.to_string(),
            detail: area.name.clone(),
        };
        let mut work = self.begin(entry).await?;
        insert(&mut work.tx, now, &area).await?;
        let parent = area.parent.map(|id| id.to_string());
        work.more = More {
            area: Some(area.id),
            before: None,
            after: Some(json!({ "name": area.name, "kind": area.kind, "code": area.code, "parent_id": parent })),
        };
        work.commit().await?;
        self.tell(Change::Areas);
        Ok(area)
    }

    /// The area that `new` will be.
    pub(super) async fn judge_new(&self, now: UnixMicros, new: NewArea) -> Result<Area, Error> {
        let name = title(&new.name)?;
        let code = new.code.as_deref().map(code).transpose()?;
        let kind = kind(new.kind)?;
        let mut path = Vec::new();
        if let Some(parent) = new.parent {
            let all = self.areas().await?;
            let parent = all.into_iter().find(|area| area.id == parent);
            path = parent.ok_or(Error::invalid("parent_id", Invalid::Unknown))?.path;
        }
        if path.len() >= MAX_DEPTH {
            return Err(Error::invalid(
                "parent_id",
                Invalid::Form("an area at most seven levels deep", "một địa bàn không quá bảy cấp"),
            ));
        }
        let id = AreaId(ids::fresh(now));
        path.push(id);
        Ok(Area {
            id,
            parent: new.parent,
            path,
            kind,
            name,
            code,
            zone: None,
            rules: Rules::default(),
            former: Vec::new(),
        })
    }
}

pub(super) fn title(name: &str) -> Result<String, Error> {
    written("name", name, MAX_NAME)
}

pub(super) fn code(code: &str) -> Result<String, Error> {
    written("code", code, 32)
}

pub(super) fn kind(kind: String) -> Result<String, Error> {
    if kind.is_empty() || kind.len() > 32 || !kind.bytes().all(|c| c.is_ascii_lowercase() || c == b'_') {
        return Err(Error::invalid(
            "kind",
            Invalid::Form(
                "a word such as province, commune or village",
                "một từ như province, commune hoặc village",
            ),
        ));
    }
    Ok(kind)
}

/// Finds out where each area lies by what each lies in, and puts each after that.
pub(super) fn lay_out(areas: &mut [Area]) {
    let parents: HashMap<_, _> = areas.iter().map(|area| (area.id, area.parent)).collect();
    for area in areas.iter_mut() {
        area.path = vec![area.id];
        let mut above = area.parent;
        // The bound only guards against a circle, which nothing here can make.
        while let Some(id) = above.filter(|_| area.path.len() <= parents.len()) {
            area.path.insert(0, id);
            above = parents.get(&id).copied().flatten();
        }
    }
    areas.sort_by_key(|area| area.path.len());
}

pub(super) async fn insert(tx: &mut Transaction, now: UnixMicros, area: &Area) -> Result<(), Error> {
    sqlx::query("INSERT INTO areas (id, parent_id, kind, name, code, created) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(area.id.to_string())
        .bind(area.parent.map(|id| id.to_string()))
        .bind(area.kind.clone())
        .bind(area.name.clone())
        .bind(area.code.clone())
        .bind(micros(now))
        .execute(&mut **tx)
        .await
        .map_err(Error::taken("code"))?;
    Ok(())
}

/// The row alone: its path is itself.
fn read(row: &AnyRow) -> Result<Area, Error> {
    let id = row.id("id", AreaId::parse)?;
    Ok(Area {
        id,
        parent: row.maybe_id("parent_id", AreaId::parse)?,
        path: vec![id],
        kind: row.text("kind")?,
        name: row.text("name")?,
        code: row.maybe_text("code")?,
        zone: row.maybe_id("zone", |text| text.parse().ok())?,
        rules: row
            .maybe_id("rules", |text| serde_json::from_str(text).ok())?
            .unwrap_or_default(),
        former: Vec::new(),
    })
}
