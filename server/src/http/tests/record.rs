//! The record, as who may read it sees it.

use super::*;
use crate::authority::{Grant, Role};

fn whats(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200, "{reply:?}");
    let list = reply.json();
    let what = |it: &Value| it["what"].as_str().unwrap().to_owned();
    list.as_array().unwrap().iter().map(what).collect()
}

#[test]
fn the_record_is_read_by_whom_it_concerns() {
    let server = Server::start();
    let lan = server.admin();
    let (here, there) = (lan.area("Xã A"), lan.area("Xã B"));
    let (near, _far) = (lan.receiver("Một", &here), lan.receiver("Hai", &there));
    let reply = lan.send(
        "PATCH",
        &format!("/api/v1/receivers/{near}"),
        &[("content-type", "application/json")],
        br#"{"volume":35}"#,
    );
    assert_eq!(reply.status, 200, "{reply:?}");

    let all = lan.get("/api/v1/record");
    assert_eq!(
        whats(&all),
        [
            "receiver.volume",
            "receiver.enrol",
            "receiver.enrol",
            "area.add",
            "area.add",
            "session.begin",
            "user.add"
        ]
    );
    let last = all.json()[0].clone();
    assert_eq!((&last["who"], &last["origin"]), (&json!("lan"), &json!("127.0.0.1")));
    assert_eq!((&last["subject"], &last["area_id"]), (&json!(near), &json!(here)));
    assert_eq!(
        (&last["before"], &last["after"]),
        (&json!({ "volume": 80 }), &json!({ "volume": 35 }))
    );
    assert_eq!(last["id"], "7");
    assert!(!String::from_utf8(all.body.clone()).unwrap().contains(PASSWORD));

    assert_eq!(whats(&lan.get("/api/v1/record?what=area&limit=1")), ["area.add"]);
    assert_eq!(
        whats(&lan.get("/api/v1/record?before=3")),
        ["session.begin", "user.add"]
    );
    assert_eq!(whats(&lan.get("/api/v1/record?who=-")), ["user.add"]);
    assert_eq!(whats(&lan.get("/api/v1/record?who=%27%20OR%201=1")), [""; 0]);
    for (query, field) in [("limit=0", "limit"), ("limit=1001", "limit"), ("before=x", "before")] {
        let (status, _, fields) = lan.get(&format!("/api/v1/record?{query}")).error();
        assert_eq!((status, fields), (422, vec![field.to_owned()]), "{query}");
    }

    // An auditor of one commune sees what concerns it, and nothing else.
    let area = loa_protocol::AreaId::parse(&here).unwrap();
    let tu = server.somebody("tu", &[Grant::within(Role::Auditor, area)]);
    assert_eq!(
        whats(&tu.get("/api/v1/record")),
        ["receiver.volume", "receiver.enrol", "area.add"]
    );
    assert_eq!(whats(&tu.get("/api/v1/record?limit=1&before=7")), ["receiver.enrol"]);
    // An officer sees none of it.
    let hoa = server.somebody("hoa", &[Grant::everywhere(Role::Officer)]);
    assert_eq!(hoa.get("/api/v1/record").error().0, 403);
    assert_eq!(server.anybody().get("/api/v1/record").error().0, 401);
}
