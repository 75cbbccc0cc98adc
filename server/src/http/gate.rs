//! Who is asking. Here: extractors: [`Caller`] lets only who is signed in pass, and nothing that changes anything without
//! the session's CSRF token, or what has an API token (`bearer`); what they may do, handlers ask it; [`Entering`] is who has a
//! session that may be half: the password was right, a second factor is to follow. It is for `/session…`, and for who must
//! set one up first; [`Origin`] is where a request comes from; [`Body`] reads JSON and says what is wrong
//! with it. Not here: passwords.

use std::net::{IpAddr, SocketAddr};

use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use loa_protocol::{AreaId, UnixMicros};
use ring::{digest, hmac};
use serde::de::DeserializeOwned;

use super::App;
use super::bearer;
use super::error::{Answer, Problem};
use super::listen::Door;
use crate::authority::{Authority, Right};
pub(crate) use crate::data::fresh_token;
use crate::store::{self, Actor, User};

/// The session's cookie; behind https its name is prefixed, so that no other host can set it.
pub(super) const COOKIE: &str = "loa_session";
/// The header that what changes something must bring along.
pub(super) const CSRF: &str = "x-loa-csrf";

/// A session ends when it was not used for this long, in microseconds.
pub(super) const IDLE: u64 = 12 * 3600 * 1_000_000;
/// A session ends this long after it began, used or not, in microseconds.
pub(super) const LONGEST: u64 = 7 * 24 * 3600 * 1_000_000;
/// So long may a second factor be in coming, in microseconds.
pub(super) const HALF: u64 = 15 * 60 * 1_000_000;
/// Uses closer together than this count as one, in microseconds.
pub(super) const ONE_USE: u64 = 300 * 1_000_000;

/// Who is asking, and what they may do.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) user: User,
    pub(super) authority: Authority,
    pub(super) actor: Actor,
    /// How they showed who they are.
    pub(super) by: By,
    /// A second factor was shown, or is not wanted.
    pub(super) strong: bool,
}

/// How somebody shows who they are.
#[derive(Debug, Clone)]
pub(super) enum By {
    Session(Session),
    /// An API token, by its hash.
    Token(String),
}

/// The session that a request belongs to.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) token_hash: String,
    /// When a second factor was shown in it.
    pub(super) second_factor: Option<UnixMicros>,
}

impl Caller {
    /// Lets pass who may do it for what lies at `path` (areas from the root down to its own; empty: in none).
    pub(super) fn may(&self, right: Right, path: &[AreaId]) -> Answer<()> {
        match self.authority.may(right, path) {
            true if right == Right::Emergency && !self.strong => Err(Problem::second_factor()),
            true => Ok(()),
            false => Err(Problem::forbidden(right)),
        }
    }

    /// Lets pass who may do it anywhere at all.
    pub(super) fn may_somewhere(&self, right: Right) -> Answer<()> {
        match self.authority.may_somewhere(right) {
            true => Ok(()),
            false => Err(Problem::forbidden(right)),
        }
    }

    /// The session that they are in; a program with a token is in none.
    pub(super) fn session(&self) -> Answer<&Session> {
        match &self.by {
            By::Session(session) => Ok(session),
            By::Token(_) => Err(Problem::session_only()),
        }
    }

    /// Whether they see what lies at `path`.
    pub(super) fn sees(&self, path: &[AreaId]) -> bool {
        self.authority.may(Right::See, path)
    }

    /// What they may do to what lies at `path`, which for who does not see it is not there: `missing` names its kind.
    pub(super) fn may_to(&self, right: Right, path: &[AreaId], missing: &'static str) -> Answer<()> {
        match self.sees(path) {
            true => self.may(right, path),
            false => Err(Problem::missing(missing)),
        }
    }
}

/// Somebody with a session, whole or half.
#[derive(Debug, Clone)]
pub(super) struct Entering {
    pub(super) session: store::Session,
    pub(super) token_hash: String,
    /// What every request in it that changes something must bring along.
    pub(super) csrf: String,
    pub(super) actor: Actor,
    pub(super) origin: IpAddr,
    /// Everybody has to show a second factor.
    required: bool,
    /// Emergencies take one.
    emergencies: bool,
}

/// Somebody who is signed in here and now: what concerns themselves alone no program does for them.
pub(super) struct InPerson(pub(super) Caller);

/// Somebody who may change their second factors: who showed one in this session, or has none yet.
pub(super) struct SettingUp(pub(super) Entering);

/// How far signing in has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Signed in.
    Whole,
    /// A second factor is to be shown.
    Show,
    /// A second factor is to be set up.
    SetUp,
}

