//! Who may speak live, and relay what; what the studio tells the next one.

use super::*;
use crate::authority::{Reach, Role};
use loa_protocol::AreaId;

fn speech(area: &str, class: &str) -> Value {
    json!({ "title": "Thông báo", "class": class, "target": { "areas": [area], "receivers": [] } })
}

fn relay(area: &str, relay: &Value) -> Value {
    json!({ "relay": relay, "target": { "areas": [area], "receivers": [] } })
}

#[test]
fn a_studio_has_one_owner_whose_name_the_next_one_is_told() {
    let server = Server::start();
    let lan = server.admin();
    let (here, there) = (lan.area("Xã Đông"), lan.area("Xã Tây"));
    lan.receiver("Đầu thôn", &here);
    let grant = |role, area: &str| Grant {
        role,
        reach: Reach::Area(AreaId::parse(area).unwrap()),
    };
    let officer = server.somebody("hoa", &[grant(Role::Officer, &here)]);
    let neighbour = server.somebody("binh", &[grant(Role::Officer, &there), grant(Role::Technician, &here)]);
    server.told();

    assert_eq!(neighbour.post("/api/v1/live", speech(&here, "normal")).status, 403);
    assert_eq!(officer.post("/api/v1/live", speech(&here, "emergency")).status, 403);
    assert!(server.told().is_empty());
    let reply = officer.post("/api/v1/live", speech(&here, "normal"));
    assert_eq!(
        (reply.status, &reply.json()["source"]["kind"]),
        (201, &json!("microphone")),
        "{reply:?}"
    );
    assert!(matches!(server.told()[..], [Notice::Accepted(_)]));
    // It is no bulletin yet.
    assert_eq!(lan.get("/api/v1/bulletins").json(), json!([]));

    let taken = lan.post("/api/v1/live", speech(&here, "normal"));
    assert_eq!(taken.error(), (409, "studio_taken".into(), vec![]));
    assert!(taken.json()["message"].as_str().unwrap().contains("hoa"));
    // Elsewhere one speaks as one likes, and what is more urgent goes before.
    assert_eq!(neighbour.post("/api/v1/live", speech(&there, "normal")).status, 201);
    assert_eq!(lan.post("/api/v1/live", speech(&here, "priority")).status, 201);

    // The sound is for who speaks alone, and takes a WebSocket.
    let sound = format!("/api/v1/live/{}/sound", reply.id());
    assert_eq!(lan.get(&sound).error(), (404, "not_found".into(), vec![]));
    assert_eq!(officer.get(&sound).error(), (400, "bad_request".into(), vec![]));
    let foreign = [("sec-fetch-site", "cross-site")];
    assert_eq!(officer.send("GET", &sound, &foreign, b"").error().0, 403);

    let stopped = officer.post(&format!("/api/v1/broadcasts/{}/stop", reply.id()), Value::Null);
    assert_eq!(stopped.status, 200);
    assert_eq!(officer.get(&sound).status, 404);
    assert_eq!(server.files(), [0, 0, 0]);
}

#[test]
fn a_relay_is_accepted_whole_or_not_at_all() {
    let server = Server::start();
    let lan = server.admin();
    let area = lan.area("Xã Đông");
    let (approved, draft) = (lan.approved(), lan.upload("Nháp", "normal", &tone(0.5)).id());
    server.told();
    let until = shapes::written(UnixMicros(now().0 + 3_600_000_000));
    let good = json!({ "url": "https://radio.example/a.mp3", "title": "Đài tỉnh", "class": "normal", "until": until,
        "fallback_bulletin_ids": [approved] });
    let with = |key: &str, value: Value| {
        let mut it = good.clone();
        it[key] = value;
        relay(&area, &it)
    };
    for (body, status, code, field) in [
        (with("url", json!("http://10.0.0.1/")), 422, "invalid", "relay.url"),
        (with("url", json!("file:///etc/passwd")), 422, "invalid", "relay.url"),
        (with("url", json!("x".repeat(2000))), 422, "invalid", "relay.url"),
        (with("title", json!(" ")), 422, "invalid", "title"),
        (
            with("until", json!("2020-01-01T00:00:00Z")),
            422,
            "invalid",
            "relay.until",
        ),
        (
            with("fallback_bulletin_ids", json!(["x"])),
            422,
            "invalid",
            "relay.fallback_bulletin_ids",
        ),
        (with("fallback_bulletin_ids", json!([draft])), 409, "not_approved", ""),
        (
            json!({ "target": { "areas": [area], "receivers": [] } }),
            422,
            "invalid",
            "bulletin_id",
        ),
    ] {
        let fields = if field.is_empty() {
            vec![]
        } else {
            vec![field.to_owned()]
        };
        assert_eq!(
            lan.post("/api/v1/broadcasts", body.clone()).error(),
            (status, code.into(), fields),
            "{body}"
        );
    }
    assert!(server.told().is_empty());
    let reply = lan.post("/api/v1/broadcasts", relay(&area, &good));
    assert_eq!(reply.status, 201, "{reply:?}");
    let it = reply.json();
    assert_eq!((&it["title"], &it["end"]), (&json!("Đài tỉnh"), &json!(until)));
    assert_eq!(
        it["source"],
        json!({ "kind": "relay", "url": "https://radio.example/a.mp3" })
    );
    assert_eq!(lan.get("/api/v1/broadcasts").json()[0]["source"], it["source"]);
    assert!(matches!(server.told()[..], [Notice::Accepted(_)]));
}
