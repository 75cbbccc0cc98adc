//! Bulletins, receivers and broadcasts as they should go.

use base64::Engine as _;
use loa_protocol::enrolment::Enrolment;

use super::*;
use crate::media::Programme;

#[test]
fn an_upload_becomes_a_bulletin_that_can_be_heard() {
    let server = Server::start();
    let lan = server.admin();
    // The title as some keyboards send it: letters and marks apart.
    let reply = lan.upload(" Ba\u{309}n tin sa\u{301}ng ", "emergency", &tone(1.5));
    assert_eq!(reply.status, 201, "{reply:?}");
    let it = reply.json();
    assert_eq!(it["title"], "B\u{1ea3}n tin s\u{e1}ng");
    assert_eq!(
        (&it["class"], &it["state"], &it["format"]),
        (&json!("emergency"), &json!("draft"), &json!("wav"))
    );
    assert_eq!((&it["samples"], &it["duration_ms"]), (&json!(72_000), &json!(1500)));
    assert_eq!(server.files(), [0, 1, 1]);
    let id = it["id"].as_str().unwrap();
    assert_eq!(std::fs::read(server.data.originals().join(id)).unwrap(), tone(1.5));
    let programme = Programme::open(&server.data.programmes().join(format!("{id}.opus"))).unwrap();
    assert_eq!(programme.samples(), 72_000);
    assert_eq!(lan.get("/api/v1/bulletins").json(), json!([it]));

    let path = format!("/api/v1/bulletins/{id}/audio");
    let whole = lan.get(&path);
    assert_eq!((whole.status, &whole.body[..4]), (200, &b"OggS"[..]));
    assert_eq!(whole.headers["content-type"], "audio/ogg");
    let part = lan.send("GET", &path, &[("range", "bytes=4-9")], b"");
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[4..10]));
    assert_eq!(part.headers["content-range"], format!("bytes 4-9/{}", whole.body.len()));
    assert_eq!(lan.send("GET", &path, &[("range", "bytes=99999999-")], b"").status, 416);

    let approved = lan.post(&format!("/api/v1/bulletins/{id}/approve"), Value::Null);
    assert_eq!((approved.status, &approved.json()["state"]), (200, &json!("approved")));
}

#[test]
fn what_is_known_of_a_bulletin_is_told_searched_and_changed() {
    let server = Server::start();
    let lan = server.admin();
    let first = lan.upload("Tiêm chủng", "normal", &tone(2.0)).json();
    assert_eq!((&first["language"], &first["tags"]), (&json!("vi"), &json!([])));
    // A tone of full scale's half has been brought to the one loudness.
    let lufs = first["lufs"].as_f64().unwrap();
    assert!((lufs - -16.0).abs() < 0.5, "{first}");
    assert!(
        first["source_lufs"]
            .as_f64()
            .is_some_and(|before| (before - lufs).abs() > 1.0),
        "{first}"
    );
    let id = first["id"].as_str().unwrap();
    let again = lan.upload("Tiêm chủng lần nữa", "normal", &tone(2.0)).json();
    assert_eq!(again["duplicate_of"], id, "taken, and told");
    let path = format!("/api/v1/bulletins/{id}");

    let outline = lan.get(&format!("{path}/peaks")).json();
    assert_eq!(
        (&outline["duration_ms"], outline["peaks"].as_array().unwrap().len()),
        (&json!(2000), 200)
    );
    assert!(
        outline["peaks"][100]
            .as_u64()
            .is_some_and(|peak| (40..80).contains(&peak)),
        "{outline}"
    );

    let change = json!({
        "title": "Tiêm chủng mở rộng", "folder": "Y tế/Trẻ em", "field": "Y tế", "language": "tay",
        "tags": ["trẻ em"], "expires_at": "2099-01-02T03:04:05+07:00",
    });
    let reply = lan.patch(&path, change);
    assert_eq!(reply.status, 200, "{reply:?}");
    let it = reply.json();
    assert_eq!(
        (&it["folder"], &it["field"], &it["language"]),
        (&json!("Y tế/Trẻ em"), &json!("Y tế"), &json!("tay"))
    );
    assert_eq!(it["expires_at"], "2099-01-01T20:04:05Z");
    for query in [
        "search=mo%20rong",
        "search=tr%E1%BA%BB",
        "folder=Y%20t%E1%BA%BF",
        "tag=tr%E1%BA%BB%20em",
        "language=tay",
    ] {
        assert_eq!(
            lan.get(&format!("/api/v1/bulletins?{query}")).json(),
            json!([it]),
            "{query}"
        );
    }
    assert_eq!(lan.get("/api/v1/bulletins?search=lu%20quet").json(), json!([]));
    let cleared = lan
        .patch(&path, json!({ "expires_at": "", "folder": "", "field": null }))
        .json();
    assert_eq!((cleared.get("expires_at"), cleared.get("folder")), (None, None));
    assert_eq!(cleared["field"], "Y tế");
    for (wrong, field) in [
        (json!({ "expires_at": "mai" }), "expires_at"),
        (json!({ "language": "Việt" }), "language"),
        (json!({ "title": "" }), "title"),
    ] {
        assert_eq!(
            lan.patch(&path, wrong).error(),
            (422, "invalid".into(), vec![field.into()])
        );
    }
    let long = format!("/api/v1/bulletins?search={}", "a".repeat(201));
    assert_eq!(lan.get(&long).error(), (422, "invalid".into(), vec!["search".into()]));
}

