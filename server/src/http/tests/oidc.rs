//! Single sign-on against a provider that is hostile in one way at a time: each is refused with a code of its own, and nobody is
//! signed in. The real provider, in a real browser, is in `web-console/e2e/sso.spec.ts`.

use std::os::unix::fs::OpenOptionsExt as _;

use super::provider::{CLIENT, Provider, SECRET, Wrong};
use super::*;
use crate::oidc::OpenError;

const BEGIN: &str = "/api/v1/session/oidc/begin";
const FINISH: &str = "/api/v1/session/oidc";
const BEGIN_LINKING: &str = "/api/v1/account/identities/begin";
const LINK: &str = "/api/v1/account/identities";

/// A server that lets people in by `provider`.
fn server(provider: &Provider, set: impl FnOnce(&mut Config)) -> Server {
    Server::with(|config| {
        let file = config.data.join("client-secret");
        let mut options = std::fs::File::options();
        let file_made = options.write(true).create_new(true).mode(0o600).open(&file);
        std::io::Write::write_all(&mut file_made.unwrap(), SECRET.as_bytes()).unwrap();
        config.oidc_issuer = Some(provider.issuer.clone());
        config.oidc_client_id = Some(CLIENT.into());
        config.oidc_client_secret_file = Some(file);
        config.oidc_name = Some("Cổng tỉnh".into());
        config.oidc_plain_loopback = true;
        set(config);
    })
}

/// A browser that was sent to the provider.
struct Sent {
    url: String,
    cookie: String,
}

impl Client {
    fn sent(&self, path: &str, body: Value) -> Sent {
        let reply = self.post(path, body);
        assert_eq!(reply.status, 200, "{reply:?}");
        let cookie = reply.headers["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Strict; Path=/"), "{cookie}");
        Sent {
            url: reply.json()["url"].as_str().unwrap().to_owned(),
            cookie: cookie.split(';').next().unwrap().to_owned(),
        }
    }

    fn back(&mut self, path: &str, cookie: &str, brought: &Value) -> Reply {
        let headers = [("content-type", "application/json"), ("cookie", cookie)];
        let reply = self.send("POST", path, &headers, brought.to_string().as_bytes());
        self.take_session(&reply);
        reply
    }

    /// Comes in as `subject`.
    fn come_in(&mut self, provider: &Provider, subject: &str) -> Reply {
        let sent = self.sent(BEGIN, json!({}));
        let brought = provider.lets_in(subject, &sent.url);
        self.back(FINISH, &sent.cookie, &brought)
    }

    fn link(&mut self, provider: &Provider, subject: &str) -> Reply {
        let sent = self.sent(BEGIN_LINKING, Value::Null);
        let brought = provider.lets_in(subject, &sent.url);
        self.back(LINK, &sent.cookie, &brought)
    }
}

impl Server {
    /// What was refused, as the record says it, the latest first.
    fn refusals(&self) -> Vec<String> {
        let lines = self.lines().into_iter();
        lines
            .filter(|line| line.what == "session.refuse")
            .map(|line| line.detail)
            .collect()
    }
}

