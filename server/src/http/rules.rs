//! What areas allow, and what goes past it. Here: an area's rules as it says them and as they come to hold, rules to begin with,
//! and overrides by two people. Not here: what follows from them (`schedule`).

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use loa_protocol::AreaId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Body, Caller};
use super::shapes::{instant, no_id, written};
use super::view::{Place, View};
use crate::authority::Right;
use crate::playout::Notice;
use crate::schedule::presets;
use crate::schedule::rules::Rules;
use crate::store::{self, OverrideId};

/// What an area allows.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AreaRules {
    area_id: String,
    /// The zone of its civil time (IANA), its own or that of an area above.
    zone: String,
    /// It says that zone itself.
    own_zone: bool,
    /// What it says itself.
    rules: Rules,
    /// What the areas above it say, the root first: only that is allowed which they allow, too.
    above: Vec<Above>,
    /// What holds today of all that.
    today: Today,
}

/// What an area above says.
#[derive(Debug, Serialize, ToSchema)]
struct Above {
    area_id: String,
    name: String,
    rules: Rules,
}

/// What holds on a day.
#[derive(Debug, Serialize, ToSchema)]
struct Today {
    windows: Vec<Window>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    daily_minutes: Option<u16>,
}

/// Hours in which sound is allowed.
#[derive(Debug, Serialize, ToSchema)]
struct Window {
    /// Days of the week, 1 (Monday) to 7 (Sunday).
    days: Vec<u8>,
    /// Minutes since midnight.
    from: u16,
    to: u16,
    /// Highest volume, in per cent.
    volume: u8,
}

/// What an area is to allow.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRules {
    /// The zone of its civil time (IANA); absent: that of the area above.
    zone: Option<String>,
    rules: Rules,
}

/// Rules to begin with.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PresetShape {
    name: String,
    title_vi: String,
    title_en: String,
    /// Where it comes from, and what that leaves open.
    note_vi: String,
    note_en: String,
    rules: Rules,
}

/// Leave to go past hours and minutes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OverrideShape {
    id: String,
    area_id: String,
    reason: String,
    /// What begins before this may.
    #[schema(format = DateTime)]
    expires_at: String,
    #[schema(format = DateTime)]
    asked_at: String,
    asked_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    approved_by: Option<String>,
    /// It is approved, not withdrawn and not expired.
    holds: bool,
}

/// Leave that somebody asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOverride {
    area_id: String,
    reason: String,
    /// At most 31 days from now.
    #[schema(format = DateTime)]
    expires_at: String,
}

/// What an area allows
#[utoipa::path(
    get, path = "/api/v1/areas/{id}/rules", operation_id = "areaRules", tag = "areas",
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "Its own rules, those above it, and what holds today", body = AreaRules),
        (status = 404, description = "`not_found`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn of_area(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<Json<AreaRules>> {
    let (view, id) = area(&app, &caller, &id).await?;
    Ok(Json(shown(&app, &view, id).await?))
}

/// Set what an area allows
///
/// Receivers are told at once, and whenever they come.
#[utoipa::path(
    put, path = "/api/v1/areas/{id}/rules", operation_id = "setAreaRules", tag = "areas",
    params(("id" = String, Path)),
    request_body = NewRules,
    responses(
        (status = 200, description = "Its own rules, those above it, and what holds today", body = AreaRules),
        (status = 404, description = "`not_found`", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn set(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(it): Body<NewRules>,
) -> Answer<Json<AreaRules>> {
    let (view, id) = area(&app, &caller, &id).await?;
    caller.may(Right::Areas, view.path(Some(id)))?;
    let zone = it.zone.as_deref().map(|text| {
        text.parse().map_err(|_| {
            let vi = "Phải là một múi giờ như Asia/Ho_Chi_Minh.";
            Problem::field("zone", vi, "Must be a time zone such as Asia/Ho_Chi_Minh.")
        })
    });
    let rules = (zone.transpose()?, it.rules);
    app.store().set_rules(&caller.actor, app.now(), id, rules).await?;
    // Who asks next finds receivers told.
    app.tell(Notice::ReceiversChanged).done().await;
    Ok(Json(shown(&app, &view, id).await?))
}

/// Rules to begin with
#[utoipa::path(
    get, path = "/api/v1/rules/presets", operation_id = "rulePresets", tag = "areas",
    responses((status = 200, description = "What was published, with its source", body = [PresetShape]), Guarded),
    security(("session" = []))
)]
pub(super) async fn presets(_caller: Caller) -> Json<Vec<PresetShape>> {
    let shape = |it: presets::Preset| PresetShape {
        name: it.name.into(),
        title_vi: it.title[0].into(),
        title_en: it.title[1].into(),
        note_vi: it.note[0].into(),
        note_en: it.note[1].into(),
        rules: it.rules,
    };
    Json(presets::all().into_iter().map(shape).collect())
}

/// Overrides
#[utoipa::path(
    get, path = "/api/v1/overrides", operation_id = "listOverrides", tag = "overrides",
    responses((status = 200, description = "Those that are asked for or hold, the newest first", body = [OverrideShape]), Guarded),
    security(("session" = []))
)]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<Vec<OverrideShape>>> {
    let view = View::new(app.store(), &caller.authority).await?;
    let now = app.now();
    let all = app.store().overrides(now).await?;
    let mut seen = Vec::new();
    for it in all.into_iter().filter(|it| view.sees(&Place::In(Some(it.area)))) {
        seen.push(shape(&app, it).await?);
    }
    Ok(Json(seen))
}

