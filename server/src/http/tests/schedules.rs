//! Schedules, rules and overrides as programs meet them.

use chrono::{Duration as Days, NaiveDateTime};

use super::*;
use crate::schedule::recurrence::civil;
use crate::schedule::rules::ZONE;

/// Tomorrow at that time in Việt Nam.
fn tomorrow(hour: u32, minute: u32) -> NaiveDateTime {
    let day = civil(ZONE, clock::now()).date() + Days::days(1);
    day.and_hms_opt(hour, minute, 0).unwrap()
}

fn shown(at: NaiveDateTime) -> String {
    at.format("%Y-%m-%dT%H:%M:%S").to_string()
}

fn daily(bulletin: &str, areas: &[&str], start: NaiveDateTime) -> Value {
    json!({
        "title": "Bản tin sáng", "bulletin_id": bulletin, "target": { "areas": areas, "receivers": [] },
        "start": shown(start), "rule": "FREQ=DAILY",
    })
}

fn with(mut body: Value, more: Value) -> Value {
    let more = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    body
}

#[test]
fn what_will_happen_is_said_before_it_is_kept() {
    let server = Server::start();
    let lan = server.admin();
    let commune = lan.area("Xã Đông");
    let village = lan.post(
        "/api/v1/areas",
        json!({ "name": "Thôn 1", "kind": "village", "parent_id": commune }),
    );
    let village = village.id();
    let near = lan.receiver("Đầu thôn", &village);
    lan.receiver("Ủy ban", &commune);
    let bulletin = lan.approved();

    let of_village = daily(&bulletin, &[&village], tomorrow(5, 30));
    let forecast = lan.post("/api/v1/schedules/check", of_village.clone());
    assert_eq!(forecast.status, 200, "{forecast:?}");
    let forecast = forecast.json();
    // From tomorrow on, within five weeks.
    let often = forecast["occurrences"].as_u64().unwrap();
    assert!((34..=35).contains(&often), "{often}");
    assert_eq!((&forecast["receivers"], &forecast["offline"]), (&json!(1), &json!(1)));
    assert_eq!(forecast["next"].as_array().unwrap().len(), 10);
    assert_eq!(forecast["clashes"], json!([]));
    assert_eq!(lan.get("/api/v1/schedules").json(), json!([]));
    let kept = lan.post("/api/v1/schedules", of_village.clone());
    assert_eq!(kept.status, 201, "{kept:?}");
    assert_eq!(
        (&kept.json()["zone"], &kept.json()["version"]),
        (&json!("Asia/Ho_Chi_Minh"), &json!(1))
    );

    // The commune's comes at the same time: it goes first, and that is said before it is kept.
    let of_commune = with(daily(&bulletin, &[&commune], tomorrow(5, 30)), json!({ "title": "Xã" }));
    let refused = lan.post("/api/v1/schedules", of_commune.clone());
    assert_eq!(refused.error(), (409, "clashes".into(), vec![]));
    let clashes = lan.post("/api/v1/schedules/check", of_commune.clone()).json()["clashes"].clone();
    assert_eq!(clashes.as_array().unwrap().len(), 1, "{clashes}");
    let it = &clashes[0];
    let wanted = json!([false, "Bản tin sáng", kept.id(), "gives_way", "Xã", "area", often, 1]);
    let keys = [
        "mine",
        "title",
        "schedule_id",
        "reason",
        "to_title",
        "because",
        "times",
        "receivers",
    ];
    assert_eq!(json!(keys.map(|key| it[key].clone())), wanted);
    let meant = with(of_commune, json!({ "despite_clashes": true }));
    assert_eq!(lan.post("/api/v1/schedules", meant).status, 201);

    // The plan of a receiver says so, too, and why it is silent.
    let plan = lan.get(&format!("/api/v1/receivers/{near}/plan?days=2")).json();
    let fates: Vec<_> = plan
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["title"].clone(), it["fate"].clone()))
        .collect();
    assert!(
        fates.contains(&(json!("Xã"), json!("plays"))) && fates.contains(&(json!("Bản tin sáng"), json!("gives_way"))),
        "{plan}"
    );
    let start = plan[0]["from"].as_str().unwrap();
    let why = lan.get(&format!("/api/v1/receivers/{near}/why?at={start}")).json();
    assert_eq!((&why["reason"], &why["title"]), (&json!("plays"), &json!("Xã")));
    let why = lan.get(&format!("/api/v1/receivers/{near}/why")).json();
    assert_eq!(
        (&why["reason"], &why["next_title"], &why["next_at"]),
        (&json!("nothing"), &json!("Xã"), &json!(start))
    );

    // One day it is later; who did not see that is told.
    let once = format!("/api/v1/schedules/{}/once", kept.id());
    let key = shown(tomorrow(5, 30));
    let moved = lan.post(
        &once,
        json!({ "occurrence": key, "version": 1, "start": shown(tomorrow(17, 0)) }),
    );
    assert_eq!((moved.status, &moved.json()["version"]), (200, &json!(2)), "{moved:?}");
    assert_eq!(moved.json()["once"][0]["start"], json!(shown(tomorrow(17, 0))));
    let stale = lan.post(&once, json!({ "occurrence": key, "version": 1, "cancel": true }));
    assert_eq!(stale.error(), (409, "changed".into(), vec![]));

    // Out as a calendar and in again: as many schedules as before, twice.
    let calendar = lan.get("/api/v1/schedules.ics");
    assert_eq!(
        (calendar.status, &calendar.headers["content-type"]),
        (200, &"text/calendar; charset=utf-8".parse().unwrap())
    );
    let calendar = String::from_utf8(calendar.body).unwrap();
    let target = json!({ "areas": [village], "receivers": [] });
    let again = json!({ "calendar": calendar, "target": target, "despite_clashes": true });
    let imported = lan.post("/api/v1/schedules/import", again);
    assert_eq!(
        (imported.status, imported.json()["schedules"].as_array().unwrap().len()),
        (201, 2),
        "{imported:?}"
    );
    assert_eq!(imported.json()["schedules"][0]["once"], moved.json()["once"]);
    for it in imported.json()["schedules"].as_array().unwrap() {
        let path = format!("/api/v1/schedules/{}", it["id"].as_str().unwrap());
        assert_eq!(lan.send("DELETE", &path, &[], b"").status, 204);
    }
    let unknown = calendar
        .replace("X-LOA-BULLETIN:", "X-LOA-BULLETIN:x")
        .replace("SUMMARY:Xã", "SUMMARY:Huyện");
    let unknown = lan.post(
        "/api/v1/schedules/import",
        json!({ "calendar": unknown, "target": target, "despite_clashes": true }),
    );
    assert_eq!(unknown.error(), (422, "invalid".into(), vec!["bulletin_id".into()]));
    let none = lan.post(
        "/api/v1/schedules/import",
        json!({ "calendar": "BEGIN", "target": target }),
    );
    assert_eq!(none.error(), (422, "invalid".into(), vec!["calendar".into()]));

    let path = format!("/api/v1/schedules/{}", kept.id());
    let json = [("content-type", "application/json")];
    let changed = with(
        of_village,
        json!({ "version": 2, "title": "Bản tin trưa", "despite_clashes": true }),
    );
    let changed = lan.send("PUT", &path, &json, changed.to_string().as_bytes());
    assert_eq!(
        (changed.status, &changed.json()["title"]),
        (200, &json!("Bản tin trưa")),
        "{changed:?}"
    );
    assert_eq!(lan.send("DELETE", &path, &[], b"").status, 204);
    assert_eq!(lan.send("DELETE", &path, &[], b"").status, 404);
    assert_eq!(lan.get("/api/v1/schedules").json().as_array().unwrap().len(), 1);
}

