//! Links by which somebody chooses a password: invited, or because they lost theirs. Here: their address, looking at one and
//! using it. The token stands in the address's fragment, which browsers send to nobody. Not here: who may make them (`users`).

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::error::{Answer, Error};
use super::gate::{self, Body, Origin};
use super::password;
use super::sessions::{self, Begun};
use super::shapes::Session;
use crate::store::{self, Actor};

/// The link with `token`, in a console at `url`.
pub fn address(url: &str, token: &str) -> String {
    format!("{}/link#{token}", url.trim_end_matches('/'))
}

/// A link's token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Look {
    /// What stands after the `#`.
    token: String,
}

/// A link that can be used.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Looked {
    username: String,
    display_name: String,
    /// `invitation` or `reset`.
    kind: String,
}

/// A password chosen by a link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Choice {
    /// What stands after the `#`.
    token: String,
    password: String,
}

/// See whose a link is
#[utoipa::path(
    post, path = "/api/v1/link/look", operation_id = "lookAtLink", tag = "session",
    request_body = Look,
    responses(
        (status = 200, description = "It can be used", body = Looked),
        (status = 410, description = "`link_closed`: it was used, has expired or was replaced", body = Error),
        (status = "default", description = "`bad_request`, `internal`", body = Error),
    )
)]
pub(super) async fn look(State(app): State<App>, Body(it): Body<Look>) -> Answer<Json<Looked>> {
    let link = app.store().link(app.now(), &gate::hash(&it.token)).await?;
    Ok(Json(Looked {
        username: link.user.username,
        display_name: link.user.display_name,
        kind: link.kind.name().into(),
    }))
}

/// Choose a password by a link, and sign in
#[utoipa::path(
    post, path = "/api/v1/link", operation_id = "useLink", tag = "session",
    request_body = Choice,
    responses(
        (status = 200, description = "Signed in, or a second factor is to follow; the session's cookie is set", body = Session),
        (status = 410, description = "`link_closed`: it was used, has expired or was replaced", body = Error),
        (status = 422, description = "`invalid`: see `fields`; the link can be used again", body = Error),
        (status = "default", description = "`bad_request`, `busy`, `internal`", body = Error),
    )
)]
pub(super) async fn choose(
    State(app): State<App>,
    Origin(origin): Origin,
    headers: HeaderMap,
    Body(it): Body<Choice>,
) -> Answer<Begun> {
    let token_hash = gate::hash(&it.token);
    // Before the password is hashed, which takes its time: whoever has no link is answered quickly.
    let link = app.store().link(app.now(), &token_hash).await?;
    password::judge(&it.password, &[&link.user.username, &link.user.display_name])?;
    let hash = password::hash(it.password).await?;
    let actor = Actor {
        who: link.user.username,
        origin: origin.to_string(),
    };
    let user = app.store().spend_link(&actor, app.now(), &token_hash, &hash).await?;
    sessions::begin(&app, &headers, &actor, &user, store::How::Password, false).await
}
