//! API tokens: what programs may do with them, and what nobody may.

use super::live::Events;
use super::*;
use crate::authority::Right;
use crate::store::NewToken;

const MINUTE: u64 = 60_000_000;

fn by(client: &Client, token: &str, method: &str, path: &str, body: &Value) -> Reply {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", &*bearer), ("content-type", "application/json")];
    match method {
        "GET" => client.send(method, path, &headers[..1], b""),
        _ => client.send(method, path, &headers, body.to_string().as_bytes()),
    }
}

fn asked(name: &str, rights: &[&str]) -> Value {
    let expires = shapes::written(UnixMicros(now().0 + 60 * MINUTE));
    json!({ "name": name, "rights": rights, "expires_at": expires })
}

/// A token made by who is signed in.
fn made(client: &Client, body: Value) -> String {
    let reply = client.post("/api/v1/tokens", body);
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.json()["token"].as_str().unwrap().to_owned()
}

/// A token put straight into the store.
fn kept(
    server: &Server,
    owner: &str,
    rights: &[Right],
    second_factor: Option<UnixMicros>,
    expires: UnixMicros,
) -> String {
    let token = bearer::fresh();
    let actor = Actor {
        who: owner.into(),
        origin: "test".into(),
    };
    let new = NewToken {
        name: token[4..12].into(),
        rights: rights.to_vec(),
        area: None,
        second_factor,
        expires,
    };
    let work = async {
        let (owner, _) = server.store.user_and_password(owner).await.unwrap().unwrap();
        server
            .store
            .add_token(&actor, now(), &owner, &hash(&token), new)
            .await
            .unwrap();
    };
    server.runtime.block_on(work);
    token
}

fn area_below(client: &Client, name: &str, parent: &str) -> String {
    let reply = client.post(
        "/api/v1/areas",
        json!({ "name": name, "kind": "village", "parent_id": parent }),
    );
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.id()
}

#[test]
fn a_program_does_what_its_token_says_and_no_more() {
    let server = Server::start();
    let (lan, program) = (server.admin(), server.anybody());
    let commune = lan.area("Xã Đông");
    let village = area_below(&lan, "Thôn Một", &commune);
    let other = lan.area("Xã Tây");
    let mut body = asked("Máy ghi danh", &["see", "receivers"]);
    body["area_id"] = json!(commune);
    let reply = lan.post("/api/v1/tokens", body);
    assert_eq!(reply.status, 201, "{reply:?}");
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(reply.json()["rights"], json!(["see", "receivers"]));

    let names = |reply: Reply| -> Vec<String> {
        let list = reply.json();
        list.as_array()
            .unwrap()
            .iter()
            .map(|it| it["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names(by(&program, &token, "GET", "/api/v1/areas", &Value::Null)),
        ["Xã Đông", "Thôn Một"]
    );
    let receiver = |area: &str| json!({ "name": "Loa", "area_id": area });
    let enrolled = by(&program, &token, "POST", "/api/v1/receivers", &receiver(&village));
    assert_eq!(enrolled.status, 201, "{enrolled:?}");
    // Its owner may, it may not: elsewhere, and other things.
    assert_eq!(
        by(&program, &token, "POST", "/api/v1/receivers", &receiver(&other))
            .error()
            .0,
        422
    );
    let area = json!({ "name": "Xã Nam", "kind": "commune" });
    assert_eq!(
        by(&program, &token, "POST", "/api/v1/areas", &area).error(),
        (403, "forbidden".into(), vec![])
    );
    assert_eq!(lan.post("/api/v1/areas", area).status, 201);

    // The record says through what it was done, and the list when it was last used; neither shows the token.
    let line = server
        .lines()
        .into_iter()
        .find(|line| line.what == "receiver.enrol")
        .unwrap();
    assert_eq!(
        (&*line.actor.who, &*line.actor.origin),
        ("lan", "127.0.0.1 token Máy ghi danh")
    );
    let listed = lan.get("/api/v1/tokens");
    assert_eq!(listed.json()[0]["last_used_from"], "127.0.0.1");
    assert!(listed.json()[0]["last_used_at"].is_string());
    let body = String::from_utf8(listed.body).unwrap();
    assert!(!body.contains(&token[4..]) && !body.contains(&hash(&token)));
    let database = std::fs::read(server.data.keys().parent().unwrap().join("loa.db-wal")).unwrap();
    assert!(!database.windows(64).any(|window| window == &token.as_bytes()[4..]));
}

#[test]
fn a_token_follows_what_its_owner_may() {
    let server = Server::start();
    let (lan, program) = (server.admin(), server.anybody());
    lan.area("Xã Đông");
    let mai = server.somebody("mai", &[Grant::everywhere(Role::Technician)]);
    let token = made(&mai, asked("t", &["see", "receivers"]));
    let areas = || by(&program, &token, "GET", "/api/v1/areas", &Value::Null).json();
    assert_eq!(areas().as_array().unwrap().len(), 1);
    let mut events = Events::shown(&program, "authorization", &format!("Bearer {token}"));
    assert_eq!(events.snapshot()["areas"].as_array().unwrap().len(), 1);
    let actor = Actor {
        who: "-".into(),
        origin: "test".into(),
    };
    let take = async {
        let (user, _) = server.store.user_and_password("mai").await.unwrap().unwrap();
        server.store.set_grants(&actor, now(), user.id, vec![]).await.unwrap();
    };
    server.runtime.block_on(take);
    assert_eq!(areas(), json!([]));
    assert_eq!(events.snapshot()["areas"], json!([]));
}

#[test]
fn what_takes_a_token_is_what_the_document_says() {
    let server = Server::start();
    let (lan, program) = (server.admin(), server.anybody());
    let all = Right::ALL.map(Right::name);
    let token = made(&lan, asked("t", &all));
    let document: Value = serde_json::from_str(&document()).unwrap();
    let (mut takes, mut refuses) = (0, 0);
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Some(security) = operation["security"].as_array() else {
                continue;
            };
            let said = security.iter().any(|it| it.get("token").is_some());
            if path == "/api/v1/events" {
                assert!(said);
                continue;
            }
            let path = path.replace("{id}", "01990000-0000-7000-8000-000000000000");
            let reply = by(&program, &token, &method.to_uppercase(), &path, &json!({}));
            let refused = reply.status == 403 && reply.error().1 == "session_only";
            assert_eq!(!refused, said, "{method} {path}: {reply:?}");
            assert_ne!(reply.status, 401, "{method} {path}: {reply:?}");
            *(if said { &mut takes } else { &mut refuses }) += 1;
        }
    }
    assert!(takes >= 10 && refuses >= 5, "{takes} {refuses}");
    assert_eq!(lan.get("/api/v1/session").status, 200);
}

