//! What is wrong is refused with its code, and changes nothing.

use super::*;

/// All that a request could have changed.
fn state(server: &Server, client: &Client) -> (Vec<Value>, [usize; 3], usize) {
    let lists =
        ["areas", "receivers", "bulletins", "broadcasts"].map(|list| client.get(&format!("/api/v1/{list}")).json());
    (lists.to_vec(), server.files(), server.lines().len())
}

#[test]
fn requests_that_are_wrong() {
    let server = Server::start();
    let lan = server.admin();
    let area = lan.area("Xã Đông");
    lan.receiver("Loa", &area);
    let bulletin = lan.approved();
    let draft = lan.upload("Chưa duyệt", "normal", &tone(0.2)).id();
    let nothing = "01990000-0000-7000-8000-000000000000";
    let before = state(&server, &lan);
    server.told();

    let to = |target: Value| json!({ "bulletin_id": bulletin, "target": target });
    let here = json!({ "areas": [area], "receivers": [] });
    let start = |start: &str| json!({ "bulletin_id": bulletin, "target": here, "start": start });
    let stop = format!("/api/v1/broadcasts/{nothing}/stop");
    let approve = format!("/api/v1/bulletins/{nothing}/approve");
    let volume = format!("/api/v1/receivers/{nothing}");
    for (method, path, body, status, code, fields) in [
        (
            "POST",
            "/api/v1/broadcasts",
            to(json!({ "areas": [], "receivers": [] })),
            422,
            "invalid",
            vec!["target"],
        ),
        (
            "POST",
            "/api/v1/broadcasts",
            to(json!({ "areas": [nothing], "receivers": [] })),
            422,
            "invalid",
            vec!["target.areas"],
        ),
        (
            "POST",
            "/api/v1/broadcasts",
            to(json!({ "areas": ["x"], "receivers": [] })),
            422,
            "invalid",
            vec!["target.areas"],
        ),
        (
            "POST",
            "/api/v1/broadcasts",
            to(json!({ "areas": [area], "receivers": [nothing] })),
            422,
            "invalid",
            vec!["target.receivers"],
        ),
        (
            "POST",
            "/api/v1/broadcasts",
            to(json!({ "areas": [area] })),
            422,
            "invalid",
            vec![],
        ),
        (
            "POST",
            "/api/v1/broadcasts",
            to(json!({ "areas": [area], "receivers": [], "tags": [] })),
            422,
            "invalid",
            vec![],
        ),
        (
            "POST",
            "/api/v1/broadcasts",
            start("yesterday"),
            422,
            "invalid",
            vec!["start"],
        ),
        (
            "POST",
            "/api/v1/broadcasts",
            start("2001-01-01T00:00:00Z"),
            422,
            "invalid",
            vec!["start"],
        ),
        (
            "POST",
            "/api/v1/broadcasts",
            start("2999-01-01T00:00:00Z"),
            422,
            "invalid",
            vec!["start"],
        ),
        (
            "POST",
            "/api/v1/broadcasts",
            json!({ "bulletin_id": "x", "target": here }),
            422,
            "invalid",
            vec!["bulletin_id"],
        ),
        (
            "POST",
            "/api/v1/broadcasts",
            json!({ "bulletin_id": nothing, "target": here }),
            404,
            "not_found",
            vec![],
        ),
        (
            "POST",
            "/api/v1/broadcasts",
            json!({ "bulletin_id": draft, "target": here }),
            409,
            "not_approved",
            vec![],
        ),
        (
            "POST",
            "/api/v1/areas",
            json!({ "name": "", "kind": "commune" }),
            422,
            "invalid",
            vec!["name"],
        ),
        (
            "POST",
            "/api/v1/areas",
            json!({ "name": "Xã", "kind": "XÃ" }),
            422,
            "invalid",
            vec!["kind"],
        ),
        (
            "POST",
            "/api/v1/areas",
            json!({ "name": "Xã", "kind": "commune", "parent_id": nothing }),
            422,
            "invalid",
            vec!["parent_id"],
        ),
        (
            "POST",
            "/api/v1/areas",
            json!({ "name": "Xã", "kind": "commune", "parent_id": "?" }),
            422,
            "invalid",
            vec!["parent_id"],
        ),
        ("POST", "/api/v1/areas", json!(["Xã"]), 422, "invalid", vec![]),
        (
            "POST",
            "/api/v1/receivers",
            json!({ "name": "Loa", "area_id": area }),
            422,
            "invalid",
            vec!["name"],
        ),
        (
            "POST",
            "/api/v1/receivers",
            json!({ "name": "Loa", "area_id": nothing }),
            422,
            "invalid",
            vec!["area_id"],
        ),
        (
            "POST",
            "/api/v1/receivers",
            json!({ "name": "Loa 2", "area_id": area, "volume": 101 }),
            422,
            "invalid",
            vec!["volume"],
        ),
        (
            "POST",
            "/api/v1/receivers",
            json!({ "name": "Loa 2", "area_id": area, "volume": 300 }),
            422,
            "invalid",
            vec![],
        ),
        (
            "POST",
            "/api/v1/receivers",
            json!({ "name": "Loa 2", "area_id": area, "host": "a b" }),
            422,
            "invalid",
            vec!["host"],
        ),
        ("POST", &*stop, Value::Null, 404, "not_found", vec![]),
        (
            "POST",
            "/api/v1/broadcasts/x/stop",
            Value::Null,
            404,
            "not_found",
            vec![],
        ),
        ("POST", &*approve, Value::Null, 404, "not_found", vec![]),
        ("PATCH", &*volume, json!({ "volume": 20 }), 404, "not_found", vec![]),
        (
            "PATCH",
            &*volume,
            json!({ "volume": 200 }),
            422,
            "invalid",
            vec!["volume"],
        ),
        ("PATCH", &*volume, json!({}), 422, "invalid", vec![]),
        (
            "GET",
            "/api/v1/broadcasts?limit=0",
            Value::Null,
            422,
            "invalid",
            vec!["limit"],
        ),
        (
            "GET",
            "/api/v1/bulletins?before=x",
            Value::Null,
            422,
            "invalid",
            vec!["before"],
        ),
        (
            "GET",
            &*format!("/api/v1/bulletins/{nothing}/audio"),
            Value::Null,
            404,
            "not_found",
            vec![],
        ),
        (
            "GET",
            "/api/v1/bulletins/..%2f..%2floa.db/audio",
            Value::Null,
            404,
            "not_found",
            vec![],
        ),
        (
            "GET",
            &*format!("/api/v1/broadcasts/{nothing}/receipts"),
            Value::Null,
            404,
            "not_found",
            vec![],
        ),
    ] {
        let text = if method == "GET" {
            String::new()
        } else {
            body.to_string()
        };
        let reply = lan.send(method, path, &[("content-type", "application/json")], text.as_bytes());
        let fields = fields.into_iter().map(String::from).collect();
        assert_eq!(reply.error(), (status, code.into(), fields), "{method} {path} {body}");
    }
    for (kind, body) in [
        ("application/json", "{"),
        ("application/json", ""),
        ("text/plain", "{}"),
    ] {
        let reply = lan.send("POST", "/api/v1/areas", &[("content-type", kind)], body.as_bytes());
        assert_eq!(reply.error(), (400, "bad_request".into(), vec![]), "{kind} {body}");
    }
    let of = |length: usize| {
        let body = format!("{{\"name\":\"{}\"}}", "a".repeat(length - 11));
        let json = [("content-type", "application/json")];
        lan.send("POST", "/api/v1/areas", &json, body.as_bytes()).error()
    };
    assert_eq!(of((64 << 10) + 1), (413, "too_large".into(), vec![]));
    assert_eq!(of(64 << 10).1, "invalid");
    assert_eq!(state(&server, &lan), before);
    assert!(server.told().is_empty());
}

