//! The life of receivers over the API: moved, revoked, enrolled again, claimed; by whom, and what the record says of it.

use loa_protocol::AreaId;
use loa_protocol::agreement::PrivateKey;
use loa_protocol::claim::Request;
use loa_protocol::enrolment::Enrolment;

use super::*;

fn technician(server: &Server, name: &str, area: &str) -> Client {
    let area = AreaId::parse(area).unwrap();
    server.somebody(name, &[Grant::within(Role::Technician, area)])
}

fn enrolment(reply: &Reply) -> Enrolment {
    use base64::Engine as _;
    let text = reply.json()["enrolment"].as_str().unwrap().to_owned();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    Enrolment::decode(&bytes).unwrap().unwrap()
}

/// What the record says of the last change: what, before, after.
fn last(server: &Server) -> (String, Value, Value) {
    let line = server.lines().remove(0);
    let json = |text: Option<String>| text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    (line.what, json(line.before), json(line.after))
}

#[test]
fn a_receiver_is_moved_by_who_may_in_both_areas() {
    let server = Server::start();
    let admin = server.admin();
    let (north, south) = (admin.area("Bắc"), admin.area("Nam"));
    let id = admin.receiver("Loa 1", &north);
    let path = format!("/api/v1/receivers/{id}");
    let patch = |client: &Client, body: Value| {
        client.send(
            "PATCH",
            &path,
            &[("content-type", "application/json")],
            body.to_string().as_bytes(),
        )
    };
    let tam = technician(&server, "tam", &north);
    // Who is a technician of one area can neither give away nor take.
    let refused = patch(&tam, json!({ "area_id": south }));
    assert_eq!(refused.error(), (422, "invalid".into(), vec!["area_id".into()]));
    let other = technician(&server, "nam", &south);
    assert_eq!(patch(&other, json!({ "area_id": south })).status, 404);
    server.told();
    let renamed = patch(&tam, json!({ "name": "Loa cổng chợ", "volume": 30 }));
    assert_eq!(
        (renamed.status, renamed.json()["name"].as_str()),
        (200, Some("Loa cổng chợ"))
    );
    let (what, before, after) = last(&server);
    assert_eq!(what, "receiver.change");
    assert_eq!(before, json!({ "name": "Loa 1", "volume": 80 }));
    assert_eq!(after, json!({ "name": "Loa cổng chợ", "volume": 30 }));
    assert_eq!(server.told().len(), 2);

    let everywhere = server.somebody("ky", &[Grant::everywhere(Role::Technician)]);
    let moved = patch(&everywhere, json!({ "area_id": south }));
    assert_eq!((moved.status, moved.json()["id"].as_str()), (200, Some(&*id)));
    assert_eq!(
        last(&server),
        (
            "receiver.move".into(),
            json!({ "area_id": north }),
            json!({ "area_id": south })
        )
    );
    assert_eq!(server.told(), [Notice::ReceiversChanged]);
    assert_eq!(tam.get("/api/v1/receivers").json(), json!([]));
    assert_eq!(patch(&tam, json!({ "name": "x" })).status, 404);
    assert_eq!(other.get("/api/v1/receivers").json().as_array().unwrap().len(), 1);
    for (body, field) in [
        (json!({ "name": " " }), "name"),
        (json!({ "volume": 101 }), "volume"),
        (json!({ "area_id": "x" }), "area_id"),
        (json!({ "area_id": "01990000-0000-7000-8000-000000000000" }), "area_id"),
    ] {
        assert_eq!(patch(&everywhere, body).error().2, [field]);
    }
}

#[test]
fn a_receiver_is_revoked_and_comes_back_only_with_a_new_secret() {
    let server = Server::start();
    let admin = server.admin();
    let area = admin.area("Xã");
    let reply = admin.post("/api/v1/receivers", json!({ "name": "Loa 1", "area_id": area }));
    let (first, id) = (
        enrolment(&reply),
        reply.json()["receiver"]["id"].as_str().unwrap().to_owned(),
    );
    let path = |verb: &str| format!("/api/v1/receivers/{id}/{verb}");
    let officer = server.somebody("hoa", &[Grant::everywhere(Role::Officer)]);
    for verb in ["revoke", "rotate", "enrolment"] {
        assert_eq!(officer.post(&path(verb), json!({})).error().1, "forbidden");
    }
    server.told();
    assert_eq!(admin.post(&path("rotate"), Value::Null).json()["rotating"], true);
    assert_eq!(server.told().len(), 1);
    let revoked = admin.post(&path("revoke"), Value::Null);
    assert!(revoked.json()["revoked_at"].is_string(), "{revoked:?}");
    assert_eq!(server.told(), [Notice::ReceiversChanged]);
    for verb in ["revoke", "rotate"] {
        assert_eq!(admin.post(&path(verb), Value::Null).error().1, "revoked");
    }
    // Its history stays, its secret does not.
    assert_eq!(admin.get("/api/v1/receivers").json()[0]["id"], json!(id));
    use crate::playout::Archive as _;
    let roster = || server.runtime.block_on(server.store.receivers()).unwrap();
    assert!(roster().is_empty());
    let again = admin.post(&path("enrolment"), json!({ "host": "192.0.2.7" }));
    assert_eq!(
        (again.status, again.json()["receiver"]["revoked_at"].clone()),
        (201, Value::Null)
    );
    let second = enrolment(&again);
    assert_eq!(
        (second.receiver, &second.areas, second.epoch),
        (first.receiver, &first.areas, 1)
    );
    assert_eq!(second.media_host, "192.0.2.7");
    assert_ne!(second.secret, first.secret);
    assert_eq!((roster()[0].secret.clone(), roster()[0].epoch), (second.secret, 1));
    let (what, before, after) = last(&server);
    assert_eq!(
        (what.as_str(), &before["revoked"], &after["revoked"]),
        ("receiver.replace", &json!(true), &json!(false))
    );
    // No secret in the record.
    let record = format!("{:?}", server.lines());
    let digits = loa_protocol::id::hex::<64>(&first.secret.0);
    assert!(!record.contains(std::str::from_utf8(&digits).unwrap()));
}