#[test]
fn somebody_links_an_account_comes_in_by_it_leaves_and_takes_the_link_away() {
    let provider = Provider::start();
    let server = server(&provider, |_| {});
    let ways = server.anybody().get("/api/v1/sign-in");
    assert_eq!(ways.json(), json!({ "oidc": { "name": "Cổng tỉnh" } }));
    let mut lan = server.admin();
    assert_eq!(
        server.anybody().come_in(&provider, "s-1").error(),
        (403, "not_linked".into(), vec![])
    );
    let reply = lan.link(&provider, "s-1");
    assert_eq!(reply.status, 201, "{reply:?}");
    let linked = reply.json();
    assert_eq!(
        (&linked["name"], &linked["issuer"]),
        (&json!("s-1@tinh.example"), &json!(provider.issuer))
    );
    // A user has one account there, and an account one user.
    assert_eq!(lan.link(&provider, "s-2").error().1, "linked");
    let mut mai = server.somebody("mai", &[Grant::everywhere(Role::Officer)]);
    assert_eq!(mai.link(&provider, "s-1").error().1, "linked");

    let mut browser = server.anybody();
    let reply = browser.come_in(&provider, "s-1");
    assert_eq!(reply.status, 200, "{reply:?}");
    let session = reply.json();
    assert_eq!(
        (&session["user"]["username"], &session["second_factor"]),
        (&json!("lan"), &json!("off"))
    );
    assert_eq!(browser.get("/api/v1/areas").status, 200);
    let account = browser.get("/api/v1/account").json();
    let how = |at: usize| account["sessions"][at]["how"].as_str().unwrap().to_owned();
    assert_eq!([how(0), how(1)], ["oidc", "password"]);
    assert!(account["identities"][0]["last_used_at"].is_string(), "{account}");

    let mut another = server.anybody();
    assert_eq!(another.come_in(&provider, "s-1").status, 200);
    let reply = another.delete("/api/v1/session");
    assert_eq!(reply.status, 200);
    let leave = reply.json()["provider_url"].as_str().unwrap().to_owned();
    let expected = format!(
        "{}/leave?client_id=loa&post_logout_redirect_uri=http%3A%2F%2F",
        provider.issuer
    );
    assert!(leave.starts_with(&expected), "{leave}");
    assert_eq!(another.get("/api/v1/session").status, 401);

    let address = format!("{LINK}/{}", linked["id"].as_str().unwrap());
    assert_eq!(mai.delete(&address).error().1, "not_found");
    assert_eq!(lan.delete(&address).status, 204);
    // Who came in by it is out.
    assert_eq!(browser.get("/api/v1/session").status, 401);
    assert_eq!(lan.get("/api/v1/account").json()["identities"], json!([]));
    assert_eq!(server.anybody().come_in(&provider, "s-1").error().1, "not_linked");
    // Who came in by the password leaves as ever.
    assert_eq!(lan.delete("/api/v1/session").status, 204);

    let told: Vec<_> = server
        .lines()
        .into_iter()
        .map(|line| (line.what, line.actor.who, line.detail))
        .collect();
    let account = format!("s-1@tinh.example (s-1) at {}", provider.issuer);
    for (what, detail) in [
        ("identity.link", &*account),
        ("session.begin", "single sign-on"),
        ("identity.unlink", &account),
    ] {
        let line = (what.to_owned(), "lan".to_owned(), detail.to_owned());
        assert!(told.contains(&line), "{line:?} is not in {told:?}");
    }
    let metrics = String::from_utf8(server.anybody().get("/metrics").body).unwrap();
    assert!(
        metrics.contains("loa_sign_ins_refused_total{reason=\"oidc\"} 2"),
        "{metrics}"
    );
}

