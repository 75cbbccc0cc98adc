//! Single sign-on: coming in by an account at the province's provider, and linking it to a user. Here: cookies, addresses, words,
//! and what an account is good for here. Nobody is let in, or linked, by a name or an e-mail address: only by an account that was
//! linked by its user, signed in, or by who was invited. Not here: what shows that somebody has that account (`crate::oidc`).
//!
//! The provider sends the browser to a page of the console, which then asks here: so the cookies can stay `SameSite=Strict`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{self, Body, Caller, Origin, SettingUp, Site};
use super::sessions::{self, Begun};
use super::shapes::{Session, written};
use crate::oidc::{Provider, Purpose, Refused, Returned, Shown};
use crate::store::{self, Actor, Entry, How, IdentityId, Outside};

/// The cookie that says which browser began a sign-in.
const COOKIE: &str = "loa_oidc";

/// How one can come in.
#[derive(Serialize, ToSchema)]
pub(super) struct Ways {
    /// The provider of single sign-on, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    oidc: Option<Named>,
}

/// A provider of sign-in.
#[derive(Serialize, ToSchema)]
pub(super) struct Named {
    /// What people call it.
    name: String,
}

/// A sign-in that begins.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Begin {
    /// The token of an invitation: the account is linked to who was invited.
    link: Option<String>,
}

/// Where a browser is to go.
#[derive(Serialize, ToSchema)]
pub(super) struct Go {
    /// At the provider; it sends the browser back to `/oidc`.
    url: String,
}

/// What the provider gave the browser to bring back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Back {
    state: String,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// An account at the provider by which one comes in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Identity {
    id: String,
    /// The provider.
    issuer: String,
    /// What the provider calls the account.
    name: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    last_used_at: Option<String>,
}

impl From<store::Identity> for Identity {
    fn from(it: store::Identity) -> Self {
        Self {
            id: it.id.to_string(),
            issuer: it.issuer,
            name: it.label,
            created_at: written(it.created),
            last_used_at: it.used.map(written),
        }
    }
}

/// See how one can come in
#[utoipa::path(
    get, path = "/api/v1/sign-in", operation_id = "waysIn", tag = "session",
    responses(
        (status = 200, description = "Beside the password", body = Ways),
        (status = "default", description = "`internal`", body = Error),
    )
)]
pub(super) async fn ways(State(app): State<App>) -> Json<Ways> {
    let oidc = app.parts.oidc.as_ref().map(|it| Named {
        name: it.name().to_owned(),
    });
    Json(Ways { oidc })
}

/// Begin to sign in at the provider
#[utoipa::path(
    post, path = "/api/v1/session/oidc/begin", operation_id = "beginOidc", tag = "session",
    request_body = Begin,
    responses(
        (status = 200, description = "For the browser, which gets a cookie", body = Go),
        (status = 409, description = "`no_oidc`: there is no provider", body = Error),
        (status = 410, description = "`link_closed`: the invitation was used, has expired or was replaced", body = Error),
        (status = 502, description = "`oidc_…`: the provider answers what cannot be used", body = Error),
        (status = 503, description = "`oidc_unreachable`, `oidc_slow`: it does not answer; `busy`", body = Error),
        (status = "default", description = "`bad_request`, `internal`", body = Error),
    )
)]
pub(super) async fn begin(State(app): State<App>, site: Site, Body(it): Body<Begin>) -> Answer<(HeaderMap, Json<Go>)> {
    let purpose = match it.link {
        None => Purpose::SignIn,
        Some(token) => {
            provider(&app)?;
            let hash = gate::hash(&token);
            let link = app.store().link(app.now(), &hash).await?;
            if link.kind != store::LinkKind::Invitation {
                return Err(store::Error::Missing("link").into());
            }
            Purpose::Invitation(hash)
        }
    };
    go(&app, site, purpose).await
}

