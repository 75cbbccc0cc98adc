//! How much one may ask for, by the router and a proxy on this machine that says whom it speaks for.

use super::*;

fn proxied(set: impl FnOnce(&mut Config)) -> Server {
    Server::with(|config| {
        config.public_url = Some("https://loa.example".into());
        set(config);
    })
}

fn ask(client: &Client, path: &str, from: &str) -> Reply {
    client.send("GET", path, &[("x-forwarded-for", from)], b"")
}

fn refused(server: &Server) -> String {
    let metrics = server.anybody().get("/metrics");
    String::from_utf8(metrics.body).unwrap()
}

#[test]
fn an_address_that_asks_for_too_much_waits_and_others_do_not() {
    let server = proxied(|config| config.limits_requests = 5);
    let mut anybody = server.anybody();
    for _ in 0..5 {
        assert_eq!(ask(&anybody, "/", "203.0.113.9").status, 200);
    }
    let reply = ask(&anybody, "/", "203.0.113.9");
    assert_eq!(reply.error(), (429, "wait".into(), vec![]));
    let seconds: u64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=12).contains(&seconds), "{seconds}");
    assert!(reply.json()["message"].as_str().unwrap().starts_with("Quá nhiều"));
    anybody.language = "en";
    let english = ask(&anybody, "/api/v1/areas", "203.0.113.9");
    assert!(english.json()["message"].as_str().unwrap().starts_with("Too many"));
    assert_eq!(ask(&anybody, "/", "203.0.113.10").status, 200);
    // Of IPv6 a line has a whole /64.
    for host in 0..5 {
        assert_eq!(ask(&anybody, "/", &format!("2001:db8::{host}")).status, 200);
    }
    assert_eq!(ask(&anybody, "/", "2001:db8::77").status, 429);
    assert_eq!(ask(&anybody, "/", "2001:db8:0:1::77").status, 200);
    let metrics = refused(&server);
    assert!(
        metrics.contains("loa_requests_refused_total{reason=\"limit_address\"} 3"),
        "{metrics}"
    );
}

#[test]
fn this_machines_scripts_are_not_limited() {
    let server = Server::with(|config| {
        config.limits_requests = 2;
        config.limits_session_requests = 2;
        config.limits_sign_ins = 2;
    });
    let mut lan = server.admin();
    for _ in 0..10 {
        assert_eq!(lan.get("/api/v1/areas").status, 200);
        assert_eq!(lan.sign_in("lan", PASSWORD).status, 200);
    }
}

#[test]
fn a_session_has_a_measure_of_its_own() {
    let server = proxied(|config| config.limits_session_requests = 4);
    let lan = server.admin();
    let mut mai = server.somebody("mai", &Grant::FIRST);
    for host in 0..4 {
        let from = format!("203.0.113.{host}");
        assert_eq!(ask(&lan, "/api/v1/areas", &from).status, 200);
    }
    assert_eq!(ask(&lan, "/api/v1/areas", "203.0.113.9").error().1, "wait");
    assert_eq!(ask(&mai, "/api/v1/areas", "203.0.113.9").status, 200);
    mai.cookie.clear();
    assert_eq!(ask(&mai, "/api/v1/areas", "203.0.113.9").status, 401);
    assert!(refused(&server).contains("{reason=\"limit_session\"} 1"));
}

#[test]
fn passwords_and_uploads_are_limited_more_tightly() {
    let server = proxied(|config| {
        config.limits_sign_ins = 3;
        config.limits_uploads = 2;
    });
    let lan = server.admin();
    let from = [("x-forwarded-for", "203.0.113.9"), ("content-type", "application/json")];
    let body = json!({ "username": "lan", "password": "wrong" }).to_string();
    let statuses: Vec<_> = (0..5)
        .map(|_| lan.send("POST", "/api/v1/session", &from, body.as_bytes()).status)
        .collect();
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    let kind = format!("multipart/form-data; boundary={}", Form::BOUNDARY);
    let mut form = Form::default();
    form.field("title", "A").field("class", "normal").file(&tone(0.1));
    let from = [("x-forwarded-for", "203.0.113.9"), ("content-type", &*kind)];
    let statuses: Vec<_> = (0..3)
        .map(|_| lan.send("POST", "/api/v1/bulletins", &from, &form.finished()).status)
        .collect();
    assert_eq!(statuses, [201, 201, 429]);
    assert_eq!(ask(&lan, "/api/v1/bulletins", "203.0.113.9").status, 200);
    let metrics = refused(&server);
    assert!(metrics.contains("{reason=\"limit_sign_ins\"} 2") && metrics.contains("{reason=\"limit_uploads\"} 1"));
}

#[test]
fn a_flood_of_passwords_is_turned_away_before_it_costs_memory() {
    let server = Server::start();
    let most = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = most();
    let checks: Vec<_> = (0..400)
        .map(|_| {
            server
                .runtime
                .spawn(password::is_right("a wrong password".into(), None))
        })
        .collect();
    let (mut wrong, mut busy) = (0, 0);
    for check in checks {
        match server.runtime.block_on(check).unwrap() {
            Ok(right) => {
                assert!(!right);
                wrong += 1;
            }
            Err(error) => {
                assert_eq!(error, password::PasswordError::Busy);
                busy += 1;
            }
        }
    }
    assert!(wrong >= 1 && busy >= 100, "{wrong} {busy}");
    // Other tests run beside this one; all 400 at once would take 7.6 GB.
    assert!(most() - before < 1_000_000, "{} kB more", most() - before);
}
