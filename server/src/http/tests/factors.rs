//! Second factors: codes as an authenticator makes them, passkeys as a software authenticator does, recovery codes.

use passkey::authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod};
use passkey::client::{Client as Browser, DefaultClientData};
use passkey::crypto::rust_crypto::RustCryptoBackend;
use passkey::types::Passkey;
use passkey::types::ctap2::{Aaguid, Ctap2Error};
use passkey::types::webauthn::{CredentialCreationOptions, CredentialRequestOptions};

use super::*;

/// The code that an authenticator with that secret (base 32) shows now, or so many steps of 30 s later.
fn code(secret: &str, later: u64) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    totp.generate(now().0 / 1_000_000 + 30 * later).to_string()
}

/// Sets up an authenticator; its secret, and the recovery codes.
fn set_up(client: &mut Client) -> (String, Vec<String>) {
    let options = client.post("/api/v1/account/totp/options", Value::Null).json();
    let secret = options["secret"].as_str().unwrap().to_owned();
    let uri = options["uri"].as_str().unwrap();
    assert!(uri.starts_with("otpauth://totp/Loa:") && uri.contains(&secret), "{uri}");
    let body = json!({ "name": "Điện thoại", "code": code(&secret, 0) });
    let reply = client.tell("/api/v1/account/totp", body);
    assert_eq!(reply.status, 200, "{reply:?}");
    let codes = reply.json()["recovery_codes"].as_array().cloned().unwrap_or_default();
    let codes = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    (secret, codes)
}

fn show(client: &mut Client, code: &str) -> Reply {
    client.tell("/api/v1/session/totp", json!({ "code": code }))
}

fn shown(reply: &Reply) -> String {
    reply.json()["second_factor"].as_str().unwrap().to_owned()
}

#[test]
fn a_half_session_is_good_for_nothing_but_its_second_factor() {
    let server = Server::start();
    let mut lan = server.admin();
    assert_eq!(shown(&lan.get("/api/v1/session")), "off");
    let (secret, codes) = set_up(&mut lan);
    assert_eq!(codes.len(), 10);
    // Set up right after the password: it counts as shown.
    assert_eq!(shown(&lan.get("/api/v1/session")), "passed");

    let mut other = server.anybody();
    let reply = other.sign_in("lan", PASSWORD);
    assert_eq!((reply.status, &*shown(&reply)), (200, "needed"));
    assert_eq!(reply.json()["factors"], json!(["totp"]));
    assert!(other.known.is_empty(), "not known before the second factor");
    let half = other.clone();
    for (method, path, session, _) in contract::operations() {
        if session && !path.starts_with("/api/v1/session") {
            let kind = [("content-type", "application/json")];
            let reply = other.send(&method, &path, &kind, b"{}");
            assert_eq!(reply.error().1, "second_factor", "{method} {path}");
            assert_eq!(reply.status, 401, "{method} {path}");
        }
    }
    assert_eq!(shown(&other.get("/api/v1/session")), "needed");
    assert_eq!(
        show(&mut other, &code(&secret, 7)).error(),
        (422, "invalid".into(), vec!["code".into()])
    );
    // The code that set it up was spent by that.
    assert_eq!(show(&mut other, &code(&secret, 0)).status, 422);
    let next = code(&secret, 1);
    let reply = show(&mut other, &format!("{} {}", &next[..3], &next[3..]));
    assert_eq!((reply.status, &*shown(&reply)), (200, "passed"));
    assert_ne!((&half.cookie, &half.csrf), (&other.cookie, &other.csrf));
    assert_eq!(other.get("/api/v1/session").json(), reply.json());
    // Whoever knew the half session's token is left outside.
    assert_eq!(half.get("/api/v1/session").error().0, 401);

    // The same code is good once.
    let mut third = server.anybody();
    third.sign_in("lan", PASSWORD);
    assert_eq!(show(&mut third, &next).error().0, 422);
    // A recovery code is, too, however it is typed.
    let typed = codes[3].to_lowercase().replace('-', " ").replace('0', "o");
    assert_eq!(show(&mut third, &typed).status, 200);
    assert_eq!(third.get("/api/v1/account").json()["recovery_codes_left"], 9);
    assert_eq!(show(&mut third, &codes[3]).error().0, 422);

    let whats: Vec<_> = server.lines().into_iter().map(|line| line.what).collect();
    for (what, times) in [("factor.add", 1), ("session.second_factor", 3), ("session.refuse", 4)] {
        assert_eq!(
            whats.iter().filter(|it| *it == what).count(),
            times,
            "{what} in {whats:?}"
        );
    }
    let metrics = String::from_utf8(server.anybody().get("/metrics").body).unwrap();
    assert!(
        metrics.contains("loa_second_factors_refused_total{kind=\"code\"} 4"),
        "{metrics}"
    );
    // Neither the secret nor a code lies open in the database.
    let folder = server.data.keys().parent().unwrap().to_owned();
    for file in ["loa.db", "loa.db-wal"] {
        let bytes = std::fs::read(folder.join(file)).unwrap();
        let raw = totp_rs::Secret::try_from_base32(&secret).unwrap();
        for secret in [
            secret.as_bytes(),
            raw.as_bytes(),
            codes[0].as_bytes(),
            codes[0].replace('-', "").as_bytes(),
        ] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "in {file}");
        }
    }
}