#[test]
fn files_that_are_wrong() {
    let server = Server::start();
    let lan = server.admin();
    let before = state(&server, &lan);
    let whole = tone(1.0);
    for (file, status, code) in [
        (&b""[..], 422, "empty_file"),
        (
            &b"not audio at all, only text in a file with an audio name. ".repeat(50)[..],
            422,
            "not_audio",
        ),
        (&whole[..whole.len() / 2], 422, "truncated"),
        (&[0; 2_000_001][..], 413, "too_large"),
    ] {
        let reply = lan.upload("Bản tin", "normal", file);
        assert_eq!(reply.error(), (status, code.into(), vec![]), "{} bytes", file.len());
    }
    assert_eq!(state(&server, &lan), before);
    drop(server);
    let server = Server::with(|config| config.upload_max_duration = std::time::Duration::from_secs(1));
    let lan = server.admin();
    assert_eq!(
        lan.upload("Bản tin", "normal", &tone(1.2)).error(),
        (422, "too_long".into(), vec![])
    );
    assert_eq!(server.files(), [0, 0, 0]);
}

#[test]
fn forms_that_are_wrong() {
    let server = Server::start();
    let lan = server.admin();
    let before = state(&server, &lan);
    let form = |fill: &dyn Fn(&mut Form)| {
        let mut form = Form::default();
        fill(&mut form);
        lan.send_form(&form)
    };
    let sound = tone(0.2);
    for (reply, code, field) in [
        (
            form(&|it| _ = it.field("title", "A").field("class", "normal")),
            "invalid",
            "file",
        ),
        (
            form(&|it| _ = it.field("class", "normal").file(&sound)),
            "invalid",
            "title",
        ),
        (form(&|it| _ = it.field("title", "A").file(&sound)), "invalid", "class"),
        (
            form(&|it| _ = it.field("title", " ").field("class", "normal").file(&sound)),
            "invalid",
            "title",
        ),
        (
            form(&|it| {
                _ = it
                    .field("title", &"a".repeat(201))
                    .field("class", "normal")
                    .file(&sound)
            }),
            "invalid",
            "title",
        ),
        (
            form(&|it| {
                _ = it
                    .field("title", &"a".repeat(9000))
                    .field("class", "normal")
                    .file(&sound)
            }),
            "invalid",
            "title",
        ),
        (
            form(&|it| _ = it.field("title", "A").field("class", "urgent").file(&sound)),
            "invalid",
            "class",
        ),
    ] {
        assert_eq!(reply.error(), (422, code.into(), vec![field.into()]));
    }
    assert_eq!(form(&|it| _ = it.field("colour", "red")).error().1, "bad_request");
    let twice = form(&|it| _ = it.field("title", "A").field("title", "B").file(&sound));
    assert_eq!(twice.error().1, "bad_request");
    let json = lan.post("/api/v1/bulletins", json!({ "title": "A" }));
    assert_eq!(json.error().1, "bad_request");
    // Cut off in the middle of the file.
    let mut cut = Form::default();
    cut.field("title", "A").field("class", "normal").file(&sound);
    let kind = format!("multipart/form-data; boundary={}", Form::BOUNDARY);
    let reply = lan.send(
        "POST",
        "/api/v1/bulletins",
        &[("content-type", &kind)],
        &cut.0[..cut.0.len() / 2],
    );
    assert_eq!(reply.error(), (400, "bad_request".into(), vec![]));
    assert_eq!(state(&server, &lan), before);
}

