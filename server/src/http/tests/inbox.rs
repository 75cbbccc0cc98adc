//! Approval and inboxes as programs meet them.

use loa_protocol::AreaId;

use super::*;

fn within(role: Role, area: &str) -> Grant {
    Grant::within(role, AreaId::parse(area).unwrap())
}

/// A province, two communes in it, and who works there.
struct Country {
    server: Server,
    province: String,
    east: String,
    west: String,
    /// Makes bulletins of the province.
    author: Client,
    /// Approves them.
    leader: Client,
    /// Decides in the commune in the east.
    officer: Client,
}

impl Country {
    fn new() -> Self {
        let server = Server::start();
        let admin = server.admin();
        let below = |name: &str, kind: &str, parent: &str| {
            let new = json!({ "name": name, "kind": kind, "parent_id": parent });
            admin.post("/api/v1/areas", new).id()
        };
        let province = admin
            .post("/api/v1/areas", json!({ "name": "Tỉnh A", "kind": "province" }))
            .id();
        let (east, west) = (
            below("Xã Đông", "commune", &province),
            below("Xã Tây", "commune", &province),
        );
        for area in [&east, &west] {
            admin.receiver("Loa", area);
        }
        let author = server.somebody("mai", &[within(Role::Officer, &province)]);
        let leader = server.somebody("hung", &[within(Role::Approver, &province)]);
        let officer = server.somebody("dong", &[within(Role::Officer, &east)]);
        server.told();
        Self {
            server,
            province,
            east,
            west,
            author,
            leader,
            officer,
        }
    }

    /// A bulletin that was uploaded, not approved.
    fn draft(&self, who: &Client, title: &str, class: &str, area: &str, seconds: f64) -> String {
        let mut form = Form::default();
        form.field("title", title)
            .field("class", class)
            .field("area_id", area)
            .file(&tone(seconds));
        let made = who.send_form(&form);
        assert_eq!(made.status, 201, "{made:?}");
        made.id()
    }

    fn approved(&self, who: &Client, title: &str, class: &str, area: &str, seconds: f64) -> String {
        let id = self.draft(who, title, class, area, seconds);
        let path = format!("/api/v1/bulletins/{id}/approve");
        assert_eq!(self.leader.post(&path, Value::Null).status, 200);
        id
    }
}

fn to(areas: &[&str]) -> Value {
    json!({ "areas": areas, "receivers": [] })
}

fn in_minutes(minutes: u64) -> String {
    shapes::written(UnixMicros((now().0 / 1_000_000 + minutes * 60) * 1_000_000))
}

