//! Signing in with a password, signing out, and the first administrator.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use loa_protocol::UnixMicros;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{self, Body, Entering, HALF, IDLE, LONGEST, Origin, Site, Stage};
use super::shapes::{SecondFactor, Session, Setup, SignIn};
use super::{password, tries};
use crate::authority::Grant;
use crate::patience::Key;
use crate::store::{Actor, Entry, How, NewSession, NewUser, User};

/// So long is waited for where one signs out of the provider.
const FAREWELL: Duration = Duration::from_secs(2);

/// One is signed out here.
#[derive(Serialize, ToSchema)]
pub(super) struct SignedOut {
    /// Where one signs out of the provider, too.
    provider_url: String,
}

/// A session and its cookies.
pub(super) type Begun = (HeaderMap, Json<Session>);

/// Make the first administrator, and sign in
#[utoipa::path(
    post, path = "/api/v1/setup", operation_id = "setUp", tag = "session",
    request_body = Setup,
    responses(
        (status = 200, description = "Signed in; the session's cookie is set", body = Session),
        (status = 410, description = "`setup_closed`: the link was used, or has expired", body = Error),
        (status = 422, description = "`invalid`: see `fields`; the link can be used again", body = Error),
        (status = "default", description = "`bad_request`, `busy`, `internal`", body = Error),
    )
)]
pub(super) async fn set_up(
    State(app): State<App>,
    Origin(origin): Origin,
    headers: HeaderMap,
    Body(it): Body<Setup>,
) -> Answer<Begun> {
    let (now, token_hash) = (app.now(), gate::hash(&it.token));
    if !app.store().setup_is_open(now, &token_hash).await? {
        return Err(crate::store::Error::Missing("setup token").into());
    }
    let actor = Actor {
        who: it.username.clone(),
        origin: origin.to_string(),
    };
    password::judge(&it.password, &[&it.username, &it.display_name])?;
    let new = NewUser {
        username: it.username,
        display_name: it.display_name,
        grants: Grant::FIRST.to_vec(),
        password: password::hash(it.password).await?,
    };
    let user = app.store().set_up(&actor, now, &token_hash, new).await?;
    begin(&app, &headers, &actor, &user, How::Password, false).await
}

/// Sign in
#[utoipa::path(
    post, path = "/api/v1/session", operation_id = "signIn", tag = "session",
    request_body = SignIn,
    responses(
        (status = 200, description = "Signed in, or a second factor is to follow; the session's cookie is set", body = Session),
        (status = 401, description = "`invalid_credentials`", body = Error),
        (status = 429, description = "`wait`: too many failed; `Retry-After` says how many seconds", body = Error),
        (status = 503, description = "`busy`: too many try at once", body = Error),
        (status = "default", description = "`bad_request`, `internal`", body = Error),
    )
)]
pub(super) async fn sign_in(
    State(app): State<App>,
    Origin(origin): Origin,
    headers: HeaderMap,
    Body(it): Body<SignIn>,
) -> Answer<Begun> {
    let known = app.store().user_and_password(&it.username).await?;
    let (user, hash) = known.unzip();
    let device = match &user {
        Some(user) => tries::device(&app, &headers, user).await?,
        None => None,
    };
    let actor = Actor {
        who: user.as_ref().map_or_else(|| "-".into(), |user| user.username.clone()),
        origin: origin.to_string(),
    };
    // Names that nobody has wait like those that somebody has.
    let keys = Key::of_password(&it.username, origin, device.as_deref());
    let attempt = tries::attempt(&app, &actor, keys).await?;
    let right = match password::is_right(it.password, hash).await {
        Ok(right) => right,
        Err(error) => {
            attempt.unjudged().await?;
            return Err(error.into());
        }
    };
    let detail = match user {
        Some(user) if right && user.disabled.is_none() => {
            attempt.right().await?;
            return begin(&app, &headers, &actor, &user, How::Password, false).await;
        }
        Some(_) if right => {
            app.counters.disabled.add();
            "disabled"
        }
        _ => {
            app.counters.wrong_passwords.add();
            ""
        }
    };
    attempt.wrong().await?;
    let entry = Entry {
        at: app.now(),
        actor: &actor,
        what: "session.refuse",
        subject: String::new(),
        detail: detail.into(),
    };
    app.store().note(entry).await?;
    let vi = "Tên đăng nhập hoặc mật khẩu không đúng.";
    let en = "The user name or the password is wrong.";
    Err(Problem::new(StatusCode::UNAUTHORIZED, "invalid_credentials", vi, en))
}

