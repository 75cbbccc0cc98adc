//! Second factors: codes by time (TOTP, RFC 6238), passkeys (WebAuthn level 2) and recovery codes. Here: setting them up,
//! and showing them to finish signing in, or to be trusted with more in a session that is whole. Not here: rows
//! (`store::factors`), what has been asked and waits for its answer (`ceremonies`).

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use totp_rs::{Builder, Totp};
use utoipa::ToSchema;
use webauthn_rs::prelude::{Passkey, PublicKeyCredential, RegisterPublicKeyCredential};
use webauthn_rs::{Webauthn, WebauthnBuilder};
use zeroize::Zeroizing;

use super::App;
use super::ceremonies::{Asked, CodeSecret};
use super::error::{Answer, Error, Guarded, Problem};
use super::gate::{self, Body, Entering, HALF, InPerson, SettingUp, Site, Stage};
use super::sessions::{self, Begun};
use super::shapes::Session;
use super::tries;
use crate::data::random;
use crate::patience::Key;
use crate::store::{FactorId, FactorKind, NewFactor, UserId};

/// So many wrong second factors end a half session.
const WRONG: u64 = 5;
/// Recovery codes that one gets.
const CODES: usize = 10;
/// Digits of Crockford's base 32: none looks like another.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Code {
    /// Six digits of the authenticator, or a recovery code.
    code: String,
}

/// A passkey's answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    /// What `navigator.credentials.get` gave, as its `toJSON()` says it.
    #[schema(value_type = Object)]
    credential: Value,
}

/// What a browser is to be asked.
#[derive(Serialize, ToSchema)]
pub(super) struct Options {
    /// For `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`.
    #[schema(value_type = Object)]
    options: Value,
}

/// A secret for an authenticator.
#[derive(Serialize, ToSchema)]
pub(super) struct TotpOptions {
    /// Base 32, to be typed.
    secret: String,
    /// `otpauth://…`, to be shown as a QR code.
    uri: String,
}

/// An authenticator that was given the secret.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTotp {
    /// What to call it.
    name: String,
    /// The code that it shows now.
    code: String,
}

/// A passkey that was made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPasskey {
    /// What to call it.
    name: String,
    /// What `navigator.credentials.create` gave, as its `toJSON()` says it.
    #[schema(value_type = Object)]
    credential: Value,
}

/// A second factor was set up.
#[derive(Serialize, ToSchema)]
pub(super) struct SetUp {
    /// With the first one: each stands in for a second factor once. Shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    recovery_codes: Option<Vec<String>>,
    /// Where it finished signing in, or counts as shown: the session that takes the place of the one until now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    session: Option<Session>,
}

/// Other recovery codes.
#[derive(Serialize, ToSchema)]
pub(super) struct Codes {
    /// Those from before count no more. Shown this once.
    recovery_codes: Vec<String>,
}

/// Show a code: of an authenticator, or a recovery code
#[utoipa::path(
    post, path = "/api/v1/session/totp", operation_id = "showCode", tag = "session",
    request_body = Code,
    responses(
        (status = 200, description = "Right: another session, with its cookie, takes the place of this one", body = Session),
        (status = 409, description = "`no_factor`: there is none to be shown", body = Error),
        (status = 422, description = "`invalid`: the code is wrong; the fifth wrong one ends a session that waits for it", body = Error),
        (status = 429, description = "`wait`: `Retry-After` says how many seconds", body = Error),
        Guarded,
    ),
    security(("session" = []))
)]
pub(super) async fn show_code(
    State(app): State<App>,
    headers: HeaderMap,
    it: Entering,
    Body(body): Body<Code>,
) -> Answer<Begun> {
    let user = &it.session.user;
    some_factor(&it)?;
    let device = tries::device(&app, &headers, user).await?;
    let keys = Key::of_factor(&user.username, it.origin, device.as_deref());
    let attempt = tries::attempt(&app, &it.actor, keys).await?;
    let Some(how) = spend(&app, user.id, &body.code).await? else {
        attempt.wrong().await?;
        app.counters.wrong_codes.add();
        wrong(&app, &it, "code").await?;
        let (vi, en) = ("Mã không đúng, hoặc đã dùng rồi.", "is wrong, or was used before");
        return Err(Problem::field("code", vi, en));
    };
    attempt.right().await?;
    sessions::raise(&app, &headers, &it, how).await
}

