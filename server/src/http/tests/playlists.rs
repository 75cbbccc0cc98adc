//! Playlists by the API: made, composed, broadcast, changed and removed.

use tokio::sync::Semaphore;

use super::*;
use crate::authority::Reach;
use crate::media::{Encoding, Programme};
use crate::serve::composer::Composer;

/// An approved bulletin of so many seconds.
fn song(lan: &Client, title: &str, seconds: f64) -> String {
    let id = lan.upload(title, "normal", &tone(seconds)).json()["id"].clone();
    let id = id.as_str().unwrap().to_owned();
    let approved = lan.post(&format!("/api/v1/bulletins/{id}/approve"), Value::Null);
    assert_eq!(approved.status, 200);
    id
}

/// Composes whatever is to be composed until `wanted` is true of a playlist.
fn compose(server: &Server, lan: &Client, id: &Value, wanted: impl Fn(&Value) -> bool) -> Value {
    let composer = Composer {
        store: server.store.clone(),
        encoding: Encoding::default(),
        decoding: Arc::new(Semaphore::new(1)),
        clock: clock::now,
    };
    let (end, shutdown) = watch::channel(false);
    let mut changes = server.store.watch();
    let composing = server.runtime.spawn(composer.run(shutdown));
    let it = loop {
        let all = lan.get("/api/v1/playlists").json();
        let it = all
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["id"] == *id)
            .unwrap()
            .clone();
        if wanted(&it) {
            break it;
        }
        server.runtime.block_on(changes.recv()).unwrap();
    };
    end.send_replace(true);
    server.runtime.block_on(composing).unwrap();
    it
}

#[test]
fn a_playlist_is_composed_and_goes_on_the_air_like_a_bulletin() {
    let server = Server::start();
    let lan = server.admin();
    let area = lan
        .post("/api/v1/areas", json!({ "name": "Xã A", "kind": "commune" }))
        .json();
    let (jingle, one, two) = (
        song(&lan, "Nhạc hiệu", 0.5),
        song(&lan, "Bài một", 2.0),
        song(&lan, "Bài hai", 1.0),
    );
    let body = json!({
        "title": "Ca nhạc chiều", "area_id": area["id"], "bulletin_ids": [one, two], "opening_id": jingle,
        "gap_ms": 250, "fade_in_ms": 20, "fade_out_ms": 300,
    });
    let reply = lan.post("/api/v1/playlists", body.clone());
    assert_eq!(reply.status, 201, "{reply:?}");
    let made = reply.json();
    assert_eq!(
        (&made["state"], &made["version"], &made["class"]),
        (&json!("composing"), &json!(1), &json!("normal"))
    );
    assert_eq!(made["duration_ms"], 500 + 2000 + 1000 + 2 * 250);
    assert_eq!(
        made["opening"],
        json!({ "bulletin_id": jingle, "title": "Nhạc hiệu", "duration_ms": 500 })
    );
    assert_eq!(made["turns"][0]["bulletin_ids"], json!([jingle, one, two]));
    let target = json!({ "areas": [area["id"]], "receivers": [] });
    let air = json!({ "bulletin_id": made["id"], "target": target });
    let receiver = json!({ "name": "Loa", "area_id": area["id"], "host": "loa.example" });
    assert_eq!(lan.post("/api/v1/receivers", receiver).status, 201);
    assert_eq!(lan.post("/api/v1/broadcasts", air.clone()).error().1, "composing");

    let it = compose(&server, &lan, &made["id"], |it| it["state"] == "ready");
    let sound = it["turns"][0]["bulletin_id"].as_str().unwrap();
    let programme = Programme::open(&server.data.programmes().join(format!("{sound}.opus"))).unwrap();
    assert_eq!(json!(programme.samples()), it["turns"][0]["samples"]);
    let heard = lan.get(&format!("/api/v1/bulletins/{sound}/audio"));
    assert_eq!((heard.status, &heard.body[..4]), (200, &b"OggS"[..]));
    let reply = lan.post("/api/v1/broadcasts", air.clone());
    assert_eq!(reply.status, 201, "{reply:?}");
    let aired = reply.json();
    assert_eq!(
        (&aired["bulletin_id"], &aired["title"]),
        (&json!(sound), &json!("Ca nhạc chiều"))
    );
    let schedule = json!({
        "title": "Chiều", "bulletin_id": made["id"], "target": target, "start": "2099-02-17T17:00:00", "rule": "FREQ=DAILY",
    });
    let kept = lan.post("/api/v1/schedules", schedule).json();
    assert_eq!((&kept["approved"], &kept["duration_ms"]), (&json!(true), &json!(4000)));

    // It is no bulletin that people see, change, approve or delete.
    assert_eq!(lan.get("/api/v1/bulletins").json().as_array().unwrap().len(), 3);
    for id in [made["id"].as_str().unwrap(), sound] {
        let path = format!("/api/v1/bulletins/{id}");
        assert_eq!(lan.patch(&path, json!({ "title": "Khác" })).status, 404);
        assert_eq!(lan.post(&format!("{path}/approve"), Value::Null).status, 404);
        assert_eq!(lan.delete(&path).status, 404);
    }

    // A part is in use, and so is the playlist.
    let path = format!("/api/v1/playlists/{}", made["id"].as_str().unwrap());
    let refused = lan.delete(&format!("/api/v1/bulletins/{one}"));
    assert_eq!(
        (refused.status, &refused.json()["uses"][0]["kind"]),
        (409, &json!("playlist"))
    );
    assert_eq!(lan.delete(&path).error().1, "in_use");
    // With one of its parts expired it sounds without that.
    let expired = json!({ "expires_at": "2020-01-01T00:00:00Z" });
    assert_eq!(lan.patch(&format!("/api/v1/bulletins/{two}"), expired).status, 200);
    let it = compose(&server, &lan, &made["id"], |it| it["state"] == "ready");
    assert_eq!(it["parts"][1]["dropped"], "expired");
    assert_eq!(
        (&it["duration_ms"], it["parts"].as_array().unwrap().len()),
        (&json!(2750), 2)
    );

    let mut other = body;
    other["version"] = json!(1);
    other["bulletin_ids"] = json!([one]);
    other["opening_id"] = Value::Null;
    assert_eq!(lan.put(&path, other.clone()).json()["version"], 2);
    assert_eq!(lan.put(&path, other.clone()).error().1, "changed");
    other["version"] = Value::Null;
    assert_eq!(lan.put(&path, other.clone()).error().2, ["version"]);
    let aired = aired["id"].as_str().unwrap();
    assert_eq!(
        lan.post(&format!("/api/v1/broadcasts/{aired}/stop"), Value::Null)
            .status,
        200
    );
    let schedule = kept["id"].as_str().unwrap();
    assert_eq!(lan.delete(&format!("/api/v1/schedules/{schedule}")).status, 204);
    compose(&server, &lan, &made["id"], |it| it["state"] == "ready");
    assert_eq!(lan.delete(&path).status, 204);
    assert_eq!(lan.get("/api/v1/playlists").json(), json!([]));
    assert_eq!(server.files(), [0, 3, 3], "what was composed is gone");
}

