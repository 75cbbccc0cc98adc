//! Receivers, from enrolment to revocation.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loa_protocol::{AreaId, ReceiverId};

use super::App;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Body, Caller};
use super::shapes::{Enrolled, NewEnrolment, NewReceiver, Receiver, ReceiverChange, no_id};
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
    let place = told(&app, it.host.as_deref())?;
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
        position: store::Position::judged(it.latitude, it.longitude)?,
    };
    let (receiver, enrolment) = enrol::enrol(app.store(), &place, &caller.actor, app.now(), new).await?;
    // It may come as soon as this is answered.
    app.tell(Notice::ReceiversChanged).done().await;
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
    let unknown = store::Error::Invalid {
        field: "area_id",
        why: Invalid::Unknown,
    };
    let area = it
        .area_id
        .as_deref()
        .map(|text| AreaId::parse(text).ok_or_else(|| no_id("area_id", text)));
    let change = store::ReceiverChange {
        name: it.name,
        area: area.transpose()?,
        volume: it.volume,
        position: store::Position::judged(it.latitude, it.longitude)?,
    };
    change.volume.map(store::receivers::checked_volume).transpose()?;
    // What the air must know of, and what only who mounts it may say.
    let moved = change.name.is_some() || change.area.is_some();
    let more = moved || change.position.is_some();
    if !more && change.volume.is_none() {
        let (vi, en) = ("Hãy cho biết cần đổi gì.", "Say what is to change.");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", vi, en));
    }
    // How loud it is matters to who broadcasts as much as to who mounted it.
    let before = match may(&app, &caller, Right::Receivers, &id).await {
        Err(_) if !more => may(&app, &caller, Right::Broadcast, &id).await?,
        other => other?,
    };
    if let Some(area) = change.area.filter(|area| *area != before.area) {
        // Who gives it away must be allowed to take it there.
        let view = View::new(app.store(), &caller.authority).await?;
        caller.may(Right::Receivers, view.seen_path(area).ok_or(unknown)?)?;
    }
    let (id, louder) = (before.id, change.volume.is_some());
    let receiver = app
        .store()
        .change_receiver(&caller.actor, app.now(), id, change)
        .await?;
    if moved {
        // What is broadcast next goes where it lies now.
        app.tell(Notice::ReceiversChanged).done().await;
    }
    if louder {
        app.tell(Notice::Volume(id));
    }
    Ok(Json(receiver.into()))
}

/// Revoke a receiver
///
/// At once: its session ends, it is sent nothing and told nothing any more. Its history stays. Not undone but by enrolling it again.
#[utoipa::path(
    post, path = "/api/v1/receivers/{id}/revoke", operation_id = "revokeReceiver", tag = "receivers",
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "The receiver", body = Receiver),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`revoked`: it is already", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn revoke(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<Json<Receiver>> {
    let id = may(&app, &caller, Right::Receivers, &id).await?.id;
    let receiver = app.store().revoke_receiver(&caller.actor, app.now(), id).await?;
    // Once this is answered it is out.
    app.tell(Notice::ReceiversChanged).done().await;
    Ok(Json(receiver.into()))
}

/// Enrol a receiver again
///
/// In the same hardware or in another: a new secret, and the old one is dead at once. Name, area and history stay.
#[utoipa::path(
    post, path = "/api/v1/receivers/{id}/enrolment", operation_id = "enrolReceiverAgain", tag = "receivers",
    params(("id" = String, Path)),
    request_body = NewEnrolment,
    responses(
        (status = 201, description = "The receiver, and once only what goes into its flash", body = Enrolled),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`no_public_host`: receivers could not be told where the server is", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn enrol_again(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(it): Body<NewEnrolment>,
) -> Answer<(StatusCode, Json<Enrolled>)> {
    let id = may(&app, &caller, Right::Receivers, &id).await?.id;
    let place = told(&app, it.host.as_deref())?;
    let (receiver, enrolment) = enrol::enrol_again(app.store(), &place, &caller.actor, app.now(), id).await?;
    app.tell(Notice::ReceiversChanged).done().await;
    let enrolled = Enrolled {
        receiver: receiver.into(),
        enrolment: STANDARD.encode(enrolment),
    };
    Ok((StatusCode::CREATED, Json(enrolled)))
}

/// Order a new secret from a receiver
///
/// It makes one with the server when it is there, now or later; until it has used it, both hold.
#[utoipa::path(
    post, path = "/api/v1/receivers/{id}/rotate", operation_id = "rotateReceiver", tag = "receivers",
    params(("id" = String, Path)),
    responses(
        (status = 202, description = "It is ordered; once it is done `rotating` is false again", body = Receiver),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`revoked`: it has no secret", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn rotate(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<(StatusCode, Json<Receiver>)> {
    let id = may(&app, &caller, Right::Receivers, &id).await?.id;
    let receiver = app.store().order_rotation(&caller.actor, app.now(), id).await?;
    app.tell(Notice::Rotate(id));
    Ok((StatusCode::ACCEPTED, Json(receiver.into())))
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

/// What a receiver is to be told of this server, which it calls `host` if not as the others do.
fn told(app: &App, host: Option<&str>) -> Answer<enrol::Place> {
    let host = host.map(config::host).transpose().map_err(|right| {
        Problem::field(
            "host",
            "Phải là tên máy hoặc địa chỉ, không có cổng.",
            format!("Must be {right}."),
        )
    })?;
    Ok(enrol::place(&app.parts.config, &app.parts.known, host.as_deref())?)
}

/// The receiver of that identifier, if `caller` has `right` over it.
pub(super) async fn may(app: &App, caller: &Caller, right: Right, id: &str) -> Answer<store::Receiver> {
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