#[test]
fn the_fifth_wrong_code_ends_a_half_session() {
    let server = Server::start();
    set_up(&mut server.admin());
    let mut other = server.anybody();
    other.sign_in("lan", PASSWORD);
    for n in 1..=5 {
        let reply = show(&mut other, "AAAA-BBBB-CCCC-DDDD");
        assert_eq!(reply.error().1, if n < 5 { "invalid" } else { "unauthenticated" });
    }
    assert_eq!(
        other.get("/api/v1/session").error(),
        (401, "unauthenticated".into(), vec![])
    );
}

#[test]
fn where_it_is_required_it_is_set_up_before_anything_else() {
    let server = Server::with(|config| config.auth_second_factor = true);
    let mut lan = server.admin();
    assert_eq!(shown(&lan.get("/api/v1/session")), "needed");
    assert_eq!(lan.get("/api/v1/session").json()["factors"], json!([]));
    for path in ["/api/v1/areas", "/api/v1/users", "/api/v1/bulletins"] {
        assert_eq!(lan.get(path).error().1, "second_factor", "{path}");
    }
    assert_eq!(
        lan.post(
            "/api/v1/account/password",
            json!({ "current": PASSWORD, "password": "tre xanh đồng lúa" })
        )
        .error()
        .1,
        "second_factor"
    );
    assert_eq!(lan.get("/api/v1/account").json()["second_factor_required"], true);
    let half = lan.clone();
    set_up(&mut lan);
    assert_ne!(half.cookie, lan.cookie);
    assert_eq!(half.get("/api/v1/session").error().0, 401);
    assert_eq!(shown(&lan.get("/api/v1/session")), "passed");
    assert_eq!(lan.get("/api/v1/areas").status, 200);
    let account = lan.get("/api/v1/account").json();
    let id = account["factors"][0]["id"].as_str().unwrap();
    assert_eq!(
        lan.delete(&format!("/api/v1/account/factors/{id}")).error().1,
        "last_factor"
    );
}