/// Where a request comes from.
pub(super) struct Origin(pub(super) IpAddr);

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

/// What stands behind the path, after the question mark.
pub(super) struct Query<T>(pub(super) T);

impl Entering {
    /// What is to be done before anything else, if something is.
    pub(super) fn stage(&self) -> Stage {
        match self.session.half || (self.required && self.session.second_factor.is_none()) {
            false => Stage::Whole,
            true if self.session.factors == [0; 2] => Stage::SetUp,
            true => Stage::Show,
        }
    }

    /// Lets pass who is signed in.
    pub(super) fn whole(self) -> Answer<Caller> {
        if self.stage() != Stage::Whole {
            return Err(Problem::second_factor_first());
        }
        Ok(Caller {
            authority: Authority::new(self.session.user.grants.clone()),
            strong: self.session.second_factor.is_some() || !self.emergencies,
            user: self.session.user,
            actor: self.actor,
            by: By::Session(Session {
                token_hash: self.token_hash,
                second_factor: self.session.second_factor,
            }),
        })
    }

    fn may_set_up(&self) -> Answer<()> {
        match self.stage() {
            Stage::Show => Err(Problem::second_factor_first()),
            _ if self.session.second_factor.is_none() && self.session.factors != [0; 2] => {
                Err(Problem::second_factor_again())
            }
            _ => Ok(()),
        }
    }
}

impl FromRequestParts<App> for Entering {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if bearer::shown(&parts.headers)?.is_some() {
            return Err(Problem::session_only());
        }
        let token = cookie(app, &parts.headers, COOKIE).ok_or_else(Problem::unauthenticated)?;
        let (token_hash, csrf) = (hash(&token), csrf(&token));
        let now = app.now();
        let session = app
            .store()
            .session(now, &token_hash)
            .await?
            .ok_or_else(Problem::unauthenticated)?;
        if !parts.method.is_safe() {
            let given = parts
                .headers
                .get(CSRF)
                .map(|value| value.as_bytes())
                .unwrap_or_default();
            // Digests, so that the time it takes tells nothing about the token.
            if digest::digest(&digest::SHA256, given).as_ref()
                != digest::digest(&digest::SHA256, csrf.as_bytes()).as_ref()
            {
                return Err(Problem::csrf());
            }
        }
        prolong(app, now, &token_hash, &session).await;
        let Origin(origin) = Origin::from_request_parts(parts, app).await?;
        let actor = Actor {
            who: session.user.username.clone(),
            origin: origin.to_string(),
        };
        Ok(Self {
            session,
            token_hash,
            csrf,
            actor,
            origin,
            required: app.parts.config.auth_second_factor,
            emergencies: app.parts.config.auth_emergency_second_factor,
        })
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Some(token) = bearer::shown(&parts.headers)?.map(str::to_owned) else {
            return Entering::from_request_parts(parts, app).await?.whole();
        };
        if cookie(app, &parts.headers, COOKIE).is_some() {
            return Err(Problem::bad_request("a session's cookie and a token: send one of them"));
        }
        let Origin(origin) = Origin::from_request_parts(parts, app).await?;
        let caller = bearer::caller(app, &token, origin.to_string()).await?;
        match bearer::takes_token(&parts.method, parts.uri.path()) {
            true => Ok(caller),
            false => Err(Problem::session_only()),
        }
    }
}

impl FromRequestParts<App> for InPerson {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Entering::from_request_parts(parts, app).await?.whole().map(Self)
    }
}

impl FromRequestParts<App> for SettingUp {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let entering = Entering::from_request_parts(parts, app).await?;
        entering.may_set_up()?;
        Ok(Self(entering))
    }
}

impl FromRequestParts<App> for Origin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer
            .ok_or_else(|| Problem::internal("a request without a peer"))?
            .0
            .ip();
        // A proxy on this machine says whom it speaks for; nobody else is believed.
        let said = forwarded(&parts.headers).filter(|_| app.parts.config.public_url.is_some() && peer.is_loopback());
        Ok(Self(said.unwrap_or(peer).to_canonical()))
    }
}

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        match axum::Json::<T>::from_request(request, app).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(JsonRejection::JsonDataError(error)) => {
                let en = error.body_text();
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                Err(Problem::new(
                    status,
                    "invalid",
                    format!("Yêu cầu không đúng dạng: {en}"),
                    en,
                ))
            }
            Err(JsonRejection::BytesRejection(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let (vi, en) = ("Yêu cầu quá lớn.", "The request is too large.");
                Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", vi, en))
            }
            Err(error) => Err(Problem::bad_request(error.body_text())),
        }
    }
}

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, app).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(error) => Err(Problem::bad_request(error.body_text())),
        }
    }
}