#[test]
fn silence_is_trimmed_where_the_form_says_so() {
    let server = Server::start();
    let lan = server.admin();
    let mut form = Form::default();
    form.field("title", "Chuông")
        .field("class", "normal")
        .field("trim", "true")
        .file(&tone(1.0));
    let reply = lan.send_form(&form);
    // There is none around: nothing is lost.
    assert_eq!((reply.status, &reply.json()["samples"]), (201, &json!(48_000)));
    let mut form = Form::default();
    form.field("title", "Chuông")
        .field("class", "normal")
        .field("trim", "có")
        .file(&tone(1.0));
    assert_eq!(
        lan.send_form(&form).error(),
        (422, "invalid".into(), vec!["trim".into()])
    );
}

#[test]
fn a_bulletin_is_deleted_once_nothing_needs_it() {
    let server = Server::start();
    let lan = server.admin();
    let area = lan.area("Xã Đông");
    let bulletin = lan.approved();
    let body = json!({ "bulletin_id": bulletin, "target": { "areas": [area], "receivers": [] } });
    let broadcast = lan.post("/api/v1/broadcasts", body).json();
    let path = format!("/api/v1/bulletins/{bulletin}");
    let refused = lan.delete(&path);
    assert_eq!(refused.error(), (409, "in_use".into(), vec![]));
    assert_eq!(
        refused.json()["uses"],
        json!([{ "kind": "broadcast", "id": broadcast["id"], "start": broadcast["start"] }])
    );
    assert_eq!(server.files(), [0, 1, 1]);

    let stop = format!("/api/v1/broadcasts/{}/stop", broadcast["id"].as_str().unwrap());
    assert_eq!(lan.post(&stop, Value::Null).status, 200);
    assert_eq!(lan.delete(&path).status, 204);
    assert_eq!(server.files(), [0, 0, 0]);
    assert_eq!(lan.get("/api/v1/bulletins").json(), json!([]));
    for path in [path.clone(), format!("{path}/peaks"), format!("{path}/audio")] {
        let reply = match path.ends_with(&bulletin) {
            true => lan.delete(&path),
            false => lan.get(&path),
        };
        assert_eq!(reply.error(), (404, "not_found".into(), vec![]), "{path}");
    }
    assert_eq!(lan.get("/api/v1/broadcasts").json()[0]["title"], "Bản tin sáng");
    let acts: Vec<_> = server.lines().into_iter().map(|line| line.what).collect();
    assert!(acts.contains(&"bulletin.delete".to_owned()), "{acts:?}");
}

