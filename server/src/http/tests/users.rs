//! Who may make whom what; links; leaving; one's own sessions.

use loa_protocol::AreaId;

use super::*;

const NEW: &str = "tre xanh đồng lúa";

/// A province with two communes.
fn areas(admin: &Client) -> [String; 3] {
    let province = admin.area("Tỉnh");
    let below = |name: &str| {
        let body = json!({ "name": name, "kind": "commune", "parent_id": province });
        admin.post("/api/v1/areas", body).id()
    };
    let communes = [below("Xã A"), below("Xã B")];
    let [a, b] = communes;
    [province, a, b]
}

fn within(role: Role, area: &str) -> Grant {
    Grant::within(role, AreaId::parse(area).unwrap())
}

fn token(link: &Value) -> String {
    let link = link["link"].as_str().unwrap();
    let (address, token) = link.split_once('#').unwrap();
    assert!(address.ends_with("/link"), "{link}");
    token.to_owned()
}

fn invite(client: &Client, username: &str, grants: Value) -> Reply {
    let body = json!({ "username": username, "display_name": "Mới", "grants": grants });
    client.post("/api/v1/users", body)
}

fn id_of(client: &Client, username: &str) -> String {
    let users = client.get("/api/v1/users").json();
    let it = users.as_array().unwrap().iter().find(|it| it["username"] == username);
    it.unwrap_or_else(|| panic!("no {username}"))["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn somebody_is_invited_and_chooses_a_password() {
    let server = Server::start();
    let lan = server.admin();
    let reply = invite(&lan, "mai", json!([{ "role": "officer" }]));
    assert_eq!(reply.status, 201, "{reply:?}");
    let invited = reply.json();
    assert_eq!(
        (&invited["user"]["invited"], &invited["user"]["manageable"]),
        (&json!(true), &json!(true))
    );
    let token = token(&invited);
    assert!(invited["link"].as_str().unwrap().starts_with(&lan.base));
    // Without a password there is none that is right.
    let mut mai = server.anybody();
    for password in ["", PASSWORD] {
        assert_eq!(mai.sign_in("mai", password).error().0, 401);
    }
    let looked = mai.post("/api/v1/link/look", json!({ "token": token })).json();
    assert_eq!(
        looked,
        json!({ "username": "mai", "display_name": "Mới", "kind": "invitation" })
    );
    for easy in [
        "too short",
        "matkhau123456",
        "maimaimaimai",
        "aaaaaaaaaaaaaaa",
        "qwertyuiop12",
        "1234567890123",
    ] {
        let reply = mai.post("/api/v1/link", json!({ "token": token, "password": easy }));
        assert_eq!(
            reply.error(),
            (422, "invalid".into(), vec!["password".into()]),
            "{easy}"
        );
    }
    let reply = mai.tell("/api/v1/link", json!({ "token": token, "password": NEW }));
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(mai.get("/api/v1/session").json()["user"]["username"], "mai");
    // Spent.
    for path in ["/api/v1/link", "/api/v1/link/look"] {
        let body = match path.ends_with("look") {
            true => json!({ "token": token }),
            false => json!({ "token": token, "password": NEW }),
        };
        assert_eq!(mai.post(path, body).error(), (410, "link_closed".into(), vec![]));
    }
    assert_eq!(mai.sign_in("mai", NEW).status, 200);
    // The token is kept nowhere.
    let database = std::fs::read(server.data.keys().parent().unwrap().join("loa.db-wal")).unwrap();
    assert!(!database.windows(token.len()).any(|window| window == token.as_bytes()));
    assert!(invite(&lan, "mai", json!([])).error().2 == ["username"]);
    assert_eq!(invite(&lan, "tam", json!([{ "role": "king" }])).error().2, ["grants"]);
    let nowhere = "01990000-0000-7000-8000-000000000000";
    assert_eq!(
        invite(&lan, "tam", json!([{ "role": "officer", "area_id": nowhere }]))
            .error()
            .2,
        ["grants"]
    );
}

#[test]
fn nobody_gives_or_takes_what_is_not_theirs_to_give() {
    let server = Server::start();
    let lan = server.admin();
    let [province, a, b] = areas(&lan);
    let boss = server.somebody("boss", &[within(Role::Administrator, &a)]);
    server.somebody("here", &[within(Role::Officer, &a)]);
    server.somebody("there", &[within(Role::Officer, &b)]);
    server.somebody("both", &[within(Role::Officer, &a), within(Role::Officer, &b)]);
    server.somebody("above", &[within(Role::Officer, &province)]);
    let clerk = server.somebody("clerk", &[within(Role::Officer, &a)]);
    assert_eq!(clerk.get("/api/v1/users").error().1, "forbidden");
    assert_eq!(
        invite(&clerk, "tam", json!([{ "role": "officer", "area_id": a }]))
            .error()
            .1,
        "forbidden"
    );

    let seen = boss.get("/api/v1/users").json();
    let seen: Vec<_> = seen
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["username"].as_str().unwrap(), it["manageable"] == true))
        .collect();
    assert_eq!(seen, [("boss", true), ("both", false), ("clerk", true), ("here", true)]);

    let of = |role: &str, area: &str| json!([{ "role": role, "area_id": area }]);
    for grants in [
        of("officer", &b),
        of("officer", &province),
        json!([{ "role": "officer" }]),
    ] {
        assert_eq!(invite(&boss, "tam", grants).error(), (403, "forbidden".into(), vec![]));
    }
    assert_eq!(invite(&boss, "tam", json!([])).error().2, ["grants"]);
    assert_eq!(invite(&boss, "tam", of("approver", &a)).status, 201);

    let here = id_of(&lan, "here");
    let path = |name: &str| format!("/api/v1/users/{}", id_of(&lan, name));
    for name in ["there", "above", "lan"] {
        for reply in [
            boss.patch(&path(name), json!({ "disabled": true })),
            boss.post(&format!("{}/link", path(name)), Value::Null),
        ] {
            assert_eq!(reply.error(), (404, "not_found".into(), vec![]), "{name}");
        }
    }
    assert_eq!(
        boss.patch(&path("both"), json!({ "grants": of("officer", &a) }))
            .error()
            .1,
        "forbidden"
    );
    assert_eq!(
        boss.post(&format!("{}/link", path("both")), Value::Null).error().1,
        "forbidden"
    );
    for grants in [of("officer", &b), json!([{ "role": "officer" }])] {
        assert_eq!(
            boss.patch(&path("here"), json!({ "grants": grants })).error().1,
            "forbidden"
        );
    }
    let reply = boss.patch(
        &path("here"),
        json!({ "grants": of("technician", &a), "display_name": "Hà" }),
    );
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(
        (&reply.json()["grants"], &reply.json()["display_name"]),
        (&of("technician", &a), &json!("Hà"))
    );
    let line = &server.lines()[0];
    assert_eq!(
        (&*line.what, &*line.subject, &*line.actor.who),
        ("user.grants", &*here, "boss")
    );
    let before: Value = serde_json::from_str(line.before.as_ref().unwrap()).unwrap();
    let after: Value = serde_json::from_str(line.after.as_ref().unwrap()).unwrap();
    assert_eq!(
        before,
        json!({ "display_name": "here", "grants": [format!("officer in {a}")] })
    );
    assert_eq!(
        after,
        json!({ "display_name": "Hà", "grants": [format!("technician in {a}")] })
    );

    // Nobody lifts themselves, nor stops themselves.
    for change in [
        json!({ "grants": [{ "role": "approver", "area_id": a }] }),
        json!({ "disabled": true }),
    ] {
        assert_eq!(
            boss.patch(&path("boss"), change).error(),
            (403, "yourself".into(), vec![])
        );
    }
    assert_eq!(
        boss.post(&format!("{}/link", path("boss")), Value::Null).error().1,
        "yourself"
    );
    assert_eq!(
        boss.patch(&path("boss"), json!({ "display_name": "Trưởng" })).status,
        200
    );
    assert_eq!(boss.patch("/api/v1/users/none", json!({})).error().1, "not_found");
}