/// Ask for a passkey to be shown
#[utoipa::path(
    post, path = "/api/v1/session/passkey/options", operation_id = "passkeyOptions", tag = "session",
    responses(
        (status = 200, description = "For the browser", body = Options),
        (status = 409, description = "`no_factor`: there is none; `no_passkeys`: not under this address", body = Error),
        Guarded,
    ),
    security(("session" = []))
)]
pub(super) async fn passkey_options(State(app): State<App>, site: Site, it: Entering) -> Answer<Json<Options>> {
    let passkeys: Vec<_> = passkeys(&app, it.session.user.id)
        .await?
        .into_iter()
        .map(|it| it.1)
        .collect();
    if passkeys.is_empty() {
        return Err(no_factor());
    }
    let (asked, state) = relying_party(site)?
        .start_passkey_authentication(&passkeys)
        .map_err(Problem::internal)?;
    let asked_of = Asked::Passkey(Box::new(state));
    app.ceremonies.ask(app.now(), &it.token_hash, asked_of);
    let options = serde_json::to_value(asked.public_key).map_err(Problem::internal)?;
    Ok(Json(Options { options }))
}

/// Show a passkey
#[utoipa::path(
    post, path = "/api/v1/session/passkey", operation_id = "showPasskey", tag = "session",
    request_body = Shown,
    responses(
        (status = 200, description = "Right: another session, with its cookie, takes the place of this one", body = Session),
        (status = 409, description = "`ask_first`: nothing was asked, or too long ago", body = Error),
        (status = 422, description = "`invalid`: not one's passkey; the fifth wrong one ends a session that waits for it", body = Error),
        (status = 429, description = "`wait`: `Retry-After` says how many seconds", body = Error),
        Guarded,
    ),
    security(("session" = []))
)]
pub(super) async fn show_passkey(
    State(app): State<App>,
    site: Site,
    headers: HeaderMap,
    it: Entering,
    Body(body): Body<Shown>,
) -> Answer<Begun> {
    let user = &it.session.user;
    let Some(Asked::Passkey(state)) = app.ceremonies.take(app.now(), &it.token_hash) else {
        return Err(ask_first());
    };
    let device = tries::device(&app, &headers, user).await?;
    let keys = Key::of_factor(&user.username, it.origin, device.as_deref());
    let attempt = tries::attempt(&app, &it.actor, keys).await?;
    let shown = serde_json::from_value::<PublicKeyCredential>(body.credential);
    let judged = match &shown {
        Ok(shown) => relying_party(site)?
            .finish_passkey_authentication(shown, &state)
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let mut known = passkeys(&app, user.id).await?;
    let used = match &judged {
        Ok(judged) => known.iter_mut().find(|it| it.1.cred_id() == judged.cred_id()),
        Err(_) => None,
    };
    let (Some((id, passkey)), Ok(judged)) = (used, &judged) else {
        attempt.wrong().await?;
        app.counters.wrong_passkeys.add();
        if let Err(error) = &judged {
            tracing::info!(%error, "a passkey was refused");
        }
        wrong(&app, &it, "passkey").await?;
        return Err(bad_passkey());
    };
    let changed = passkey.update_credential(judged) == Some(true);
    let kept = match changed {
        true => Some(serde_json::to_vec(passkey).map_err(Problem::internal)?),
        false => None,
    };
    app.store().passkey_shown(app.now(), *id, kept.as_deref()).await?;
    attempt.right().await?;
    sessions::raise(&app, &headers, &it, "passkey").await
}

/// Ask for a secret for an authenticator
#[utoipa::path(
    post, path = "/api/v1/account/totp/options", operation_id = "totpOptions", tag = "account",
    responses((status = 200, description = "For the authenticator; it counts once a code was shown", body = TotpOptions), Guarded),
    security(("session" = []))
)]
pub(super) async fn totp_options(State(app): State<App>, SettingUp(it): SettingUp) -> Answer<Json<TotpOptions>> {
    let secret = Zeroizing::new(random::<20>());
    let totp = Builder::new()
        .with_secret(secret.to_vec())
        .with_issuer(Some("Loa"))
        .with_account_name(it.session.user.username.as_str())
        .build()
        .map_err(Problem::internal)?;
    let options = TotpOptions {
        secret: totp.secret().to_base32(),
        uri: totp.to_url().map_err(Problem::internal)?,
    };
    app.ceremonies.ask(app.now(), &it.token_hash, Asked::Code(secret));
    Ok(Json(options))
}

