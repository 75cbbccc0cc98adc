//! Receivers.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loa_protocol::{AreaId, ReceiverId};

use super::App;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Body, Caller};
use super::shapes::{Enrolled, NewReceiver, Receiver, ReceiverChange, no_id};
use super::view::{Place, View};
use crate::authority::Right;
use crate::config;
use crate::enrol;
use crate::playout::Notice;
use crate::store::{self, Entry, Invalid, More};

/// Per cent; what a receiver starts with unless said otherwise.
pub(crate) const VOLUME: u8 = 80;

/// All receivers
#[utoipa::path(
    get, path = "/api/v1/receivers", operation_id = "listReceivers", tag = "receivers",
    responses((status = 200, description = "By name", body = [Receiver]), Guarded),
    security(("session" = []))
)]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<Vec<Receiver>>> {
    let view = View::new(app.store(), &caller.authority).await?;
    let receivers = app.store().list_receivers().await?.into_iter();
    let seen = receivers.filter(|it| view.sees(&Place::In(Some(it.area))));
    Ok(Json(seen.map(Receiver::from).collect()))
}

/// Enrol a receiver
#[utoipa::path(
    post, path = "/api/v1/receivers", operation_id = "enrolReceiver", tag = "receivers",
    request_body = NewReceiver,
    responses(
        (status = 201, description = "The receiver, and once only what goes into its flash", body = Enrolled),
        (status = 409, description = "`no_public_host`: receivers could not be told where the server is", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn enrol(
    State(app): State<App>,
    caller: Caller,
    Body(it): Body<NewReceiver>,
) -> Answer<(StatusCode, Json<Enrolled>)> {
    caller.may_somewhere(Right::Receivers)?;
    let host = it.host.as_deref().map(config::host).transpose().map_err(|right| {
        Problem::field(
            "host",
            "Phải là tên máy hoặc địa chỉ, không có cổng.",
            format!("Must be {right}."),
        )
    })?;
    let place = enrol::place(&app.parts.config, &app.parts.known, host.as_deref())?;
    let area = AreaId::parse(&it.area_id).ok_or_else(|| no_id("area_id", &it.area_id))?;
    let unknown = store::Error::Invalid {
        field: "area_id",
        why: Invalid::Unknown,
    };
    let view = View::new(app.store(), &caller.authority).await?;
    caller.may(Right::Receivers, view.seen_path(area).ok_or(unknown)?)?;
    let new = enrol::New {
        name: it.name,
        area,
        volume: it.volume.unwrap_or(VOLUME),
    };
    let (receiver, enrolment) = enrol::enrol(app.store(), &place, &caller.actor, app.now(), new).await?;
    app.tell(Notice::ReceiversChanged);
    let enrolled = Enrolled {
        receiver: receiver.into(),
        enrolment: STANDARD.encode(enrolment),
    };
    Ok((StatusCode::CREATED, Json(enrolled)))
}

/// Change a receiver
#[utoipa::path(
    patch, path = "/api/v1/receivers/{id}", operation_id = "changeReceiver", tag = "receivers",
    params(("id" = String, Path)),
    request_body = ReceiverChange,
    responses(
        (status = 200, description = "The receiver", body = Receiver),
        (status = 404, description = "`not_found`", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(it): Body<ReceiverChange>,
) -> Answer<Json<Receiver>> {
    store::receivers::checked_volume(it.volume)?;
    // How loud it is matters to who broadcasts as much as to who mounted it.
    let right = match caller.authority.may_somewhere(Right::Broadcast) {
        true => Right::Broadcast,
        false => Right::Receivers,
    };
    let id = may(&app, &caller, right, &id).await?.id;
    let receiver = app.store().set_volume(&caller.actor, app.now(), id, it.volume).await?;
    app.tell(Notice::Volume(id));
    Ok(Json(receiver.into()))
}

/// Start a receiver afresh
#[utoipa::path(
    post, path = "/api/v1/receivers/{id}/reboot", operation_id = "rebootReceiver", tag = "receivers",
    params(("id" = String, Path)),
    responses(
        (status = 202, description = "It is told to; whether it does, its reports say", body = Receiver),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`offline`: it is not connected, so that it cannot be told", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn reboot(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<(StatusCode, Json<Receiver>)> {
    let receiver = may(&app, &caller, Right::Receivers, &id).await?;
    let id = receiver.id;
    if !receiver.online {
        let (vi, en) = ("Cụm thu phát thanh đang mất kết nối.", "The receiver is not connected.");
        return Err(Problem::new(StatusCode::CONFLICT, "offline", vi, en));
    }
    let (subject, detail) = (id.to_string(), String::new());
    let entry = Entry {
        at: app.now(),
        actor: &caller.actor,
        what: "receiver.reboot",
        subject,
        detail,
    };
    let more = More {
        area: Some(receiver.area),
        ..More::default()
    };
    app.store().note_more(entry, more).await?;
    app.tell(Notice::Reboot(id));
    Ok((StatusCode::ACCEPTED, Json(receiver.into())))
}

/// The receiver of that identifier, if `caller` has `right` over it.
async fn may(app: &App, caller: &Caller, right: Right, id: &str) -> Answer<store::Receiver> {
    caller.may_somewhere(right)?;
    let id = ReceiverId::parse(id).ok_or(store::Error::Missing("receiver"))?;
    let receiver = app.store().receiver(id).await?;
    let view = View::new(app.store(), &caller.authority).await?;
    caller.may_to(right, view.path(Some(receiver.area)), "receiver")?;
    Ok(receiver)
}

impl From<enrol::NotEnrolled> for Problem {
    fn from(error: enrol::NotEnrolled) -> Self {
        match error {
            enrol::NotEnrolled::Store(error) => error.into(),
            enrol::NotEnrolled::Enrolment(error) => error.into(),
        }
    }
}
