//! What people see and change about themselves: their ways to sign in, their sessions, their password. Setting up second
//! factors is in [`super::factors`].

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Body, Entering, InPerson, Stage};
use super::oidc::Identity;
use super::password::{self, PasswordError};
use super::shapes::written;
use super::tries;
use crate::patience::Key;
use crate::store::{self, Entry, SessionId};

/// One's own ways to sign in, and where one is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Account {
    factors: Vec<Factor>,
    recovery_codes_left: u64,
    /// Signing in takes a second factor, so that the last one cannot be removed.
    second_factor_required: bool,
    /// Accounts at a provider of single sign-on by which one comes in, too.
    identities: Vec<Identity>,
    /// One has a password: without, the last of `identities` cannot be removed.
    has_password: bool,
    /// The latest first.
    sessions: Vec<Seen>,
}

/// A second factor.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Factor {
    id: String,
    /// `totp` or `passkey`.
    kind: String,
    name: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    last_used_at: Option<String>,
}

/// A session of one's own.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Seen {
    id: String,
    /// By what it was begun: `password` or `oidc`.
    how: String,
    /// The network address that it began from.
    origin: String,
    #[schema(format = DateTime)]
    begun_at: String,
    /// Within minutes.
    #[schema(format = DateTime)]
    last_used_at: String,
    /// It is the one that asks.
    current: bool,
}

/// Another password for oneself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Password {
    /// The one until now.
    current: String,
    /// The one from now on.
    password: String,
}

/// See one's own ways to sign in and sessions
#[utoipa::path(
    get, path = "/api/v1/account", operation_id = "account", tag = "account",
    responses((status = 200, description = "One's own account", body = Account), Guarded),
    security(("session" = []))
)]
pub(super) async fn account(State(app): State<App>, it: Entering) -> Answer<Json<Account>> {
    if it.stage() == Stage::Show {
        return Err(Problem::second_factor_first());
    }
    let user = it.session.user.id;
    let seen = |seen: store::SessionSeen| Seen {
        current: seen.id == it.session.id,
        id: seen.id.to_string(),
        how: seen.how.name().into(),
        origin: seen.origin,
        begun_at: written(seen.created),
        last_used_at: written(seen.used),
    };
    let factor = |factor: store::Factor| Factor {
        id: factor.id.to_string(),
        kind: factor.kind.name().into(),
        name: factor.name,
        created_at: written(factor.created),
        last_used_at: factor.used.map(written),
    };
    let identities = app.store().identities(user).await?;
    let sessions = app.store().sessions_of(app.now(), user).await?;
    Ok(Json(Account {
        factors: app.store().factors(user).await?.into_iter().map(factor).collect(),
        recovery_codes_left: app.store().recovery_codes_left(user).await?,
        second_factor_required: app.parts.config.auth_second_factor,
        identities: identities.into_iter().map(Identity::from).collect(),
        has_password: it.session.user.has_password,
        sessions: sessions.into_iter().map(seen).collect(),
    }))
}

/// Change one's own password, and end one's other sessions
#[utoipa::path(
    post, path = "/api/v1/account/password", operation_id = "changePassword", tag = "account",
    request_body = Password,
    responses(
        (status = 204, description = "Changed; one's other sessions have ended"),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        (status = 429, description = "`wait`: `Retry-After` says how many seconds", body = Error),
        Guarded,
    ),
    security(("session" = []))
)]
pub(super) async fn password(
    State(app): State<App>,
    headers: HeaderMap,
    InPerson(caller): InPerson,
    Body(body): Body<Password>,
) -> Answer<StatusCode> {
    let user = &caller.user;
    let attempt = tries::attempt(&app, &caller.actor, Key::of_session(&user.id.to_string())).await?;
    let known = app.store().user_and_password(&user.username).await?;
    match password::is_right(body.current, known.map(|it| it.1)).await {
        Ok(true) => attempt.right().await?,
        Ok(false) => {
            attempt.wrong().await?;
            app.counters.wrong_passwords.add();
            let entry = Entry {
                at: app.now(),
                actor: &caller.actor,
                what: "session.refuse",
                subject: user.id.to_string(),
                detail: "current password".into(),
            };
            app.store().note(entry).await?;
            let (vi, en) = ("Mật khẩu hiện tại không đúng.", "is not your password");
            return Err(Problem::field("current", vi, en));
        }
        Err(error) => {
            attempt.unjudged().await?;
            return Err(error.into());
        }
    }
    password::judge(&body.password, &[&user.username, &user.display_name])?;
    let hash = password::hash(body.password).await?;
    let device = tries::device(&app, &headers, user).await?.unwrap_or_default();
    app.store()
        .change_password(
            &caller.actor,
            app.now(),
            user.id,
            &hash,
            &caller.session()?.token_hash,
            &device,
        )
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End one of one's own sessions
#[utoipa::path(
    delete, path = "/api/v1/account/sessions/{id}", operation_id = "endSession", tag = "account",
    params(("id" = String, Path,)),
    responses(
        (status = 204, description = "It has ended"),
        (status = 404, description = "`not_found`", body = Error),
        Guarded,
    ),
    security(("session" = []))
)]
pub(super) async fn end_session(
    State(app): State<App>,
    InPerson(caller): InPerson,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    let id = SessionId::parse(&id).ok_or_else(|| Problem::missing("session"))?;
    let ended = app
        .store()
        .end_session_of(&caller.actor, app.now(), caller.user.id, id)
        .await;
    match ended {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(store::Error::Missing(_)) => Err(Problem::missing("session")),
        Err(error) => Err(error.into()),
    }
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        let (vi, en) = match error {
            PasswordError::Busy => return Self::busy(),
            PasswordError::Length => (
                format!("Mật khẩu cần ít nhất {} ký tự.", password::SHORTEST),
                format!("A password has at least {} characters.", password::SHORTEST),
            ),
            PasswordError::Easy => (
                "Mật khẩu này dễ đoán. Hãy dùng vài từ không liên quan với nhau.".into(),
                "This password is easy to guess. Take a few words that have nothing to do with each other.".into(),
            ),
        };
        Self::field("password", vi, en)
    }
}