#[test]
fn who_has_a_second_factor_shows_it_before_changing_any() {
    let server = Server::start();
    let mut lan = server.admin();
    let mut elsewhere = server.anybody();
    elsewhere.sign_in("lan", PASSWORD);
    let (secret, codes) = set_up(&mut lan);
    // A session that was whole before there was a second factor stays so, but is not trusted with second factors.
    assert_eq!(shown(&elsewhere.get("/api/v1/session")), "off");
    let account = elsewhere.get("/api/v1/account").json();
    let id = account["factors"][0]["id"].as_str().unwrap().to_owned();
    let kind = json!({ "name": "Của kẻ trộm", "code": "123456" });
    for reply in [
        elsewhere.post("/api/v1/account/totp/options", Value::Null),
        elsewhere.post("/api/v1/account/totp", kind),
        elsewhere.post("/api/v1/account/recovery-codes", Value::Null),
        elsewhere.delete(&format!("/api/v1/account/factors/{id}")),
    ] {
        assert_eq!(reply.error(), (403, "second_factor".into(), vec![]));
    }
    // It can be shown there at any time.
    assert_eq!(shown(&show(&mut elsewhere, &code(&secret, 1))), "passed");
    let fresh = elsewhere.post("/api/v1/account/recovery-codes", Value::Null).json();
    assert_eq!(fresh["recovery_codes"].as_array().unwrap().len(), 10);
    let mut third = server.anybody();
    third.sign_in("lan", PASSWORD);
    assert_eq!(show(&mut third, &codes[0]).status, 422);
    assert_eq!(
        show(&mut third, fresh["recovery_codes"][0].as_str().unwrap()).status,
        200
    );
    assert_eq!(third.delete(&format!("/api/v1/account/factors/{id}")).status, 204);
    assert_eq!(
        third.delete(&format!("/api/v1/account/factors/{id}")).error().1,
        "not_found"
    );
    assert_eq!(third.get("/api/v1/account").json()["recovery_codes_left"], 0);
    assert_eq!(shown(&server.anybody().sign_in("lan", PASSWORD)), "off");
}

#[test]
fn a_wrong_code_while_setting_up_can_be_tried_again() {
    let server = Server::start();
    let mut lan = server.admin();
    let body = json!({ "name": "Điện thoại", "code": "000000" });
    assert_eq!(
        lan.post("/api/v1/account/totp", body).error(),
        (409, "ask_first".into(), vec![])
    );
    let options = lan.post("/api/v1/account/totp/options", Value::Null).json();
    let secret = options["secret"].as_str().unwrap();
    for (name, code, field) in [("Máy", "12345".into(), "code"), (" ", code(secret, 0), "name")] {
        let reply = lan.post("/api/v1/account/totp", json!({ "name": name, "code": code }));
        assert_eq!(reply.error(), (422, "invalid".into(), vec![field.into()]));
    }
    let body = json!({ "name": "Máy", "code": code(secret, 0) });
    assert_eq!(lan.tell("/api/v1/account/totp", body).status, 200);
}

/// Somebody who touches the key and is recognised by it.
struct Present;

#[async_trait::async_trait]
impl UserValidationMethod for Present {
    type PasskeyItem = Passkey;

    async fn check_user<'a>(
        &self,
        _: UiHint<'a, Passkey>,
        presence: bool,
        verification: bool,
    ) -> Result<UserCheck, Ctap2Error> {
        Ok(UserCheck { presence, verification })
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }
}

