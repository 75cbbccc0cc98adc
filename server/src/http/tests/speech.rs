//! Typed bulletins: heard before they are made, made with their text; the officers' table; recorded phrases; who may. The
//! voice is the real espeak-ng.

use base64::Engine as _;
use loa_protocol::AreaId;

use super::*;
use crate::media::Programme;

fn vi(text: &str) -> Value {
    json!([{ "text": text }])
}

fn preview(client: &Client, body: Value) -> Reply {
    client.post("/api/v1/speech/preview", body)
}

fn said(reply: &Reply) -> String {
    let body = reply.json();
    let parts = body["parts"].as_array().unwrap_or_else(|| panic!("{reply:?}"));
    let said = parts.iter().map(|part| part["said"].as_str().unwrap_or_default());
    said.collect::<Vec<_>>().join(" | ")
}

#[test]
fn a_text_is_heard_before_it_is_made_and_kept_with_its_bulletin() {
    let server = Server::start();
    let lan = server.admin();
    let text = "Đúng 7h30 ngày 15/7, UBND xã tiêm phòng cho 1.250 con bò.";
    let reply = preview(&lan, json!({ "parts": vi(text) }));
    assert_eq!(reply.status, 200, "{reply:?}");
    let heard = "Đúng bảy giờ ba mươi phút ngày mười lăm tháng bảy, Ủy ban nhân dân xã tiêm phòng cho một nghìn hai trăm năm mươi con bò.";
    assert_eq!(said(&reply), heard);
    let it = reply.json();
    assert_eq!(
        (&it["parts"][0]["language"], &it["parts"][0]["engine"]),
        (&json!("vi"), &json!("espeak-ng"))
    );
    let audio = base64::prelude::BASE64_STANDARD
        .decode(it["audio"].as_str().unwrap())
        .unwrap();
    assert_eq!(&audio[..4], b"OggS");
    assert!(it["duration_ms"].as_u64().unwrap() > 3000, "{it}");
    // Nothing is kept of it.
    assert_eq!(server.files(), [0, 0, 0]);
    assert_eq!(lan.get("/api/v1/bulletins").json(), json!([]));

    let parts = json!([{ "text": text }, { "language": "en", "text": "The village hall is open." }]);
    let body = json!({ "title": "Tiêm phòng", "class": "normal", "parts": parts, "gap_ms": 1000 });
    let reply = lan.post("/api/v1/bulletins/speech", body);
    assert_eq!(reply.status, 201, "{reply:?}");
    let bulletin = reply.json();
    assert_eq!(
        (&bulletin["state"], &bulletin["format"], &bulletin["title"]),
        (&json!("draft"), &json!("text"), &json!("Tiêm phòng"))
    );
    let id = bulletin["id"].as_str().unwrap();
    let programme = Programme::open(&server.data.programmes().join(format!("{id}.opus"))).unwrap();
    assert_eq!(Some(programme.samples()), bulletin["samples"].as_u64());
    // The same first part, a second of silence, and more.
    let first = it["duration_ms"].as_u64().unwrap();
    assert!(bulletin["duration_ms"].as_u64().unwrap() > first + 2000, "{bulletin}");
    assert_eq!(server.files(), [0, 1, 1]);
    assert_eq!(lan.get("/api/v1/bulletins").json(), json!([bulletin]));
    let kept = lan.get(&format!("/api/v1/bulletins/{id}/text")).json();
    let english = "The village hall is open.";
    assert_eq!(
        kept,
        json!({ "gap_ms": 1000, "parts": [
            { "language": "vi", "text": text, "said": heard, "engine": "espeak-ng" },
            { "language": "en", "text": english, "said": english, "engine": "espeak-ng" },
        ] })
    );
    let line = &server.lines()[0];
    assert_eq!((&*line.what, &*line.detail), ("bulletin.speak", "Tiêm phòng"));

    let uploaded = lan.upload("Thu sẵn", "normal", &tone(0.2)).id();
    let none = lan.get(&format!("/api/v1/bulletins/{uploaded}/text"));
    assert_eq!(none.error(), (404, "not_found".into(), vec![]));
}