/// Who is signed in
#[utoipa::path(
    get, path = "/api/v1/session", operation_id = "whoAmI", tag = "session",
    responses((status = 200, description = "The session", body = Session), Guarded),
    security(("session" = []))
)]
pub(super) async fn who_am_i(it: Entering) -> Json<Session> {
    let second_factor = match it.stage() {
        Stage::Show | Stage::SetUp => SecondFactor::Needed,
        Stage::Whole if it.session.second_factor.is_some() => SecondFactor::Passed,
        Stage::Whole => SecondFactor::Off,
    };
    let session = &it.session;
    Json(Session::new(&session.user, &it.csrf, second_factor, session.factors))
}

/// Sign out
#[utoipa::path(
    delete, path = "/api/v1/session", operation_id = "signOut", tag = "session",
    responses(
        (status = 200, description = "Signed out; of the provider by which one came in, one signs out at that address", body = SignedOut),
        (status = 204, description = "Signed out"),
        Guarded,
    ),
    security(("session" = []))
)]
pub(super) async fn sign_out(State(app): State<App>, site: Site, it: Entering) -> Answer<Response> {
    app.store().end_session(&it.actor, app.now(), &it.token_hash).await?;
    let gone = [(header::SET_COOKIE, gate::set_cookie(&app, ""))];
    let farewell = match (&app.parts.oidc, site.0) {
        (Some(provider), Some(site)) if it.session.how == How::Oidc => {
            // Here they are out already: what the provider says is not waited for long.
            let farewell = tokio::time::timeout(FAREWELL, provider.farewell(app.now(), &site));
            farewell.await.unwrap_or_default()
        }
        _ => None,
    };
    Ok(match farewell {
        Some(url) => {
            let provider_url = url.into();
            (gone, Json(SignedOut { provider_url })).into_response()
        }
        None => (StatusCode::NO_CONTENT, gone).into_response(),
    })
}

/// Begins a session of who showed who they are by `how`; `strong`: by a second factor, too. It is half if one is to follow.
pub(super) async fn begin(
    app: &App,
    headers: &HeaderMap,
    actor: &Actor,
    user: &User,
    how: How,
    strong: bool,
) -> Answer<Begun> {
    let now = app.now();
    let factors = app.store().factor_counts(user.id).await?;
    let half = !strong && (factors != [0; 2] || app.parts.config.auth_second_factor);
    let token = gate::fresh_token();
    let token_hash = gate::hash(&token);
    let new = fresh(now, &token_hash, half, strong, how);
    app.store().begin_session(actor, now, user, new).await?;
    let second_factor = match (half, strong) {
        (true, _) => SecondFactor::Needed,
        (_, true) => SecondFactor::Passed,
        (false, false) => SecondFactor::Off,
    };
    begun(app, headers, user, &token, second_factor, factors).await
}

/// A session that begins now.
fn fresh(now: UnixMicros, token_hash: &str, half: bool, second_factor: bool, how: How) -> NewSession<'_> {
    NewSession {
        token_hash,
        expires: UnixMicros(now.0 + if half { HALF } else { IDLE }),
        ends: UnixMicros(now.0 + LONGEST),
        half,
        second_factor,
        how,
    }
}

/// Goes on in another session, in which a second factor was shown: `how` names it.
pub(super) async fn raise(app: &App, headers: &HeaderMap, it: &Entering, how: &str) -> Answer<Begun> {
    let token = gate::fresh_token();
    let (token_hash, user) = (gate::hash(&token), &it.session.user);
    let now = app.now();
    let new = fresh(now, &token_hash, false, true, it.session.how);
    app.store()
        .raise_session(&it.actor, now, user.id, &it.token_hash, new, how)
        .await?;
    let factors = app.store().factor_counts(user.id).await?;
    begun(app, headers, user, &token, SecondFactor::Passed, factors).await
}

async fn begun(
    app: &App,
    headers: &HeaderMap,
    user: &User,
    token: &str,
    second_factor: SecondFactor,
    factors: [u64; 2],
) -> Answer<Begun> {
    let mut cookies = HeaderMap::new();
    cookies.append(header::SET_COOKIE, cookie_value(gate::set_cookie(app, token)));
    // A browser is known only by who showed all that is wanted.
    if !matches!(second_factor, SecondFactor::Needed) {
        let known = tries::remember(app, headers, user).await?;
        cookies.append(header::SET_COOKIE, cookie_value(known));
    }
    let session = Session::new(user, &gate::csrf(token), second_factor, factors);
    Ok((cookies, Json(session)))
}

fn cookie_value(cookie: String) -> HeaderValue {
    HeaderValue::from_str(&cookie).expect("names, hexadecimal digits and what cookies are made of")
}