#[test]
fn the_last_administrator_stays() {
    let server = Server::start();
    let lan = server.admin();
    let mai = server.somebody("mai", &Grant::FIRST);
    // An invited one is none yet, and a disabled one none any more.
    invite(&lan, "tam", json!([{ "role": "administrator" }]));
    let lan_path = format!("/api/v1/users/{}", id_of(&mai, "lan"));
    let mai_path = format!("/api/v1/users/{}", id_of(&lan, "mai"));
    assert_eq!(mai.patch(&lan_path, json!({ "disabled": true })).status, 200);
    assert_eq!(lan.get("/api/v1/session").error().0, 401);
    let actor = Actor {
        who: "-".into(),
        origin: "command line".into(),
    };
    let id = server
        .runtime
        .block_on(server.store.user_and_password("mai"))
        .unwrap()
        .unwrap()
        .0
        .id;
    for change in [
        crate::store::UserChange {
            disabled: Some(true),
            ..Default::default()
        },
        crate::store::UserChange {
            grants: Some(vec![Grant::everywhere(Role::Officer)]),
            ..Default::default()
        },
    ] {
        let refused = server
            .runtime
            .block_on(server.store.change_user(&actor, now(), id, None, change));
        assert!(matches!(
            refused,
            Err(crate::store::Error::State(crate::store::Refusal::LastAdministrator))
        ));
    }
    assert_eq!(mai.patch(&lan_path, json!({ "disabled": false })).status, 200);
    let mut lan = server.anybody();
    assert_eq!(lan.sign_in("lan", PASSWORD).status, 200);
    let stripped = lan.patch(&mai_path, json!({ "grants": [{ "role": "officer" }] }));
    assert_eq!(stripped.status, 200);
    assert_eq!(lan.patch(&lan_path, json!({ "grants": [] })).error().1, "yourself");
}

