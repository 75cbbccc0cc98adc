//! Live events.

use std::io::{BufRead as _, BufReader, Read};

use super::*;
use crate::playout::{Archive as _, Fact};

/// A stream of events.
pub(super) struct Events(BufReader<Box<dyn Read>>);

impl Events {
    fn open(client: &Client) -> Self {
        Self::shown(client, "cookie", &client.cookie)
    }

    /// Who asks shows in that header who they are.
    pub(super) fn shown(client: &Client, header: &str, value: &str) -> Self {
        let request = client
            .agent
            .get(format!("{}/api/v1/events", client.base))
            .header(header, value);
        let answer = request.call().unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let body: Box<dyn Read> = Box::new(answer.into_body().into_reader());
        Self(BufReader::new(body))
    }

    /// The next event; `None` when the stream has ended.
    pub(super) fn next(&mut self) -> Option<(String, Value)> {
        let mut name = String::new();
        loop {
            let mut line = String::new();
            if self
                .0
                .read_line(&mut line)
                .expect("the stream goes on, or ends in order")
                == 0
            {
                return None;
            }
            if let Some(text) = line.strip_prefix("event: ") {
                name = text.trim().to_owned();
            } else if let Some(text) = line.strip_prefix("data: ") {
                return Some((name, serde_json::from_str(text).unwrap()));
            }
        }
    }

    /// The next snapshot.
    pub(super) fn snapshot(&mut self) -> Value {
        loop {
            let (name, value) = self.next().expect("the stream goes on");
            if name == "snapshot" {
                return value;
            }
        }
    }

    /// Waits until a thing of that kind is told for which `fits` holds, by itself or among everything.
    fn until(&mut self, kind: &str, fits: impl Fn(&Value) -> bool) {
        loop {
            let (name, value) = self
                .next()
                .unwrap_or_else(|| panic!("the stream ended without such a {kind}"));
            let told = match &*name {
                "snapshot" => value[format!("{kind}s")]
                    .as_array()
                    .is_some_and(|list| list.iter().any(&fits)),
                name => name == kind && fits(&value),
            };
            if told {
                return;
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
    events.until("broadcast", |it| *it == broadcast);
    let id = loa_protocol::ReceiverId::parse(&receiver).unwrap();
    server
        .runtime
        .block_on(server.store.record(Fact::Presence(id, true, now())))
        .unwrap();
    events.until("receiver", |it| it["id"] == receiver && it["online"] == true);
    let draft = lan.upload("Hai", "normal", &tone(0.2)).json();
    events.until("bulletin", |it| *it == draft);
    // There is no event for areas: everything is sent anew.
    let other = lan.area("Xã Tây");
    events.until("area", |it| it["id"] == other);
}

#[test]
fn what_another_process_does_is_seen_and_told() {
    let server = Server::start();
    let lan = server.admin();
    let mut events = Events::open(&lan);
    events.snapshot();
    let url = server.data.database_url().unwrap();
    server.runtime.block_on(async {
        let other = Store::open(&url, &server.data.programmes(), Vault::open(&server.data).unwrap())
            .await
            .unwrap();
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
    events.until("area", |it| it["name"] == "Xã Nam");
    assert_eq!(server.told(), [Notice::ReceiversChanged]);
}

#[test]
fn the_stream_ends_with_the_session() {
    let server = Server::start();
    let lan = server.admin();
    let mut events = Events::open(&lan);
    events.snapshot();
    assert_eq!(lan.send("DELETE", "/api/v1/session", &[], b"").status, 204);
    assert!(events.next().is_none());
}

#[test]
fn the_stream_ends_with_the_server() {
    let server = Server::start();
    let lan = server.admin();
    let mut events = Events::open(&lan);
    events.snapshot();
    drop(server);
    assert!(events.next().is_none());
}