/// Sign in by what the provider gave the browser
#[utoipa::path(
    post, path = "/api/v1/session/oidc", operation_id = "finishOidc", tag = "session",
    request_body = Back,
    responses(
        (status = 200, description = "Signed in, or a second factor is to follow; the session's cookie is set", body = Session),
        (status = 403, description = "`oidc_…`: nobody was shown to be anybody; `not_linked`: the account is nobody's here", body = Error),
        (status = 409, description = "`no_oidc`; `oidc_unknown`: not begun here, too long ago, or used; `linked`: the account is another user's; `disabled`: its user may not sign in", body = Error),
        (status = 410, description = "`link_closed`: the invitation was used, has expired or was replaced meanwhile", body = Error),
        (status = 502, description = "`oidc_…`: the provider answers what cannot be used", body = Error),
        (status = 503, description = "`oidc_unreachable`, `oidc_slow`: it does not answer; `busy`", body = Error),
        (status = "default", description = "`bad_request`, `internal`", body = Error),
    )
)]
pub(super) async fn finish(
    State(app): State<App>,
    Origin(origin): Origin,
    headers: HeaderMap,
    Body(it): Body<Back>,
) -> Answer<Begun> {
    let stranger = Actor {
        who: "-".into(),
        origin: origin.to_string(),
    };
    let comes_in = |purpose: &Purpose| !matches!(purpose, Purpose::Link(_));
    let (purpose, shown) = come_back(&app, &headers, &stranger, it, comes_in).await?;
    let now = app.now();
    let (actor, user) = match purpose {
        Purpose::Invitation(token_hash) => {
            let link = app.store().link(now, &token_hash).await?;
            let actor = Actor {
                who: link.user.username,
                ..stranger
            };
            let account = outside(&shown);
            let spent = app.store().spend_link_on_identity(&actor, now, &token_hash, &account);
            (actor.clone(), spent.await?)
        }
        _ => {
            let known = app.store().user_of(&shown.issuer, &shown.subject).await?;
            let (why, problem) = match known {
                Some(user) if user.disabled.is_none() => {
                    let who = user.username.clone();
                    return come_in(&app, &headers, &Actor { who, ..stranger }, &user, &shown).await;
                }
                Some(user) => {
                    app.counters.disabled.add();
                    (
                        format!("{} is disabled", user.username),
                        store::Refusal::Disabled.into(),
                    )
                }
                None => {
                    app.counters.refused_oidc.add();
                    (
                        format!("{} ({}) is not linked", shown.label, shown.subject),
                        not_linked(),
                    )
                }
            };
            refuse(&app, &stranger, &why).await?;
            return Err(problem);
        }
    };
    come_in(&app, &headers, &actor, &user, &shown).await
}

/// Begin to link one's account at the provider
#[utoipa::path(
    post, path = "/api/v1/account/identities/begin", operation_id = "beginLinking", tag = "account",
    responses(
        (status = 200, description = "For the browser, which gets a cookie", body = Go),
        (status = 409, description = "`no_oidc`: there is no provider", body = Error),
        (status = 502, description = "`oidc_…`: the provider answers what cannot be used", body = Error),
        (status = 503, description = "`oidc_unreachable`, `oidc_slow`: it does not answer; `busy`", body = Error),
        Guarded,
    ),
    security(("session" = []))
)]
pub(super) async fn begin_linking(
    State(app): State<App>,
    site: Site,
    SettingUp(it): SettingUp,
) -> Answer<(HeaderMap, Json<Go>)> {
    let user = it.whole()?.user.id;
    go(&app, site, Purpose::Link(user)).await
}

/// Link one's account at the provider by what it gave the browser
#[utoipa::path(
    post, path = "/api/v1/account/identities", operation_id = "linkIdentity", tag = "account",
    request_body = Back,
    responses(
        (status = 201, description = "One comes in by it from now on", body = Identity),
        (status = 409, description = "`no_oidc`; `oidc_unknown`: not begun here, too long ago, or used; `linked`: it is somebody's already, or one has another", body = Error),
        (status = 502, description = "`oidc_…`: the provider answers what cannot be used", body = Error),
        (status = 503, description = "`oidc_unreachable`, `oidc_slow`: it does not answer; `busy`", body = Error),
        Guarded,
    ),
    security(("session" = []))
)]
pub(super) async fn link(
    State(app): State<App>,
    headers: HeaderMap,
    SettingUp(it): SettingUp,
    Body(body): Body<Back>,
) -> Answer<(StatusCode, Json<Identity>)> {
    let Caller { user, actor, .. } = it.whole()?;
    let own = |purpose: &Purpose| *purpose == Purpose::Link(user.id);
    let (_, shown) = come_back(&app, &headers, &actor, body, own).await?;
    let identity = app
        .store()
        .link_identity(&actor, app.now(), user.id, &outside(&shown))
        .await?;
    Ok((StatusCode::CREATED, Json(identity.into())))
}