#[test]
fn a_leaver_is_out_at_once() {
    let server = Server::start();
    let lan = server.admin();
    let mut mai = server.somebody("mai", &[Grant::everywhere(Role::Officer)]);
    let path = format!("/api/v1/users/{}", id_of(&lan, "mai"));
    let link = token(&lan.post(&format!("{path}/link"), json!({ "factors": false })).json());
    assert_eq!(mai.get("/api/v1/session").status, 200);
    let reply = lan.patch(&path, json!({ "disabled": true })).json();
    assert!(reply["disabled_at"].is_string());
    assert_eq!(mai.get("/api/v1/session").error().0, 401);
    // As wrong as any other password.
    assert_eq!(
        mai.sign_in("mai", PASSWORD).error(),
        (401, "invalid_credentials".into(), vec![])
    );
    assert_eq!(
        mai.post("/api/v1/link", json!({ "token": link, "password": NEW }))
            .error()
            .0,
        410
    );
    assert_eq!(
        lan.post(&format!("{path}/link"), Value::Null).error(),
        (409, "disabled".into(), vec![])
    );
    let whats: Vec<_> = server
        .lines()
        .into_iter()
        .map(|line| (line.what, line.detail))
        .collect();
    assert!(whats.contains(&("user.disable".into(), "mai".into())));
    assert!(whats.contains(&("session.refuse".into(), "disabled".into())));
    assert_eq!(lan.patch(&path, json!({ "disabled": false })).status, 200);
    assert_eq!(mai.sign_in("mai", PASSWORD).status, 200);
}