#[test]
fn what_is_not_right_is_refused_and_nobody_is_signed_in() {
    let provider = Provider::start();
    let server = server(&provider, |_| {});
    let mut lan = server.admin();
    assert_eq!(lan.link(&provider, "s-1").status, 201);
    for (wrong, status, code) in [
        (Wrong::Issuer, 403, "oidc_issuer"),
        (Wrong::Audience, 403, "oidc_audience"),
        (Wrong::AnotherAudienceToo, 403, "oidc_audience"),
        (Wrong::Expired, 403, "oidc_time"),
        (Wrong::Future, 403, "oidc_time"),
        (Wrong::Nonce, 403, "oidc_nonce"),
        (Wrong::NoNonce, 403, "oidc_nonce"),
        (Wrong::NoSignature, 403, "oidc_algorithm"),
        (Wrong::HmacByThePublicKey, 403, "oidc_algorithm"),
        (Wrong::HmacByTheSecret, 403, "oidc_algorithm"),
        (Wrong::UnknownKey, 403, "oidc_key"),
        (Wrong::AnotherKey, 403, "oidc_signature"),
        (Wrong::NoSubject, 403, "oidc_token"),
        (Wrong::RefusedCode, 403, "oidc_code"),
        (Wrong::NoToken, 502, "oidc_answer"),
        (Wrong::NotJson, 502, "oidc_answer"),
        (Wrong::Huge, 502, "oidc_too_large"),
        (Wrong::Redirect, 502, "oidc_elsewhere"),
        (Wrong::Fault, 503, "oidc_unreachable"),
        (Wrong::Slow, 503, "oidc_slow"),
    ] {
        provider.is(wrong);
        let (keys, _) = provider.asked();
        let refusals = server.refusals().len();
        let mut browser = server.anybody();
        let reply = browser.come_in(&provider, "s-1");
        assert_eq!(reply.error(), (status, code.into(), vec![]), "{wrong:?}");
        assert!(reply.headers.get("set-cookie").is_none(), "{wrong:?}");
        assert_eq!(server.refusals().len(), refusals + 1, "{wrong:?}");
        // Nor is anything linked by it.
        let mut mai = server.somebody(&format!("mai-{}", format!("{wrong:?}").to_lowercase()), &[]);
        if wrong != Wrong::Slow {
            assert_eq!(mai.link(&provider, "s-9").error().1, code, "{wrong:?}");
        }
        assert_eq!(mai.get("/api/v1/account").json()["identities"], json!([]), "{wrong:?}");
        // Only a key that is not known is worth asking for keys again; nothing follows a redirect there.
        let again = if wrong == Wrong::UnknownKey { 2 } else { 0 };
        assert_eq!(provider.asked().0, keys + again, "{wrong:?}");
    }
    let sessions = server.runtime.block_on(server.store.users()).unwrap();
    let lan_id = sessions.iter().find(|it| it.username == "lan").unwrap().id;
    let sessions = server
        .runtime
        .block_on(server.store.sessions_of(now(), lan_id))
        .unwrap();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    provider.is(Wrong::Nothing);
    assert_eq!(server.anybody().come_in(&provider, "s-1").status, 200);
}