#[test]
fn the_officers_table_holds_in_its_area_and_below() {
    let server = Server::start();
    let lan = server.admin();
    let province = lan.area("Tỉnh");
    let below = |name: &str| {
        let body = json!({ "name": name, "kind": "commune", "parent_id": province });
        lan.post("/api/v1/areas", body).id()
    };
    let (east, west) = (below("Xã Đông"), below("Xã Tây"));
    let officer = |name: &str, area: &str| {
        let area = AreaId::parse(area).unwrap();
        server.somebody(name, &[Grant::within(Role::Officer, area)])
    };
    let (dong, tay) = (officer("dong", &east), officer("tay", &west));
    let add = |client: &Client, word: &str, reading: &str, area: Option<&str>| {
        client.post(
            "/api/v1/readings",
            json!({ "word": word, "reading": reading, "area_id": area }),
        )
    };
    assert_eq!(add(&lan, "Ea Súp", "ê a súp", None).status, 201);
    assert_eq!(add(&lan, "NVH", "nhà sinh hoạt", Some(&province)).status, 201);
    // The only area in which one makes bulletins.
    let own = add(&dong, "NVH", "nhà rông", None);
    assert_eq!((own.status, &own.json()["area_id"]), (201, &json!(east)));
    let text = json!({ "parts": vi("NVH Ea Súp") });
    assert_eq!(said(&preview(&dong, text.clone())), "nhà rông ê a súp");
    assert_eq!(said(&preview(&tay, text.clone())), "nhà sinh hoạt ê a súp");
    assert_eq!(said(&preview(&lan, text)), "nhà văn hóa ê a súp");

    let words = |client: &Client| client.get("/api/v1/readings").json().as_array().unwrap().len();
    assert_eq!((words(&lan), words(&dong), words(&tay)), (3, 3, 2));
    let path = format!("/api/v1/readings/{}", own.id());
    assert_eq!(tay.delete(&path).error(), (404, "not_found".into(), vec![]));
    assert_eq!(
        add(&tay, "A", "b", Some(&east)).error(),
        (422, "invalid".into(), vec!["area_id".into()])
    );
    // What one does not see one can name as little.
    assert_eq!(add(&tay, "A", "b", Some(&province)).status, 422);
    assert_eq!(
        add(&dong, "NVH", "nhà", None).error(),
        (422, "invalid".into(), vec!["word".into()])
    );
    assert_eq!(
        add(&dong, " ", "nhà", None).error(),
        (422, "invalid".into(), vec!["word".into()])
    );
    assert_eq!(dong.delete(&path).status, 204);
    assert_eq!(dong.delete(&path).status, 404);
    let acts: Vec<_> = server.lines().iter().take(1).map(|line| line.what.clone()).collect();
    assert_eq!(acts, ["reading.remove"]);
}

#[test]
fn a_recorded_phrase_is_a_part_of_a_bulletin() {
    let server = Server::start();
    let lan = server.admin();
    let recording = lan.upload("Câu thu sẵn", "normal", &tone(1.0)).id();
    let new = json!({ "language": "hmn", "text": "Nyob zoo", "meaning": "Xin chào", "bulletin_id": recording });
    let reply = lan.post("/api/v1/phrases", new.clone());
    assert_eq!(reply.status, 201, "{reply:?}");
    let phrase = reply.id();
    assert_eq!(lan.post("/api/v1/phrases", new).error().2, ["text"]);
    let changed = lan.patch(
        &format!("/api/v1/phrases/{phrase}"),
        json!({ "meaning": "Chào bà con" }),
    );
    assert_eq!(
        (changed.status, &changed.json()["meaning"]),
        (200, &json!("Chào bà con"))
    );
    assert_eq!(lan.get("/api/v1/phrases").json(), json!([changed.json()]));

    let body = json!({
        "title": "Hai thứ tiếng", "class": "normal", "gap_ms": 500,
        "parts": [{ "phrase_id": phrase }, { "phrase_id": phrase }],
    });
    let bulletin = lan.post("/api/v1/bulletins/speech", body).json();
    // Twice the recording and the gap, to the sample.
    assert_eq!(bulletin["samples"], json!(2 * 48_000 + 24_000), "{bulletin}");
    let id = bulletin["id"].as_str().unwrap();
    let kept = lan.get(&format!("/api/v1/bulletins/{id}/text")).json();
    let part = json!({ "language": "hmn", "text": "Nyob zoo", "phrase_id": phrase });
    assert_eq!(kept["parts"], json!([part, part]));

    // Others do not see what is everybody's recording, but use the phrase.
    let area = lan.area("Xã Đông");
    let officer = server.somebody("mai", &[Grant::within(Role::Officer, AreaId::parse(&area).unwrap())]);
    assert_eq!(
        preview(&officer, json!({ "parts": [{ "phrase_id": phrase }] })).status,
        200
    );
    let path = format!("/api/v1/phrases/{phrase}");
    assert_eq!(officer.patch(&path, json!({})).status, 404);
    assert_eq!(officer.delete(&path).status, 404);
    let theirs = json!({ "language": "hmn", "text": "a", "meaning": "b", "bulletin_id": recording });
    assert_eq!(officer.post("/api/v1/phrases", theirs).error().2, ["bulletin_id"]);
    assert_eq!(lan.delete(&path).status, 204);
    assert_eq!(
        preview(&lan, json!({ "parts": [{ "phrase_id": phrase }] })).error().2,
        ["parts"]
    );
    // What was made with it stays.
    assert_eq!(
        lan.get(&format!("/api/v1/bulletins/{id}/text")).json()["parts"],
        json!([part, part])
    );
}