/// Ask for leave to go past hours and minutes
///
/// It holds once somebody else has approved it.
#[utoipa::path(
    post, path = "/api/v1/overrides", operation_id = "askOverride", tag = "overrides",
    request_body = NewOverride,
    responses(
        (status = 201, description = "Asked for", body = OverrideShape),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn ask(
    State(app): State<App>,
    caller: Caller,
    Body(it): Body<NewOverride>,
) -> Answer<(StatusCode, Json<OverrideShape>)> {
    caller.may_somewhere(Right::Broadcast)?;
    let area = AreaId::parse(&it.area_id).ok_or_else(|| no_id("area_id", &it.area_id))?;
    let view = View::new(app.store(), &caller.authority).await?;
    let unknown = || Problem::field("area_id", "Không tồn tại.", "does not exist");
    caller.may(Right::Broadcast, view.seen_path(area).ok_or_else(unknown)?)?;
    let expires = instant(&it.expires_at).ok_or_else(|| {
        let en = "Must be an instant such as 2026-02-17T05:30:00+07:00 (RFC 3339).";
        Problem::field(
            "expires_at",
            "Phải là một thời điểm như 2026-02-17T05:30:00+07:00 (RFC 3339).",
            en,
        )
    })?;
    let asked = app
        .store()
        .ask_override(&caller.actor, app.now(), &caller.user, (area, &it.reason, expires))
        .await
        .map_err(|error| match error {
            store::Error::Invalid { field: "expires", why } => store::Error::Invalid {
                field: "expires_at",
                why,
            },
            other => other,
        })?;
    Ok((StatusCode::CREATED, Json(shape(&app, asked).await?)))
}

/// Approve an override
#[utoipa::path(
    post, path = "/api/v1/overrides/{id}/approve", operation_id = "approveOverride", tag = "overrides",
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "It holds until it expires", body = OverrideShape),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`same_person`: another person has to approve it than the one who asked; `over`: it is withdrawn or has expired", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn approve(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<Json<OverrideShape>> {
    let (view, it) = leave(&app, &caller, &id).await?;
    caller.may(Right::Approve, view.path(Some(it.area)))?;
    let it = app
        .store()
        .approve_override(&caller.actor, app.now(), &caller.user, it.id)
        .await?;
    Ok(Json(shape(&app, it).await?))
}

/// Withdraw an override
///
/// What has not begun is not let past any more.
#[utoipa::path(
    post, path = "/api/v1/overrides/{id}/withdraw", operation_id = "withdrawOverride", tag = "overrides",
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "It holds no more", body = OverrideShape),
        (status = 404, description = "`not_found`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<Json<OverrideShape>> {
    let (view, it) = leave(&app, &caller, &id).await?;
    caller.may(Right::Broadcast, view.path(Some(it.area)))?;
    let it = app.store().withdraw_override(&caller.actor, app.now(), it.id).await?;
    Ok(Json(shape(&app, it).await?))
}

async fn leave(app: &App, caller: &Caller, id: &str) -> Answer<(View, store::Override)> {
    let missing = || Problem::missing("override");
    let it = app
        .store()
        .override_by_id(OverrideId::parse(id).ok_or_else(missing)?)
        .await?;
    let view = View::new(app.store(), &caller.authority).await?;
    match view.sees(&Place::In(Some(it.area))) {
        true => Ok((view, it)),
        false => Err(missing()),
    }
}

async fn shape(app: &App, it: store::Override) -> Answer<OverrideShape> {
    let name = async |id| -> Answer<String> { Ok(app.store().user(id).await?.display_name) };
    Ok(OverrideShape {
        holds: it.holds(app.now()),
        asked_by: name(it.asked_by).await?,
        approved_by: match it.approved {
            Some((_, by)) => Some(name(by).await?),
            None => None,
        },
        id: it.id.to_string(),
        area_id: it.area.to_string(),
        reason: it.reason,
        expires_at: written(it.expires),
        asked_at: written(it.asked),
    })
}

async fn area(app: &App, caller: &Caller, id: &str) -> Answer<(View, AreaId)> {
    let view = View::new(app.store(), &caller.authority).await?;
    let id = AreaId::parse(id).filter(|id| view.seen_path(*id).is_some());
    Ok((view, id.ok_or_else(|| Problem::missing("area"))?))
}

async fn shown(app: &App, view: &View, id: AreaId) -> Answer<AreaRules> {
    let areas = app.store().areas().await?;
    let places = app.store().places().await?;
    let of = |id: AreaId| {
        areas
            .iter()
            .find(|it| it.id == id)
            .ok_or_else(|| Problem::missing("area"))
    };
    let own = of(id)?;
    let place = places.get(&id).cloned().unwrap_or_default();
    let mut above = Vec::new();
    for id in view.path(Some(id)).iter().take_while(|it| **it != id) {
        let it = of(*id)?;
        if it.rules != Rules::default() {
            above.push(Above {
                area_id: it.id.to_string(),
                name: it.name.clone(),
                rules: it.rules.clone(),
            });
        }
    }
    let policy = place.policy(app.now()).map_err(|it| Problem::internal(it.right))?;
    let window = |it: &loa_protocol::command::Window| Window {
        days: (1..=7).filter(|day| it.days & 1 << (day - 1) != 0).collect(),
        from: it.from,
        to: it.to,
        volume: it.volume,
    };
    Ok(AreaRules {
        area_id: id.to_string(),
        zone: place.zone.name().into(),
        own_zone: own.zone.is_some(),
        rules: own.rules.clone(),
        above,
        today: Today {
            windows: policy.allowed.iter().map(window).collect(),
            daily_minutes: policy.daily_minutes,
        },
    })
}