#[test]
fn a_sign_in_is_one_browsers_and_counts_once() {
    let provider = Provider::start();
    provider.says(json!({ "authorization_response_iss_parameter_supported": true }));
    let server = server(&provider, |_| {});
    let mut lan = server.admin();
    assert_eq!(lan.link(&provider, "s-1").status, 201);
    let refused = |reply: Reply, code: &str| {
        assert_eq!(reply.error().1, code);
        assert!(reply.headers.get("set-cookie").is_none());
    };
    // A state that nobody was given.
    let mut browser = server.anybody();
    let sent = browser.sent(BEGIN, json!({}));
    let mut brought = provider.lets_in("s-1", &sent.url);
    let right = brought["state"].take();
    for state in ["", &"0".repeat(64)] {
        brought["state"] = state.into();
        refused(browser.back(FINISH, &sent.cookie, &brought), "oidc_unknown");
    }
    // Another browser: with no cookie, and with one of its own. The state is spent by that.
    brought["state"] = right;
    let mut victim = server.anybody();
    let own = victim.sent(BEGIN, json!({}));
    refused(victim.back(FINISH, &own.cookie, &brought), "oidc_other_browser");
    refused(browser.back(FINISH, &sent.cookie, &brought), "oidc_unknown");
    let sent = browser.sent(BEGIN, json!({}));
    refused(
        victim.back(FINISH, "", &provider.lets_in("s-1", &sent.url)),
        "oidc_other_browser",
    );
    // What was used is used: the state, and in another sign-in the code.
    let sent = browser.sent(BEGIN, json!({}));
    let brought = provider.lets_in("s-1", &sent.url);
    assert_eq!(browser.clone().back(FINISH, &sent.cookie, &brought).status, 200);
    refused(browser.back(FINISH, &sent.cookie, &brought), "oidc_unknown");
    let sent = browser.sent(BEGIN, json!({}));
    let mut fresh = provider.lets_in("s-1", &sent.url);
    fresh["code"] = brought["code"].clone();
    refused(browser.back(FINISH, &sent.cookie, &fresh), "oidc_code");
    // A code of a sign-in that somebody else began: the verifier is not theirs.
    let (mine, theirs) = (browser.sent(BEGIN, json!({})), victim.sent(BEGIN, json!({})));
    let mut mixed = provider.lets_in("s-1", &mine.url);
    mixed["code"] = provider.lets_in("s-1", &theirs.url)["code"].clone();
    refused(browser.back(FINISH, &mine.cookie, &mixed), "oidc_code");
    // Another provider answers, or one that does not say who it is: the code is given to nobody.
    let (_, tokens) = provider.asked();
    for iss in [json!("https://another.example"), Value::Null] {
        let sent = browser.sent(BEGIN, json!({}));
        let mut brought = provider.lets_in("s-1", &sent.url);
        brought["iss"] = iss;
        refused(browser.back(FINISH, &sent.cookie, &brought), "oidc_mixed_up");
    }
    // It says no.
    let sent = browser.sent(BEGIN, json!({}));
    let mut brought = provider.lets_in("s-1", &sent.url);
    brought["code"].take();
    brought["error"] = "access_denied\u{1b}[31m".into();
    refused(browser.back(FINISH, &sent.cookie, &brought), "oidc_denied");
    assert_eq!(
        server.refusals().first().unwrap(),
        "single sign-on: the provider says access_denied[31m"
    );
    assert_eq!(provider.asked().1, tokens);
    // Begun to come in, it does not link; begun to link, it does not let in, and links nobody else.
    let sent = lan.sent(BEGIN, json!({}));
    refused(
        lan.back(LINK, &sent.cookie, &provider.lets_in("s-2", &sent.url)),
        "oidc_unknown",
    );
    let sent = lan.sent(BEGIN_LINKING, Value::Null);
    refused(
        browser.back(FINISH, &sent.cookie, &provider.lets_in("s-1", &sent.url)),
        "oidc_unknown",
    );
    let mut mai = server.somebody("mai", &[]);
    let sent = lan.sent(BEGIN_LINKING, Value::Null);
    refused(
        mai.back(LINK, &sent.cookie, &provider.lets_in("s-2", &sent.url)),
        "oidc_unknown",
    );
}

#[test]
fn a_provider_that_is_away_leaves_the_password() {
    let provider = Provider::start();
    let server = server(&provider, |_| {});
    let mut lan = server.admin();
    drop(provider);
    let reply = server.anybody().post(BEGIN, json!({}));
    assert_eq!(reply.error(), (503, "oidc_unreachable".into(), vec![]));
    assert!(lan.sign_in("lan", PASSWORD).status == 200);
    // And one that says what cannot be.
    for (said, status, code) in [
        (json!({ "issuer": "https://another.example" }), 403, "oidc_issuer"),
        (
            json!({ "token_endpoint": "http://10.0.0.1/token" }),
            502,
            "oidc_elsewhere",
        ),
        (
            json!({ "authorization_endpoint": "http://sso.example/" }),
            502,
            "oidc_elsewhere",
        ),
        (
            json!({ "jwks_uri": "http://169.254.169.254/keys" }),
            502,
            "oidc_elsewhere",
        ),
        (
            json!({ "end_session_endpoint": "javascript:alert(1)" }),
            502,
            "oidc_elsewhere",
        ),
        (json!({ "jwks_uri": null }), 502, "oidc_answer"),
    ] {
        let provider = Provider::start();
        provider.says(said.clone());
        let server = self::server(&provider, |_| {});
        let reply = server.anybody().post(BEGIN, json!({}));
        assert_eq!(reply.error(), (status, code.into(), vec![]), "{said}");
        provider.says(json!({}));
        assert_eq!(server.anybody().post(BEGIN, json!({})).status, 200, "{said}");
    }
    // Without one there is nothing to begin.
    let server = Server::start();
    assert_eq!(server.anybody().get("/api/v1/sign-in").json(), json!({}));
    for path in [BEGIN, FINISH] {
        let body = if path == BEGIN {
            json!({})
        } else {
            json!({ "state": "x" })
        };
        assert_eq!(server.anybody().post(path, body).error().1, "no_oidc");
    }
}