#[test]
fn without_an_address_nobody_is_enrolled() {
    let server = Server::with(|config| config.public_host = None);
    let lan = server.admin();
    let area = lan.area("Xã Đông");
    let before = state(&server, &lan);
    let body = json!({ "name": "Loa", "area_id": area });
    assert_eq!(
        lan.post("/api/v1/receivers", body).error(),
        (409, "no_public_host".into(), vec![])
    );
    assert_eq!(state(&server, &lan), before);
}

/// Whatever name and type a file is sent with (the tests' forms say MP3), its bytes decide; and what they certainly are not
/// is said.
#[test]
fn what_is_certainly_no_sound_is_named_before_it_is_kept() {
    let server = Server::start();
    let lan = server.admin();
    let before = state(&server, &lan);
    for (begins, what) in [
        (&b"%PDF-1.7\n"[..], "PDF"),
        (b"PK\x03\x04", "ZIP"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"<!doctype html><script>alert(1)</script>", "v\u{103}n b\u{1ea3}n"),
    ] {
        let filler: &[u8] = if what.starts_with('v') {
            b"<p>a</p>"
        } else {
            b"\0\x01\x02\xff"
        };
        let file = [begins, &filler.repeat(100_000)].concat();
        let reply = lan.upload("Bản tin", "normal", &file);
        assert_eq!(reply.error(), (422, "not_audio".into(), vec![]), "{what}");
        let message = reply.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(what) && message.contains("MP3"), "{message}");
    }
    assert_eq!(state(&server, &lan), before);
}
