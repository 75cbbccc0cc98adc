//! A provider of sign-in that does as it is told: right, or wrong in one way. It has a port and a key (ES256) of its own, gives
//! codes, and takes each once from who shows the secret and the PKCE verifier.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as URL64};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING as ES256, EcdsaKeyPair, KeyPair as _};
use ring::{digest, hmac};
use serde_json::{Value, json};
use url::Url;

use super::now;

pub(super) const CLIENT: &str = "loa";
pub(super) const SECRET: &str = "a secret / with + what is escaped";

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    Nothing,
    Issuer,
    Audience,
    AnotherAudienceToo,
    Expired,
    Future,
    Nonce,
    NoNonce,
    NoSignature,
    HmacByThePublicKey,
    HmacByTheSecret,
    UnknownKey,
    AnotherKey,
    NoSubject,
    NoToken,
    NotJson,
    Fault,
    Huge,
    Slow,
    Redirect,
    RefusedCode,
}

/// What a code stands for.
#[derive(Clone)]
struct Granted {
    nonce: String,
    challenge: String,
    back: String,
    subject: String,
}

struct Inside {
    issuer: String,
    key: EcdsaKeyPair,
    kid: String,
    wrong: Wrong,
    /// Beside what the discovery document says.
    said: Value,
    claims: Value,
    codes: HashMap<String, Granted>,
    /// How often the keys were asked for, and how often a token.
    asked: (usize, usize),
}

type Shared = Arc<Mutex<Inside>>;

/// A provider that runs until it is dropped.
pub(super) struct Provider {
    pub(super) issuer: String,
    inside: Shared,
    _runtime: tokio::runtime::Runtime,
}

impl Provider {
    pub(super) fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let socket = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address: SocketAddr = socket.local_addr().unwrap();
        let issuer = format!("http://{address}");
        let inside = Arc::new(Mutex::new(Inside {
            issuer: issuer.clone(),
            key: fresh_key(),
            kid: "first".into(),
            wrong: Wrong::Nothing,
            said: json!({}),
            claims: json!({}),
            codes: HashMap::new(),
            asked: (0, 0),
        }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(inside.clone());
        runtime.spawn(async move { axum::serve(socket, router).await });
        Self {
            issuer,
            inside,
            _runtime: runtime,
        }
    }

    pub(super) fn is(&self, wrong: Wrong) {
        self.inside.lock().unwrap().wrong = wrong;
    }

    /// Adds to the discovery document.
    pub(super) fn says(&self, said: Value) {
        self.inside.lock().unwrap().said = said;
    }

    /// Adds to the tokens.
    pub(super) fn claims(&self, claims: Value) {
        self.inside.lock().unwrap().claims = claims;
    }

    /// Signs by another key from now on.
    pub(super) fn change_key(&self) {
        let mut it = self.inside.lock().unwrap();
        (it.key, it.kid) = (fresh_key(), "second".into());
    }

    /// How often the keys were asked for, and how often a token.
    pub(super) fn asked(&self) -> (usize, usize) {
        self.inside.lock().unwrap().asked
    }

    /// Lets `subject` in who was sent to `url`: what the browser brings back.
    pub(super) fn lets_in(&self, subject: &str, url: &str) -> Value {
        let url: Url = url.parse().unwrap();
        assert_eq!(url.origin().ascii_serialization(), self.issuer);
        let asked: HashMap<_, _> = url.query_pairs().into_owned().collect();
        for (name, value) in [
            ("client_id", CLIENT),
            ("response_type", "code"),
            ("code_challenge_method", "S256"),
            ("scope", "openid profile email"),
        ] {
            assert_eq!(asked[name], value, "{url}");
        }
        let mut it = self.inside.lock().unwrap();
        let code = format!("code-{}", it.codes.len());
        let granted = Granted {
            nonce: asked["nonce"].clone(),
            challenge: asked["code_challenge"].clone(),
            back: asked["redirect_uri"].clone(),
            subject: subject.into(),
        };
        it.codes.insert(code.clone(), granted);
        json!({ "state": asked["state"], "code": code, "iss": self.issuer })
    }
}

fn fresh_key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ES256, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ES256, pkcs8.as_ref(), &random).unwrap()
}

async fn discovery(State(it): State<Shared>) -> Json<Value> {
    let it = it.lock().unwrap();
    let issuer = &it.issuer;
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize?of=loa"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "end_session_endpoint": format!("{issuer}/leave"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
    });
    for (name, value) in it.said.as_object().unwrap() {
        document[name] = value.clone();
    }
    Json(document)
}

