//! Who guesses waits, and nobody else does.

use super::*;
use crate::patience::{Count, Key};

/// Tries wrong passwords from the given network until told to wait.
fn exhaust(client: &Client, username: &str, from: &str) -> Reply {
    for _ in 0..30 {
        let reply = try_from(client, username, "wrong password", from);
        match reply.status {
            401 => {}
            _ => return reply,
        }
    }
    panic!("{username} can be guessed for ever");
}

fn try_from(client: &Client, username: &str, password: &str, from: &str) -> Reply {
    let body = json!({ "username": username, "password": password }).to_string();
    let headers = [("content-type", "application/json"), ("x-forwarded-for", from)];
    client.send("POST", "/api/v1/session", &headers, body.as_bytes())
}

fn behind_proxy(config: &mut Config) {
    config.public_url = Some("https://loa.example".into());
    // Another measure, which would come first.
    config.limits_sign_ins = 0;
}

/// Eighteen attempts have failed just now: the next one waits for an hour.
fn failed(server: &Server, username: &str, from: &str) {
    let keys = Key::of_password(username, from.parse().unwrap(), None);
    let count = Count {
        failures: 18,
        last: now(),
    };
    let kept: Vec<_> = keys.iter().map(|key| (key.text(), Some(count))).collect();
    server
        .runtime
        .block_on(server.store.keep_failures(now(), &kept))
        .unwrap();
}

#[test]
fn a_stranger_waits_and_the_owner_does_not() {
    let server = Server::with(behind_proxy);
    let (network, neighbour, elsewhere) = ("203.0.113.9", "203.0.113.200", "192.0.2.1");
    // What is kept counts after a restart: this server has just started.
    failed(&server, "lan", network);
    failed(&server, "mai", network);
    failed(&server, "nobody", "198.51.100.9");
    let lan = server.admin();
    let stranger = server.anybody();
    for (name, from) in [("lan", network), ("lan", neighbour), ("nobody", "198.51.100.9")] {
        for password in ["wrong password", PASSWORD] {
            let reply = try_from(&stranger, name, password, from);
            assert_eq!(reply.error(), (429, "wait".into(), vec![]), "{name} from {from}");
            let seconds: u64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=3600).contains(&seconds), "{seconds}");
        }
    }
    // The owner's browser does not wait, from wherever; and from another network the name is not blocked after so few.
    assert_eq!(try_from(&lan, "lan", PASSWORD, neighbour).status, 200);
    assert_eq!(try_from(&stranger, "lan", PASSWORD, elsewhere).status, 200);
    // The cookie that makes it known is kept by the browser alone, for long.
    let reply = try_from(&lan, "lan", PASSWORD, neighbour);
    let cookies: Vec<_> = reply
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|it| it.to_str().unwrap())
        .collect();
    let known = cookies.iter().find(|it| it.starts_with("__Host-loa_known_")).unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Secure", "Max-Age=31536000"] {
        assert!(known.contains(part), "{part} is not in {known}");
    }
    // It is one user's: another one is not known by it.
    server.somebody("mai", &[Grant::everywhere(Role::Officer)]);
    assert_eq!(try_from(&lan, "mai", PASSWORD, neighbour).status, 429);

    let lines = server.lines();
    assert!(
        lines
            .iter()
            .any(|line| line.what == "session.wait" && line.actor.who == "lan")
    );
    let metrics = String::from_utf8(stranger.get("/metrics").body).unwrap();
    let waits = metrics
        .lines()
        .find_map(|line| line.strip_prefix("loa_sign_ins_refused_total{reason=\"wait\"} "));
    assert!(waits.unwrap().parse::<u64>().unwrap() >= 5, "{metrics}");
}

#[test]
fn the_owners_browser_is_judged_by_its_own_count() {
    let server = Server::with(behind_proxy);
    let lan = server.admin();
    assert_eq!(exhaust(&lan, "lan", "203.0.113.9").status, 429);
    // Elsewhere the owner signs in.
    assert_eq!(try_from(&server.anybody(), "lan", PASSWORD, "192.0.2.1").status, 200);
}

#[test]
fn a_restart_is_no_fresh_start() {
    let server = Server::with(behind_proxy);
    server.admin();
    exhaust(&server.anybody(), "lan", "203.0.113.9");
    let kept = server.runtime.block_on(server.store.failures(now())).unwrap();
    // This user from this network, the network, and this user from everywhere.
    assert_eq!(kept.len(), 3, "{kept:?}");
    assert!(kept.iter().all(|(_, count)| count.failures >= 6), "{kept:?}");
}

#[test]
fn who_guesses_the_current_password_waits() {
    let server = Server::start();
    let lan = server.admin();
    let change = |current: &str| {
        let body = json!({ "current": current, "password": "tre xanh đồng lúa" });
        lan.post("/api/v1/account/password", body)
    };
    for _ in 0..30 {
        let reply = change("wrong password");
        if reply.status != 422 {
            assert_eq!(reply.error(), (429, "wait".into(), vec![]));
            return;
        }
        assert_eq!(reply.error(), (422, "invalid".into(), vec!["current".into()]));
    }
    panic!("it can be guessed for ever");
}

#[test]
fn what_another_site_sends_is_refused() {
    let server = Server::start();
    let lan = server.admin();
    let here = lan.base.clone();
    let area = json!({ "name": "Xã", "kind": "commune" }).to_string();
    let send = |headers: &[(&str, &str)]| {
        let headers = [&[("content-type", "application/json")], headers].concat();
        lan.send("POST", "/api/v1/areas", &headers, area.as_bytes())
    };
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", &*here), ("sec-fetch-site", "cross-site")],
    ] {
        assert_eq!(send(headers).error(), (403, "csrf".into(), vec![]), "{headers:?}");
    }
    // Signing somebody in unasked is no better.
    let body = json!({ "username": "lan", "password": PASSWORD }).to_string();
    let headers = [("content-type", "application/json"), ("origin", "https://evil.example")];
    assert_eq!(
        server
            .anybody()
            .send("POST", "/api/v1/session", &headers, body.as_bytes())
            .status,
        403
    );
    for headers in [
        &[("sec-fetch-site", "same-origin"), ("origin", &*here)][..],
        &[("origin", &*here)],
        &[("sec-fetch-site", "none")],
        &[],
    ] {
        assert_eq!(send(headers).status, 201, "{headers:?}");
    }
    let metrics = String::from_utf8(server.anybody().get("/metrics").body).unwrap();
    assert!(metrics.contains("loa_foreign_requests_refused_total 6"), "{metrics}");
}
