//! Communes merge, split and are renamed. Here: another name, kind, code or place in the tree, with the names and codes that an area had
//! before; and several areas made one. Not here: what areas allow (`areas`), who may change them (`http`).
//!
//! What is merged stays below what it becomes: its people, schedules, rules and history go on as they are. A commune splits as villages of it
//! are moved below another.

use std::collections::BTreeSet;

use loa_protocol::enrolment::MAX_DEPTH;
use loa_protocol::{AreaId, UnixMicros};
use serde_json::{Value, json};

use super::areas::{Area, NewArea, code, kind, lay_out, title};
use super::error::Invalid;
use super::pool::Transaction;
use super::row::micros;
use super::{Actor, Change, Entry, Error, More, Store, record};
use crate::schedule::rules::Place;

/// What an area becomes that was merged into another.
pub const FORMER: &str = "former";

/// What is to be different about an area; what is none stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AreaChange {
    /// Its name.
    pub name: Option<String>,
    /// What kind of area it is.
    pub kind: Option<String>,
    /// Its official code.
    pub code: Option<String>,
    /// The area that it lies in.
    pub parent: Option<AreaId>,
}

impl Store {
    /// Changes an area.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::Invalid`] for a field that is wrong, a place below itself among them; when the database cannot.
    pub async fn change_area(
        &self,
        actor: &Actor,
        now: UnixMicros,
        id: AreaId,
        change: AreaChange,
    ) -> Result<Area, Error> {
        let mut areas = self.areas().await?;
        let before = find(&areas, id).ok_or(Error::Missing("area"))?.clone();
        let after = Area {
            name: change
                .name
                .as_deref()
                .map(title)
                .transpose()?
                .unwrap_or_else(|| before.name.clone()),
            kind: change
                .kind
                .map(kind)
                .transpose()?
                .unwrap_or_else(|| before.kind.clone()),
            code: change
                .code
                .as_deref()
                .map(code)
                .transpose()?
                .or_else(|| before.code.clone()),
            parent: change.parent.or(before.parent),
            ..before.clone()
        };
        if let Some(parent) = after.parent.filter(|_| after.parent != before.parent) {
            let parent = find(&areas, parent).ok_or(Error::invalid("parent_id", Invalid::Unknown))?;
            if parent.path.contains(&id) {
                let form = Invalid::Form("no area that lies in itself", "địa bàn không nằm trong chính nó");
                return Err(Error::invalid("parent_id", form));
            }
        }
        put(&mut areas, after.clone());
        judge(&mut areas, id, now)?;
        let entry = Entry {
            at: now,
            actor,
            what: "area.change",
            subject: id.to_string(),
            detail: after.name.clone(),
        };
        let mut work = self.begin(entry).await?;
        keep(&mut work.tx, now, &before, &after).await?;
        let (before, after) = differences(&before, &after);
        work.more = More {
            area: Some(id),
            before: Some(before),
            after: Some(after),
        };
        work.commit().await?;
        self.tell(Change::Areas);
        self.tell(Change::Schedules);
        self.area(id).await
    }