async fn keys(State(it): State<Shared>) -> Json<Value> {
    let mut it = it.lock().unwrap();
    it.asked.0 += 1;
    let (x, y) = it.key.public_key().as_ref()[1..].split_at(32);
    let key = json!({
        "kty": "EC", "use": "sig", "alg": "ES256", "kid": it.kid, "crv": "P-256",
        "x": URL64.encode(x), "y": URL64.encode(y),
    });
    Json(json!({ "keys": [key] }))
}

async fn token(State(it): State<Shared>, headers: HeaderMap, form: axum::body::Bytes) -> Response {
    let form: HashMap<String, String> = url::form_urlencoded::parse(&form).into_owned().collect();
    let wrong = {
        let mut it = it.lock().unwrap();
        it.asked.1 += 1;
        it.wrong
    };
    match wrong {
        Wrong::Slow => std::future::pending().await,
        Wrong::Fault => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Wrong::Redirect => {
            let elsewhere = format!("{}/keys", it.lock().unwrap().issuer);
            return Redirect::temporary(&elsewhere).into_response();
        }
        Wrong::Huge => {
            // Without an end, so that who reads it all never ends.
            let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 65_536]));
            return ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(endless)).into_response();
        }
        Wrong::NotJson => return ([(header::CONTENT_TYPE, "application/json")], "<html>").into_response(),
        _ => {}
    }
    let mut it = it.lock().unwrap();
    let escaped = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let basic = BASE64_STANDARD.encode(format!("{}:{}", escaped(CLIENT), escaped(SECRET)));
    let granted = it.codes.insert(form["code"].clone(), spent());
    let fits = |granted: &Granted| {
        let verifier = digest::digest(&digest::SHA256, form["code_verifier"].as_bytes());
        granted.challenge == URL64.encode(verifier) && granted.back == form["redirect_uri"]
    };
    if headers[header::AUTHORIZATION] != format!("Basic {basic}") {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client" }))).into_response();
    }
    let Some(granted) = granted.filter(fits).filter(|_| wrong != Wrong::RefusedCode) else {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
    };
    let mut answer = json!({ "access_token": "of no use here", "token_type": "Bearer" });
    if wrong != Wrong::NoToken {
        answer["id_token"] = it.id_token(&granted).into();
    }
    Json(answer).into_response()
}

/// What stays of a code that was used.
fn spent() -> Granted {
    Granted {
        nonce: String::new(),
        challenge: String::new(),
        back: String::new(),
        subject: String::new(),
    }
}

impl Inside {
    fn id_token(&self, granted: &Granted) -> String {
        let wrong = self.wrong;
        let seconds = now().0 / 1_000_000;
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT, "sub": granted.subject, "nonce": granted.nonce,
            "iat": seconds, "exp": seconds + 300,
            "preferred_username": format!("{}@tinh.example", granted.subject),
        });
        for (name, value) in self.claims.as_object().unwrap() {
            claims[name] = value.clone();
        }
        match wrong {
            Wrong::Issuer => claims["iss"] = "https://another.example".into(),
            Wrong::Audience => claims["aud"] = "another".into(),
            Wrong::AnotherAudienceToo => claims["aud"] = json!([CLIENT, "another"]),
            Wrong::Expired => claims["exp"] = (seconds - 121).into(),
            Wrong::Future => claims["iat"] = (seconds + 150).into(),
            Wrong::Nonce => claims["nonce"] = "another".into(),
            Wrong::NoNonce => _ = claims.as_object_mut().unwrap().remove("nonce"),
            Wrong::NoSubject => claims["sub"] = "".into(),
            _ => {}
        }
        let (alg, kid) = match wrong {
            Wrong::NoSignature => ("none", &*self.kid),
            Wrong::HmacByThePublicKey | Wrong::HmacByTheSecret => ("HS256", &*self.kid),
            Wrong::UnknownKey => ("ES256", "unknown"),
            _ => ("ES256", &*self.kid),
        };
        let head = json!({ "alg": alg, "kid": kid, "typ": "JWT" });
        let part = |value: &Value| URL64.encode(value.to_string());
        let signed = format!("{}.{}", part(&head), part(&claims));
        let by_hmac = |key: &[u8]| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed.as_bytes())
                .as_ref()
                .to_vec()
        };
        let by = |key: &EcdsaKeyPair| {
            key.sign(&SystemRandom::new(), signed.as_bytes())
                .unwrap()
                .as_ref()
                .to_vec()
        };
        let signature = match wrong {
            Wrong::NoSignature => Vec::new(),
            Wrong::HmacByThePublicKey => by_hmac(self.key.public_key().as_ref()),
            Wrong::HmacByTheSecret => by_hmac(SECRET.as_bytes()),
            Wrong::AnotherKey => by(&fresh_key()),
            _ => by(&self.key),
        };
        format!("{signed}.{}", URL64.encode(signature))
    }
}