#[test]
fn one_shows_either_a_session_or_a_token() {
    let server = Server::start();
    let lan = server.admin();
    let token = made(&lan, asked("t", &["see"]));
    assert_eq!(
        by(&lan, &token, "GET", "/api/v1/areas", &Value::Null).error().1,
        "bad_request"
    );
    let program = server.anybody();
    let bearer = format!("Bearer {token}");
    let twice = [("authorization", &*bearer), ("authorization", &*bearer)];
    assert_eq!(
        program.send("GET", "/api/v1/areas", &twice, b"").error().1,
        "bad_request"
    );
    // What a proxy asks for is none of ours.
    assert_eq!(
        lan.send("GET", "/api/v1/areas", &[("authorization", "Basic bGFuOmxhbg==")], b"")
            .status,
        200
    );
    let lower = format!("bearer {token}");
    assert_eq!(
        program
            .send("GET", "/api/v1/areas", &[("authorization", &lower)], b"")
            .status,
        200
    );
}

#[test]
fn what_is_no_token_any_more_is_refused_counted_and_in_the_record() {
    let server = Server::start();
    let (lan, program) = (server.admin(), server.anybody());
    let over = kept(&server, "lan", &[Right::See], None, now());
    let removed = made(&lan, asked("t", &["see"]));
    let id = lan.get("/api/v1/tokens").json()[1]["id"].as_str().unwrap().to_owned();
    let mai = server.somebody("mai", &Grant::FIRST);
    let path = format!("/api/v1/tokens/{id}");
    assert_eq!(mai.send("DELETE", &path, &[], b"").error().0, 404);
    assert_eq!(by(&program, &removed, "GET", "/api/v1/areas", &Value::Null).status, 200);
    assert_eq!(lan.send("DELETE", &path, &[], b"").status, 204);
    assert_eq!(lan.send("DELETE", &path, &[], b"").error().0, 404);
    let others = [
        bearer::fresh(),
        format!("loa_{}", "0".repeat(64)),
        "x".into(),
        "a.b.c".into(),
    ];
    for token in [&over, &over, &removed].into_iter().chain(&others) {
        let reply = by(&program, token, "GET", "/api/v1/areas", &Value::Null);
        assert_eq!(reply.error(), (401, "unauthenticated".into(), vec![]), "{token}");
    }
    let metrics = String::from_utf8(program.get("/metrics").body).unwrap();
    assert!(metrics.contains("\nloa_tokens_refused_total 7\n"), "{metrics}");
    let refused: Vec<_> = server
        .lines()
        .into_iter()
        .filter(|line| line.what == "token.refuse")
        .collect();
    assert_eq!(refused.len(), 1);
    assert!(refused[0].actor.who == "lan" && refused[0].detail.ends_with(": expired"));
}