/// Set up an authenticator
#[utoipa::path(
    post, path = "/api/v1/account/totp", operation_id = "addTotp", tag = "account",
    request_body = NewTotp,
    responses(
        (status = 200, description = "It counts from now on", body = SetUp),
        (status = 409, description = "`ask_first`: no secret was asked for, or too long ago", body = Error),
        (status = 422, description = "`invalid`: see `fields`; another code can be tried", body = Error),
        Guarded,
    ),
    security(("session" = []))
)]
pub(super) async fn add_totp(
    State(app): State<App>,
    headers: HeaderMap,
    SettingUp(it): SettingUp,
    Body(body): Body<NewTotp>,
) -> Answer<(HeaderMap, Json<SetUp>)> {
    let now = app.now();
    let Some(Asked::Code(secret)) = app.ceremonies.take(now, &it.token_hash) else {
        return Err(ask_first());
    };
    let new = |step| NewFactor {
        kind: FactorKind::Totp,
        name: &body.name,
        secret: secret.as_slice(),
        credential: None,
        step,
    };
    let added = match totp(&secret)?.check(&digits(&body.code), now.0 / 1_000_000) {
        Some(step) => add(&app, &headers, &it, new(step)).await,
        None => {
            let vi = "Mã không đúng. Kiểm tra giờ của điện thoại rồi nhập mã đang hiện.";
            let en = "is wrong: check the phone's clock, then enter the code that shows";
            Err(Problem::field("code", vi, en))
        }
    };
    if added.is_err() {
        // To be tried again: the authenticator has the secret already.
        app.ceremonies.ask(now, &it.token_hash, Asked::Code(secret));
    }
    added
}

/// Ask for a new passkey
#[utoipa::path(
    post, path = "/api/v1/account/passkeys/options", operation_id = "newPasskeyOptions", tag = "account",
    responses(
        (status = 200, description = "For the browser", body = Options),
        (status = 409, description = "`no_passkeys`: not under this address", body = Error),
        Guarded,
    ),
    security(("session" = []))
)]
pub(super) async fn new_passkey_options(
    State(app): State<App>,
    site: Site,
    SettingUp(it): SettingUp,
) -> Answer<Json<Options>> {
    let user = &it.session.user;
    let there = passkeys(&app, user.id).await?;
    let there = there.into_iter().map(|it| it.1.cred_id().clone()).collect();
    let (asked, state) = relying_party(site)?
        .start_passkey_registration(
            uuid::Uuid::from_bytes(user.id.0),
            &user.username,
            &user.display_name,
            Some(there),
        )
        .map_err(Problem::internal)?;
    app.ceremonies
        .ask(app.now(), &it.token_hash, Asked::NewPasskey(Box::new(state)));
    let options = serde_json::to_value(asked.public_key).map_err(Problem::internal)?;
    Ok(Json(Options { options }))
}

/// Set up a passkey
#[utoipa::path(
    post, path = "/api/v1/account/passkeys", operation_id = "addPasskey", tag = "account",
    request_body = NewPasskey,
    responses(
        (status = 200, description = "It counts from now on", body = SetUp),
        (status = 409, description = "`ask_first`: nothing was asked, or too long ago", body = Error),
        (status = 422, description = "`invalid`: see `fields`", body = Error),
        Guarded,
    ),
    security(("session" = []))
)]
pub(super) async fn add_passkey(
    State(app): State<App>,
    site: Site,
    headers: HeaderMap,
    SettingUp(it): SettingUp,
    Body(body): Body<NewPasskey>,
) -> Answer<(HeaderMap, Json<SetUp>)> {
    let Some(Asked::NewPasskey(state)) = app.ceremonies.take(app.now(), &it.token_hash) else {
        return Err(ask_first());
    };
    let made: RegisterPublicKeyCredential = serde_json::from_value(body.credential).map_err(|_| bad_passkey())?;
    let passkey = relying_party(site)?
        .finish_passkey_registration(&made, &state)
        .map_err(|error| {
            tracing::info!(%error, "a new passkey was refused");
            bad_passkey()
        })?;
    let kept = serde_json::to_vec(&passkey).map_err(Problem::internal)?;
    let id: &[u8] = passkey.cred_id();
    use base64::Engine as _;
    let new = NewFactor {
        kind: FactorKind::Passkey,
        name: &body.name,
        secret: &kept,
        credential: Some(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(id)),
        step: 0,
    };
    add(&app, &headers, &it, new).await
}

