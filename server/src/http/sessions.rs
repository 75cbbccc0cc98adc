//! Signing in and out, and the first administrator.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use loa_protocol::UnixMicros;

use super::App;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{self, Body, Caller, IDLE, Origin};
use super::password::{self, PasswordError};
use super::shapes::{Session, Setup, SignIn};
use crate::authority::Grant;
use crate::store::{Actor, Entry, NewUser, User};

type Begun = ([(HeaderName, String); 1], Json<Session>);

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
pub(super) async fn set_up(State(app): State<App>, Origin(origin): Origin, Body(it): Body<Setup>) -> Answer<Begun> {
    let (now, token_hash) = (app.now(), gate::hash(&it.token));
    if !app.store().setup_is_open(now, &token_hash).await? {
        return Err(crate::store::Error::Missing("setup token").into());
    }
    let actor = Actor {
        who: it.username.clone(),
        origin: origin.to_string(),
    };
    let new = NewUser {
        username: it.username,
        display_name: it.display_name,
        grants: Grant::FIRST.to_vec(),
        password: password::hash(it.password).await?,
    };
    let user = app.store().set_up(&actor, now, &token_hash, new).await?;
    begin(&app, actor, &user).await
}

/// Sign in
#[utoipa::path(
    post, path = "/api/v1/session", operation_id = "signIn", tag = "session",
    request_body = SignIn,
    responses(
        (status = 200, description = "Signed in; the session's cookie is set", body = Session),
        (status = 401, description = "`invalid_credentials`", body = Error),
        (status = 503, description = "`busy`: too many try at once", body = Error),
        (status = "default", description = "`bad_request`, `internal`", body = Error),
    )
)]
pub(super) async fn sign_in(State(app): State<App>, Origin(origin): Origin, Body(it): Body<SignIn>) -> Answer<Begun> {
    let known = app.store().user_and_password(&it.username).await?;
    let (user, hash) = known.unzip();
    let right = password::is_right(it.password, hash).await?;
    let origin = origin.to_string();
    match user {
        Some(user) if right => {
            begin(
                &app,
                Actor {
                    who: user.username.clone(),
                    origin,
                },
                &user,
            )
            .await
        }
        user => {
            app.counters.refused_sign_ins.add();
            let actor = Actor {
                who: user.map_or_else(|| "-".into(), |user| user.username),
                origin,
            };
            let (subject, detail) = (String::new(), String::new());
            app.store()
                .note(Entry {
                    at: app.now(),
                    actor: &actor,
                    what: "session.refuse",
                    subject,
                    detail,
                })
                .await?;
            let vi = "Tên đăng nhập hoặc mật khẩu không đúng.";
            let en = "The user name or the password is wrong.";
            Err(Problem::new(StatusCode::UNAUTHORIZED, "invalid_credentials", vi, en))
        }
    }
}

/// Who is signed in
#[utoipa::path(
    get, path = "/api/v1/session", operation_id = "whoAmI", tag = "session",
    responses((status = 200, description = "The session", body = Session), Guarded),
    security(("session" = []))
)]
pub(super) async fn who_am_i(caller: Caller) -> Answer<Json<Session>> {
    Ok(Json(Session::new(&caller.user, &caller.session()?.csrf)))
}

/// Sign out
#[utoipa::path(
    delete, path = "/api/v1/session", operation_id = "signOut", tag = "session",
    responses((status = 204, description = "Signed out"), Guarded),
    security(("session" = []))
)]
pub(super) async fn sign_out(
    State(app): State<App>,
    caller: Caller,
) -> Answer<(StatusCode, [(HeaderName, String); 1])> {
    app.store()
        .end_session(&caller.actor, app.now(), &caller.session()?.token_hash)
        .await?;
    Ok((
        StatusCode::NO_CONTENT,
        [(header::SET_COOKIE, gate::set_cookie(&app, ""))],
    ))
}

async fn begin(app: &App, actor: Actor, user: &User) -> Answer<Begun> {
    let (token, csrf, now) = (gate::fresh_token(), gate::fresh_token(), app.now());
    let expires = UnixMicros(now.0 + IDLE);
    app.store()
        .begin_session(&actor, now, user, &gate::hash(&token), &csrf, expires)
        .await?;
    Ok((
        [(header::SET_COOKIE, gate::set_cookie(app, &token))],
        Json(Session::new(user, &csrf)),
    ))
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::busy(),
            PasswordError::Length => {
                let vi = format!("Mật khẩu cần ít nhất {} ký tự.", password::SHORTEST);
                Self::field(
                    "password",
                    vi,
                    format!("A password has at least {} characters.", password::SHORTEST),
                )
            }
        }
    }
}