    /// Makes one area of several, which lie in it from now on.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a field that is wrong, or areas that cannot become one; when the database cannot.
    pub async fn merge_areas(
        &self,
        actor: &Actor,
        now: UnixMicros,
        new: NewArea,
        parts: &[AreaId],
    ) -> Result<Area, Error> {
        let wrong = |en, vi| Err(Error::invalid("area_ids", Invalid::Form(en, vi)));
        let parts: BTreeSet<_> = parts.iter().copied().collect();
        if parts.len() < 2 {
            return wrong("at least two areas", "ít nhất hai địa bàn");
        }
        let mut areas = self.areas().await?;
        let mut olds = Vec::new();
        for id in &parts {
            let it = find(&areas, *id).ok_or(Error::invalid("area_ids", Invalid::Unknown))?;
            if it.path.iter().any(|above| above != id && parts.contains(above)) {
                return wrong(
                    "areas of which none lies in another",
                    "các địa bàn không nằm trong nhau",
                );
            }
            olds.push(it.clone());
        }
        let above = new.parent.and_then(|id| find(&areas, id));
        if above.is_some_and(|it| it.path.iter().any(|id| parts.contains(id))) {
            let form = Invalid::Form("no area that is to be merged", "không phải địa bàn sẽ được sáp nhập");
            return Err(Error::invalid("parent_id", form));
        }
        let whole = self.judge_new(now, new).await?;
        areas.push(whole.clone());
        for old in &olds {
            put(&mut areas, below(old, &whole));
        }
        judge(&mut areas, whole.id, now)?;
        let entry = Entry {
            at: now,
            actor,
            what: "area.merge",
            subject: whole.id.to_string(),
            detail: whole.name.clone(),
        };
        let mut work = self.begin(entry).await?;
        super::areas::insert(&mut work.tx, now, &whole).await?;
        for old in &olds {
            let new = below(old, &whole);
            keep(&mut work.tx, now, old, &new).await?;
            let entry = Entry {
                at: now,
                actor,
                what: "area.change",
                subject: old.id.to_string(),
                detail: old.name.clone(),
            };
            let (before, after) = differences(old, &new);
            let more = More {
                area: Some(old.id),
                before: Some(before),
                after: Some(after),
            };
            record::add(&mut work.tx, &entry, &more).await?;
        }
        work.more = More {
            area: Some(whole.id),
            before: None,
            after: Some(json!({
                "name": whole.name, "kind": whole.kind, "code": whole.code,
                "parent_id": whole.parent.map(|id| id.to_string()),
                "area_ids": parts.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })),
        };
        work.commit().await?;
        self.tell(Change::Areas);
        self.tell(Change::Schedules);
        self.area(whole.id).await
    }

    /// One area.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot be read.
    pub async fn area(&self, id: AreaId) -> Result<Area, Error> {
        let all = self.areas().await?;
        all.into_iter().find(|it| it.id == id).ok_or(Error::Missing("area"))
    }
}

fn find(areas: &[Area], id: AreaId) -> Option<&Area> {
    areas.iter().find(|it| it.id == id)
}

fn put(areas: &mut [Area], new: Area) {
    areas
        .iter_mut()
        .filter(|it| it.id == new.id)
        .for_each(|it| *it = new.clone());
}

fn below(old: &Area, whole: &Area) -> Area {
    Area {
        parent: Some(whole.id),
        kind: FORMER.to_owned(),
        ..old.clone()
    }
}

/// Whether the tree can be so: what is below `id` is not too deep, and has no more rules than a receiver has room for.
fn judge(areas: &mut [Area], id: AreaId, now: UnixMicros) -> Result<(), Error> {
    lay_out(areas);
    let of = |id: &AreaId| find(areas, *id);
    for it in areas.iter().filter(|it| it.path.contains(&id)) {
        if it.path.len() > MAX_DEPTH {
            let form = Invalid::Form(
                "areas at most eight levels deep in all",
                "các địa bàn không quá tám cấp",
            );
            return Err(Error::invalid("parent_id", form));
        }
        let place = Place {
            rules: it.path.iter().filter_map(of).map(|it| it.rules.clone()).collect(),
            ..Place::default()
        };
        place
            .all_policies(now)
            .map_err(|it| Error::invalid("parent_id", Invalid::Form(it.right, it.vi)))?;
    }
    Ok(())
}

async fn keep(tx: &mut Transaction, now: UnixMicros, before: &Area, after: &Area) -> Result<(), Error> {
    sqlx::query("UPDATE areas SET name = $1, kind = $2, code = $3, parent_id = $4 WHERE id = $5")
        .bind(after.name.clone())
        .bind(after.kind.clone())
        .bind(after.code.clone())
        .bind(after.parent.map(|id| id.to_string()))
        .bind(after.id.to_string())
        .execute(&mut **tx)
        .await
        .map_err(Error::taken("code"))?;
    if (&before.name, &before.code) != (&after.name, &after.code) {
        sqlx::query("INSERT INTO area_names (area_id, name, code, until) VALUES ($1, $2, $3, $4)")
            .bind(before.id.to_string())
            .bind(before.name.clone())
            .bind(before.code.clone())
            .bind(micros(now))
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// What is different, before and after.
fn differences(before: &Area, after: &Area) -> (Value, Value) {
    let shown = |it: &Area| json!({ "name": it.name, "kind": it.kind, "code": it.code, "parent_id": it.parent.map(|id| id.to_string()) });
    let (mut old, mut new) = (shown(before), shown(after));
    for key in ["name", "kind", "code", "parent_id"] {
        if old[key] == new[key] {
            for it in [&mut old, &mut new] {
                it.as_object_mut().map(|it| it.remove(key));
            }
        }
    }
    (old, new)
}