/// Remove one of one's second factors
#[utoipa::path(
    delete, path = "/api/v1/account/factors/{id}", operation_id = "removeFactor", tag = "account",
    params(("id" = String, Path,)),
    responses(
        (status = 204, description = "It counts no more"),
        (status = 404, description = "`not_found`", body = Error),
        (status = 409, description = "`last_factor`: the settings want everybody to have one", body = Error),
        Guarded,
    ),
    security(("session" = []))
)]
pub(super) async fn remove(
    State(app): State<App>,
    SettingUp(it): SettingUp,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    let id = FactorId::parse(&id).ok_or_else(|| Problem::missing("factor"))?;
    let (user, required) = (it.session.user.id, app.parts.config.auth_second_factor);
    app.store()
        .remove_factor(&it.actor, app.now(), user, id, required)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Get other recovery codes
#[utoipa::path(
    post, path = "/api/v1/account/recovery-codes", operation_id = "newRecoveryCodes", tag = "account",
    responses(
        (status = 200, description = "In place of those that were left", body = Codes),
        (status = 404, description = "`not_found`: without a second factor there are none", body = Error),
        Guarded,
    ),
    security(("session" = []))
)]
pub(super) async fn new_codes(State(app): State<App>, _: InPerson, SettingUp(it): SettingUp) -> Answer<Json<Codes>> {
    let user = it.session.user.id;
    let (recovery_codes, hashes) = fresh_codes(user);
    app.store()
        .set_recovery_codes(&it.actor, app.now(), user, &hashes)
        .await?;
    Ok(Json(Codes { recovery_codes }))
}

/// Adds a second factor, and where it finishes signing in, or was set up right after, goes on in another session.
async fn add(app: &App, headers: &HeaderMap, it: &Entering, new: NewFactor<'_>) -> Answer<(HeaderMap, Json<SetUp>)> {
    let (user, now) = (it.session.user.id, app.now());
    let first = it.session.factors == [0; 2];
    let (codes, hashes) = fresh_codes(user);
    let with_codes = app
        .store()
        .add_factor(&it.actor, now, user, first, new, &hashes)
        .await?;
    let recovery_codes = with_codes.then_some(codes);
    // The password was shown just now: whoever sits there is who signed in, and not somebody who found the session open.
    let fresh = it.session.created.0 + HALF > now.0;
    let (cookies, session) = match first && (fresh || it.stage() == Stage::SetUp) {
        true => {
            let (cookies, Json(session)) = sessions::raise(app, headers, it, "set up").await?;
            (cookies, Some(session))
        }
        false => (HeaderMap::new(), None),
    };
    let set_up = SetUp {
        recovery_codes,
        session,
    };
    Ok((cookies, Json(set_up)))
}

/// Counts a wrong second factor; a half session ends at the fifth.
async fn wrong(app: &App, it: &Entering, how: &str) -> Answer<()> {
    let goes_on = app
        .store()
        .wrong_factor(&it.actor, app.now(), it.session.user.id, &it.token_hash, how, WRONG)
        .await?;
    match goes_on {
        true => Ok(()),
        false => Err(Problem::unauthenticated()),
    }
}

/// Spends a code, and says what it was; `None` if it is wrong, or was spent before.
async fn spend(app: &App, user: UserId, code: &str) -> Answer<Option<&'static str>> {
    let (now, short) = (app.now(), digits(code));
    if short.len() != 6 {
        let spent = app.store().spend_recovery_code(user, &code_hash(user, code)).await?;
        return Ok(spent.then_some("recovery code"));
    }
    for (id, secret) in app.store().factor_secrets(user, FactorKind::Totp).await? {
        let secret = Zeroizing::new((*secret).try_into().map_err(|_| Problem::internal("a code's secret"))?);
        if let Some(step) = totp(&secret)?.check(&short, now.0 / 1_000_000)
            && app.store().spend_code(now, id, step).await?
        {
            return Ok(Some("totp"));
        }
    }
    Ok(None)
}

