//! Where receivers stand and how they were, over the API.

use loa_protocol::report::{MediaPath, Serial, Telemetry};
use loa_protocol::{AreaId, ReceiverId};

use super::*;
use crate::playout::{Archive as _, Fact};

#[test]
fn a_receiver_is_put_on_the_map_by_who_mounts_it() {
    let server = Server::start();
    let admin = server.admin();
    let area = admin.area("Xã");
    let new = json!({ "name": "Loa 1", "area_id": area, "latitude": 21.03, "longitude": 105.85 });
    let added = admin.post("/api/v1/receivers", new).json()["receiver"].clone();
    assert_eq!(
        (&added["latitude"], &added["longitude"]),
        (&json!(21.03), &json!(105.85))
    );
    let id = admin.receiver("Loa 2", &area);
    let listed = admin.get("/api/v1/receivers").json();
    assert!(listed[1].get("latitude").is_none(), "{listed}");
    let patch = |client: &Client, body: Value| {
        let json = [("content-type", "application/json")];
        client.send(
            "PATCH",
            &format!("/api/v1/receivers/{id}"),
            &json,
            body.to_string().as_bytes(),
        )
    };
    let place = json!({ "latitude": -8.5, "longitude": 105 });
    let here = AreaId::parse(&area).unwrap();
    let officer = server.somebody("hoa", &[Grant::within(Role::Officer, here)]);
    assert_eq!(patch(&officer, place.clone()).error().1, "forbidden");
    let technician = server.somebody("tam", &[Grant::within(Role::Technician, here)]);
    server.told();
    let moved = patch(&technician, place);
    assert_eq!(
        (moved.status, &moved.json()["latitude"]),
        (200, &json!(-8.5)),
        "{moved:?}"
    );
    // The air does not care where it stands.
    assert_eq!(server.told(), []);
    for (body, field) in [
        (json!({ "latitude": 21 }), "longitude"),
        (json!({ "longitude": 105 }), "latitude"),
        (json!({ "latitude": 91, "longitude": 105 }), "latitude"),
        (json!({ "latitude": 21, "longitude": 181 }), "longitude"),
    ] {
        assert_eq!(
            patch(&technician, body.clone()).error(),
            (422, "invalid".into(), vec![field.into()])
        );
        let mut new = body;
        (new["name"], new["area_id"]) = ("Loa 3".into(), json!(area));
        assert_eq!(admin.post("/api/v1/receivers", new).error().2, [field]);
    }
    assert_eq!(admin.get("/api/v1/receivers").json()[1]["longitude"], 105.0);
}

#[test]
fn a_receivers_history_is_read_by_who_sees_it() {
    let server = Server::start();
    let admin = server.admin();
    let (here, there) = (admin.area("Đây"), admin.area("Kia"));
    let id = admin.receiver("Loa 1", &here);
    let path = format!("/api/v1/receivers/{id}/history");
    let empty = admin.get(&path).json();
    assert_eq!((&empty["step_seconds"], &empty["stretches"]), (&json!(600), &json!([])));
    let receiver = ReceiverId::parse(&id).unwrap();
    let telemetry = Telemetry {
        serial: Serial { boot: 5, number: 1 },
        path: MediaPath::Mqtt,
        round_trip: 20_500,
        volume: 70,
        expected: 10,
        lost: 1,
        ..Telemetry::default()
    };
    let facts = [
        Fact::Telemetry(receiver, telemetry, clock::now()),
        Fact::Broadcast(
            loa_protocol::BroadcastId([0; 16]),
            crate::playout::conductor::State::OnAir,
            clock::now(),
        ),
    ];
    for fact in facts {
        server.runtime.block_on(server.store.record(fact)).unwrap();
    }
    let viewer =
        |name, area: &str| server.somebody(name, &[Grant::within(Role::Auditor, AreaId::parse(area).unwrap())]);
    let stretch = viewer("xem", &here).get(&path).json()["stretches"][0].clone();
    assert!(stretch["at"].is_string(), "{stretch}");
    assert_eq!(
        [
            &stretch["online"],
            &stretch["loss"],
            &stretch["rtt_ms"],
            &stretch["path"],
            &stretch["volume"]
        ],
        [&json!(1.0), &json!(0.1), &json!(20.5), &json!("mqtt"), &json!(70)]
    );
    assert_eq!(viewer("khac", &there).get(&path).status, 404);
    assert_eq!(admin.get(&format!("{path}?days=3")).error().0, 400);
    for (query, field) in [
        ("from=yesterday", "from"),
        ("to=9999-01-01T00:00:00Z", "to"),
        ("from=2026-02-02T00:00:00Z&to=2026-02-01T00:00:00Z", "from"),
    ] {
        assert_eq!(
            admin.get(&format!("{path}?{query}")).error(),
            (422, "invalid".into(), vec![field.into()])
        );
    }
}