#[test]
fn what_is_wrong_is_said_field_by_field() {
    let server = Server::start();
    let lan = server.admin();
    let area = lan.area("Xã Đông");
    let bulletin = lan.approved();
    let good = daily(&bulletin, &[&area], tomorrow(5, 30));
    for (wrong, field) in [
        (json!({ "start": "5:30" }), "start"),
        (json!({ "start": "1950-01-01T00:00:00" }), "start"),
        (json!({ "zone": "Hà Nội" }), "zone"),
        (json!({ "rule": "FREQ=OFTEN" }), "rule"),
        (json!({ "rule": "FREQ=SECONDLY" }), "rule"),
        (json!({ "rule": "FREQ=DAILY;COUNT=2;UNTIL=20300101" }), "rule"),
        (json!({ "rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30" }), "rule"),
        (json!({ "except": ["tomorrow"] }), "except"),
        (json!({ "late": "never" }), "late"),
        (json!({ "override_id": "x" }), "override_id"),
        (json!({ "target": { "areas": [], "receivers": [] } }), "target"),
        (json!({ "title": "" }), "title"),
    ] {
        let reply = lan.post("/api/v1/schedules", with(good.clone(), wrong.clone()));
        assert_eq!(reply.error(), (422, "invalid".into(), vec![field.into()]), "{wrong}");
    }
    assert_eq!(lan.get("/api/v1/schedules").json(), json!([]));
}