#[test]
fn a_key_that_is_new_is_asked_for() {
    let provider = Provider::start();
    let server = server(&provider, |_| {});
    let mut lan = server.admin();
    assert_eq!(lan.link(&provider, "s-1").status, 201);
    provider.change_key();
    assert_eq!(server.anybody().come_in(&provider, "s-1").status, 200);
    assert_eq!(server.anybody().come_in(&provider, "s-1").status, 200);
    assert_eq!(provider.asked().0, 2);
}

#[test]
fn who_is_invited_comes_in_by_their_account_and_has_no_password() {
    let provider = Provider::start();
    let server = server(&provider, |_| {});
    let mut lan = server.admin();
    assert_eq!(lan.link(&provider, "s-1").status, 201);
    let invited = |name: &str| {
        let body = json!({ "username": name, "display_name": name, "grants": [{ "role": "officer" }] });
        let reply = lan.post("/api/v1/users", body);
        assert_eq!(reply.status, 201, "{reply:?}");
        let link = reply.json()["link"].as_str().unwrap().to_owned();
        link.split_once('#').unwrap().1.to_owned()
    };
    let token = invited("mai");
    let mut mai = server.anybody();
    // An account that is somebody's spends nothing.
    let sent = mai.sent(BEGIN, json!({ "link": token }));
    let reply = mai.back(FINISH, &sent.cookie, &provider.lets_in("s-1", &sent.url));
    assert_eq!(reply.error().1, "linked");
    let sent = mai.sent(BEGIN, json!({ "link": token }));
    let reply = mai.back(FINISH, &sent.cookie, &provider.lets_in("s-2", &sent.url));
    assert_eq!((reply.status, &reply.json()["user"]["username"]), (200, &json!("mai")));
    assert_eq!(
        mai.post(BEGIN, json!({ "link": token })).error(),
        (410, "link_closed".into(), vec![])
    );
    let reply = server.anybody().come_in(&provider, "s-2");
    assert_eq!(reply.json()["user"]["username"], "mai");
    let people = lan.get("/api/v1/users").json();
    let person = people
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["username"] == "mai")
        .unwrap();
    assert_eq!(person["invited"], false);
    // It is the only way in.
    let account = mai.get("/api/v1/account").json();
    assert_eq!(account["has_password"], false);
    let id = account["identities"][0]["id"].as_str().unwrap();
    assert_eq!(mai.delete(&format!("{LINK}/{id}")).error().1, "last_way");
    // A link that resets a password is no invitation, and what it removes is gone.
    let user = |name: &str| {
        let people = lan.get("/api/v1/users").json();
        let it = people
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["username"] == name)
            .unwrap();
        it["id"].as_str().unwrap().to_owned()
    };
    let mut hoa = server.somebody("hoa", &[Grant::everywhere(Role::Officer)]);
    assert_eq!(hoa.link(&provider, "s-3").status, 201);
    let reply = lan.post(&format!("/api/v1/users/{}/link", user("hoa")), Value::Null);
    let link = reply.json()["link"].as_str().unwrap().to_owned();
    let token = link.split_once('#').unwrap().1;
    assert_eq!(hoa.post(BEGIN, json!({ "link": token })).error().1, "link_closed");
    let choice = json!({ "token": token, "password": "trâu chậm uống nước đục nhà ai" });
    assert_eq!(server.anybody().post("/api/v1/link", choice).status, 200);
    assert_eq!(server.anybody().come_in(&provider, "s-3").error().1, "not_linked");
    // A leaver does not come in.
    let disable = json!({ "disabled": true });
    assert_eq!(
        lan.patch(&format!("/api/v1/users/{}", user("mai")), disable).status,
        200
    );
    assert_eq!(mai.get("/api/v1/session").status, 401);
    let reply = server.anybody().come_in(&provider, "s-2");
    assert_eq!(reply.error(), (409, "disabled".into(), vec![]));
    assert_eq!(server.refusals().first().unwrap(), "single sign-on: mai is disabled");
}

