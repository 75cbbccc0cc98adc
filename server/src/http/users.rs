//! People, as who manages them sees and changes them. Here: that nobody gives or takes what is not theirs to give: grants
//! outside of where they manage people, or their own. Not here: what people do to themselves (`account`).

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use loa_protocol::{AreaId, UnixMicros};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{self, Body, Caller, Site};
use super::shapes::{self, no_id, written};
use super::view::View;
use super::{fresh_token, links};
use crate::authority::{self, Reach, Right, Role};
use crate::store::{self, LinkKind, NewUser, UserChange, UserId};

/// A user, as who manages people sees them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Person {
    id: String,
    username: String,
    display_name: String,
    grants: Vec<shapes::Grant>,
    /// Since when they may not sign in any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    disabled_at: Option<String>,
    /// They have not chosen a password yet.
    invited: bool,
    /// What kinds of second factor they have: `totp`, `passkey`.
    factors: Vec<String>,
    /// Whether the caller may change them: all that they are lies where the caller manages people.
    manageable: bool,
}

/// Somebody to be invited.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Invitation {
    /// What they will sign in as: lower-case letters, digits, `.`, `-`, `_`.
    username: String,
    display_name: String,
    grants: Vec<shapes::Grant>,
}

/// Somebody who was invited.
#[derive(Serialize, ToSchema)]
pub(super) struct Invited {
    user: Person,
    /// By which they choose their password, within 72 hours. Shown this once.
    link: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// What is to change about a user; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    #[schema(nullable = false)]
    display_name: Option<String>,
    /// Disabling ends their sessions and tokens at once.
    #[schema(nullable = false)]
    disabled: Option<bool>,
    /// In place of those that they have.
    #[schema(nullable = false)]
    grants: Option<Vec<shapes::Grant>>,
}

/// What a link is to do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reset {
    /// Whether it removes their second factors, too; `true` if absent.
    #[schema(nullable = false)]
    factors: Option<bool>,
}

/// A link by which somebody chooses another password.
#[derive(Serialize, ToSchema)]
pub(super) struct Link {
    /// Shown this once.
    link: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// List the people who are something where one manages people
#[utoipa::path(
    get, path = "/api/v1/users", operation_id = "listUsers", tag = "users",
    responses((status = 200, description = "By user name", body = [Person]), Guarded),
    security(("session" = []))
)]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<Vec<Person>>> {
    caller.may_somewhere(Right::People)?;
    let view = View::new(app.store(), &caller.authority).await?;
    let mut people = Vec::new();
    for user in app.store().users().await? {
        if concerns(&caller, &view, &user) {
            people.push(person(&app, &caller, &view, user).await?);
        }
    }
    Ok(Json(people))
}

/// Invite somebody
#[utoipa::path(
    post, path = "/api/v1/users", operation_id = "inviteUser", tag = "users",
    request_body = Invitation,
    responses(
        (status = 201, description = "Invited: give them the link", body = Invited),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded,
    ),
    security(("session" = []))
)]
pub(super) async fn invite(
    State(app): State<App>,
    site: Site,
    caller: Caller,
    Body(it): Body<Invitation>,
) -> Answer<(StatusCode, Json<Invited>)> {
    caller.may_somewhere(Right::People)?;
    let view = View::new(app.store(), &caller.authority).await?;
    let grants = read(&it.grants)?;
    may_give(&caller, &view, &grants)?;
    let new = NewUser {
        username: it.username,
        display_name: it.display_name,
        grants,
        password: String::new(),
    };
    let (now, token) = (app.now(), fresh_token());
    let expires = UnixMicros(now.0 + LinkKind::Invitation.lasts());
    let link = address(site, &token)?;
    let user = app
        .store()
        .invite(&caller.actor, now, new, &gate::hash(&token), expires)
        .await?;
    let invited = Invited {
        user: person(&app, &caller, &view, user).await?,
        link,
        expires_at: written(expires),
    };
    Ok((StatusCode::CREATED, Json(invited)))
}

/// Change somebody's name or roles, or keep them from signing in
#[utoipa::path(
    patch, path = "/api/v1/users/{id}", operation_id = "changeUser", tag = "users",
    params(("id" = String, Path,)),
    request_body = Change,
    responses(
        (status = 200, description = "Changed", body = Person),
        (status = 403, description = "`forbidden`; `yourself`: not one's own roles; `csrf`", body = Error),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`last_administrator`; `changed`: by somebody else meanwhile", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded,
    ),
    security(("session" = []))
)]
pub(super) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(it): Body<Change>,
) -> Answer<Json<Person>> {
    let (view, user) = manageable(&app, &caller, &id).await?;
    let grants = it.grants.as_deref().map(read).transpose()?;
    if user.id == caller.user.id && (it.disabled == Some(true) || grants.as_ref().is_some_and(|it| *it != user.grants))
    {
        return Err(Problem::yourself());
    }
    if let Some(grants) = &grants {
        may_give(&caller, &view, grants)?;
    }
    let change = UserChange {
        display_name: it.display_name,
        disabled: it.disabled.filter(|disabled| *disabled != user.disabled.is_some()),
        grants: grants.filter(|grants| *grants != user.grants),
    };
    let user = app
        .store()
        .change_user(&caller.actor, app.now(), user.id, Some(&user.grants), change)
        .await?;
    Ok(Json(person(&app, &caller, &view, user).await?))
}

