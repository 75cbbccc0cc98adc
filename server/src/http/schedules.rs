//! Schedules: what recurs, when, where. Here: keeping them, and saying before that what will come of them: the next time, how many
//! receivers, what gets into whose way and why. Not here: who gives way (`schedule`).

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chrono::NaiveDateTime;
use chrono_tz::Tz;
use loa_protocol::UnixMicros;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::broadcasts::{holds, reaches, rights};
use super::error::{Answer, Error, Guarded, Problem};
use super::forecast::{Forecast, foresee};
use super::gate::{Body, Caller};
use super::inbox::to_sound;
use super::shapes::{Class, Target, no_id, written};
use super::view::{Place, View};
use crate::authority::Right;
use crate::playout::Notice;
use crate::schedule::calendar::Entry;
use crate::schedule::recurrence::{self, Recurrence};
use crate::schedule::rules;
use crate::store::{self, BulletinId, Late, Once, OverrideId, Schedule, ScheduleId};

/// How civil time is written here (ISO 8601, without a zone).
const CIVIL: &str = "%Y-%m-%dT%H:%M:%S";

/// A schedule.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ScheduleShape {
    id: String,
    /// Rises with every change; to be sent along with the next.
    version: u64,
    title: String,
    bulletin_id: String,
    bulletin_title: String,
    class: Class,
    duration_ms: u64,
    /// Its bulletin is approved: else nothing comes of it.
    approved: bool,
    target: Target,
    /// The zone of its civil times (IANA).
    zone: String,
    /// Civil time of its start.
    start: String,
    /// When it recurs (RFC 5545 §3.3.10), without `RRULE:`; absent: once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rule: Option<String>,
    /// Civil times at which it does not occur.
    except: Vec<String>,
    /// Civil times at which it occurs besides.
    also: Vec<String>,
    /// What is different once.
    once: Vec<Different>,
    /// When the server was not there at the start: `join` (play what is left), `skip` or `play` (all of it, later).
    late: String,
    paused: bool,
    /// What lets it go past hours and minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    override_id: Option<String>,
    /// When it begins next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    next: Option<String>,
}

/// What is different once.
#[derive(Debug, Serialize, ToSchema)]
struct Different {
    /// Civil time at which the rule has it.
    occurrence: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    bulletin_id: Option<String>,
}

/// A schedule that somebody wants.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSchedule {
    pub(super) title: String,
    /// A bulletin, or a playlist.
    pub(super) bulletin_id: String,
    pub(super) target: Target,
    /// The zone of civil times (IANA); absent: that of the areas that it is addressed to.
    pub(super) zone: Option<String>,
    /// Civil time, such as `2026-02-17T05:30:00`.
    pub(super) start: String,
    /// RFC 5545 §3.3.10, such as `FREQ=WEEKLY;BYDAY=MO,WE,FR`; absent: once.
    pub(super) rule: Option<String>,
    pub(super) except: Option<Vec<String>>,
    pub(super) also: Option<Vec<String>>,
    /// `join` if absent.
    pub(super) late: Option<String>,
    pub(super) paused: Option<bool>,
    pub(super) override_id: Option<String>,
    /// The version that was seen, when one is changed.
    #[schema(minimum = 1)]
    pub(super) version: Option<u64>,
    /// Keep it though it gets into others' way, or they into its.
    pub(super) despite_clashes: Option<bool>,
}

/// What is to be different about one occurrence: with neither `cancel` nor anything else, it is as the rule says again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OneOccurrence {
    /// Civil time at which the rule has it.
    occurrence: String,
    /// The schedule's version that was seen.
    #[schema(minimum = 1)]
    version: u64,
    cancel: Option<bool>,
    /// Civil time at which it begins instead.
    start: Option<String>,
    /// What sounds instead.
    bulletin_id: Option<String>,
}

/// Schedules
#[utoipa::path(
    get, path = "/api/v1/schedules", operation_id = "listSchedules", tag = "schedules",
    responses((status = 200, description = "Those that sound where one sees something", body = [ScheduleShape]), Guarded),
    security(("session" = []))
)]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<Vec<ScheduleShape>>> {
    let view = View::new(app.store(), &caller.authority).await?;
    let places = app.store().areas_of_receivers().await?;
    let now = app.now();
    let seen = app.store().schedules().await?.into_iter();
    let seen = seen.filter(|it| view.sees(&Place::of(&it.target, &places)));
    Ok(Json(seen.map(|it| ScheduleShape::new(it, now)).collect()))
}