#[test]
fn an_emergency_takes_a_token_made_with_a_second_factor() {
    let server = Server::with(|config| config.auth_emergency_second_factor = true);
    let (lan, program) = (server.admin(), server.anybody());
    let area = lan.area("Xã Đông");
    assert_eq!(
        lan.post("/api/v1/tokens", asked("t", &["see", "emergency"])).error(),
        (403, "second_factor".into(), vec![])
    );
    assert!(server.lines().iter().all(|line| line.what != "token.add"));
    let reply = lan.upload("Bão", "emergency", &tone(0.5));
    let bulletin = reply.id();
    let end = UnixMicros(now().0 + MINUTE);
    let rights = [
        Right::See,
        Right::Compose,
        Right::Broadcast,
        Right::Approve,
        Right::Emergency,
    ];
    let weak = kept(&server, "lan", &rights, None, end);
    let strong = kept(&server, "lan", &rights, Some(now()), end);
    let without = kept(&server, "lan", &rights[..4], Some(now()), end);
    let approve = format!("/api/v1/bulletins/{bulletin}/approve");
    assert_eq!(by(&program, &strong, "POST", &approve, &Value::Null).status, 200);
    let warn = json!({ "bulletin_id": bulletin, "target": { "areas": [area], "receivers": [] } });
    let warned = |token: &str| by(&program, token, "POST", "/api/v1/broadcasts", &warn);
    assert_eq!(warned(&weak).error().1, "second_factor");
    assert_eq!(warned(&without).error().1, "forbidden");
    assert_eq!(warned(&strong).status, 201);
}

#[test]
fn a_stream_of_events_ends_with_its_token() {
    let server = Server::start();
    let (lan, program) = (server.admin(), server.anybody());
    let token = made(&lan, asked("t", &["see"]));
    let id = lan.get("/api/v1/tokens").json()[0]["id"].as_str().unwrap().to_owned();
    let mut events = Events::shown(&program, "authorization", &format!("Bearer {token}"));
    events.snapshot();
    assert_eq!(
        lan.send("DELETE", &format!("/api/v1/tokens/{id}"), &[], b"").status,
        204
    );
    assert_eq!(events.next(), None);
    // One that runs out ends it by itself.
    let token = kept(&server, "lan", &[Right::See], None, UnixMicros(now().0 + 1_500_000));
    let mut events = Events::shown(&program, "authorization", &format!("Bearer {token}"));
    events.snapshot();
    assert_eq!(events.next(), None);
    assert_eq!(
        by(&program, &token, "GET", "/api/v1/areas", &Value::Null).error().0,
        401
    );
}

#[test]
fn a_token_that_is_not_right_is_not_made() {
    let server = Server::start();
    let lan = server.admin();
    let (mine, other) = (lan.area("Xã Đông"), lan.area("Xã Tây"));
    let area = loa_protocol::AreaId::parse(&mine).unwrap();
    let mai = server.somebody(
        "mai",
        &[Grant {
            role: Role::Officer,
            reach: crate::authority::Reach::Area(area),
        }],
    );
    let at = |days: u64| json!(shapes::written(UnixMicros(now().0 + days * 24 * 60 * MINUTE)));
    for (field, value) in [
        ("name", json!(" ")),
        ("name", json!("x".repeat(81))),
        ("name", json!("a\nb")),
        ("rights", json!([])),
        ("rights", json!(["see", "everything"])),
        ("rights", json!(["see", "people"])),
        ("area_id", json!("somewhere")),
        ("area_id", json!(other)),
        ("expires_at", json!("tomorrow")),
        ("expires_at", json!("2020-01-01T00:00:00Z")),
        ("expires_at", at(367)),
    ] {
        let mut body = asked("t", &["see"]);
        body[field] = value;
        let reply = mai.post("/api/v1/tokens", body.clone());
        assert_eq!(reply.error(), (422, "invalid".into(), vec![field.into()]), "{body}");
    }
    let mut body = asked("t", &["see"]);
    body.as_object_mut().unwrap().remove("expires_at");
    assert_eq!(mai.post("/api/v1/tokens", body).error().0, 422);
    assert_eq!(mai.get("/api/v1/tokens").json(), json!([]));
    let mut body = asked("t", &["see", "broadcast"]);
    (body["area_id"], body["expires_at"]) = (json!(mine), at(365));
    made(&mai, body);
    assert_eq!(mai.post("/api/v1/tokens", asked("t", &["see"])).error().2, ["name"]);
    assert_eq!(lan.get("/api/v1/tokens").json(), json!([]));
}