/// Make a link by which somebody chooses another password
#[utoipa::path(
    post, path = "/api/v1/users/{id}/link", operation_id = "linkUser", tag = "users",
    params(("id" = String, Path,)),
    request_body(content = Option<Reset>, content_type = "application/json"),
    responses(
        (status = 200, description = "Give them the link; one made before is void", body = Link),
        (status = 403, description = "`forbidden`; `yourself`; `csrf`", body = Error),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`disabled`: may not sign in; `changed`: by somebody else meanwhile", body = Error),
        Guarded,
    ),
    security(("session" = []))
)]
pub(super) async fn link(
    State(app): State<App>,
    site: Site,
    caller: Caller,
    Path(id): Path<String>,
    body: axum::body::Bytes,
) -> Answer<Json<Link>> {
    let reset: Option<Reset> = match body.is_empty() {
        true => None,
        false => serde_json::from_slice(&body).map_err(|error| Problem::bad_request(error.to_string()))?,
    };
    let (_, user) = manageable(&app, &caller, &id).await?;
    if user.id == caller.user.id {
        return Err(Problem::yourself());
    }
    let factors = reset.and_then(|it| it.factors).unwrap_or(true);
    let token = fresh_token();
    let link = address(site, &token)?;
    let (_, expires) = app
        .store()
        .offer_link(
            &caller.actor,
            app.now(),
            user.id,
            Some(&user.grants),
            &gate::hash(&token),
            factors,
        )
        .await?;
    Ok(Json(Link {
        link,
        expires_at: written(expires),
    }))
}

/// Somebody whom the caller may change; who is nothing where the caller manages people is not there.
async fn manageable(app: &App, caller: &Caller, id: &str) -> Answer<(View, store::User)> {
    caller.may_somewhere(Right::People)?;
    let missing = || Problem::missing("user");
    let user = app.store().user(UserId::parse(id).ok_or_else(missing)?).await?;
    let view = View::new(app.store(), &caller.authority).await?;
    if !concerns(caller, &view, &user) {
        return Err(missing());
    }
    match manages(caller, &view, &user.grants) {
        true => Ok((view, user)),
        false => Err(Problem::forbidden(Right::People)),
    }
}

/// Whether they are something where the caller manages people; who is nothing anywhere concerns who manages everywhere.
fn concerns(caller: &Caller, view: &View, user: &store::User) -> bool {
    let mut reaches = user.grants.iter().map(|grant| grant.reach);
    let manages = |right: Right, path: &[AreaId]| caller.authority.may(right, path);
    match user.grants.is_empty() {
        true => caller.authority.may_everywhere(Right::People),
        false => reaches.any(|reach| match reach {
            Reach::Everywhere => manages(Right::People, &[]),
            Reach::Area(area) => manages(Right::People, view.path(Some(area))),
        }),
    }
}

/// Whether all of `grants` lie where the caller manages people; no grants at all are everybody's and nobody's.
fn manages(caller: &Caller, view: &View, grants: &[authority::Grant]) -> bool {
    match grants {
        [] => caller.authority.may_everywhere(Right::People),
        grants => caller
            .authority
            .may_manage(grants, |area| view.path(Some(area)).to_vec()),
    }
}

fn may_give(caller: &Caller, view: &View, grants: &[authority::Grant]) -> Answer<()> {
    match grants {
        [] if !manages(caller, view, grants) => {
            let vi = "Cần ít nhất một vai trò. Muốn chặn đăng nhập thì khóa tài khoản.";
            let en = "needs at least one role; to keep somebody from signing in, disable them";
            Err(Problem::field("grants", vi, en))
        }
        grants if !manages(caller, view, grants) => Err(Problem::forbidden(Right::People)),
        _ => Ok(()),
    }
}

async fn person(app: &App, caller: &Caller, view: &View, user: store::User) -> Answer<Person> {
    let counts = app.store().factor_counts(user.id).await?;
    Ok(Person {
        manageable: manages(caller, view, &user.grants),
        id: user.id.to_string(),
        username: user.username,
        display_name: user.display_name,
        grants: user.grants.iter().map(shapes::Grant::from).collect(),
        disabled_at: user.disabled.map(written),
        invited: !user.has_password && !app.store().is_linked(user.id).await?,
        factors: shapes::kinds(counts),
    })
}

/// The grants that are meant.
fn read(grants: &[shapes::Grant]) -> Answer<Vec<authority::Grant>> {
    let one = |grant: &shapes::Grant| {
        let role = Role::named(&grant.role).ok_or_else(|| {
            let names = Role::ALL.map(Role::name).join(", ");
            Problem::field(
                "grants",
                format!("Vai trò phải là một trong: {names}."),
                format!("a role is one of: {names}"),
            )
        })?;
        let reach = match &grant.area_id {
            None => Reach::Everywhere,
            Some(text) => Reach::Area(AreaId::parse(text).ok_or_else(|| no_id("grants", text))?),
        };
        Ok(authority::Grant { role, reach })
    };
    let mut grants = grants.iter().map(one).collect::<Answer<Vec<_>>>()?;
    grants.sort();
    grants.dedup();
    Ok(grants)
}

/// The link with `token`, to be opened where people open the console.
fn address(Site(url): Site, token: &str) -> Answer<String> {
    let no_host = || Problem::bad_request("the request names no host, and public.url is not set");
    Ok(links::address(url.ok_or_else(no_host)?.as_str(), token))
}