#[test]
fn approval_is_asked_for_given_and_taken_back_with_a_reason() {
    let country = Country::new();
    let (author, leader) = (&country.author, &country.leader);
    let id = country.draft(author, "Nước sạch", "normal", &country.province, 0.5);
    let path = |what: &str| format!("/api/v1/bulletins/{id}/{what}");
    let submitted = author.post(&path("submit"), Value::Null);
    assert_eq!(
        (submitted.status, &submitted.json()["state"]),
        (200, &json!("submitted"))
    );
    assert_eq!(author.post(&path("approve"), Value::Null).error().1, "forbidden");
    let reason = json!({ "reason": "Thiếu ngày" });
    assert_eq!(author.post(&path("refuse"), reason.clone()).error().1, "forbidden");
    assert_eq!(
        country.officer.post(&path("submit"), Value::Null).error().1,
        "not_found"
    );
    let nothing = leader.post(&path("refuse"), json!({ "reason": "" }));
    assert_eq!(nothing.error(), (422, "invalid".into(), vec!["reason".into()]));
    assert_eq!(leader.get("/api/v1/bulletins?state=ok").error().2, ["state"]);

    // It waits for who approves; refused, it comes back to its author, who is told why.
    let waits = |who: &Client| who.get("/api/v1/inbox").json()["waiting"].clone();
    assert_eq!(waits(leader)[0]["whom"], "approver");
    assert_eq!(
        (&waits(leader)[0]["may_approve"], &waits(author)[0]["may_approve"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(waits(&country.officer), json!([]));
    let refused = leader.post(&path("refuse"), reason).json();
    assert_eq!(
        (&refused["state"], &refused["refusal"]),
        (&json!("refused"), &json!("Thiếu ngày"))
    );
    assert_eq!(author.get("/api/v1/inbox").json()["refused"], json!([refused]));
    assert_eq!(leader.get("/api/v1/inbox").json()["refused"], json!([]));
    assert_eq!(author.get("/api/v1/bulletins?state=refused").json(), json!([refused]));

    // Approved and scheduled, then approval is withdrawn: it fails, and waits for its author until it was to begin.
    assert_eq!(leader.post(&path("approve"), Value::Null).json()["state"], "approved");
    let start = in_minutes(60);
    let body = json!({ "bulletin_id": id, "target": to(&[&country.east]), "start": start });
    let broadcast = author.post("/api/v1/broadcasts", body);
    assert_eq!(broadcast.status, 201, "{broadcast:?}");
    let known = loa_protocol::BroadcastId::parse(&broadcast.id()).unwrap();
    assert_eq!(country.server.told(), [Notice::Accepted(known)]);
    let renamed = author.patch(&format!("/api/v1/bulletins/{id}"), json!({ "title": "Nước" }));
    assert_eq!(renamed.json()["state"], "draft");
    assert_eq!(country.server.told(), [Notice::Stopped(known)]);
    let listed = author.get("/api/v1/broadcasts").json();
    assert_eq!(
        (&listed[0]["state"], &listed[0]["reason"]),
        (&json!("failed"), &json!("not_approved"))
    );
    assert_eq!(
        (&waits(author)[0]["whom"], &waits(author)[0]["until"]),
        (&json!("author"), &json!(start))
    );
    assert_eq!(leader.post(&path("approve"), Value::Null).status, 200);
    let told = country.server.told();
    assert!(matches!(told[..], [Notice::Accepted(it)] if it != known), "{told:?}");
    assert_eq!(waits(author), json!([]));
}

#[test]
fn a_commune_answers_for_itself() {
    let country = Country::new();
    let (author, officer, east) = (&country.author, &country.officer, &*country.east);
    let id = country.approved(author, "Phòng cháy", "normal", &country.province, 0.5);
    let audio = format!("/api/v1/bulletins/{id}/audio");
    assert_eq!(officer.get(&audio).status, 404);
    let send = format!("/api/v1/bulletins/{id}/send");
    let areas = json!({ "areas": [east, country.west], "note": "Trước thứ sáu", "valid_until": in_minutes(600) });
    assert_eq!(officer.post(&send, areas.clone()).error().1, "not_found");
    let wrong = author.post(&send, json!({ "areas": [country.province] }));
    assert_eq!(wrong.error(), (422, "invalid".into(), vec!["areas".into()]));
    let sent = author.post(&send, areas);
    assert_eq!(
        (sent.status, sent.json().as_array().unwrap().len()),
        (200, 2),
        "{sent:?}"
    );
    let urgent = country.approved(&country.leader, "Lũ", "emergency", &country.province, 0.5);
    let urgent = author.post(&format!("/api/v1/bulletins/{urgent}/send"), json!({ "areas": [east] }));
    assert_eq!(urgent.error(), (409, "emergency".into(), vec![]));

    // Its people see it, and nothing more than that; their own inbox alone.
    assert_eq!(officer.get(&audio).status, 200);
    assert_eq!(officer.get("/api/v1/bulletins").json()[0]["id"], json!(id));
    let title = officer.patch(&format!("/api/v1/bulletins/{id}"), json!({ "title": "Khác" }));
    assert_eq!(title.error().1, "forbidden");
    let mine = || officer.get("/api/v1/inbox").json()["received"].clone();
    assert_eq!(mine().as_array().unwrap().len(), 1);
    assert_eq!(
        (&mine()[0]["area_id"], &mine()[0]["note"]),
        (&json!(east), &json!("Trước thứ sáu"))
    );
    assert_eq!(
        (&mine()[0]["may_answer"], &mine()[0]["report"]["state"]),
        (&json!(true), &json!("received"))
    );
    assert_eq!(
        author.get("/api/v1/inbox").json()["received"],
        json!([]),
        "they have sent it"
    );
    let only = officer.get(&format!("/api/v1/bulletins/{id}/deliveries")).json();
    assert_eq!(only.as_array().unwrap().len(), 1);

    // Scheduled once it is accepted, and where it is.
    let body = |areas: &[&str]| json!({ "bulletin_id": id, "target": to(areas), "start": in_minutes(60) });
    let early = officer.post("/api/v1/broadcasts", body(&[east]));
    assert_eq!(early.error(), (409, "not_accepted".into(), vec![]));
    let delivery = mine()[0]["id"].as_str().unwrap().to_owned();
    let refuse = json!({ "reason": "Trùng tuần trước" });
    let refused = officer
        .post(&format!("/api/v1/inbox/{delivery}/refuse"), refuse.clone())
        .json();
    assert_eq!(
        (&refused["answer"], &refused["reason"]),
        (&json!("refused"), &json!("Trùng tuần trước"))
    );
    let accepted = officer
        .post(&format!("/api/v1/inbox/{delivery}/accept"), Value::Null)
        .json();
    assert_eq!(
        (&accepted["answer"], accepted.get("reason")),
        (&json!("accepted"), None)
    );
    assert_eq!(officer.post("/api/v1/broadcasts", body(&[east])).status, 201);
    let scheduled = officer.post(&format!("/api/v1/inbox/{delivery}/refuse"), refuse);
    assert_eq!(scheduled.error(), (409, "scheduled".into(), vec![]));
    let all = author.get(&format!("/api/v1/bulletins/{id}/deliveries")).json();
    let state = |area: &str| {
        let mut all = all.as_array().unwrap().iter();
        all.find(|it| it["area_id"] == area).unwrap()["report"]["state"].clone()
    };
    assert_eq!(
        (state(east), state(&country.west)),
        (json!("scheduled"), json!("received"))
    );
    let elsewhere = all
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["area_id"] == *country.west)
        .unwrap()["id"]
        .clone();
    let elsewhere = format!("/api/v1/inbox/{}/accept", elsewhere.as_str().unwrap());
    assert_eq!(
        officer.post(&elsewhere, Value::Null).error(),
        (404, "not_found".into(), vec![])
    );

    // An emergency asks nobody, and is there to be read of.
    let flood = country.approved(&country.leader, "Lũ về", "emergency", &country.province, 0.5);
    let now = json!({ "bulletin_id": flood, "target": to(&[&country.province]) });
    assert_eq!(country.leader.post("/api/v1/broadcasts", now).status, 201);
    assert_eq!(officer.get("/api/v1/inbox").json()["emergencies"][0]["title"], "Lũ về");
    assert_eq!(author.get("/api/v1/inbox").json()["emergencies"], json!([]));
}

#[test]
fn the_officer_decides_which_priority_goes_first() {
    let country = Country::new();
    let (author, officer, east) = (&country.author, &country.officer, &*country.east);
    let above = country.approved(author, "Của tỉnh", "priority", &country.province, 3.0);
    author.post(&format!("/api/v1/bulletins/{above}/send"), json!({ "areas": [east] }));
    let delivery = officer.get("/api/v1/inbox").json()["received"][0]["id"].clone();
    let accept = format!("/api/v1/inbox/{}/accept", delivery.as_str().unwrap());
    assert_eq!(officer.post(&accept, Value::Null).status, 200);
    let own = country.approved(officer, "Của xã", "priority", east, 2.0);
    let start = in_minutes(60);
    let put = |who: &Client, bulletin: &str, area: &str| {
        let body = json!({ "bulletin_id": bulletin, "target": to(&[area]), "start": start });
        let put = who.post("/api/v1/broadcasts", body);
        assert_eq!(put.status, 201, "{put:?}");
        put.id()
    };
    let (first, second) = (put(officer, &own, east), put(officer, &above, east));
    // The province's own broadcast goes first, and no commune moves it.
    let third = put(author, &above, &country.province);
    let list = format!("/api/v1/inbox/rivals?area_id={east}");
    let rivals = officer.get(&list).json();
    let rivals: Vec<_> = rivals
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let of = |which: &str| it[which]["broadcast_id"].as_str().unwrap().to_owned();
            (
                of("above"),
                of("own"),
                it["above"]["movable"].clone(),
                it["receivers"].clone(),
            )
        })
        .collect();
    assert_eq!(rivals.len(), 2, "{rivals:?}");
    assert!(
        rivals.contains(&(second.clone(), first.clone(), json!(true), json!(1))),
        "{rivals:?}"
    );
    assert!(
        rivals.contains(&(third.clone(), first.clone(), json!(false), json!(1))),
        "{rivals:?}"
    );
    let order =
        |first: &str, second: &str| officer.post("/api/v1/inbox/order", json!({ "first": first, "second": second }));
    assert_eq!(order(&first, &third).error().1, "forbidden");
    assert_eq!(
        order(&first, "x").error(),
        (422, "invalid".into(), vec!["second".into()])
    );
    country.server.told();
    let moved = order(&third, &first);
    assert_eq!(moved.status, 200, "{moved:?}");
    let end = |id: &str| {
        let all = officer.get("/api/v1/broadcasts").json();
        all.as_array().unwrap().iter().find(|it| it["id"] == id).unwrap()["end"].clone()
    };
    assert_eq!(moved.json()["start"], end(&third));
    let id = loa_protocol::BroadcastId::parse(&first).unwrap();
    let told = country.server.told();
    assert!(
        matches!(told[..], [Notice::Stopped(it), Notice::Accepted(_)] if it == id),
        "{told:?}"
    );
    assert_eq!(officer.get(&list).json(), json!([]));
    assert_eq!(order(&third, &first).error(), (404, "not_found".into(), vec![]));

    // A schedule's occurrence is moved alone.
    let at = crate::schedule::recurrence::civil(crate::schedule::rules::ZONE, now()).date() + chrono::Duration::days(2);
    let at = at.and_hms_opt(9, 0, 0).unwrap().format("%Y-%m-%dT%H:%M:%S").to_string();
    let schedule = |bulletin: &str| {
        let body = json!({
            "title": "Hằng ngày", "bulletin_id": bulletin, "target": to(&[east]), "start": at, "rule": "FREQ=DAILY;COUNT=2",
            "despite_clashes": true,
        });
        let made = officer.post("/api/v1/schedules", body);
        assert_eq!(made.status, 201, "{made:?}");
        made.id()
    };
    let (theirs, ours) = (schedule(&above), schedule(&own));
    let rivals = officer.get(&list).json();
    assert_eq!(rivals.as_array().unwrap().len(), 2, "{rivals}");
    assert_eq!(rivals[0]["above"]["schedule_id"], json!(theirs));
    let id = |which: &str| rivals[0][which]["broadcast_id"].as_str().unwrap();
    assert_eq!(order(id("above"), id("own")).status, 200);
    let all = officer.get("/api/v1/schedules").json();
    let changed = all.as_array().unwrap().iter().find(|it| it["id"] == *ours).unwrap();
    assert_eq!(changed["once"][0]["start"], json!(at.replace("09:00:00", "09:00:03")));
    assert_eq!(officer.get(&list).json().as_array().unwrap().len(), 1);
}

#[test]
fn accounts_are_whose_they_are() {
    let country = Country::new();
    let of = |who: &Client, query: &str| who.get(&format!("/api/v1/accounts{query}"));
    let whole = of(&country.author, "").json();
    assert_eq!(
        (&whole["broadcasts"], &whole["planned_ms"], whole.get("ratio")),
        (&json!(0), &json!(0), None)
    );
    assert_eq!(whole["by_class"].as_array().unwrap().len(), 3);
    let west = format!("?area_id={}", country.west);
    assert_eq!(of(&country.author, &west).status, 200);
    assert_eq!(
        of(&country.officer, &west).error(),
        (422, "invalid".into(), vec!["area_id".into()])
    );
    for (query, field) in [
        ("?from=mai", "from"),
        ("?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
        ("?area_id=x", "area_id"),
    ] {
        assert_eq!(
            of(&country.author, query).error(),
            (422, "invalid".into(), vec![field.into()])
        );
    }
}
