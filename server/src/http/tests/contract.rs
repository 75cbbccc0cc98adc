//! The document and what is served agree: it is fresh, and whatever it says needs a session has one asked for.

use super::*;

/// The document's operations: method, address with identifiers filled in, whether it needs a session, whether it changes
/// something.
pub(super) fn operations() -> Vec<(String, String, bool, bool)> {
    let document: Value = serde_json::from_str(&document()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let path = path.replace("{id}", "01990000-0000-7000-8000-000000000000");
            let path = path.replace("{code}", "0123-4567-89AB-CDEF");
            let session = operation.get("security").is_some();
            found.push((method.to_uppercase(), path, session, method != "get"));
        }
    }
    found
}

#[test]
fn the_document_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == document(),
        "run `cargo run -p loa -- openapi > server/openapi.json`"
    );
    let document: Value = serde_json::from_str(&kept).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut names = std::collections::HashSet::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "two operations are called {name}");
            assert!(operation["summary"].is_string(), "{name} is not explained");
        }
    }
}

#[test]
fn without_a_session_only_the_public_is_answered() {
    let server = Server::start();
    let (public, guarded): (Vec<_>, Vec<_>) = operations().into_iter().partition(|it| !it.2);
    let mut public: Vec<_> = public
        .iter()
        .map(|(method, path, ..)| format!("{method} {path}"))
        .collect();
    public.sort();
    assert_eq!(
        public,
        [
            "GET /api/v1/sign-in",
            "GET /healthz",
            "GET /metrics",
            "POST /api/v1/link",
            "POST /api/v1/link/look",
            "POST /api/v1/session",
            "POST /api/v1/session/oidc",
            "POST /api/v1/session/oidc/begin",
            "POST /api/v1/setup"
        ]
    );
    assert!(guarded.len() >= 16, "{guarded:?}");
    let mut stranger = server.anybody();
    for cookie in ["", "loa_session=", &format!("loa_session={}", "0".repeat(64))] {
        stranger.cookie = cookie.into();
        for (method, path, ..) in &guarded {
            let reply = stranger.send(method, path, &[], b"");
            assert_eq!(
                reply.error(),
                (401, "unauthenticated".into(), vec![]),
                "{method} {path}"
            );
        }
    }
    assert!(server.lines().is_empty() && server.told().is_empty());
}

#[test]
fn without_the_csrf_token_nothing_is_changed() {
    let server = Server::start();
    let admin = server.admin();
    let lines = server.lines();
    let mut forged = admin.clone();
    let changing: Vec<_> = operations().into_iter().filter(|it| it.2 && it.3).collect();
    assert!(changing.len() >= 8, "{changing:?}");
    for csrf in [String::new(), "0".repeat(64), admin.csrf.to_uppercase()] {
        forged.csrf = csrf;
        for (method, path, ..) in &changing {
            let reply = forged.send(method, path, &[("content-type", "application/json")], b"{}");
            assert_eq!(reply.error(), (403, "csrf".into(), vec![]), "{method} {path}");
        }
    }
    assert_eq!(server.lines(), lines);
    assert_eq!(admin.get("/api/v1/session").status, 200);
}

#[test]
fn an_officer_may_not_do_an_administrators_work() {
    let server = Server::start();
    let officer = server.somebody("mai", &[Grant::everywhere(Role::Officer)]);
    let id = "01990000-0000-7000-8000-000000000000";
    for (path, body) in [
        ("/api/v1/areas", json!({ "name": "Xã", "kind": "commune" })),
        ("/api/v1/receivers", json!({ "name": "Loa", "area_id": id })),
        (&format!("/api/v1/receivers/{id}/reboot"), Value::Null),
    ] {
        assert_eq!(officer.post(path, body).error().1, "forbidden", "{path}");
    }
    assert_eq!(officer.get("/api/v1/areas").json(), json!([]));
}

#[test]
fn what_is_served_beside_the_api() {
    let server = Server::start();
    let anybody = server.anybody();
    let reply = anybody.get("/api/openapi.json");
    assert_eq!((reply.status, reply.body), (200, document().into_bytes()));
    assert_eq!(anybody.get("/healthz").body, b"ok\n");
    let metrics = String::from_utf8(anybody.get("/metrics").body).unwrap();
    for line in [
        "loa_receivers{state=\"online\"} 0",
        "# TYPE loa_of_others_total counter",
        "loa_of_others_total 7",
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line} is not in\n{metrics}");
    }
    for path in ["/", "/setup", "/signin", "/a/page/of/the/console"] {
        let reply = anybody.get(path);
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.headers["content-type"], "text/html; charset=utf-8", "{path}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(reply.headers[name], value, "{path}");
        }
        let policy = reply.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        let scripts = policy.split("; ").find(|part| part.starts_with("script-src"));
        assert!(
            scripts.is_none_or(|it| it.contains("'self'") && !it.contains("unsafe")),
            "{policy}"
        );
        let permissions = reply.headers["permissions-policy"].to_str().unwrap();
        assert!(permissions.contains("microphone=(self)") && permissions.contains("geolocation=(self)"));
        assert!(!reply.headers.contains_key("strict-transport-security"));
    }
    assert_eq!(anybody.get("/_app/immutable/of-another-build.js").status, 404);
    assert_eq!(
        anybody.get("/api/v1/nothing").error(),
        (404, "not_found".into(), vec![])
    );
    assert_eq!(anybody.post("/signin", Value::Null).status, 405);
    let nothing = anybody.get("/api/v1/nothing");
    assert_eq!(nothing.headers["cache-control"], "no-store");
    assert_eq!(
        nothing.headers["content-security-policy"],
        "default-src 'none'; frame-ancestors 'none'"
    );
    assert_eq!(anybody.get("/.well-known/loa-authority.crt").status, 404);
}

#[test]
fn metrics_and_health_are_for_this_machine_unless_said_otherwise() {
    let proxied = [("x-forwarded-for", "203.0.113.9")];
    let behind_proxy = |config: &mut Config| config.public_url = Some("https://loa.example".into());
    let server = Server::with(behind_proxy);
    for path in ["/metrics", "/healthz"] {
        assert_eq!(
            server.anybody().send("GET", path, &proxied, b"").error(),
            (403, "forbidden".into(), vec![]),
            "{path}"
        );
        assert_eq!(server.anybody().get(path).status, 200);
    }
    // Who is no proxy of ours cannot pretend to be somebody else.
    assert_eq!(
        Server::start().anybody().send("GET", "/metrics", &proxied, b"").status,
        200
    );
    let server = Server::with(|config| {
        behind_proxy(config);
        config.http_metrics = crate::config::Audience::All;
    });
    assert_eq!(server.anybody().send("GET", "/metrics", &proxied, b"").status, 200);
    assert_eq!(server.anybody().send("GET", "/healthz", &proxied, b"").status, 403);
    let server = Server::with(|config| {
        behind_proxy(config);
        config.http_health = crate::config::Audience::All;
    });
    assert_eq!(server.anybody().send("GET", "/healthz", &proxied, b"").body, b"ok\n");
    assert_eq!(server.anybody().send("GET", "/metrics", &proxied, b"").status, 403);
}