#[test]
fn a_receiver_is_enrolled_and_changed() {
    let server = Server::start();
    let lan = server.admin();
    let commune = lan.area("Xã Đông");
    let village = lan.post(
        "/api/v1/areas",
        json!({ "name": "Thôn 1", "kind": "village", "parent_id": commune, "code": "1" }),
    );
    assert_eq!(village.json()["path"], json!([commune, village.id()]));
    let reply = lan.post(
        "/api/v1/receivers",
        json!({ "name": "Đầu thôn", "area_id": village.id(), "volume": 60 }),
    );
    assert_eq!(reply.status, 201, "{reply:?}");
    let it = reply.json();
    let flash = base64::prelude::BASE64_STANDARD
        .decode(it["enrolment"].as_str().unwrap())
        .unwrap();
    let enrolment = Enrolment::decode(&flash).unwrap().unwrap();
    assert_eq!(enrolment.receiver.to_string(), it["receiver"]["id"].as_str().unwrap());
    let path: Vec<_> = enrolment.areas.iter().map(ToString::to_string).collect();
    assert_eq!(path, [commune.clone(), village.id()]);
    assert_eq!((&*enrolment.mqtt_host, enrolment.mqtt_port), ("loa.example", 8883));
    assert_eq!((&*enrolment.media_host, enrolment.media_port), ("loa.example", 5004));
    assert_eq!(it["receiver"]["volume"], 60);
    // The secret is told this once.
    let id = it["receiver"]["id"].as_str().unwrap();
    assert!(lan.get("/api/v1/receivers").json()[0].get("enrolment").is_none());
    assert_eq!(server.told(), [Notice::ReceiversChanged; 3]);

    let body = json!({ "name": "Trong ảo", "area_id": commune, "host": "10.0.2.2" });
    let other = lan.post("/api/v1/receivers", body).json();
    let flash = base64::prelude::BASE64_STANDARD
        .decode(other["enrolment"].as_str().unwrap())
        .unwrap();
    let other = Enrolment::decode(&flash).unwrap().unwrap();
    assert_eq!((&*other.mqtt_host, &*other.media_host), ("10.0.2.2", "10.0.2.2"));
    assert_ne!(other.secret, enrolment.secret);
    server.told();

    let path = format!("/api/v1/receivers/{id}");
    let json = [("content-type", "application/json")];
    let reply = lan.send("PATCH", &path, &json, br#"{"volume":35}"#);
    assert_eq!((reply.status, &reply.json()["volume"]), (200, &json!(35)));
    assert_eq!(server.told(), [Notice::Volume(enrolment.receiver)]);
    assert_eq!(
        lan.post(&format!("{path}/reboot"), Value::Null).error(),
        (409, "offline".into(), vec![])
    );
    assert!(server.told().is_empty());
    let here = crate::playout::Fact::Presence(enrolment.receiver, true, now());
    server
        .runtime
        .block_on(crate::playout::Archive::record(&*server.store, here))
        .unwrap();
    while !server
        .runtime
        .block_on(server.store.receiver(enrolment.receiver))
        .unwrap()
        .online
    {
        std::thread::yield_now();
    }
    assert_eq!(lan.post(&format!("{path}/reboot"), Value::Null).status, 202);
    assert_eq!(server.told(), [Notice::Reboot(enrolment.receiver)]);
}

#[test]
fn a_broadcast_is_accepted_told_and_stopped() {
    let server = Server::start();
    let lan = server.admin();
    let area = lan.area("Xã Đông");
    let receiver = lan.receiver("Loa", &area);
    let bulletin = lan.approved();
    server.told();

    let body = json!({ "bulletin_id": bulletin, "target": { "areas": [area], "receivers": [] } });
    let before = now();
    let reply = lan.post("/api/v1/broadcasts", body.clone());
    assert_eq!(reply.status, 201, "{reply:?}");
    let it = reply.json();
    let start = shapes::instant(it["start"].as_str().unwrap()).unwrap();
    let lead = crate::playout::LEAD.as_micros() as u64;
    assert!((before.0 + lead..=now().0 + lead).contains(&start.0));
    let end = shapes::instant(it["end"].as_str().unwrap()).unwrap();
    assert_eq!(end.0 - start.0, 500_000);
    assert_eq!(
        (&it["state"], &it["title"], &it["class"]),
        (&json!("scheduled"), &json!("Bản tin sáng"), &json!("normal"))
    );
    assert_eq!(it["receivers"], json!({ "targeted": 1, "playing": 0, "played": 0 }));
    assert_eq!(it["target"], json!({ "areas": [area], "receivers": [] }));
    let id = loa_protocol::BroadcastId::parse(it["id"].as_str().unwrap()).unwrap();
    assert_eq!(server.told(), [Notice::Accepted(id)]);

    let mut later = body;
    later["start"] = json!("2099-02-17T05:30:00+07:00");
    assert_eq!(
        lan.post("/api/v1/broadcasts", later.clone()).error(),
        (422, "invalid".into(), vec!["start".into()])
    );
    let tomorrow = shapes::written(UnixMicros(now().0 + 86_400_000_000));
    later["start"] = json!(tomorrow);
    let reply = lan.post("/api/v1/broadcasts", later);
    assert_eq!((reply.status, &reply.json()["start"]), (201, &json!(tomorrow)));
    assert_eq!(lan.get("/api/v1/broadcasts").json().as_array().unwrap().len(), 2);
    server.told();

    let receipts = lan.get(&format!("/api/v1/broadcasts/{id}/receipts")).json();
    assert_eq!(
        (receipts[0]["receiver_id"].as_str(), receipts[0]["outcome"].as_str()),
        (Some(&*receiver), Some("pending"))
    );
    let only = |it: &str| lan.get(&format!("/api/v1/broadcasts/{id}/receipts?receiver_id={it}"));
    assert_eq!(only(&receiver).json(), receipts);
    assert_eq!(only("01990000-0000-7000-8000-000000000000").json(), json!([]));
    assert_eq!(only("x").error(), (422, "invalid".into(), vec!["receiver_id".into()]));
    let stopped = lan.post(&format!("/api/v1/broadcasts/{id}/stop"), Value::Null);
    assert_eq!((stopped.status, &stopped.json()["state"]), (200, &json!("stopped")));
    assert_eq!(server.told(), [Notice::Stopped(id)]);
    let receipts = lan.get(&format!("/api/v1/broadcasts/{id}/receipts")).json();
    assert_eq!(receipts[0]["outcome"], "none");
    assert_eq!(
        lan.post(&format!("/api/v1/broadcasts/{id}/stop"), Value::Null).error(),
        (409, "over".into(), vec![])
    );
    assert!(server.told().is_empty());
}