/// A device that asks, and its code.
fn asks(server: &Server, n: u8) -> (PrivateKey, String) {
    let key = PrivateKey::new([n; 32]);
    let request = Request {
        device: key.public(),
        firmware: "0.1".try_into().unwrap(),
        board: "qemu".try_into().unwrap(),
        key_number: 1,
    };
    let origin = Some(std::net::IpAddr::from([192, 0, 2, n]));
    server.claims.lock().unwrap().hear(request, origin, [n; 16], now());
    let code = key.public().claim().code().to_string();
    (key, code)
}

#[test]
fn a_device_is_approved_by_its_whole_code_alone() {
    let server = Server::start();
    let admin = server.admin();
    let (here, there) = (admin.area("Đây"), admin.area("Kia"));
    let tam = technician(&server, "tam", &here);
    let officer = server.somebody("hoa", &[Grant::everywhere(Role::Officer)]);
    let (key, code) = asks(&server, 3);
    assert_eq!(officer.get("/api/v1/claims").error().1, "forbidden");
    let listed = tam.get("/api/v1/claims").json();
    assert_eq!(listed[0]["code"], json!(code[..4]));
    // Nothing that is listed gives the code away.
    let text = listed.to_string();
    let digits = loa_protocol::id::hex::<32>(&key.public().claim().0);
    assert!(
        !text.contains(&code[5..9]) && !text.contains(std::str::from_utf8(&digits[..8]).unwrap()),
        "{text}"
    );

    let approve =
        |client: &Client, code: &str, body: Value| client.post(&format!("/api/v1/claims/{code}/approve"), body);
    let new = |area: &str| json!({ "name": "Loa mới", "area_id": area });
    assert_eq!(approve(&officer, &code, new(&here)).error().1, "forbidden");
    let page = listed[0]["id"].as_str().unwrap();
    for wrong in [&code[..4], "0000-0000-0000-0000", page, "x"] {
        assert_eq!(approve(&tam, wrong, new(&here)).status, 404, "{wrong}");
    }
    assert_eq!(approve(&tam, &code, new(&there)).error().2, ["area_id"]);
    for (body, field) in [
        (json!({}), "name"),
        (json!({ "name": "x" }), "area_id"),
        (json!({ "name": "x", "area_id": here, "replaces": here }), "replaces"),
        (
            json!({ "replaces": "01990000-0000-7000-8000-000000000000" }),
            "replaces",
        ),
        (json!({ "name": " ", "area_id": here }), "name"),
    ] {
        assert_eq!(
            approve(&tam, &code, body).error(),
            (422, "invalid".into(), vec![field.into()])
        );
    }
    server.told();
    let typed = format!("loa:claim:{}", code.to_lowercase().replace('-', ""));
    let done = approve(&tam, &typed, new(&here));
    assert_eq!(done.status, 201, "{done:?}");
    assert_eq!(server.told(), [Notice::Claimed(key.public().claim(), 1)]);
    assert_eq!(approve(&tam, &code, new(&here)).status, 404);
    assert_eq!(tam.get("/api/v1/claims").json(), json!([]));
    let (what, _, after) = last(&server);
    assert_eq!((what.as_str(), &after["by"]), ("receiver.enrol", &json!("claim")));
    // What the device works out is what the server has.
    use crate::playout::Archive as _;
    let claims = server.runtime.block_on(server.store.claims()).unwrap();
    let row = server.runtime.block_on(server.store.receivers()).unwrap().remove(0);
    assert_eq!(row.secret, key.claimed_secret(&claims[0].server).unwrap());
    assert_eq!(
        (claims[0].receiver, claims[0].media.0.as_str()),
        (row.id, "loa.example")
    );

    // Another device in its place: the first one's secret is dead, and it is not answered any more.
    let (second, code) = asks(&server, 4);
    let done = approve(&tam, &code, json!({ "replaces": row.id.to_string() }));
    assert_eq!((done.status, done.id()), (201, row.id.to_string()));
    let claims = server.runtime.block_on(server.store.claims()).unwrap();
    assert_eq!((claims.len(), claims[0].id), (1, second.public().claim()));
    let row = server.runtime.block_on(server.store.receivers()).unwrap().remove(0);
    assert_eq!(
        (row.secret, row.epoch),
        (second.claimed_secret(&claims[0].server).unwrap(), 1)
    );
}

#[test]
fn a_device_is_refused_by_its_place_in_the_list() {
    let server = Server::start();
    let admin = server.admin();
    let (_, code) = asks(&server, 3);
    let page = admin.get("/api/v1/claims").json()[0]["id"].as_str().unwrap().to_owned();
    let refuse = |named: &str| {
        admin
            .send("DELETE", &format!("/api/v1/claims/{named}"), &[], b"")
            .status
    };
    assert_eq!((refuse("nothing"), refuse(&code[..4])), (404, 404));
    assert_eq!((refuse(&page), refuse(&page)), (204, 404));
    let (what, ..) = last(&server);
    assert_eq!(what, "claim.refuse");
    asks(&server, 3);
    assert_eq!(admin.get("/api/v1/claims").json(), json!([]));
    let (_, code) = asks(&server, 4);
    assert_eq!(refuse(&code), 204);
}
