//! Inboxes: what waits for somebody, what came from above, what was refused; sending bulletins down, and answering. Here: who may, and
//! whom it concerns. Not here: two priorities that meet (`rivals`), what came of what was sent (`store::reports`).

use axum::Json;
use axum::extract::{Path, State};
use loa_protocol::precedence::Class;
use loa_protocol::{AreaId, UnixMicros};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::approval::Refusal;
use super::bulletins::may;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Body, Caller};
use super::shapes::{Broadcast, instant, no_id, written};
use super::shelf::Bulletin;
use super::view::{Place, View};
use crate::authority::Right;
use crate::schedule::deadlines;
use crate::store::{self, BulletinState, DeliveryId, Invalid};

/// What came from above is shown for so long after it was sent or began, in microseconds, if nothing else is to come of it: 31 days.
const SHOWN: u64 = 31 * 86_400 * 1_000_000;
/// Emergencies are shown for so long after they began, in microseconds: a week.
const EMERGENCIES: u64 = 7 * 86_400 * 1_000_000;
/// Items of a list at most.
const MOST: usize = 200;

/// What somebody has to see to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Inbox {
    /// What is not approved and is asked for or is to sound; the soonest first, then what has no start yet.
    waiting: Vec<Waiting>,
    /// What came from above, the last first.
    received: Vec<Delivery>,
    /// Emergencies from above: they play at once, and wait for no answer. Of the last week, the last first.
    emergencies: Vec<Broadcast>,
    /// Bulletins of one's own that were refused, the last made first.
    refused: Vec<Bulletin>,
}

/// A bulletin that waits for somebody.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Waiting {
    bulletin: Bulletin,
    /// For whom: `approver` (it is submitted) or `author` (it is a draft, or was refused).
    whom: String,
    /// Who asks may approve it.
    may_approve: bool,
    /// When it is to begin: approved by then, or it fails. Absent: nothing is scheduled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    until: Option<String>,
}

/// A bulletin in an area's inbox.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Delivery {
    id: String,
    bulletin: Bulletin,
    /// Whose inbox.
    area_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    note: Option<String>,
    /// From when on it is not to begin there any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    valid_until: Option<String>,
    #[schema(format = DateTime)]
    sent_at: String,
    /// `accepted` or `refused`; absent: not answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    answer: Option<String>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    answered_at: Option<String>,
    /// Who asks may answer.
    may_answer: bool,
    report: Report,
}

/// How a bulletin fares in an area.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Report {
    /// `received`, `scheduled`, `playing`, `played` (whole, everywhere), `interrupted` (cut off, or not everywhere), `failed` or `refused`.
    state: String,
    /// When it was received, refused, began or ended; of `scheduled`: when it is to begin.
    #[schema(format = DateTime)]
    at: String,
    /// When it begins next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    next_at: Option<String>,
    /// Receivers of its last broadcast that has begun.
    receivers: u64,
    /// Of those, who have played all of it.
    played: u64,
}

/// A bulletin that is to be sent to areas below.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSending {
    /// To these areas; each answers for itself.
    areas: Vec<String>,
    /// From when on it is not to begin there any more (RFC 3339).
    #[schema(nullable = false, format = DateTime)]
    valid_until: Option<String>,
    /// A line, 500 characters at most.
    #[schema(nullable = false)]
    note: Option<String>,
}

/// What one has to see to
///
/// What waits for approval and until when, what came from above for areas where one sees things, what was refused of one's own.
#[utoipa::path(
    get, path = "/api/v1/inbox", operation_id = "inbox", tag = "inbox",
    responses((status = 200, description = "As of now", body = Inbox), Guarded),
    security(("session" = []))
)]
pub(super) async fn inbox(State(app): State<App>, caller: Caller) -> Answer<Json<Inbox>> {
    let (store, now) = (app.store(), app.now());
    let view = View::new(store, &caller.authority).await?;
    let mut received = Vec::new();
    for it in store.deliveries(None).await? {
        if received.len() < MOST && it.sent.0 + SHOWN > now.0 && view.seen_path(it.area).is_some() {
            let bulletin = store.bulletin(it.bulletin).await?;
            // Who sees where it comes from has sent it.
            if !view.sees(&Place::In(bulletin.area)) {
                received.push((it, bulletin));
            }
        }
    }
    Ok(Json(Inbox {
        waiting: waiting(&app, &caller, &view).await?,
        received: delivered(&app, &caller, &view, received).await?,
        emergencies: emergencies(&app, &view).await?,
        refused: refused(&app, &caller, &view).await?,
    }))
}

