//! Single sign-on: OpenID Connect Core 1.0, authorization code flow with PKCE (RFC 7636, S256). Here: where the browser is sent,
//! what must be true of what comes back, and who that shows somebody to be at the provider. Not here: whose account here that is
//! (`store::identities`), cookies, addresses and words (`http::oidc`), the protocol's messages and signatures (crate
//! `openidconnect`).
//!
//! The provider is not believed more than it has to be: it says who somebody is at *its* place, and nothing else. What it answers
//! is bounded in size and time, none of its redirects is followed, and every address that it names must be https.

mod judge;

mod waiting;
mod web;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use loa_protocol::UnixMicros;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
    CoreErrorResponseType, CoreGrantType, CoreIdToken, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{
    AdditionalProviderMetadata, AuthType, AuthenticationContextClass, AuthorizationCode, ClientId, ClientSecret,
    CsrfToken, DiscoveryError, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, Nonce, PkceCodeChallenge,
    PkceCodeVerifier, ProviderMetadata, RedirectUrl, RequestTokenError, Scope, TokenResponse as _,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;
use url::Url;

use crate::config::Config;
use crate::data;
use waiting::Waiting;
pub use waiting::{Asked, Purpose};
use web::{Unanswered, Web};

/// How long the provider may take for one answer.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// What it says about itself is asked for again after so long, in microseconds.
const LASTS: u64 = 3600 * 1_000_000;
/// Requests to it at once.
const PLACES: usize = 16;
/// Where the provider sends browsers back to, below the console's address.
const BACK: &str = "oidc";

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file.
    #[error("{key} = {file}: {reason}")]
    File {
        /// The setting.
        key: &'static str,
        /// Its path.
        file: String,
        /// Why.
        reason: std::io::Error,
    },
    /// Not this machine, and not https.
    #[error("oidc.issuer = {0}: must begin with https://; http:// is for this machine alone")]
    Plain(String),
}

/// Why nobody was shown to be anybody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No such sign-in waits: never begun here, too long ago, or answered before.
    #[error("no such sign-in is waited for")]
    Unknown,
    /// Another browser began it.
    #[error("begun in another browser")]
    OtherBrowser,
    /// Another provider has answered (RFC 9207).
    #[error("the answer is another provider's")]
    MixedUp,
    /// The provider said no, or its user did.
    #[error("the provider says {0}")]
    Denied(String),
    /// Too many are asking it.
    #[error("too many requests to the provider at once")]
    Busy,
    /// It cannot be reached.
    #[error("the provider cannot be reached: {0}")]
    Unreachable(String),
    /// It took too long.
    #[error("the provider takes too long")]
    Slow,
    /// It answered more than anybody needs.
    #[error("the provider's answer is too large")]
    TooLarge,
    /// It wanted to send us elsewhere, or to where we do not go.
    #[error("the provider sends us elsewhere: {0}")]
    Elsewhere(String),
    /// It answered what cannot be used.
    #[error("the provider's answer cannot be used: {0}")]
    Answer(String),
    /// It did not take the code.
    #[error("the provider refuses the code: {0}")]
    Code(String),
    /// The token is of somebody else.
    #[error("another issuer: {0}")]
    Issuer(String),
    /// The token is for somebody else.
    #[error("another audience: {0}")]
    Audience(String),
    /// The token's time is over, or has not come.
    #[error("out of time: {0}")]
    Time(String),
    /// The token is of another sign-in.
    #[error("another nonce")]
    Nonce,
    /// The token is not signed, or in a way that everybody could.
    #[error("not an algorithm that is taken: {0}")]
    Algorithm(String),
    /// The token is signed by a key that the provider does not name.
    #[error("an unknown key: {0}")]
    Key(String),
    /// The token's signature is wrong.
    #[error("a wrong signature: {0}")]
    Signature(String),
    /// The token is wrong in another way.
    #[error("a wrong token: {0}")]
    Token(String),
}