#[test]
fn a_damaged_part_is_told_and_what_is_wrong_is_refused() {
    let server = Server::start();
    let lan = server.admin();
    let song = song(&lan, "Bài một", 1.0);
    let draft = lan.upload("Nháp", "normal", &tone(1.0)).json()["id"].clone();
    let with = |part: &Value| json!({ "title": "Ca nhạc", "bulletin_ids": [part] });
    let refused = lan.post("/api/v1/playlists", with(&draft));
    assert_eq!(refused.error().1, "part");
    assert!(
        refused.json()["message"].as_str().unwrap().contains("Nháp"),
        "{refused:?}"
    );
    let urgent = lan.upload("Lũ", "emergency", &tone(1.0)).json()["id"].clone();
    assert_eq!(lan.post("/api/v1/playlists", with(&urgent)).error().2, ["bulletin_ids"]);
    assert_eq!(
        lan.post("/api/v1/playlists", with(&json!("gì đó"))).error().2,
        ["bulletin_ids"]
    );
    // What is another's is as good as not there.
    let area = lan
        .post("/api/v1/areas", json!({ "name": "Xã A", "kind": "commune" }))
        .json();
    let area = loa_protocol::AreaId::parse(area["id"].as_str().unwrap()).unwrap();
    let grant = Grant {
        role: Role::Officer,
        reach: Reach::Area(area),
    };
    let hoa = server.somebody("hoa", &[grant]);
    assert_eq!(hoa.post("/api/v1/playlists", with(&json!(song))).status, 404);

    std::fs::write(server.data.programmes().join(format!("{song}.opus")), b"OggS?").unwrap();
    let made = lan.post("/api/v1/playlists", with(&json!(song))).json();
    assert_eq!(hoa.get("/api/v1/playlists").json(), json!([]));
    let it = compose(&server, &lan, &made["id"], |it| it["state"] == "failed");
    assert!(it["trouble"].as_str().unwrap().contains("part 1"), "{it}");
    assert_eq!(server.files()[2], 3, "nothing half made is left");
}
