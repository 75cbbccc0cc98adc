//! Signing in and out, and the first administrator.

use super::*;

fn offer(server: &Server) -> String {
    let token = fresh_token();
    let expires = UnixMicros(now().0 + 60_000_000);
    server
        .runtime
        .block_on(server.store.offer_setup(now(), &hash(&token), expires))
        .unwrap();
    token
}

fn first(token: &str) -> Value {
    json!({ "token": token, "username": "lan", "display_name": "Nguyễn Lan", "password": PASSWORD })
}

#[test]
fn the_first_administrator_is_made_once() {
    let server = Server::start();
    let token = offer(&server);
    let mut client = server.anybody();
    assert_eq!(
        client.post("/api/v1/setup", first(&fresh_token())).error().1,
        "setup_closed"
    );
    for (field, value) in [("password", "too short"), ("username", "Lân"), ("display_name", " ")] {
        let mut body = first(&token);
        body[field] = json!(value);
        assert_eq!(
            client.post("/api/v1/setup", body).error(),
            (422, "invalid".into(), vec![field.into()])
        );
    }
    let reply = client.post("/api/v1/setup", first(&token));
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["user"]["grants"].as_array().unwrap().len(), 3);
    client.take_session(&reply);
    assert_eq!(client.get("/api/v1/session").json(), reply.json());
    assert_eq!(client.post("/api/v1/setup", first(&token)).error().0, 410);
    assert_eq!(server.runtime.block_on(server.store.users()).unwrap().len(), 1);
}

#[test]
fn two_who_use_the_link_at_once_do_not_both_become_administrator() {
    let server = Server::start();
    let token = offer(&server);
    let attempts: Vec<_> = ["lan", "mai", "hoa", "cúc"]
        .into_iter()
        .map(|name| {
            let (client, mut body) = (server.anybody(), first(&token));
            body["username"] = json!(name.replace('ú', "u"));
            std::thread::spawn(move || client.post("/api/v1/setup", body).status)
        })
        .collect();
    let mut statuses: Vec<_> = attempts.into_iter().map(|attempt| attempt.join().unwrap()).collect();
    statuses.sort();
    assert_eq!(statuses, [200, 410, 410, 410]);
}

#[test]
fn a_session_begins_and_ends() {
    let server = Server::start();
    let mut lan = server.admin();
    let cookie = lan
        .post("/api/v1/session", json!({ "username": "lan", "password": PASSWORD }))
        .headers["set-cookie"]
        .clone();
    let cookie = cookie.to_str().unwrap().to_owned();
    for part in ["loa_session=", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{part} is not in {cookie}");
    }
    assert!(!cookie.contains("Secure"));
    // Of the token only the hash is kept.
    let database = std::fs::read(server.data.keys().parent().unwrap().join("loa.db-wal")).unwrap();
    let token = lan.cookie.split('=').nth(1).unwrap();
    assert!(!database.windows(64).any(|window| window == token.as_bytes()));

    assert_eq!(lan.get("/api/v1/session").json()["user"]["username"], "lan");
    let reply = lan.send("DELETE", "/api/v1/session", &[], b"");
    assert_eq!(reply.status, 204);
    assert!(reply.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(lan.get("/api/v1/session").error().0, 401);
    lan.cookie.clear();
    assert_eq!(lan.sign_in("lan", PASSWORD).status, 200);

    let whats: Vec<_> = server
        .lines()
        .into_iter()
        .rev()
        .map(|line| (line.what, line.actor.who))
        .collect();
    let expected = [
        ("user.add", "-"),
        ("session.begin", "lan"),
        ("session.begin", "lan"),
        ("session.end", "lan"),
        ("session.begin", "lan"),
    ];
    assert_eq!(whats, expected.map(|(what, who)| (what.to_owned(), who.to_owned())));
    assert_eq!(server.lines()[0].actor.origin, "127.0.0.1");
}

#[test]
fn wrong_passwords_and_wrong_names_look_the_same() {
    let server = Server::start();
    let _lan = server.admin();
    let mut client = server.anybody();
    let long = "x".repeat(5000);
    let bodies: Vec<_> = [
        ("lan", "wrong password"),
        ("nobody", PASSWORD),
        ("", ""),
        ("lan", &long),
    ]
    .into_iter()
    .map(|(name, password)| {
        let reply = client.sign_in(name, password);
        assert_eq!(reply.error(), (401, "invalid_credentials".into(), vec![]));
        assert!(reply.headers.get("set-cookie").is_none());
        reply.body
    })
    .collect();
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
    let refused: Vec<_> = server
        .lines()
        .into_iter()
        .filter(|line| line.what == "session.refuse")
        .collect();
    let whos: Vec<_> = refused.into_iter().map(|line| line.actor.who).collect();
    assert_eq!(whos, ["lan", "-", "-", "lan"]);
}

#[test]
fn behind_https_the_cookie_is_held_to_it() {
    let server = Server::with(|config| config.public_url = Some("https://loa.example".into()));
    let lan = server.admin();
    assert!(lan.cookie.starts_with("__Host-loa_session="), "{}", lan.cookie);
    assert_eq!(lan.get("/api/v1/session").status, 200);
    let mut other = lan.clone();
    other.cookie = lan.cookie.replace("__Host-", "");
    assert_eq!(other.get("/api/v1/session").error().0, 401);
}

#[test]
fn errors_speak_the_language_that_is_asked_for() {
    let server = Server::start();
    let mut client = server.anybody();
    for (language, message) in [
        ("vi", "Tên đăng nhập hoặc mật khẩu không đúng."),
        ("en-GB,en;q=0.9", "The user name or the password is wrong."),
        ("fr", "Tên đăng nhập hoặc mật khẩu không đúng."),
        ("é", "Tên đăng nhập hoặc mật khẩu không đúng."),
    ] {
        client.language = language;
        assert_eq!(client.sign_in("lan", "x").json()["message"], message, "{language}");
    }
}