#[test]
fn what_cannot_be_read_is_refused_and_nothing_is_kept() {
    let server = Server::with(|config| config.speech.max_characters = 100);
    let lan = server.admin();
    let before = server.lines().len();
    let nothing = "01990000-0000-7000-8000-000000000000";
    let long = "a ".repeat(51);
    let sixty = "một ".repeat(15);
    for (body, code, fields) in [
        (json!({ "parts": [] }), "invalid", vec!["parts"]),
        (json!({ "parts": vi("") }), "invalid", vec!["parts"]),
        (json!({ "parts": vi("…") }), "invalid", vec!["parts"]),
        (json!({ "parts": vi(&long) }), "invalid", vec!["parts"]),
        (
            json!({ "parts": [{ "text": sixty }, { "text": sixty }] }),
            "invalid",
            vec!["parts"],
        ),
        (json!({ "parts": vi("a\u{7}b") }), "invalid", vec!["parts"]),
        (json!({ "parts": [{}] }), "invalid", vec!["parts"]),
        (
            json!({ "parts": [{ "text": "a", "phrase_id": nothing }] }),
            "invalid",
            vec!["parts"],
        ),
        (json!({ "parts": [{ "phrase_id": nothing }] }), "invalid", vec!["parts"]),
        (json!({ "parts": [{ "phrase_id": "x" }] }), "invalid", vec!["parts"]),
        (
            json!({ "parts": [{ "language": "-w", "text": "a" }] }),
            "invalid",
            vec!["parts"],
        ),
        (
            json!({ "parts": [{ "language": "xx", "text": "a" }] }),
            "speech_failed",
            vec![],
        ),
        (json!({ "parts": vi("a"), "gap_ms": 10001 }), "invalid", vec!["gap_ms"]),
        (json!({ "parts": vi("a"), "gap_ms": -1 }), "invalid", vec![]),
        (json!({ "parts": vi("a"), "engine": "x" }), "invalid", vec!["engine"]),
        (
            json!({ "parts": vi("a"), "engine": "piper" }),
            "invalid",
            vec!["engine"],
        ),
        (
            json!({ "parts": vi("a"), "area_id": nothing }),
            "invalid",
            vec!["area_id"],
        ),
    ] {
        let wanted = (422, code.to_owned(), fields.into_iter().map(str::to_owned).collect());
        assert_eq!(preview(&lan, body.clone()).error(), wanted, "{body}");
        let mut whole = body;
        whole["title"] = json!("Bản tin");
        whole["class"] = json!("normal");
        assert_eq!(
            lan.post("/api/v1/bulletins/speech", whole.clone()).error(),
            wanted,
            "{whole}"
        );
    }
    assert_eq!((server.files(), server.lines().len()), ([0, 0, 0], before));

    let gone = Server::with(|config| config.speech.espeak = "/nowhere".into());
    let reply = preview(&gone.admin(), json!({ "parts": vi("a") }));
    assert_eq!(reply.error(), (503, "speech_unavailable".into(), vec![]));
    assert_eq!(gone.files(), [0, 0, 0]);
}