#[test]
fn a_passkey_is_a_second_factor() {
    let server = Server::start();
    let mut lan = server.admin();
    // By an address without a name there are none.
    assert_eq!(
        lan.post("/api/v1/account/passkeys/options", Value::Null).error(),
        (409, "no_passkeys".into(), vec![])
    );
    lan.base = lan.base.replace("127.0.0.1", "localhost");
    let origin: url::Url = lan.base.parse().unwrap();
    let authenticator = Authenticator::new(Aaguid::new_empty(), None::<Passkey>, Present, RustCryptoBackend);
    let mut key = Browser::new(authenticator).allows_insecure_localhost(true);

    let reply = lan.post("/api/v1/account/passkeys/options", Value::Null);
    assert_eq!(reply.status, 200, "{reply:?}");
    let options = json!({ "publicKey": reply.json()["options"] });
    let options: CredentialCreationOptions = serde_json::from_value(options).unwrap();
    let made = server
        .runtime
        .block_on(key.register(&origin, options, DefaultClientData))
        .unwrap();
    let body = json!({ "name": "Khóa của Lan", "credential": made });
    let reply = lan.tell("/api/v1/account/passkeys", body.clone());
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["recovery_codes"].as_array().unwrap().len(), 10);
    assert_eq!(lan.post("/api/v1/account/passkeys", body).error().1, "ask_first");
    assert_eq!(lan.get("/api/v1/account").json()["factors"][0]["kind"], "passkey");

    let mut other = server.anybody();
    other.base.clone_from(&lan.base);
    let reply = other.sign_in("lan", PASSWORD);
    assert_eq!(
        (&*shown(&reply), &reply.json()["factors"]),
        ("needed", &json!(["passkey"]))
    );
    let ask = |client: &Client| -> CredentialRequestOptions {
        let options = client.post("/api/v1/session/passkey/options", Value::Null).json();
        serde_json::from_value(json!({ "publicKey": options["options"] })).unwrap()
    };
    let asked = ask(&other);
    let answer = server
        .runtime
        .block_on(key.authenticate(&origin, asked, DefaultClientData))
        .unwrap();
    let answer = json!({ "credential": answer });
    // One answer a question: not to another, and not twice.
    let _ = ask(&other);
    let reply = other.post("/api/v1/session/passkey", answer.clone());
    assert_eq!(reply.error(), (422, "invalid".into(), vec!["credential".into()]));
    assert_eq!(other.post("/api/v1/session/passkey", answer).error().1, "ask_first");
    // Not for another site.
    let asked = ask(&other);
    let elsewhere: url::Url = "http://localhost:1".parse().unwrap();
    let answer = server
        .runtime
        .block_on(key.authenticate(&elsewhere, asked, DefaultClientData))
        .unwrap();
    assert_eq!(
        other
            .post("/api/v1/session/passkey", json!({ "credential": answer }))
            .status,
        422
    );

    let asked = ask(&other);
    let answer = server
        .runtime
        .block_on(key.authenticate(&origin, asked, DefaultClientData))
        .unwrap();
    let reply = other.tell("/api/v1/session/passkey", json!({ "credential": answer }));
    assert_eq!((reply.status, &*shown(&reply)), (200, "passed"), "{reply:?}");
    assert!(other.get("/api/v1/account").json()["factors"][0]["last_used_at"].is_string());
}

#[test]
fn emergencies_take_a_second_factor() {
    let server = Server::with(|config| config.auth_emergency_second_factor = true);
    let mut lan = server.admin();
    let area = lan.area("Xã");
    let (secret, _) = set_up(&mut lan);
    let reply = lan.upload("Lũ", "emergency", &tone(0.5));
    assert_eq!(reply.status, 201, "{reply:?}");
    let bulletin = reply.id();
    assert_eq!(
        lan.post(&format!("/api/v1/bulletins/{bulletin}/approve"), Value::Null)
            .status,
        200
    );
    let body = json!({ "bulletin_id": bulletin, "target": { "areas": [area], "receivers": [] } });
    assert_eq!(lan.post("/api/v1/broadcasts", body.clone()).status, 201);
    // A session from before there was a second factor.
    let actor = Actor {
        who: "-".into(),
        origin: "test".into(),
    };
    let user = server.runtime.block_on(server.store.users()).unwrap().remove(0);
    let token = fresh_token();
    let new = crate::store::NewSession {
        token_hash: &hash(&token),
        expires: UnixMicros(u64::MAX / 4),
        ends: UnixMicros(u64::MAX / 4),
        half: false,
        second_factor: false,
        how: crate::store::How::Password,
    };
    server
        .runtime
        .block_on(server.store.begin_session(&actor, now(), &user, new))
        .unwrap();
    let mut weak = server.anybody();
    (weak.cookie, weak.csrf) = (format!("loa_session={token}"), gate::csrf(&token));
    assert_eq!(
        weak.post("/api/v1/broadcasts", body.clone()).error(),
        (403, "second_factor".into(), vec![])
    );
    assert_eq!(show(&mut weak, &code(&secret, 1)).status, 200);
    assert_eq!(weak.post("/api/v1/broadcasts", body).status, 201);
}
