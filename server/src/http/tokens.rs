//! API tokens of who is signed in: making them, listing them, taking them back. Not here: what a token is good for (`bearer`).

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use loa_protocol::{AreaId, UnixMicros};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::bearer;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{Body, Caller, hash};
use super::shapes::{instant, no_id, written};
use super::view::View;
use crate::authority::Right;
use crate::store::{self, Invalid};

/// A token lasts at most this long, in days.
const LONGEST: u64 = 366;
const DAY: u64 = 24 * 3600 * 1_000_000;

/// An API token, but for what it is shown by.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Token {
    id: String,
    name: String,
    /// What it is good for, as far as its owner may do it.
    rights: Vec<&'static str>,
    /// Where; absent: wherever its owner may.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    area_id: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
    /// To some minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    last_used_at: Option<String>,
    /// The network address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_used_from: Option<String>,
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    /// What it is for, in words.
    name: String,
    /// `see`, `compose`, `broadcast`, `approve`, `emergency`, `receivers`, `areas`, `people`, `record`: those that it is to
    /// have. Almost everything takes `see` too.
    rights: Vec<String>,
    /// Where it is to be good, and below; absent: wherever its owner may.
    #[schema(nullable = false)]
    area_id: Option<String>,
    /// At most 366 days away.
    #[schema(format = DateTime)]
    expires_at: String,
}

/// A token that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MadeToken {
    /// What a program sends as `Authorization: Bearer …`. Shown this once.
    token: String,
    #[serde(flatten)]
    made: Token,
}

impl From<store::Token> for Token {
    fn from(it: store::Token) -> Self {
        Self {
            id: it.id.to_string(),
            name: it.name,
            rights: it.rights.iter().map(|right| right.name()).collect(),
            area_id: it.area.map(|id| id.to_string()),
            created_at: written(it.created),
            expires_at: written(it.expires),
            last_used_at: it.used.map(written),
            last_used_from: it.used_from,
        }
    }
}

/// Your API tokens
#[utoipa::path(
    get, path = "/api/v1/tokens", operation_id = "listTokens", tag = "tokens",
    responses((status = 200, description = "The oldest first, expired ones too", body = [Token]), Guarded),
    security(("session" = []))
)]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Answer<Json<Vec<Token>>> {
    let tokens = app.store().tokens(caller.user.id).await?;
    Ok(Json(tokens.into_iter().map(Token::from).collect()))
}

/// Make an API token
///
/// It can never do more than you can at that moment, ends when you are disabled, and is shown once. With `emergency` it is made
/// only in a session that showed a second factor (unless the settings ask for none).
#[utoipa::path(
    post, path = "/api/v1/tokens", operation_id = "makeToken", tag = "tokens",
    request_body = NewToken,
    responses(
        (status = 201, description = "The token, this once", body = MadeToken),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn make(
    State(app): State<App>,
    caller: Caller,
    Body(it): Body<NewToken>,
) -> Answer<(StatusCode, Json<MadeToken>)> {
    let session = caller.session()?;
    let now = app.now();
    let area = it.area_id.as_deref();
    let area = area
        .map(|text| AreaId::parse(text).ok_or_else(|| no_id("area_id", text)))
        .transpose()?;
    let view = View::new(app.store(), &caller.authority).await?;
    let unknown = store::Error::Invalid {
        field: "area_id",
        why: Invalid::Unknown,
    };
    let path = match area {
        Some(area) => Some(view.seen_path(area).ok_or(unknown)?),
        None => None,
    };
    let mut rights = Vec::new();
    for name in &it.rights {
        let right = Right::named(name).ok_or_else(|| no_right(name))?;
        match path {
            Some(path) if caller.authority.may(right, path) => {}
            None if caller.authority.may_somewhere(right) => {}
            _ => return Err(not_yours(right)),
        }
        rights.push(right);
    }
    if rights.is_empty() {
        let (vi, en) = ("Chọn ít nhất một quyền.", "Choose at least one right.");
        return Err(Problem::field("rights", vi, en));
    }
    let emergency = rights.contains(&Right::Emergency);
    if emergency && !caller.strong {
        return Err(Problem::second_factor());
    }
    let token = bearer::fresh();
    let new = store::NewToken {
        name: it.name,
        rights,
        area,
        second_factor: session.second_factor.filter(|_| emergency),
        expires: expiry(now, &it.expires_at)?,
    };
    let made = app
        .store()
        .add_token(&caller.actor, now, &caller.user, &hash(&token), new)
        .await?;
    let made = Token::from(made);
    Ok((StatusCode::CREATED, Json(MadeToken { token, made })))
}

/// Take an API token back
#[utoipa::path(
    delete, path = "/api/v1/tokens/{id}", operation_id = "removeToken", tag = "tokens",
    params(("id" = String, Path, description = "The token's identifier")),
    responses(
        (status = 204, description = "It is nothing any more"),
        (status = 404, description = "`not_found`: none of yours", body = Error),
        Guarded
    ),
    security(("session" = []))
)]
pub(super) async fn remove(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer<StatusCode> {
    let id = store::TokenId::parse(&id).ok_or_else(|| Problem::missing("token"))?;
    if app.store().token_owner(id).await?.id != caller.user.id {
        return Err(Problem::missing("token"));
    }
    app.store().remove_token(&caller.actor, app.now(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// When it ends, if that is right.
fn expiry(now: UnixMicros, text: &str) -> Answer<UnixMicros> {
    let last = UnixMicros(now.0 + LONGEST * DAY);
    let fits = instant(text).filter(|at| (now..=last).contains(at) && *at > now);
    fits.ok_or_else(|| {
        let vi = format!("Phải là thời điểm sau lúc này và không quá {LONGEST} ngày nữa, như 2026-12-31T00:00:00Z.");
        let en = format!("Must be later than now, by at most {LONGEST} days, such as 2026-12-31T00:00:00Z.");
        Problem::field("expires_at", vi, en)
    })
}

fn no_right(name: &str) -> Problem {
    let shown: String = name.chars().take(40).collect();
    let all = Right::ALL.map(Right::name).join(", ");
    let (vi, en) = (
        format!("Không có quyền “{shown}”. Các quyền: {all}."),
        format!("There is no right “{shown}”. There are: {all}."),
    );
    Problem::field("rights", vi, en)
}

fn not_yours(right: Right) -> Problem {
    let name = right.name();
    let (vi, en) = (
        format!("Bạn không có quyền “{name}” ở đó nên không trao cho mã truy cập được."),
        format!("You do not have “{name}” there, so no token of yours can."),
    );
    Problem::field("rights", vi, en)
}