/// What a browser brought back.
#[derive(Debug, Clone, Default)]
pub struct Returned {
    /// To be exchanged for a token.
    pub code: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
    /// Who answers (RFC 9207).
    pub iss: Option<String>,
}

/// Who somebody is at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The provider.
    pub issuer: String,
    /// The account.
    pub subject: String,
    /// What the provider calls it, for people to read.
    pub label: String,
    /// A second factor was shown to the provider, and the settings say that this counts.
    pub strong: bool,
}

/// What is read of a provider beside what every client needs.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
struct More {
    /// Where people sign out (OpenID Connect RP-Initiated Logout 1.0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end_session_endpoint: Option<Url>,
    /// It says who it is in its answers (RFC 9207).
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for More {}

type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;
type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

struct Settings {
    issuer: IssuerUrl,
    client_id: ClientId,
    secret: Option<ClientSecret>,
    name: String,
    /// What counts as a second factor.
    acr: Vec<String>,
    amr: Vec<String>,
    web: Web,
}

/// What is known of the provider.
#[derive(Default)]
struct Known {
    metadata: Option<(Arc<Metadata>, UnixMicros)>,
    /// When it was last asked in vain, and why.
    failed: Option<(Instant, Refused)>,
}

/// A provider of sign-in.
pub struct Provider {
    settings: Arc<Settings>,
    known: Mutex<Known>,
    waiting: Waiting,
    places: Semaphore,
}

impl Provider {
    /// The provider that the settings name, if they name one. It is not asked anything yet: who has a password comes in without it.
    ///
    /// # Errors
    /// When a file cannot be read, or it would be reached by plain HTTP.
    pub fn open(config: &Config, patience: Duration) -> Result<Option<Self>, OpenError> {
        let (Some(issuer), Some(client_id)) = (&config.oidc_issuer, &config.oidc_client_id) else {
            return Ok(None);
        };
        let file = |key, path: &Path, reason| OpenError::File {
            key,
            file: path.display().to_string(),
            reason,
        };
        let secret = match &config.oidc_client_secret_file {
            Some(path) => {
                Some(data::secret_line(path).map_err(|reason| file("oidc.client_secret_file", path, reason))?)
            }
            None => None,
        };
        let ca = match &config.oidc_ca {
            Some(path) => Some(std::fs::read(path).map_err(|reason| file("oidc.ca", path, reason))?),
            None => None,
        };
        let web = Web::new(ca.as_deref(), config.oidc_plain_loopback, patience).map_err(|reason| {
            file(
                "oidc.ca",
                config.oidc_ca.as_deref().unwrap_or(Path::new("the system's roots")),
                reason,
            )
        })?;
        let plain = || OpenError::Plain(issuer.clone());
        let url: Url = issuer.parse().map_err(|_| plain())?;
        web.allows(&url).map_err(|_| plain())?;
        let name = config.oidc_name.clone();
        let settings = Settings {
            issuer: IssuerUrl::new(issuer.clone()).map_err(|_| plain())?,
            client_id: ClientId::new(client_id.clone()),
            secret: secret.map(ClientSecret::new),
            name: name.unwrap_or_else(|| url.host_str().unwrap_or(issuer).to_owned()),
            acr: config.oidc_second_factor_acr.clone(),
            amr: config.oidc_second_factor_amr.clone(),
            web,
        };
        Ok(Some(Self {
            settings: Arc::new(settings),
            known: Mutex::default(),
            waiting: Waiting::default(),
            places: Semaphore::new(PLACES),
        }))
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Where a browser is to go to come in, or to show whose account there it is. `browser` is what only this browser can show
    /// again, hashed; `site` is where it has the console from.
    ///
    /// # Errors
    /// When the provider does not say where.
    pub async fn begin(&self, now: UnixMicros, site: &Url, browser: String, purpose: Purpose) -> Result<Url, Refused> {
        let metadata = self.metadata(now, None).await?;
        let back = site.join(BACK).map_err(|error| Refused::Answer(error.to_string()))?;
        let (state, nonce, verifier) = (data::fresh_token(), data::fresh_token(), data::fresh_token());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.clone()));
        let client = self.settings.client(&metadata, &back)?;
        let (told, hidden) = (state.clone(), nonce.clone());
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(told),
                move || Nonce::new(hidden),
            )
            .add_scope(Scope::new("profile".into()))
            .add_scope(Scope::new("email".into()))
            .set_pkce_challenge(challenge);
        for acr in &self.settings.acr {
            request = request.add_auth_context_value(AuthenticationContextClass::new(acr.clone()));
        }
        let url = request.url().0;
        let asked = Asked {
            browser,
            purpose,
            nonce,
            verifier,
            back,
        };
        self.waiting.ask(now, state, asked);
        Ok(url)
    }

    /// The sign-in that has come back, to be finished; whatever comes of it, it is not waited for any more.
    ///
    /// # Errors
    /// [`Refused::Unknown`], [`Refused::OtherBrowser`].
    pub fn returned(&self, now: UnixMicros, state: &str, browser: Option<&str>) -> Result<Asked, Refused> {
        let asked = self.waiting.take(now, state).ok_or(Refused::Unknown)?;
        match browser == Some(asked.browser.as_str()) {
            true => Ok(asked),
            false => Err(Refused::OtherBrowser),
        }
    }

    /// Who has come back.
    ///
    /// # Errors
    /// [`Refused`]: nobody was shown to be anybody.
    pub async fn finish(&self, now: UnixMicros, asked: Asked, it: Returned) -> Result<Shown, Refused> {
        let metadata = self.metadata(now, None).await?;
        let more = metadata.additional_metadata();
        match it.iss {
            Some(iss) if iss != *self.settings.issuer.as_str() => return Err(Refused::MixedUp),
            None if more.authorization_response_iss_parameter_supported => return Err(Refused::MixedUp),
            _ => {}
        }
        if let Some(error) = it.error {
            return Err(Refused::Denied(plain(&error)));
        }
        let code = it
            .code
            .ok_or_else(|| Refused::Answer("neither code nor error".into()))?;
        let nonce = Nonce::new(asked.nonce.clone());
        let (settings, there) = (self.settings.clone(), metadata.clone());
        let token = self.ask(move || settings.exchange(&there, code, asked)).await?;
        let judge = |metadata: &Metadata| judge::token(&self.settings, metadata, now, &nonce, &token);
        match judge(&metadata) {
            // It may sign by a key that it did not have when it was asked.
            Err(Refused::Key(_)) => judge(&*self.metadata(now, Some(&metadata)).await?),
            judged => judged,
        }
    }

    /// Where people sign out of the provider, too, and come back to `site` from; `None` if it does not say, or not soon.
    pub async fn farewell(&self, now: UnixMicros, site: &Url) -> Option<Url> {
        let metadata = self.metadata(now, None).await.ok()?;
        let mut url = metadata.additional_metadata().end_session_endpoint.clone()?;
        url.query_pairs_mut()
            .append_pair("client_id", self.settings.client_id.as_str())
            .append_pair("post_logout_redirect_uri", site.as_str());
        Some(url)
    }

    /// What the provider says about itself, not older than [`LASTS`] and not `outdated`. Whoever waits meanwhile shares the answer.
    async fn metadata(&self, now: UnixMicros, outdated: Option<&Arc<Metadata>>) -> Result<Arc<Metadata>, Refused> {
        let came = Instant::now();
        let mut known = self.known.lock().await;
        let there = known.metadata.clone();
        if let Some((metadata, at)) = &there {
            let outdated = outdated.is_some_and(|it| Arc::ptr_eq(it, metadata));
            if !outdated && now.0 < at.0 + LASTS {
                return Ok(metadata.clone());
            }
        }
        let failure = match &known.failed {
            Some((at, why)) if *at >= came => why.clone(),
            _ => {
                let settings = self.settings.clone();
                match self.ask(move || settings.discover()).await {
                    Ok(metadata) => {
                        let metadata = Arc::new(metadata);
                        known.metadata = Some((metadata.clone(), now));
                        return Ok(metadata);
                    }
                    Err(why) => {
                        known.failed = Some((Instant::now(), why.clone()));
                        why
                    }
                }
            }
        };
        match there {
            Some((metadata, _)) => {
                tracing::warn!(%failure, "the provider of sign-in does not tell about itself; what it told before still counts");
                Ok(metadata)
            }
            None => Err(failure),
        }
    }

    /// Does what waits for the provider where nobody else waits.
    async fn ask<T: Send + 'static>(
        &self,
        what: impl FnOnce() -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let _place = self.places.try_acquire().map_err(|_| Refused::Busy)?;
        let asked = tokio::task::spawn_blocking(what).await;
        asked.unwrap_or_else(|error| Err(Refused::Answer(error.to_string())))
    }
}

