//! Devices that ask to be enrolled. Who approves one must have its code from the device itself: what is listed is not enough, so
//! that nobody approves a stranger's by mistake.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use loa_protocol::claim::Code;
use loa_protocol::{AreaId, ReceiverId, UnixMicros};

use super::App;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Body, Caller};
use super::receivers::{VOLUME, may};
use super::shapes::{Approval, Claim, Receiver, no_id};
use super::view::View;
use crate::authority::Right;
use crate::enrol::{self, Become};
use crate::playout::Notice;
use crate::store::{self, Entry, Invalid, More};

/// Devices that ask to be enrolled
#[utoipa::path(
    get, path = "/api/v1/claims", operation_id = "listClaims", tag = "receivers",
    responses((status = 200, description = "The newest last", body = [Claim]), Guarded),
    security(("session" = []))
)]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<Vec<Claim>>> {
    caller.may_somewhere(Right::Receivers)?;
    Ok(Json(claims(&app)))
}

/// Those that ask at present.
pub(super) fn claims(app: &App) -> Vec<Claim> {
    let mut book = app.claims();
    book.strike_out(app.now());
    book.list().iter().map(Claim::from).collect()
}

/// Approve a device
///
/// It becomes a new receiver (`name`, `area_id`), or takes the place of one (`replaces`), whose old hardware is dead then.
#[utoipa::path(
    post, path = "/api/v1/claims/{code}/approve", operation_id = "approveClaim", tag = "receivers",
    params(("code" = String, Path, description = "The whole code, as the device shows it")),
    request_body = Approval,
    responses(
        (status = 201, description = "The receiver that it is from now on", body = Receiver),
        (status = 404, description = "`not_found`: no device with that code asks", body = Error),
        (status = 409, description = "`no_public_host`: receivers could not be told where the server is", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn approve(
    State(app): State<App>,
    caller: Caller,
    Path(code): Path<String>,
    Body(it): Body<Approval>,
) -> Answer<(StatusCode, Json<Receiver>)> {
    caller.may_somewhere(Right::Receivers)?;
    let place = enrol::place(&app.parts.config, &app.parts.known, None)?;
    let wanted = wanted(&app, &caller, it).await?;
    let code = Code::parse(&code).ok_or_else(|| Problem::missing("claim"))?;
    // Out of the book at once: of two who approve it, one finds nothing.
    let asking = app.claims().take(&code).ok_or_else(|| Problem::missing("claim"))?;
    let device = asking.request.device;
    let (claim, trusts) = (device.claim(), asking.request.key_number);
    let done = enrol::enrol_claimed(app.store(), &place, &caller.actor, app.now(), device, wanted).await;
    let receiver = match done {
        Ok(receiver) => receiver,
        Err(error) => {
            app.claims().put_back(asking);
            return Err(error.into());
        }
    };
    app.store().tell_claims();
    app.tell(Notice::Claimed(claim, trusts));
    Ok((StatusCode::CREATED, Json(receiver.into())))
}

/// What the device is to be, if `caller` may say so.
async fn wanted(app: &App, caller: &Caller, it: Approval) -> Answer<Become> {
    let (vi, en) = (
        "Hãy cho tên và địa bàn của cụm mới, hoặc cụm được thay.",
        "Say the new receiver's name and area, or which receiver it replaces.",
    );
    match (it.replaces, it.name, it.area_id) {
        (Some(id), None, None) => {
            let unknown = |field| {
                Problem::from(store::Error::Invalid {
                    field,
                    why: Invalid::Unknown,
                })
            };
            let id = ReceiverId::parse(&id).ok_or_else(|| no_id("replaces", &id))?;
            let receiver = may(app, caller, Right::Receivers, &id.to_string()).await;
            match receiver {
                Err(problem) if problem.is_missing() => Err(unknown("replaces")),
                other => other.map(|receiver| Become::Instead(receiver.id)),
            }
        }
        (None, Some(name), Some(area)) => {
            let area = AreaId::parse(&area).ok_or_else(|| no_id("area_id", &area))?;
            let unknown = store::Error::Invalid {
                field: "area_id",
                why: Invalid::Unknown,
            };
            let view = View::new(app.store(), &caller.authority).await?;
            caller.may(Right::Receivers, view.seen_path(area).ok_or(unknown)?)?;
            Ok(Become::New(enrol::New {
                name,
                area,
                volume: it.volume.unwrap_or(VOLUME),
                position: None,
            }))
        }
        (None, None, _) => Err(Problem::field("name", vi, en)),
        (None, Some(_), None) => Err(Problem::field("area_id", vi, en)),
        (Some(_), ..) => Err(Problem::field("replaces", vi, en)),
    }
}

/// Refuse a device
///
/// It is not shown for some minutes, also if it asks again.
#[utoipa::path(
    delete, path = "/api/v1/claims/{code}", operation_id = "refuseClaim", tag = "receivers",
    params(("code" = String, Path, description = "Its `id` in the list, or its whole code")),
    responses(
        (status = 204, description = "It is refused"),
        (status = 404, description = "`not_found`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn refuse(State(app): State<App>, caller: Caller, Path(code): Path<String>) -> Answer<StatusCode> {
    caller.may_somewhere(Right::Receivers)?;
    let (now, subject) = refused(&app, &code).ok_or_else(|| Problem::missing("claim"))?;
    let entry = Entry {
        at: now,
        actor: &caller.actor,
        what: "claim.refuse",
        subject,
        detail: String::new(),
    };
    app.store().note_more(entry, More::default()).await?;
    app.store().tell_claims();
    Ok(StatusCode::NO_CONTENT)
}

/// Strikes it out; when, and how the record names it.
fn refused(app: &App, named: &str) -> Option<(UnixMicros, String)> {
    let mut book = app.claims();
    let by_code = Code::parse(named).and_then(|code| book.find(&code));
    let page = || AreaId::parse(named).and_then(|page| book.page(page.0));
    let (claim, hint) = by_code.or_else(page).map(|it| (it.request.device.claim(), it.hint()))?;
    let now = app.now();
    book.refuse(claim, now);
    Some((now, format!("{hint}-…")))
}