/// Send a bulletin to areas below
///
/// It has to be approved. Each area answers for itself (`acceptDelivery`, `refuseDelivery`); its people see the bulletin though it belongs to
/// the area above, and may schedule it there once it is accepted. An emergency is broadcast instead, and asks nobody. Takes the right to
/// make bulletins in the bulletin's own area, which the areas have to lie below.
#[utoipa::path(
    post, path = "/api/v1/bulletins/{id}/send", operation_id = "sendBulletin", tag = "inbox",
    params(("id" = String, Path)),
    request_body = NewSending,
    responses(
        (status = 200, description = "What lies in the inboxes of these areas now", body = [Delivery]),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`not_approved`; `emergency`: it is broadcast, not sent", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn send(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(it): Body<NewSending>,
) -> Answer<Json<Vec<Delivery>>> {
    let bulletin = may(&app, &caller, Right::Compose, &id).await?;
    let view = View::new(app.store(), &caller.authority).await?;
    let mut areas = Vec::new();
    for text in &it.areas {
        let area = AreaId::parse(text).ok_or_else(|| no_id("areas", text))?;
        view.seen_path(area).ok_or(store::Error::Invalid {
            field: "areas",
            why: Invalid::Unknown,
        })?;
        areas.push(area);
    }
    let valid_until = it.valid_until.as_deref().map(|text| {
        instant(text).ok_or_else(|| {
            let vi = "Phải là một thời điểm như 2026-02-17T05:30:00+07:00 (RFC 3339).";
            let en = "Must be an instant such as 2026-02-17T05:30:00+07:00 (RFC 3339).";
            Problem::field("valid_until", vi, en)
        })
    });
    let new = store::NewSending {
        areas,
        note: it.note,
        valid_until: valid_until.transpose()?,
    };
    let sent = app
        .store()
        .send(&caller.actor, app.now(), &caller.user, bulletin.id, new);
    let both = sent.await?.into_iter().map(|it| (it, bulletin.clone())).collect();
    Ok(Json(delivered(&app, &caller, &view, both).await?))
}

/// Where a bulletin was sent, and what came of it
#[utoipa::path(
    get, path = "/api/v1/bulletins/{id}/deliveries", operation_id = "bulletinDeliveries", tag = "inbox",
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "Of areas where one sees things, the last sent first", body = [Delivery]),
        (status = 404, description = "`not_found`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn deliveries(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<Json<Vec<Delivery>>> {
    let bulletin = may(&app, &caller, Right::See, &id).await?;
    let view = View::new(app.store(), &caller.authority).await?;
    let all = app.store().deliveries(Some(bulletin.id)).await?.into_iter();
    let seen = all.filter(|it| view.seen_path(it.area).is_some());
    let both = seen.map(|it| (it, bulletin.clone())).collect();
    Ok(Json(delivered(&app, &caller, &view, both).await?))
}

/// Accept what was sent to an area
///
/// It may be scheduled there from now on. Takes the right to broadcast there.
#[utoipa::path(
    post, path = "/api/v1/inbox/{id}/accept", operation_id = "acceptDelivery", tag = "inbox",
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "As it is now", body = Delivery),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`expired`: its time is over; `changed`: it was sent anew meanwhile", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn accept(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<Json<Delivery>> {
    answer(&app, &caller, &id, None).await
}

/// Refuse what was sent to an area
///
/// Who sent it reads why. Takes the right to broadcast there.
#[utoipa::path(
    post, path = "/api/v1/inbox/{id}/refuse", operation_id = "refuseDelivery", tag = "inbox",
    params(("id" = String, Path)),
    request_body = Refusal,
    responses(
        (status = 200, description = "As it is now", body = Delivery),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`scheduled`: it is scheduled there; `changed`: it was sent anew meanwhile", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn refuse(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(it): Body<Refusal>,
) -> Answer<Json<Delivery>> {
    answer(&app, &caller, &id, Some(it.reason)).await
}

async fn answer(app: &App, caller: &Caller, id: &str, refusal: Option<String>) -> Answer<Json<Delivery>> {
    let missing = || Problem::missing("delivery");
    let known = app.store().delivery(DeliveryId::parse(id).ok_or_else(missing)?).await?;
    let view = View::new(app.store(), &caller.authority).await?;
    caller.may(Right::Broadcast, view.seen_path(known.area).ok_or_else(missing)?)?;
    let (now, refusal) = (app.now(), refusal.as_deref());
    let answered = app.store().answer(&caller.actor, now, &caller.user, known.id, refusal);
    let answered = answered.await?;
    let bulletin = app.store().bulletin(answered.bulletin).await?;
    let shown = delivered(app, caller, &view, vec![(answered, bulletin)]).await?;
    shown.into_iter().next().map(Json).ok_or_else(missing)
}