impl Settings {
    fn discover(&self) -> Result<Metadata, Refused> {
        let call = |request| self.web.call(request);
        let metadata = Metadata::discover(&self.issuer, &call).map_err(|error| match error {
            DiscoveryError::Request(error) => error.into(),
            DiscoveryError::Validation(text) => Refused::Issuer(plain(&text)),
            DiscoveryError::Parse(error) => Refused::Answer(plain(&error.to_string())),
            DiscoveryError::Response(_, _, text) => Refused::Answer(plain(&text)),
            other => Refused::Answer(plain(&other.to_string())),
        })?;
        let more = metadata.additional_metadata();
        let ours = metadata.token_endpoint().map(|it| it.url());
        let theirs = [
            Some(metadata.authorization_endpoint().url()),
            more.end_session_endpoint.as_ref(),
        ];
        for url in theirs.into_iter().flatten().chain(ours) {
            self.web.allows(url)?;
        }
        Ok(metadata)
    }

    fn client(&self, metadata: &Metadata, back: &Url) -> Result<Client, Refused> {
        let methods = metadata.token_endpoint_auth_methods_supported();
        let takes = |method| methods.is_some_and(|methods| methods.contains(&method));
        // Without a word it is the header (OpenID Connect Discovery §3).
        let by_body = takes(CoreClientAuthMethod::ClientSecretPost) && !takes(CoreClientAuthMethod::ClientSecretBasic);
        let auth = if by_body {
            AuthType::RequestBody
        } else {
            AuthType::BasicAuth
        };
        let back = RedirectUrl::new(back.to_string()).map_err(|error| Refused::Answer(error.to_string()))?;
        Ok(
            Client::from_provider_metadata(metadata.clone(), self.client_id.clone(), self.secret.clone())
                .set_auth_type(auth)
                .set_redirect_uri(back),
        )
    }