/// The address that people open the console at: `public.url`, else where this request was sent to.
pub(super) struct Site(pub(super) Option<url::Url>);

impl FromRequestParts<App> for Site {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let said = app.parts.config.public_url.as_deref();
        let tls = parts.extensions.get() == Some(&Door::Tls);
        let url = match said {
            Some(url) => url.parse().ok(),
            None => host(&parts.uri, &parts.headers).and_then(|host| site(tls, host)),
        };
        Ok(Self(url))
    }
}

/// Whom the request names as its host: in HTTP/2 it is part of its address.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let said = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    uri.authority().map(|it| it.as_str()).or(said)
}

/// A host and a port, and nothing else.
fn site(tls: bool, host: &str) -> Option<url::Url> {
    let scheme = if tls { "https" } else { "http" };
    let url: url::Url = format!("{scheme}://{host}").parse().ok()?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    bare.then_some(url)
}

/// Refuses what another site makes a browser send, where the browser says so: not all do, so that the session's token is
/// asked for besides.
pub(super) async fn refuse_foreign(State(app): State<App>, request: Request, next: Next) -> Response {
    let ours = app.parts.config.public_url.as_deref();
    if !request.method().is_safe() && is_foreign(ours, request.uri(), request.headers()) {
        app.counters.foreign.add();
        return Problem::foreign().into_response();
    }
    next.run(request).await
}

pub(super) fn is_foreign(ours: Option<&str>, uri: &Uri, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let from = origin.split_once("://").map(|it| it.1);
            ours != Some(origin) && (from.is_none() || from != host(uri, headers))
        }
        (None, None) => false,
    }
}

/// What is kept of a token.
pub(crate) fn hash(token: &str) -> String {
    let digest = digest::digest(&digest::SHA256, token.as_bytes());
    let digits: [u8; 64] = loa_protocol::id::hex(digest.as_ref());
    String::from_utf8(digits.to_vec()).expect("hexadecimal digits")
}

/// What must come along with a session's token to change anything. It follows from the token, of which only a hash is kept: a
/// copy of the database holds nothing of it.
pub(super) fn csrf(token: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes());
    let digits: [u8; 64] = loa_protocol::id::hex(hmac::sign(&key, b"loa csrf").as_ref());
    String::from_utf8(digits.to_vec()).expect("hexadecimal digits")
}

/// The `Set-Cookie` that begins a session, or with an empty token ends it.
pub(super) fn set_cookie(app: &App, token: &str) -> String {
    let age = if token.is_empty() { "; Max-Age=0" } else { "" };
    kept(app, COOKIE, token) + age
}

/// The `Set-Cookie` by which a browser keeps `token` under that name until it is closed; no script can read it.
pub(super) fn kept(app: &App, name: &str, token: &str) -> String {
    let (prefix, secure) = if app.parts.config.secure() {
        ("__Host-", "; Secure")
    } else {
        ("", "")
    };
    format!("{prefix}{name}={token}; HttpOnly; SameSite=Strict; Path=/{secure}")
}

/// The token that a browser has kept under that name.
pub(super) fn cookie(app: &App, headers: &HeaderMap, name: &str) -> Option<String> {
    let prefix = if app.parts.config.secure() { "__Host-" } else { "" };
    let name = format!("{prefix}{name}");
    let lines = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    let mut pairs = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(key, value)| (key == name && value.len() == 64).then(|| value.to_owned()))
}

fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let line = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next()?.trim().parse().ok()
}

/// What who came in that way may do now, and until when that holds at most; `None` if their session or token has ended.
pub(super) async fn still(app: &App, by: &By) -> Result<Option<(Authority, UnixMicros)>, store::Error> {
    let now = app.now();
    Ok(match by {
        By::Session(session) => {
            let session = app.store().session(now, &session.token_hash).await?;
            session.map(|it| (Authority::new(it.user.grants), it.expires))
        }
        By::Token(token_hash) => {
            let known = app.store().token(token_hash).await?;
            let known = known.filter(|(token, owner)| bearer::ended(token, owner, now).is_none());
            known.map(|(token, owner)| (Authority::new(owner.grants).limited(token.limit()), token.expires))
        }
    })
}

async fn prolong(app: &App, now: UnixMicros, token_hash: &str, session: &store::Session) {
    let until = UnixMicros((now.0 + IDLE).min(session.ends.0));
    if session.half || session.expires.0 + ONE_USE >= until.0 {
        return;
    }
    if let Err(error) = app.store().prolong_session(now, token_hash, until).await {
        tracing::warn!(%error, "a session could not be prolonged");
    }
}
