//! Schedules as rows. Here: reading them, and how civil times stand in them. Not here: what people do to them (`schedules`).

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use loa_protocol::{AreaId, ReceiverId};
use serde_json::{Value, json};
use sqlx::any::AnyRow;

use super::broadcasts::Target;
use super::ids::OverrideId;
use super::row::{Columns as _, integer};
use super::schedules::{Late, Schedule};
use super::{BulletinId, BulletinState, Error, ScheduleId};
use crate::schedule::recurrence::{FORM, Recurrence};
use crate::schedule::series::{Changed, Series};

pub(super) type Changes = BTreeMap<NaiveDateTime, Changed<BulletinId>>;

/// What is in a playlist was approved.
pub(super) const SELECT: &str = "SELECT s.*, u.title AS bulletin_title, u.class AS class, u.samples AS samples, \
    CASE u.format WHEN 'playlist' THEN 'approved' ELSE u.state END AS state \
    FROM schedules s JOIN bulletins u ON u.id = s.bulletin_id WHERE s.removed IS NULL ";

pub(super) async fn one(connection: &mut sqlx::AnyConnection, id: ScheduleId) -> Result<Schedule, Error> {
    let query = [SELECT, "AND s.id = $1"].concat();
    let row = sqlx::query(sqlx::AssertSqlSafe(query)).bind(id.to_string());
    let row = row
        .fetch_optional(&mut *connection)
        .await?
        .ok_or(Error::Missing("schedule"))?;
    let mut target = Target::default();
    let rows =
        sqlx::query("SELECT kind, target_id FROM schedule_targets WHERE schedule_id = $1 ORDER BY kind, target_id");
    for row in rows.bind(id.to_string()).fetch_all(&mut *connection).await? {
        target.put(&row)?;
    }
    let rows = sqlx::query("SELECT * FROM schedule_changes WHERE schedule_id = $1").bind(id.to_string());
    let rows = rows.fetch_all(&mut *connection).await?;
    let changes = rows.iter().map(read_change).collect::<Result<_, _>>()?;
    read(&row, target, changes)
}

pub(super) fn read(row: &AnyRow, target: Target, changed: Changes) -> Result<Schedule, Error> {
    let zone = row.id("zone", |text| text.parse::<chrono_tz::Tz>().ok())?;
    let times = |column| row.id(column, times);
    let recurrence = Recurrence::new(
        row.id("starts", time)?,
        zone,
        row.maybe_text("rule")?.as_deref(),
        times("except_at")?,
        times("also_at")?,
    );
    let recurrence = recurrence.map_err(|_| Error::Corrupt("rule"))?;
    Ok(Schedule {
        id: row.id("id", ScheduleId::parse)?,
        version: row.number("version")?,
        area: row.maybe_id("area_id", AreaId::parse)?,
        title: row.text("title")?,
        bulletin: row.id("bulletin_id", BulletinId::parse)?,
        bulletin_title: row.text("bulletin_title")?,
        class: super::bulletins::class(row)?,
        samples: row.number("samples")?,
        approved: row.id("state", BulletinState::named)? == BulletinState::Approved,
        target,
        series: Series { recurrence, changed },
        late: row.id("late", Late::named)?,
        paused: row.flag("paused")?,
        overrides: row.maybe_id("override_id", OverrideId::parse)?,
        planned: row.instant("planned")?,
    })
}

pub(super) fn read_change(row: &AnyRow) -> Result<(NaiveDateTime, Changed<BulletinId>), Error> {
    let changed = Changed {
        start: row.maybe_id("starts", time)?,
        source: row.maybe_id("bulletin_id", BulletinId::parse)?,
    };
    Ok((row.id("occurrence", time)?, changed))
}

pub(super) fn civil(at: NaiveDateTime) -> String {
    at.format(FORM).to_string()
}

pub(super) fn time(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, FORM).ok()
}

pub(super) fn list(times: impl Iterator<Item = NaiveDateTime>) -> String {
    json!(times.map(civil).collect::<Vec<_>>()).to_string()
}

fn times(text: &str) -> Option<Vec<NaiveDateTime>> {
    let all: Vec<String> = serde_json::from_str(text).ok()?;
    all.iter().map(|it| time(it)).collect()
}

/// What the record says of it.
pub(super) fn shown(it: &Schedule) -> Value {
    let rule = &it.series.recurrence;
    let changed = it.series.changed.iter();
    let once: serde_json::Map<String, Value> = changed
        .map(|(key, it)| {
            let it = json!({ "start": it.start.map(civil), "bulletin_id": it.source.map(|it| it.to_string()) });
            (civil(*key), it)
        })
        .collect();
    json!({
        "title": it.title,
        "bulletin_id": it.bulletin.to_string(),
        "zone": rule.zone().name(),
        "start": civil(rule.start()),
        "rule": rule.rule(),
        "except": rule.except().map(civil).collect::<Vec<_>>(),
        "also": rule.also().map(civil).collect::<Vec<_>>(),
        "once": once,
        "late": it.late.name(),
        "paused": it.paused,
        "override_id": it.overrides.map(|it| it.to_string()),
        "areas": it.target.areas.iter().map(AreaId::to_string).collect::<Vec<_>>(),
        "receivers": it.target.receivers.iter().map(ReceiverId::to_string).collect::<Vec<_>>(),
        "version": integer(it.version),
    })
}