#[test]
fn a_reset_replaces_the_one_before_and_ends_sessions() {
    let server = Server::start();
    let lan = server.admin();
    let mut mai = server.somebody("mai", &[Grant::everywhere(Role::Officer)]);
    let path = format!("/api/v1/users/{}/link", id_of(&lan, "mai"));
    let first = token(&lan.post(&path, Value::Null).json());
    let second = token(&lan.post(&path, json!({ "factors": true })).json());
    let mut anywhere = server.anybody();
    assert_eq!(
        anywhere.post("/api/v1/link/look", json!({ "token": first })).error().0,
        410
    );
    assert_eq!(
        anywhere.post("/api/v1/link/look", json!({ "token": second })).json()["kind"],
        "reset"
    );
    // The old password is good until then.
    assert_eq!(mai.get("/api/v1/session").status, 200);
    assert_eq!(
        anywhere
            .tell("/api/v1/link", json!({ "token": second, "password": NEW }))
            .status,
        200
    );
    assert_eq!(mai.get("/api/v1/session").error().0, 401);
    assert_eq!(mai.sign_in("mai", PASSWORD).error().0, 401);
    assert_eq!(mai.sign_in("mai", NEW).status, 200);
    let whats: Vec<_> = server.lines().into_iter().map(|line| line.detail).collect();
    assert!(
        whats.contains(&"by link: reset, second factors and single sign-on removed".into()),
        "{whats:?}"
    );
}

#[test]
fn two_who_use_a_link_at_once_do_not_both_choose_the_password() {
    let server = Server::start();
    let lan = server.admin();
    let token = token(&invite(&lan, "mai", json!([{ "role": "officer" }])).json());
    let attempts: Vec<_> = (0..4)
        .map(|n| {
            let (client, token) = (server.anybody(), token.clone());
            let body = json!({ "token": token, "password": format!("{NEW} {n}") });
            std::thread::spawn(move || client.post("/api/v1/link", body).status)
        })
        .collect();
    let mut statuses: Vec<_> = attempts.into_iter().map(|attempt| attempt.join().unwrap()).collect();
    statuses.sort();
    assert_eq!(statuses, [200, 410, 410, 410]);
}

#[test]
fn ones_own_sessions_and_password() {
    let server = Server::start();
    let lan = server.admin();
    let mut phone = server.anybody();
    let mut laptop = server.anybody();
    for client in [&mut phone, &mut laptop] {
        assert_eq!(client.sign_in("lan", PASSWORD).status, 200);
    }
    let sessions = lan.get("/api/v1/account").json()["sessions"].clone();
    let others: Vec<_> = sessions
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["current"] == false)
        .collect();
    assert_eq!((sessions.as_array().unwrap().len(), others.len()), (3, 2));
    let ended = format!("/api/v1/account/sessions/{}", others[0]["id"].as_str().unwrap());
    let mai = server.somebody("mai", &[Grant::everywhere(Role::Officer)]);
    assert_eq!(mai.delete(&ended).error().1, "not_found");
    assert_eq!(lan.delete(&ended).status, 204);
    assert_eq!(lan.delete(&ended).error().1, "not_found");
    let alive = |client: &Client| client.get("/api/v1/session").status == 200;
    assert_eq!([&phone, &laptop].into_iter().filter(|it| alive(it)).count(), 1);

    let change = |current: &str, password: &str| {
        let body = json!({ "current": current, "password": password });
        lan.post("/api/v1/account/password", body)
    };
    assert_eq!(change("wrong", NEW).error().2, ["current"]);
    assert_eq!(change(PASSWORD, "short").error().2, ["password"]);
    assert_eq!(change(PASSWORD, NEW).status, 204);
    assert!(alive(&lan) && !alive(&phone) && !alive(&laptop) && alive(&mai));
    assert_eq!(phone.sign_in("lan", PASSWORD).error().0, 401);
    assert_eq!(phone.sign_in("lan", NEW).status, 200);
}