#[test]
fn nothing_goes_past_the_rules_but_by_two_people() {
    let server = Server::start();
    let lan = server.admin();
    let hoa = server.somebody("hoa", &Grant::FIRST);
    let officer = server.somebody("mai", &[Grant::everywhere(Role::Officer)]);
    let area = lan.area("Xã Đông");
    lan.receiver("Loa", &area);
    let bulletin = lan.approved();
    let path = format!("/api/v1/areas/{area}/rules");
    let put = |who: &Client, body: Value| {
        who.send(
            "PUT",
            &path,
            &[("content-type", "application/json")],
            body.to_string().as_bytes(),
        )
    };
    assert_eq!(lan.get(&path).json()["today"]["windows"][0]["to"], 1440);
    let never = json!({ "rules": { "hours": [] } });
    assert_eq!(put(&officer, never.clone()).error().1, "forbidden");
    let set = put(&lan, never);
    assert_eq!(
        (set.status, &set.json()["today"]["windows"]),
        (200, &json!([])),
        "{set:?}"
    );
    let wrong = put(&lan, json!({ "rules": { "daily_minutes": 5000 } }));
    assert_eq!(wrong.error(), (422, "invalid".into(), vec!["daily_minutes".into()]));
    assert!(
        put(
            &lan,
            json!({ "rules": { "hours": [{ "from": "25:00", "to": "26:00" }] } })
        )
        .status
            == 422
    );

    let now = json!({ "bulletin_id": bulletin, "target": { "areas": [area], "receivers": [] } });
    assert_eq!(
        lan.post("/api/v1/broadcasts", now.clone()).error(),
        (409, "silent".into(), vec![])
    );
    let forecast = lan
        .post("/api/v1/schedules/check", daily(&bulletin, &[&area], tomorrow(3, 15)))
        .json();
    assert_eq!(
        (&forecast["clashes"][0]["reason"], &forecast["clashes"][0]["mine"]),
        (&json!("hours"), &json!(true))
    );

    let expires = (time::OffsetDateTime::now_utc() + time::Duration::hours(2))
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap();
    let asked = lan.post(
        "/api/v1/overrides",
        json!({ "area_id": area, "reason": "Lũ về", "expires_at": expires }),
    );
    assert_eq!(
        (asked.status, &asked.json()["holds"]),
        (201, &json!(false)),
        "{asked:?}"
    );
    let leave = with(now.clone(), json!({ "override_id": asked.id() }));
    assert_eq!(lan.post("/api/v1/broadcasts", leave.clone()).status, 422);
    let approve = format!("/api/v1/overrides/{}/approve", asked.id());
    assert_eq!(lan.post(&approve, Value::Null).error().1, "same_person");
    assert_eq!(officer.post(&approve, Value::Null).error().1, "forbidden");
    let approved = hoa.post(&approve, Value::Null);
    assert_eq!(
        (approved.status, &approved.json()["holds"]),
        (200, &json!(true)),
        "{approved:?}"
    );
    let accepted = lan.post("/api/v1/broadcasts", leave.clone());
    assert_eq!(
        (accepted.status, &accepted.json()["overrides"]),
        (201, &json!(true)),
        "{accepted:?}"
    );
    assert_eq!(
        hoa.post(&format!("/api/v1/overrides/{}/withdraw", asked.id()), Value::Null)
            .status,
        200
    );
    assert_eq!(lan.post("/api/v1/broadcasts", leave).status, 422);
    assert_eq!(lan.get("/api/v1/overrides").json(), json!([]));
    let presets = lan.get("/api/v1/rules/presets").json();
    for preset in presets.as_array().unwrap() {
        let set = put(&lan, json!({ "rules": preset["rules"] }));
        assert_eq!(set.status, 200, "{preset} {set:?}");
    }
}
