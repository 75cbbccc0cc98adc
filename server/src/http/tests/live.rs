//! Live events.

use std::io::{BufRead as _, BufReader, Read};

use super::*;
use crate::playout::{Archive as _, Fact};

/// A stream of events.
struct Events(BufReader<Box<dyn Read>>);

impl Events {
    fn open(client: &Client) -> Self {
        let request = client
            .agent
            .get(format!("{}/api/v1/events", client.base))
            .header("cookie", &client.cookie);
        let answer = request.call().unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let body: Box<dyn Read> = Box::new(answer.into_body().into_reader());
        Self(BufReader::new(body))
    }

    /// The next event; `None` when the stream has ended.
    fn next(&mut self) -> Option<(String, Value)> {
        let mut name = String::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(text) = line.strip_prefix("event: ") {
                name = text.trim().to_owned();
            } else if let Some(text) = line.strip_prefix("data: ") {
                return Some((name, serde_json::from_str(text).unwrap()));
            }
        }
    }

    /// The next event of that name.
    fn until(&mut self, wanted: &str) -> Value {
        loop {
            let (name, value) = self
                .next()
                .unwrap_or_else(|| panic!("the stream ended before {wanted}"));
            if name == wanted {
                return value;
            }
        }
    }
}

#[test]
fn first_everything_then_what_changes() {
    let server = Server::start();
    let lan = server.admin();
    let area = lan.area("Xã Đông");
    let receiver = lan.receiver("Loa", &area);
    let bulletin = lan.approved();
    let mut events = Events::open(&lan);
    let (name, whole) = events.next().unwrap();
    assert_eq!(name, "snapshot");
    for list in ["areas", "receivers", "bulletins", "broadcasts"] {
        assert_eq!(whole[list], lan.get(&format!("/api/v1/{list}")).json(), "{list}");
    }

    let body = json!({ "bulletin_id": bulletin, "target": { "areas": [area], "receivers": [] } });
    let broadcast = lan.post("/api/v1/broadcasts", body).json();
    assert_eq!(events.until("broadcast"), broadcast);
    let id = loa_protocol::ReceiverId::parse(&receiver).unwrap();
    server
        .runtime
        .block_on(server.store.record(Fact::Presence(id, true, now())))
        .unwrap();
    assert_eq!(events.until("receiver")["online"], true);
    let draft = lan.upload("Hai", "normal", &tone(0.2)).json();
    assert_eq!(events.until("bulletin"), draft);
    // There is no event for areas: everything is sent anew.
    let other = lan.area("Xã Tây");
    let areas = events.until("snapshot")["areas"].clone();
    assert!(areas.as_array().unwrap().iter().any(|area| area["id"] == other));
}

#[test]
fn what_another_process_does_is_seen_and_told() {
    let server = Server::start();
    let lan = server.admin();
    let mut events = Events::open(&lan);
    events.until("snapshot");
    let url = server.data.database_url().unwrap();
    server.runtime.block_on(async {
        let other = Store::open(&url, &server.data.programmes()).await.unwrap();
        let actor = Actor {
            who: "root".into(),
            origin: "command line".into(),
        };
        let new = crate::store::NewArea {
            parent: None,
            kind: "commune".into(),
            name: "Xã Nam".into(),
            code: None,
        };
        other.add_area(&actor, now(), new).await.unwrap();
        other.close().await;
    });
    assert_eq!(events.until("snapshot")["areas"][0]["name"], "Xã Nam");
    assert_eq!(server.told(), [Notice::ReceiversChanged]);
}

#[test]
fn the_stream_ends_with_the_session() {
    let server = Server::start();
    let lan = server.admin();
    let mut events = Events::open(&lan);
    events.until("snapshot");
    assert_eq!(lan.send("DELETE", "/api/v1/session", &[], b"").status, 204);
    assert!(events.next().is_none());
}

#[test]
fn the_stream_ends_with_the_server() {
    let server = Server::start();
    let lan = server.admin();
    let mut events = Events::open(&lan);
    events.until("snapshot");
    drop(server);
    assert!(events.next().is_none());
}