    fn exchange(&self, metadata: &Metadata, code: String, asked: Asked) -> Result<CoreIdToken, Refused> {
        let client = self.client(metadata, &asked.back)?;
        let request = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| Refused::Answer(error.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(asked.verifier));
        let call = |request| self.web.call(request);
        let answer = request.request(&call).map_err(|error| match error {
            RequestTokenError::Request(error) => error.into(),
            RequestTokenError::ServerResponse(error) if *error.error() == CoreErrorResponseType::InvalidGrant => {
                Refused::Code(plain(&error.to_string()))
            }
            RequestTokenError::ServerResponse(error) => Refused::Answer(plain(&error.to_string())),
            RequestTokenError::Parse(error, _) => Refused::Answer(plain(&error.to_string())),
            RequestTokenError::Other(text) => Refused::Answer(plain(&text)),
        })?;
        let token = answer.id_token().cloned();
        token.ok_or_else(|| Refused::Answer("no ID token".into()))
    }
}

impl From<Unanswered> for Refused {
    fn from(error: Unanswered) -> Self {
        match error {
            Unanswered::Slow => Self::Slow,
            Unanswered::TooLarge => Self::TooLarge,
            Unanswered::Elsewhere(to) => Self::Elsewhere(plain(&to)),
            Unanswered::Failed(why) => Self::Unreachable(plain(&why)),
        }
    }
}

/// A text of the provider's as it may stand in a record: without what steers a terminal, and not long.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}
