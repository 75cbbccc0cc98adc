//! Schedules as calendars: for calendar programs, and from them. Here: out by areas that one sees, and in, all or nothing. Not here:
//! how calendars are written (`schedule::calendar`).

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Body, Caller};
use super::schedules::{self, ScheduleShape};
use super::shapes::Target;
use super::view::{Place, View};
use crate::schedule::calendar::{self, Entry};
use crate::store::{self, Schedule, Wanted};

/// A calendar to be taken in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Import {
    /// iCalendar (RFC 5545). What sounds is the bulletin that `X-LOA-BULLETIN` names, else the one whose title is the event's.
    calendar: String,
    /// What sounds where the calendar says nothing that is known.
    bulletin_id: Option<String>,
    target: Target,
    /// Keep them though they get into others' way, or others into theirs.
    despite_clashes: Option<bool>,
}

/// What was taken in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Imported {
    schedules: Vec<ScheduleShape>,
}

/// Schedules as a calendar
#[utoipa::path(
    get, path = "/api/v1/schedules.ics", operation_id = "exportSchedules", tag = "schedules",
    responses(
        (status = 200, description = "iCalendar (RFC 5545): those that sound where one sees something", body = String, content_type = "text/calendar"),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn export(State(app): State<App>, caller: Caller) -> Answer<Response> {
    let view = View::new(app.store(), &caller.authority).await?;
    let places = app.store().areas_of_receivers().await?;
    let all = app.store().schedules().await?.into_iter();
    let seen = all.filter(|it| view.sees(&Place::of(&it.target, &places)));
    let entries: Vec<_> = seen.map(entry).collect();
    let text = calendar::write("Loa", &entries, app.now());
    let kind = [
        (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"loa.ics\""),
    ];
    Ok((kind, text).into_response())
}

/// Take in a calendar
///
/// All of its events, or none.
#[utoipa::path(
    post, path = "/api/v1/schedules/import", operation_id = "importSchedules", tag = "schedules",
    request_body = Import,
    responses(
        (status = 201, description = "They are kept", body = Imported),
        (status = 404, description = "`not_found`: there is no such bulletin", body = Error),
        (status = 409, description = "`clashes`: as `addSchedule`", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn import(
    State(app): State<App>,
    caller: Caller,
    Body(it): Body<Import>,
) -> Answer<(StatusCode, Json<Imported>)> {
    let target = it.target.read()?;
    let zone = schedules::zone_of(&app, &target).await?;
    let entries = calendar::read(&it.calendar, zone).map_err(|wrong| {
        let vi = format!("Không đọc được lịch iCalendar: {wrong}.");
        Problem::field("calendar", vi, wrong.to_string())
    })?;
    let view = View::new(app.store(), &caller.authority).await?;
    let seen = |it: &store::Bulletin| view.sees(&Place::In(it.area));
    let bulletins = app.store().bulletins(None, 1000, &Wanted::default(), &seen).await?;
    // The newest of a title is meant.
    let titles: HashMap<_, _> = bulletins.iter().rev().map(|it| (it.title.as_str(), it.id)).collect();
    let known = |id: &String| bulletins.iter().any(|it| it.id.to_string() == *id);
    let mut wanted = Vec::new();
    for entry in entries {
        let named = entry.source.clone().filter(known);
        let titled = || titles.get(entry.title.as_str()).map(ToString::to_string);
        let Some(bulletin) = named.or_else(titled).or_else(|| it.bulletin_id.clone()) else {
            let title = &entry.title;
            let vi = format!("Không rõ “{title}” phát bản tin nào: hãy chọn bản tin cho các mục không tìm thấy.");
            let en = format!("Which bulletin “{title}” is to play is not said: name one for those that are not found.");
            return Err(Problem::field("bulletin_id", vi, en));
        };
        let moved = entry.moved.clone();
        let new = schedules::NewSchedule::of_entry(entry, bulletin, it.target.clone(), it.despite_clashes);
        // Each is judged before any is kept.
        let judged = schedules::judge(&app, &caller, &new, None).await?;
        wanted.push((judged, moved));
    }
    let added = app
        .store()
        .add_schedules(&caller.actor, app.now(), &caller.user, wanted)
        .await?;
    let now = app.now();
    let schedules = added.into_iter().map(|it| ScheduleShape::new(it, now)).collect();
    Ok((StatusCode::CREATED, Json(Imported { schedules })))
}

fn entry(it: Schedule) -> Entry {
    let rule = &it.series.recurrence;
    Entry {
        uid: it.id.to_string(),
        title: it.title,
        start: rule.start(),
        zone: Some(rule.zone()),
        seconds: it.samples.div_ceil(48_000),
        rule: rule.rule().map(str::to_owned),
        except: rule.except().collect(),
        also: rule.also().collect(),
        moved: it
            .series
            .changed
            .iter()
            .filter_map(|(key, it)| Some((*key, it.start?)))
            .collect(),
        source: Some(it.bulletin.to_string()),
    }
}
