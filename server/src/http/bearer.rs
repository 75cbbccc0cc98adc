//! Programs that come with an API token (`Authorization: Bearer`, RFC 6750 §2.1) in place of a session's cookie. Here: how a
//! token looks, when it counts, and where it is no good whatever it may. Not here: making them (`tokens`).
//!
//! A token is `loa_` and 64 hexadecimal digits: 28 random bytes, then the first four of SHA-256 over everything before them, so
//! that a scanner that finds one in somebody's files knows that it is one.

use axum::http::{HeaderMap, Method, header};
use loa_protocol::UnixMicros;
use ring::digest;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{OpenApi, path::Operation};

use super::App;
use super::error::{Answer, Problem};
use super::gate::{By, Caller, ONE_USE, hash};
use crate::authority::Authority;
use crate::store::{Actor, Token, User};

/// What every token begins with.
pub(super) const PREFIX: &str = "loa_";
/// Random bytes in a token.
const RANDOM: usize = 28;
/// The name of the scheme in the API's document.
pub(super) const SCHEME: &str = "token";

/// What nobody can do by a token: sign in and out, change anybody's ways of doing so, and make more tokens.
const SESSIONS_ONLY: &[&str] = &["session", "sessions", "sign-in", "setup", "account", "link", "tokens"];

/// A token that nobody can guess.
pub(super) fn fresh() -> String {
    let random: [u8; RANDOM * 2] = loa_protocol::id::hex(&crate::data::random::<RANDOM>());
    let body = PREFIX.to_owned() + std::str::from_utf8(&random).expect("hexadecimal digits");
    let check = check(&body);
    body + &check
}

/// The eight digits that end a token.
fn check(body: &str) -> String {
    let digest = digest::digest(&digest::SHA256, body.as_bytes());
    let digits: [u8; 8] = loa_protocol::id::hex(&digest.as_ref()[..4]);
    String::from_utf8(digits.to_vec()).expect("hexadecimal digits")
}

/// Whether it looks like a token.
fn is_one(text: &str) -> bool {
    let digits = text.strip_prefix(PREFIX).unwrap_or_default();
    let lower = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
    let whole = digits.len() == RANDOM * 2 + 8 && digits.bytes().all(lower);
    whole && check(&text[..text.len() - 8]) == text[text.len() - 8..]
}

/// Whether a token may be used for that at all.
pub(super) fn takes_token(method: &Method, path: &str) -> bool {
    let rest = path.strip_prefix("/api/v1/").unwrap_or_default();
    let first = rest.split('/').next().unwrap_or_default();
    !SESSIONS_ONLY.contains(&first) && (first != "users" || method.is_safe())
}

/// What the request shows as a token, right or wrong; `None` if it shows none. Other schemes than ours are a proxy's business.
///
/// # Errors
/// When there is more than one.
pub(super) fn shown(headers: &HeaderMap) -> Answer<Option<&str>> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (first, more) = (all.next(), all.next());
    if more.is_some() {
        return Err(Problem::bad_request("more than one Authorization"));
    }
    let Some(value) = first else { return Ok(None) };
    let value = value.to_str().unwrap_or_default();
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    Ok(scheme.eq_ignore_ascii_case("bearer").then_some(token.trim()))
}

/// Lets pass a program whose token counts, for what its owner may do now and the token reaches.
pub(super) async fn caller(app: &App, token: &str, origin: String) -> Answer<Caller> {
    let refused = || {
        app.counters.refused_tokens.add();
        Problem::token()
    };
    if !is_one(token) {
        return Err(refused());
    }
    let (token_hash, now) = (hash(token), app.now());
    let known = app.store().token(&token_hash).await?;
    let (token, user) = known.ok_or_else(refused)?;
    let actor = Actor {
        who: user.username.clone(),
        origin: format!("{origin} token {}", token.name),
    };
    let since = UnixMicros(now.0.saturating_sub(ONE_USE));
    if let Some(why) = ended(&token, &user, now) {
        let noted = app.store().note_token_refused(&actor, now, &token, why, since).await;
        noted.inspect_err(|error| tracing::error!(%error, "a refused token is not in the record"))?;
        return Err(refused());
    }
    // Mostly it was noted just now: no need to ask the database to see that.
    if token.used.is_none_or(|used| used < since || used > now)
        && let Err(error) = app.store().note_token_use(token.id, now, &origin, since).await
    {
        tracing::warn!(%error, "the use of a token could not be noted");
    }
    Ok(Caller {
        authority: Authority::new(user.grants.clone()).limited(token.limit()),
        strong: token.second_factor.is_some() || !app.parts.config.auth_emergency_second_factor,
        user,
        actor,
        by: By::Token(token_hash),
    })
}

/// Why a token does not count any more, if it does not.
pub(super) fn ended(token: &Token, owner: &User, now: UnixMicros) -> Option<&'static str> {
    match () {
        () if token.expires <= now => Some("expired"),
        () if owner.disabled.is_some() => Some("its owner is disabled"),
        () => None,
    }
}

/// Says in the API's document which operations take a token.
pub(super) fn mark(document: &mut OpenApi) {
    let add = |operation: &mut Option<Operation>, method: Method, path: &str| {
        let security = operation.as_mut().and_then(|it| it.security.as_mut());
        if let Some(security) = security.filter(|_| takes_token(&method, path)) {
            security.push(SecurityRequirement::new(SCHEME, [""; 0]));
        }
    };
    for (path, item) in &mut document.paths.paths {
        add(&mut item.get, Method::GET, path);
        add(&mut item.post, Method::POST, path);
        add(&mut item.put, Method::PUT, path);
        add(&mut item.patch, Method::PATCH, path);
        add(&mut item.delete, Method::DELETE, path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_looks() {
        let token = fresh();
        assert_eq!(token.len(), 68);
        assert!(is_one(&token) && fresh() != token);
        for at in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[at] = if other[at] == b'0' { b'1' } else { b'0' };
            assert!(!is_one(std::str::from_utf8(&other).unwrap()), "{at}");
        }
        for wrong in ["", "loa_", &token[..67], &token.to_uppercase(), &format!("{token}0")] {
            assert!(!is_one(wrong), "{wrong}");
        }
        assert!(!is_one(&format!("loa_{}é", "0".repeat(62))));
    }
}
