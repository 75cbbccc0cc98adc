//! Where receivers stand, and how they were over time.

use loa_protocol::report::{Serial, Telemetry};

use super::*;
use crate::store::history::SPAN;

/// The beginning of a span.
const START: UnixMicros = UnixMicros(NOW.0 - NOW.0 % SPAN);

fn at(spans: u64, seconds: u64) -> UnixMicros {
    UnixMicros(START.0 + spans * SPAN + seconds * 1_000_000)
}

fn position(latitude: f64, longitude: f64) -> Option<Position> {
    Position::judged(Some(latitude), Some(longitude)).unwrap()
}

pub(super) async fn receivers_stand_somewhere(url: &str) {
    let World {
        store, commune, near, ..
    } = world(url).await;
    for (latitude, longitude, field) in [
        (Some(21.0), None, "longitude"),
        (None, Some(105.8), "latitude"),
        (Some(90.1), Some(105.8), "latitude"),
        (Some(f64::NAN), Some(105.8), "latitude"),
        (Some(21.0), Some(-180.5), "longitude"),
    ] {
        assert_eq!(invalid(Position::judged(latitude, longitude)).0, field);
    }
    assert_eq!(Position::judged(None, None).unwrap(), None);
    let place = position(21.028_511, -105.804_817);
    let new = NewReceiver {
        area: commune,
        name: "Cổng chợ".into(),
        volume: 80,
        position: place,
        secret: Secret([3; 32]),
    };
    let added = store.add_receiver(&actor(), NOW, new, None).await.unwrap();
    assert_eq!(added.position, place);
    let line = store.lines(1).await.unwrap().remove(0);
    assert!(line.after.unwrap().contains("21.028511"));

    assert_eq!(store.receiver(near).await.unwrap().position, None);
    let moved = async |position| {
        let change = ReceiverChange {
            position,
            ..ReceiverChange::default()
        };
        store.change_receiver(&actor(), NOW, near, change).await.unwrap()
    };
    assert_eq!(moved(place).await.position, place);
    let elsewhere = position(-8.5, 105.0);
    assert_eq!(moved(elsewhere).await.position, elsewhere);
    let line = store.lines(1).await.unwrap().remove(0);
    let json = |text: Option<String>| -> serde_json::Value { serde_json::from_str(&text.unwrap()).unwrap() };
    assert_eq!(
        (line.what.as_str(), json(line.before), json(line.after)),
        (
            "receiver.change",
            serde_json::json!({ "latitude": 21.028_511, "longitude": -105.804_817 }),
            serde_json::json!({ "latitude": -8.5, "longitude": 105.0 })
        )
    );
    // What is not said stays.
    assert_eq!(
        store.set_volume(&actor(), NOW, near, 35).await.unwrap().position,
        elsewhere
    );
    store.close().await;
}

pub(super) async fn what_receivers_said_is_kept_for_a_while(url: &str) {
    let World { store, near, far, .. } = world(url).await;
    let report = |boot: u64, expected: u64, lost: u64| Telemetry {
        serial: Serial { boot, number: 1 },
        path: MediaPath::Udp,
        round_trip: 20_000,
        clock_error: 900,
        volume: 70,
        expected,
        lost,
        ..Telemetry::default()
    };
    let facts = [
        Fact::Telemetry(near, report(5, 100, 0), at(0, 30)),
        // Only the first of a span is kept.
        Fact::Telemetry(near, report(5, 200, 90), at(0, 60)),
        Fact::Telemetry(near, report(5, 300, 20), at(1, 0)),
        Fact::Presence(near, false, at(1, 300)),
        // Gone already: it does not go again.
        Fact::Presence(near, false, at(1, 310)),
        // It comes back after two silent spans, and has begun afresh.
        Fact::Presence(near, true, at(4, 1)),
        Fact::Telemetry(near, report(9, 40, 10), at(4, 2)),
        Fact::Telemetry(near, report(11, 4, 0), at(4, 90)),
        // Of one that does not exist.
        Fact::Telemetry(ReceiverId([9; 16]), report(5, 1, 0), at(4, 91)),
        Fact::Presence(ReceiverId([9; 16]), false, at(4, 92)),
        Fact::Telemetry(far, report(5, 0, 0), at(4, 93)),
    ];
    for fact in facts {
        store.record(fact).await.unwrap();
    }
    settle(&store).await;
    let of = async |id, from, to, now| store.history(id, (from, to), now).await.unwrap();
    let history = of(near, at(0, 0), at(9, 0), at(5, 20)).await;
    assert_eq!((history.step, history.stretches[0].at), (SPAN, START));
    // Of the span that has just begun nothing is said.
    let seen: Vec<_> = history
        .stretches
        .iter()
        .map(|it| (it.heard, it.drops, it.restarts))
        .collect();
    assert_eq!(seen, [(1, 0, 0), (1, 1, 0), (0, 0, 0), (0, 0, 0), (1, 0, 2)]);
    let loss: Vec<_> = history.stretches.iter().map(|it| it.loss).collect();
    assert_eq!(loss, [Some(0.0), Some(0.1), None, None, Some(0.0)]);
    let second = &history.stretches[1];
    assert_eq!(
        (second.path, second.round_trip, second.clock_error, second.volume),
        (Some(MediaPath::Udp), Some(20_000), Some(900), Some(70))
    );
    // In part: what was counted before is not told again.
    let later = of(near, at(1, 60), at(1, 61), at(5, 20)).await;
    assert_eq!((later.stretches.len(), later.stretches[0].loss), (1, Some(0.1)));
    // Before it was first heard of nothing is known; nor of who never spoke.
    assert_eq!(of(far, at(0, 0), at(9, 0), at(5, 20)).await.stretches.len(), 1);
    assert!(
        of(ReceiverId([9; 16]), at(0, 0), at(9, 0), at(5, 20))
            .await
            .stretches
            .is_empty()
    );
    // After 90 days it goes, however many spans that are.
    let days = |days: u64| UnixMicros(START.0 + days * 86_400_000_000);
    assert_eq!(store.sweep_history(days(90)).await.unwrap(), 0);
    let swept = UnixMicros(days(90).0 + SPAN + 1);
    assert_eq!(
        (
            store.sweep_history(swept).await.unwrap(),
            store.sweep_history(swept).await.unwrap()
        ),
        (2, 0)
    );
    assert_eq!(of(near, at(0, 0), at(9, 0), at(5, 20)).await.stretches[0].at, at(4, 0));
    store.close().await;
}