/// Take the link to one's account at the provider away
#[utoipa::path(
    delete, path = "/api/v1/account/identities/{id}", operation_id = "unlinkIdentity", tag = "account",
    params(("id" = String, Path,)),
    responses(
        (status = 204, description = "Nobody comes in by it any more; sessions that were begun by it have ended, but for this one"),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`last_way`: without a password one could not come in any more", body = Error),
        Guarded,
    ),
    security(("session" = []))
)]
pub(super) async fn unlink(
    State(app): State<App>,
    SettingUp(it): SettingUp,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    let token_hash = it.token_hash.clone();
    let Caller { user, actor, .. } = it.whole()?;
    let id = IdentityId::parse(&id).ok_or_else(|| Problem::missing("identity"))?;
    app.store()
        .unlink_identity(&actor, app.now(), user.id, id, &token_hash)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn provider(app: &App) -> Answer<&Provider> {
    let vi = "Máy chủ này không dùng hệ thống đăng nhập một lần nào.";
    let en = "This server has no provider of single sign-on.";
    let none = || Problem::new(StatusCode::CONFLICT, "no_oidc", vi, en);
    app.parts.oidc.as_ref().ok_or_else(none)
}

fn outside(shown: &Shown) -> Outside {
    Outside {
        issuer: shown.issuer.clone(),
        subject: shown.subject.clone(),
        label: shown.label.clone(),
    }
}

/// Sends the browser to the provider, and makes it one that is known again.
async fn go(app: &App, Site(site): Site, purpose: Purpose) -> Answer<(HeaderMap, Json<Go>)> {
    let provider = provider(app)?;
    let no_host = || Problem::bad_request("the request names no host, and public.url is not set");
    let site = site.ok_or_else(no_host)?;
    let browser = gate::fresh_token();
    let begun = provider.begin(app.now(), &site, gate::hash(&browser), purpose).await;
    let url = begun.inspect_err(|why| tracing::warn!(%why, "a sign-in at the provider cannot begin"))?;
    let mut headers = HeaderMap::new();
    let cookie = gate::kept(app, COOKIE, &browser);
    headers.append(
        header::SET_COOKIE,
        HeaderValue::from_str(&cookie).expect("a token's digits"),
    );
    Ok((headers, Json(Go { url: url.into() })))
}

/// Who has come back, if what they came for `fits`. What is refused is in the record once it is a sign-in that this browser began.
async fn come_back(
    app: &App,
    headers: &HeaderMap,
    actor: &Actor,
    it: Back,
    fits: impl FnOnce(&Purpose) -> bool,
) -> Answer<(Purpose, Shown)> {
    let provider = provider(app)?;
    let browser = gate::cookie(app, headers, COOKIE).map(|token| gate::hash(&token));
    let asked = provider.returned(app.now(), &it.state, browser.as_deref());
    let asked = asked.and_then(|asked| match fits(&asked.purpose) {
        true => Ok(asked),
        false => Err(Refused::Unknown),
    });
    let asked = asked.inspect_err(|_| app.counters.refused_oidc.add())?;
    let purpose = asked.purpose.clone();
    let returned = Returned {
        code: it.code,
        error: it.error,
        iss: it.iss,
    };
    match provider.finish(app.now(), asked, returned).await {
        Ok(shown) => Ok((purpose, shown)),
        Err(why) => {
            app.counters.refused_oidc.add();
            refuse(app, actor, &why.to_string()).await?;
            Err(why.into())
        }
    }
}

async fn refuse(app: &App, actor: &Actor, why: &str) -> Answer<()> {
    let entry = Entry {
        at: app.now(),
        actor,
        what: "session.refuse",
        subject: String::new(),
        detail: format!("single sign-on: {why}"),
    };
    Ok(app.store().note(entry).await?)
}

async fn come_in(app: &App, headers: &HeaderMap, actor: &Actor, user: &store::User, shown: &Shown) -> Answer<Begun> {
    app.store()
        .identity_shown(app.now(), &shown.issuer, &shown.subject)
        .await?;
    let (mut cookies, session) = sessions::begin(app, headers, actor, user, How::Oidc, shown.strong).await?;
    let done = gate::kept(app, COOKIE, "") + "; Max-Age=0";
    cookies.append(
        header::SET_COOKIE,
        HeaderValue::from_str(&done).expect("a name and no token"),
    );
    Ok((cookies, session))
}

fn not_linked() -> Problem {
    let vi = "Tài khoản này chưa gắn với người dùng nào ở đây. Hãy đăng nhập bằng mật khẩu rồi gắn trong trang Tài khoản, \
              hoặc xin người quản trị đường dẫn mời.";
    let en = "This account is not linked to anybody here. Sign in with the password and link it on the account page, or ask an \
              administrator for an invitation.";
    Problem::new(StatusCode::FORBIDDEN, "not_linked", vi, en)
}

impl From<store::Refusal> for Problem {
    fn from(refusal: store::Refusal) -> Self {
        store::Error::State(refusal).into()
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        const REFUSED: StatusCode = StatusCode::FORBIDDEN;
        const FAULT: StatusCode = StatusCode::BAD_GATEWAY;
        const AWAY: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
        let (status, code) = match &refused {
            Refused::Busy => return Self::busy(),
            Refused::Unknown => (StatusCode::CONFLICT, "oidc_unknown"),
            Refused::OtherBrowser => (REFUSED, "oidc_other_browser"),
            Refused::MixedUp => (REFUSED, "oidc_mixed_up"),
            Refused::Denied(_) => (REFUSED, "oidc_denied"),
            Refused::Code(_) => (REFUSED, "oidc_code"),
            Refused::Issuer(_) => (REFUSED, "oidc_issuer"),
            Refused::Audience(_) => (REFUSED, "oidc_audience"),
            Refused::Time(_) => (REFUSED, "oidc_time"),
            Refused::Nonce => (REFUSED, "oidc_nonce"),
            Refused::Algorithm(_) => (REFUSED, "oidc_algorithm"),
            Refused::Key(_) => (REFUSED, "oidc_key"),
            Refused::Signature(_) => (REFUSED, "oidc_signature"),
            Refused::Token(_) => (REFUSED, "oidc_token"),
            Refused::TooLarge => (FAULT, "oidc_too_large"),
            Refused::Elsewhere(_) => (FAULT, "oidc_elsewhere"),
            Refused::Answer(_) => (FAULT, "oidc_answer"),
            Refused::Slow => (AWAY, "oidc_slow"),
            Refused::Unreachable(_) => (AWAY, "oidc_unreachable"),
        };
        let (vi, en) = match &refused {
            Refused::Unknown | Refused::OtherBrowser => (
                "Lần đăng nhập này đã quá lâu, đã dùng rồi hoặc bắt đầu ở trình duyệt khác. Hãy đăng nhập lại từ đầu.",
                "This sign-in is too long ago, was used, or was begun in another browser. Begin again.",
            ),
            Refused::Denied(_) => (
                "Hệ thống đăng nhập một lần không cho đăng nhập, hoặc bạn đã hủy.",
                "The provider of single sign-on did not let you in, or you cancelled.",
            ),
            Refused::Slow | Refused::Unreachable(_) => (
                "Không tới được hệ thống đăng nhập một lần. Hãy thử lại sau, hoặc đăng nhập bằng mật khẩu.",
                "The provider of single sign-on cannot be reached. Try again later, or sign in with the password.",
            ),
            Refused::Time(_) => (
                "Hệ thống đăng nhập một lần trả lời với thời gian không đúng. Người quản trị hãy kiểm tra đồng hồ của hai máy chủ.",
                "What the provider of single sign-on answers is out of time. Its administrator should look at both clocks.",
            ),
            _ => (
                "Câu trả lời của hệ thống đăng nhập một lần không đúng nên không được nhận. Hãy báo người quản trị, hoặc đăng nhập bằng mật khẩu.",
                "What the provider of single sign-on answers is not right and was not taken. Tell the administrator, or sign in with the password.",
            ),
        };
        Self::new(status, code, vi, en)
    }
}