/// Add a schedule
#[utoipa::path(
    post, path = "/api/v1/schedules", operation_id = "addSchedule", tag = "schedules",
    request_body = NewSchedule,
    responses(
        (status = 201, description = "It is kept, and what begins soon is a broadcast in a moment", body = ScheduleShape),
        (status = 404, description = "`not_found`: there is no such bulletin", body = Error),
        (status = 409, description = "`clashes`: it gets into others' way or they into its (`checkSchedule` tells which), and `despite_clashes` does not say that this is meant; `not_approved`: the override is not approved; `not_accepted`: the bulletin comes from above and was not accepted there", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn add(
    State(app): State<App>,
    caller: Caller,
    Body(it): Body<NewSchedule>,
) -> Answer<(StatusCode, Json<ScheduleShape>)> {
    let new = judge(&app, &caller, &it, None).await?;
    let now = app.now();
    let added = app.store().add_schedule(&caller.actor, now, &caller.user, new).await?;
    Ok((StatusCode::CREATED, Json(ScheduleShape::new(added, now))))
}

/// What would come of a schedule
#[utoipa::path(
    post, path = "/api/v1/schedules/check", operation_id = "checkSchedule", tag = "schedules",
    params(Checked),
    request_body = NewSchedule,
    responses(
        (status = 200, description = "Nothing is kept", body = Forecast),
        (status = 400, description = "`bad_request`: nothing that is known", body = Error),
        (status = 404, description = "`not_found`: there is no such bulletin or schedule", body = Error),
        (status = 409, description = "`not_accepted`: the bulletin comes from above and was not accepted there", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn check(
    State(app): State<App>,
    caller: Caller,
    super::gate::Query(checked): super::gate::Query<Checked>,
    Body(it): Body<NewSchedule>,
) -> Answer<Json<Forecast>> {
    let (new, view) = wanted(&app, &caller, &it).await?;
    may(&app, &caller, &view, &new.target, class_of(&app, new.bulletin).await?).await?;
    let instead_of = match checked.instead_of {
        Some(id) => Some(seen(&app, &caller, &id).await?.1.id),
        None => None,
    };
    Ok(Json(foresee(&app, &view, &new, instead_of, app.now()).await?))
}

/// Which schedule is to be changed.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Checked {
    /// The schedule that it would take the place of.
    #[param(nullable = false)]
    instead_of: Option<String>,
}

/// Change a schedule
///
/// What came of it and has not begun is stopped, and made anew as it is now.
#[utoipa::path(
    put, path = "/api/v1/schedules/{id}", operation_id = "changeSchedule", tag = "schedules",
    params(("id" = String, Path)),
    request_body = NewSchedule,
    responses(
        (status = 200, description = "The schedule", body = ScheduleShape),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`changed`: somebody else has changed it since `version`; else as `addSchedule`", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(it): Body<NewSchedule>,
) -> Answer<Json<ScheduleShape>> {
    let (view, before) = seen(&app, &caller, &id).await?;
    owns(&app, &caller, &view, &before).await?;
    let version = it.version.ok_or_else(|| {
        Problem::field(
            "version",
            "Thiếu phiên bản đã xem.",
            "The version that was seen is missing.",
        )
    })?;
    let new = judge(&app, &caller, &it, Some(before.id)).await?;
    let now = app.now();
    let changed = app
        .store()
        .change_schedule(&caller.actor, now, &caller.user, (before.id, version), new);
    let (after, withdrawn) = changed.await?;
    withdrawn.into_iter().for_each(|it| drop(app.tell(Notice::Stopped(it))));
    Ok(Json(ScheduleShape::new(after, now)))
}

/// Change one occurrence
#[utoipa::path(
    post, path = "/api/v1/schedules/{id}/once", operation_id = "changeOccurrence", tag = "schedules",
    params(("id" = String, Path)),
    request_body = OneOccurrence,
    responses(
        (status = 200, description = "The schedule", body = ScheduleShape),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`changed`: somebody else has changed it since `version`; `not_accepted` as `addSchedule`", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn once(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(it): Body<OneOccurrence>,
) -> Answer<Json<ScheduleShape>> {
    let (view, before) = seen(&app, &caller, &id).await?;
    owns(&app, &caller, &view, &before).await?;
    let key = civil("occurrence", &it.occurrence)?;
    let start = it.start.as_deref().map(|text| civil("start", text)).transpose()?;
    let bulletin = match it.bulletin_id.as_deref() {
        Some(text) => {
            let id = BulletinId::parse(text).ok_or_else(|| no_id("bulletin_id", text))?;
            let found = app.store().bulletin(id).await?;
            to_sound(&app, &view, &found, &before.target).await?;
            if found.class != before.class {
                let vi = "Phải cùng mức ưu tiên với bản tin của lịch này.";
                return Err(Problem::field(
                    "bulletin_id",
                    vi,
                    "Must be of the same class as the schedule's own.",
                ));
            }
            Some(id)
        }
        None => None,
    };
    let once = match (it.cancel, start, bulletin) {
        (Some(true), ..) => Once::Cancel,
        (_, None, None) => Once::Restore,
        (_, start, bulletin) => Once::Change(start, bulletin),
    };
    let now = app.now();
    let changed = app
        .store()
        .change_once(&caller.actor, now, &caller.user, (before.id, it.version), (key, once));
    let (after, withdrawn) = changed.await?;
    withdrawn.into_iter().for_each(|it| drop(app.tell(Notice::Stopped(it))));
    Ok(Json(ScheduleShape::new(after, now)))
}

/// Remove a schedule
///
/// What sounds goes on; what has not begun does not.
#[utoipa::path(
    delete, path = "/api/v1/schedules/{id}", operation_id = "removeSchedule", tag = "schedules",
    params(("id" = String, Path)),
    responses(
        (status = 204, description = "It is gone; its broadcasts stay in the record"),
        (status = 404, description = "`not_found`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn remove(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<StatusCode> {
    let (view, it) = seen(&app, &caller, &id).await?;
    owns(&app, &caller, &view, &it).await?;
    let withdrawn = app
        .store()
        .remove_schedule(&caller.actor, app.now(), &caller.user, it.id)
        .await?;
    withdrawn.into_iter().for_each(|it| drop(app.tell(Notice::Stopped(it))));
    Ok(StatusCode::NO_CONTENT)
}

/// What is wanted, if it can be read, `caller` may have it, and it is in nobody's way or is meant to be.
pub(super) async fn judge(
    app: &App,
    caller: &Caller,
    it: &NewSchedule,
    instead_of: Option<ScheduleId>,
) -> Answer<store::NewSchedule> {
    let (new, view) = wanted(app, caller, it).await?;
    may(app, caller, &view, &new.target, class_of(app, new.bulletin).await?).await?;
    if it.despite_clashes != Some(true) {
        foresee(app, &view, &new, instead_of, app.now()).await?.clear()?;
    }
    Ok(new)
}

/// The schedule of that identifier, if `caller` sees it.
async fn seen(app: &App, caller: &Caller, id: &str) -> Answer<(View, Schedule)> {
    let id = ScheduleId::parse(id).ok_or_else(|| Problem::missing("schedule"))?;
    let it = app.store().schedule(id).await?;
    let view = View::new(app.store(), &caller.authority).await?;
    let places = app.store().areas_of_receivers().await?;
    match view.sees(&Place::of(&it.target, &places)) {
        true => Ok((view, it)),
        false => Err(Problem::missing("schedule")),
    }
}

async fn class_of(app: &App, bulletin: BulletinId) -> Answer<loa_protocol::precedence::Class> {
    Ok(app.store().bulletin(bulletin).await?.class)
}

/// Lets pass who may change what that schedule makes sound.
async fn owns(app: &App, caller: &Caller, view: &View, it: &Schedule) -> Answer<()> {
    for right in rights(it.class) {
        holds(app, caller, view, *right, &it.target).await?;
    }
    Ok(())
}

/// Lets pass who may have that broadcast there.
async fn may(
    app: &App,
    caller: &Caller,
    view: &View,
    target: &store::Target,
    class: loa_protocol::precedence::Class,
) -> Answer<()> {
    for right in rights(class) {
        reaches(app, caller, view, *right, target).await?;
    }
    Ok(())
}

/// What is wanted, if it can be read and its bulletin is seen.
async fn wanted(app: &App, caller: &Caller, it: &NewSchedule) -> Answer<(store::NewSchedule, View)> {
    caller.may_somewhere(Right::Broadcast)?;
    let bulletin = BulletinId::parse(&it.bulletin_id).ok_or_else(|| no_id("bulletin_id", &it.bulletin_id))?;
    let target = it.target.read()?;
    let view = View::new(app.store(), &caller.authority).await?;
    let found = app.store().bulletin(bulletin).await?;
    to_sound(app, &view, &found, &target).await?;
    let zone = match it.zone.as_deref() {
        Some(text) => text.parse().map_err(|_| {
            let vi = "Phải là một múi giờ như Asia/Ho_Chi_Minh.";
            Problem::field("zone", vi, "Must be a time zone such as Asia/Ho_Chi_Minh.")
        })?,
        None => zone_of(app, &target).await?,
    };
    let late = match it.late.as_deref() {
        Some(name) => Late::named(name)
            .ok_or_else(|| Problem::field("late", "Phải là join, skip hoặc play.", "Must be join, skip or play."))?,
        None => Late::Join,
    };
    let overrides = it.override_id.as_deref();
    let overrides = overrides.map(|text| OverrideId::parse(text).ok_or_else(|| no_id("override_id", text)));
    let times = |field: &'static str, list: &Option<Vec<String>>| -> Answer<Vec<NaiveDateTime>> {
        list.iter().flatten().map(|text| civil(field, text)).collect()
    };
    let start = civil("start", &it.start)?;
    let recurrence = Recurrence::new(
        start,
        zone,
        it.rule.as_deref(),
        times("except", &it.except)?,
        times("also", &it.also)?,
    );
    let recurrence = recurrence.map_err(wrong)?;
    if recurrence.is_restless() {
        let vi = "Lịch phát lặp theo ngày, tuần, tháng hoặc năm; nhiều nhất mỗi giờ một lần.";
        return Err(Problem::field(
            "rule",
            vi,
            "A schedule repeats by the hour at most: not by the minute or second.",
        ));
    }
    let new = store::NewSchedule {
        title: it.title.clone(),
        bulletin,
        target,
        recurrence,
        late,
        paused: it.paused.unwrap_or(false),
        overrides: overrides.transpose()?,
    };
    Ok((new, view))
}

/// The zone of the first area that a target names.
pub(super) async fn zone_of(app: &App, target: &store::Target) -> Answer<Tz> {
    let places = app.store().places().await?;
    let area = match (target.areas.first(), target.receivers.first()) {
        (Some(area), _) => Some(*area),
        (None, Some(receiver)) => app.store().areas_of_receivers().await?.get(receiver).copied(),
        (None, None) => None,
    };
    Ok(area.and_then(|it| places.get(&it)).map_or(rules::ZONE, |it| it.zone))
}

fn wrong(it: recurrence::Wrong) -> Problem {
    let (field, vi) = match &it {
        recurrence::Wrong::Rule(_) => ("rule", "Quy tắc lặp không đúng (RFC 5545)."),
        recurrence::Wrong::TooLong => (
            "rule",
            "Quy tắc nhiều nhất 500 ký tự, nhiều nhất 1000 ngoại lệ mỗi loại.",
        ),
        recurrence::Wrong::Year => ("start", "Phải nằm trong các năm 1970 đến 2200."),
        recurrence::Wrong::Never => ("rule", "Lịch này không bao giờ đến."),
    };
    Problem::field(field, vi, it.to_string())
}

fn civil(field: &str, text: &str) -> Answer<NaiveDateTime> {
    let read = |form| NaiveDateTime::parse_from_str(text, form).ok();
    read(CIVIL).or_else(|| read("%Y-%m-%dT%H:%M")).ok_or_else(|| {
        Problem::field(
            field,
            "Phải là ngày giờ tại chỗ như 2026-02-17T05:30:00.",
            "Must be a local date and time such as 2026-02-17T05:30:00.",
        )
    })
}
impl NewSchedule {
    /// What a calendar says.
    pub(super) fn of_entry(it: Entry, bulletin_id: String, target: Target, despite_clashes: Option<bool>) -> Self {
        let shown = |times: Vec<NaiveDateTime>| Some(times.iter().map(|at| at.format(CIVIL).to_string()).collect());
        Self {
            title: it.title,
            bulletin_id,
            target,
            zone: it.zone.map(|zone| zone.name().to_owned()),
            start: it.start.format(CIVIL).to_string(),
            rule: it.rule,
            except: shown(it.except),
            also: shown(it.also),
            late: None,
            paused: None,
            override_id: None,
            version: None,
            despite_clashes,
        }
    }
}

impl ScheduleShape {
    pub(super) fn new(it: Schedule, now: UnixMicros) -> Self {
        let rule = &it.series.recurrence;
        let shown = |at: NaiveDateTime| at.format(CIVIL).to_string();
        let next = it.series.next(now).filter(|_| !it.paused);
        Self {
            id: it.id.to_string(),
            version: it.version,
            title: it.title,
            bulletin_id: it.bulletin.to_string(),
            bulletin_title: it.bulletin_title,
            class: it.class.into(),
            duration_ms: it.samples / 48,
            approved: it.approved,
            target: Target::from(it.target),
            zone: rule.zone().name().into(),
            start: shown(rule.start()),
            rule: rule.rule().map(Into::into),
            except: rule.except().map(shown).collect(),
            also: rule.also().map(shown).collect(),
            once: it
                .series
                .changed
                .iter()
                .map(|(key, it)| Different {
                    occurrence: shown(*key),
                    start: it.start.map(shown),
                    bulletin_id: it.source.map(|it| it.to_string()),
                })
                .collect(),
            late: it.late.name().into(),
            paused: it.paused,
            override_id: it.overrides.map(|it| it.to_string()),
            next: next.map(|it| written(it.start)),
        }
    }
}