/// The codes of that secret: SHA-1, six digits, 30 seconds, one step of tolerance either way.
fn totp(secret: &CodeSecret) -> Answer<Totp> {
    let built = Builder::new().with_secret(secret.to_vec()).build();
    built.map_err(Problem::internal)
}

/// The six digits in what was typed, spaces left out; if it is no such code, nothing.
fn digits(code: &str) -> String {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    match code.len() == 6 && code.bytes().all(|c| c.is_ascii_digit()) {
        true => code,
        false => String::new(),
    }
}

/// Recovery codes (80 random bits each), and the hashes that are kept of them.
fn fresh_codes(user: UserId) -> (Vec<String>, Vec<String>) {
    let code = || {
        let bits = random::<10>()
            .into_iter()
            .fold(0u128, |bits, byte| bits << 8 | u128::from(byte));
        let digit = |n: u32| char::from(DIGITS[(bits >> (5 * n) & 31) as usize]);
        let four = |n: u32| (4 * n..4 * n + 4).map(digit).collect::<String>();
        (0..4).map(four).collect::<Vec<_>>().join("-")
    };
    let codes: Vec<_> = (0..CODES).map(|_| code()).collect();
    let hashes = codes.iter().map(|code| code_hash(user, code)).collect();
    (codes, hashes)
}

/// What is kept of a recovery code, however it was typed.
fn code_hash(user: UserId, code: &str) -> String {
    let digit = |c: char| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        c => c,
    };
    let code: String = code.chars().filter(char::is_ascii_alphanumeric).map(digit).collect();
    gate::hash(&format!("recovery code of {user}: {code}"))
}

async fn passkeys(app: &App, user: UserId) -> Answer<Vec<(FactorId, Passkey)>> {
    let kept = app.store().factor_secrets(user, FactorKind::Passkey).await?;
    let read = |(id, kept): (FactorId, crate::data::Opened)| {
        let passkey = serde_json::from_slice(&kept).map_err(|_| Problem::internal("a passkey that cannot be read"))?;
        Ok((id, passkey))
    };
    kept.into_iter().map(read).collect()
}

/// This server, as browsers keep passkeys for it: by its name where it is sure to be its own, or as `localhost`.
fn relying_party(Site(url): Site) -> Answer<Webauthn> {
    let no_passkeys = || {
        let vi = "Khóa truy cập cần một tên miền và https: hãy đặt public.url, hoặc mở trang này ở http://localhost.";
        let en = "Passkeys need a domain name and https: set public.url, or open the console at http://localhost.";
        Problem::new(StatusCode::CONFLICT, "no_passkeys", vi, en)
    };
    let url = url.ok_or_else(no_passkeys)?;
    let domain = url.domain().ok_or_else(no_passkeys)?;
    let local = domain == "localhost" || domain.ends_with(".localhost");
    // Without TLS, what a request calls this server is anybody's word.
    if !local && url.scheme() != "https" {
        return Err(no_passkeys());
    }
    let party = WebauthnBuilder::new(domain, &url).map(|builder| builder.rp_name("Loa"));
    party.and_then(WebauthnBuilder::build).map_err(Problem::internal)
}

fn some_factor(it: &Entering) -> Answer<()> {
    match it.session.factors {
        [0, 0] => Err(no_factor()),
        _ => Ok(()),
    }
}

fn no_factor() -> Problem {
    let vi = "Tài khoản chưa có cách xác thực bước hai này.";
    Problem::new(StatusCode::CONFLICT, "no_factor", vi, "There is no such second factor.")
}

fn ask_first() -> Problem {
    let (vi, en) = (
        "Đã quá lâu. Hãy bắt đầu lại.",
        "Nothing was asked, or too long ago: begin again.",
    );
    Problem::new(StatusCode::CONFLICT, "ask_first", vi, en)
}

fn bad_passkey() -> Problem {
    let (vi, en) = ("Khóa truy cập không được chấp nhận.", "was not accepted");
    Problem::field("credential", vi, en)
}