async fn waiting(app: &App, caller: &Caller, view: &View) -> Answer<Vec<Waiting>> {
    let (now, store) = (app.now(), app.store());
    let (starts, asked) = store.unapproved(now).await?;
    let mut waiting = Vec::new();
    for (id, until) in deadlines::waiting(now, &asked, starts) {
        let Some(it) = there(store.bulletin(id).await)? else {
            continue;
        };
        let path = view.path(it.area);
        if waiting.len() < MOST && view.sees(&Place::In(it.area)) {
            let may = |right| caller.authority.may(right, path);
            waiting.push(Waiting {
                whom: match it.state {
                    BulletinState::Submitted => "approver".into(),
                    _ => "author".into(),
                },
                may_approve: may(Right::Approve) && (it.class != Class::Emergency || may(Right::Emergency)),
                until: until.map(written),
                bulletin: it.into(),
            });
        }
    }
    Ok(waiting)
}

/// What is there still: it may have been deleted meanwhile.
fn there(found: Result<store::Bulletin, store::Error>) -> Result<Option<store::Bulletin>, store::Error> {
    match found {
        Err(store::Error::Missing(_)) => Ok(None),
        other => other.map(Some),
    }
}

async fn emergencies(app: &App, view: &View) -> Answer<Vec<Broadcast>> {
    let (store, now) = (app.store(), app.now());
    let places = store.areas_of_receivers().await?;
    let since = UnixMicros(now.0.saturating_sub(EMERGENCIES));
    let all = store.broadcasts_since(Class::Emergency, since).await?.into_iter();
    let above = all.filter(|it| !view.sees(&Place::In(it.owner)) && view.sees(&Place::of(&it.target, &places)));
    Ok(above.take(MOST).map(Broadcast::from).collect())
}

async fn refused(app: &App, caller: &Caller, view: &View) -> Answer<Vec<Bulletin>> {
    let wanted = store::Wanted {
        state: Some(BulletinState::Refused),
        ..store::Wanted::default()
    };
    let mine = |it: &store::Bulletin| it.author == caller.user.id && view.sees(&Place::In(it.area));
    let found = app.store().bulletins(None, MOST as u32, &wanted, &mine).await?;
    Ok(found.into_iter().map(Bulletin::from).collect())
}

async fn delivered(
    app: &App,
    caller: &Caller,
    view: &View,
    all: Vec<(store::Delivery, store::Bulletin)>,
) -> Answer<Vec<Delivery>> {
    let (all, bulletins): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    let reports = app.store().reports(app.now(), &all).await?;
    let shape = |((it, bulletin), report): ((store::Delivery, store::Bulletin), store::Report)| Delivery {
        id: it.id.to_string(),
        bulletin: bulletin.into(),
        area_id: it.area.to_string(),
        may_answer: caller.authority.may(Right::Broadcast, view.path(Some(it.area))),
        answer: it.answer.as_ref().map(|_| match it.accepted() {
            true => "accepted".into(),
            false => "refused".into(),
        }),
        answered_at: it.answer.as_ref().map(|it| written(it.at)),
        reason: it.answer.and_then(|it| it.refusal),
        note: it.note,
        valid_until: it.valid_until.map(written),
        sent_at: written(it.sent),
        report: Report {
            state: report.fared.name().into(),
            at: written(report.at),
            next_at: report.next.map(written),
            receivers: report.receivers.0,
            played: report.receivers.1,
        },
    };
    Ok(all.into_iter().zip(bulletins).zip(reports).map(shape).collect())
}

/// Lets pass what `caller` may have sound in `target`: a bulletin that they see where it belongs, or one from above that was accepted in all
/// of it.
pub(super) async fn to_sound(app: &App, view: &View, it: &store::Bulletin, target: &store::Target) -> Answer<()> {
    if view.sees(&Place::In(it.area)) {
        return Ok(());
    }
    if !view.sees(&Place::bulletin(it)) {
        return Err(Problem::missing("bulletin"));
    }
    let accepted = app.store().deliveries(Some(it.id)).await?.into_iter();
    let accepted: Vec<_> = accepted.filter(store::Delivery::accepted).map(|it| it.area).collect();
    let places = app.store().areas_of_receivers().await?;
    let singles = target.receivers.iter().filter_map(|it| places.get(it));
    let fits = |area: &AreaId| view.path(Some(*area)).iter().any(|it| accepted.contains(it));
    match target.areas.iter().chain(singles).all(fits) {
        true => Ok(()),
        false => {
            let vi = "Bản tin từ cấp trên: phải nhận trong hộp thư của địa bàn này trước khi xếp lịch.";
            let en = "The bulletin comes from above: it has to be accepted in that area's inbox first.";
            Err(Problem::new(axum::http::StatusCode::CONFLICT, "not_accepted", vi, en))
        }
    }
}