#[test]
fn second_factors_are_ours_unless_the_settings_trust_the_providers() {
    for (set, claims, second_factor) in [
        (None, json!({ "amr": ["mfa", "pwd"], "acr": "high" }), "needed"),
        (Some("amr"), json!({ "amr": ["pwd"], "acr": "mfa" }), "needed"),
        (Some("amr"), json!({ "amr": ["pwd", "mfa"] }), "passed"),
        (Some("acr"), json!({ "acr": "low", "amr": ["high"] }), "needed"),
        (Some("acr"), json!({ "acr": "high" }), "passed"),
    ] {
        let provider = Provider::start();
        let server = server(&provider, |config| {
            config.auth_second_factor = true;
            config.auth_emergency_second_factor = true;
            match set {
                Some("amr") => config.oidc_second_factor_amr = vec!["mfa".into()],
                Some(_) => config.oidc_second_factor_acr = vec!["other".into(), "high".into()],
                None => {}
            }
        });
        let token = "an invitation";
        let actor = Actor {
            who: "-".into(),
            origin: "test".into(),
        };
        let new = NewUser {
            username: "lan".into(),
            display_name: "Lan".into(),
            grants: Grant::FIRST.to_vec(),
            password: String::new(),
        };
        let later = UnixMicros(now().0 + 60_000_000);
        let token_hash = hash(token);
        let invited = server.store.invite(&actor, now(), new, &token_hash, later);
        server.runtime.block_on(invited).unwrap();
        provider.claims(claims.clone());
        let mut lan = server.anybody();
        let sent = lan.sent(BEGIN, json!({ "link": token }));
        let asks = sent.url.contains("acr_values=other+high");
        assert_eq!(asks, set == Some("acr"), "{}", sent.url);
        let reply = lan.back(FINISH, &sent.cookie, &provider.lets_in("s-1", &sent.url));
        assert_eq!(reply.json()["second_factor"], second_factor, "{set:?} {claims}");
        let status = if second_factor == "passed" { 200 } else { 401 };
        assert_eq!(lan.get("/api/v1/areas").status, status, "{set:?} {claims}");
    }
}

#[test]
fn settings_that_cannot_be_used_are_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let open = |set: &dyn Fn(&mut Config)| {
        let mut config = Config {
            oidc_issuer: Some("https://sso.example".into()),
            oidc_client_id: Some("loa".into()),
            ..Config::default()
        };
        set(&mut config);
        crate::oidc::Provider::open(&config, Duration::from_secs(1)).map(|it| it.unwrap().name().to_owned())
    };
    let file = folder.path().join("secret");
    std::fs::write(&file, "x").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    let readable = open(&|config| config.oidc_client_secret_file = Some(file.clone())).unwrap_err();
    assert!(
        readable.to_string().contains("others can read it (mode 640)"),
        "{readable}"
    );
    let no_certificate = open(&|config| config.oidc_ca = Some(file.clone())).unwrap_err();
    assert!(
        no_certificate.to_string().contains("no certificate"),
        "{no_certificate}"
    );
    for plain in ["http://sso.example", "http://10.0.0.1"] {
        let opened = open(&|config| {
            config.oidc_issuer = Some(plain.into());
            config.oidc_plain_loopback = true;
        });
        assert!(matches!(opened, Err(OpenError::Plain(_))), "{plain}");
    }
    let trusted = rcgen::generate_simple_self_signed(["sso.example".to_owned()]).unwrap();
    std::fs::write(&file, trusted.cert.pem()).unwrap();
    assert_eq!(
        open(&|config| config.oidc_ca = Some(file.clone())).unwrap(),
        "sso.example"
    );
}
