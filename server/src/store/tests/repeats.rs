//! Emergencies that are said again.

use super::*;

/// Ten seconds of sound, approved.
async fn warning(world: &World, title: &str, class: Class) -> BulletinId {
    let id = BulletinId(ids::fresh(NOW));
    let new = NewBulletin {
        id,
        title: title.into(),
        class,
        format: "wav",
        samples: 480_000,
        area: None,
        text: None,
        sound: Sound::default(),
    };
    world.store.add_bulletin(&actor(), NOW, &world.user, new).await.unwrap();
    world.store.approve(&actor(), NOW, &world.user, id).await.unwrap();
    id
}

async fn accept(world: &World, bulletin: BulletinId, every: u32, until: u64) -> Result<Broadcast, Error> {
    let new = NewBroadcast {
        bulletin,
        target: Target {
            areas: vec![world.commune],
            receivers: vec![],
        },
        start: later(1),
        overrides: None,
    };
    let repeat = NewRepeat {
        every,
        until: later(until),
    };
    world
        .store
        .accept_again(&actor(), NOW, &world.user, new, Some(repeat))
        .await
}

async fn make(world: &World, now: u64) -> Made {
    let (begins, until) = (later(now + 10), later(now + 120));
    world.store.make_repeats(later(now), begins, until).await.unwrap()
}

/// When those begin that came of `first`, itself included, in seconds from now, how they fare and why.
async fn family(world: &World, first: BroadcastId) -> Vec<(u64, BroadcastState, Option<String>)> {
    let all = world.store.broadcasts(None, 100, &|_| true).await.unwrap();
    let of = all
        .into_iter()
        .filter(|it| it.repeat.is_some_and(|it| it.first == first));
    let mut of: Vec<_> = of
        .map(|it| ((it.start.0 - NOW.0) / 1_000_000, it.state, it.reason))
        .collect();
    of.sort_unstable_by_key(|it| it.0);
    of
}

pub(super) async fn an_emergency_is_said_again_until_it_is_stopped(url: &str) {
    let world = world(url).await;
    let store = &world.store;
    let bulletin = warning(&world, "Lũ", Class::Emergency).await;
    let mut watch = store.watch();
    let first = accept(&world, bulletin, 1, 3600).await.unwrap();
    assert_eq!(watch.try_recv().unwrap(), Change::Broadcast(first.id));
    assert_eq!(watch.try_recv().unwrap(), Change::Repeats);
    let repeat = first.repeat.unwrap();
    assert_eq!(
        (repeat.first, repeat.every, repeat.next),
        (first.id, 60_000_000, Some(later(61)))
    );

    // What is foreseen is what comes, under the same identifiers, each once however often it is looked at.
    let foreseen = store.foreseen(NOW, later(200), None).await.unwrap();
    let made = make(&world, 0).await;
    assert_eq!((made.accepted.len(), made.next), (1, Some(later(121))));
    assert_eq!(make(&world, 0).await.accepted, []);
    let made = [made.accepted, make(&world, 60).await.accepted].concat();
    let ids: Vec<_> = foreseen.iter().map(|it| it.item.broadcast).collect();
    assert_eq!(ids[..3], [first.id, made[0], made[1]]);
    let now_foreseen = store.foreseen(NOW, later(200), None).await.unwrap();
    assert_eq!(now_foreseen.len(), foreseen.len());
    let again = store.broadcast_by_id(made[0]).await.unwrap();
    assert_eq!(
        (again.start, again.class, again.target),
        (later(61), Class::Emergency, first.target.clone())
    );

    // Stopped between two of them, by any of them: nothing is said any more.
    let (stopped, others) = store.stop(&actor(), later(62), made[0]).await.unwrap();
    assert_eq!(stopped.state, BroadcastState::Stopped);
    assert_eq!(others.len(), 2, "the first and the third: {others:?}");
    assert_eq!(make(&world, 120).await, Made::default());
    assert!(
        family(&world, first.id)
            .await
            .iter()
            .all(|it| it.1 == BroadcastState::Stopped)
    );
    assert!(matches!(
        store.stop(&actor(), later(63), first.id).await,
        Err(Error::State(Refusal::Over))
    ));
    store.close().await;
}

pub(super) async fn what_is_said_again_is_judged_missed_and_ends(url: &str) {
    let world = world(url).await;
    let store = &world.store;
    let normal = warning(&world, "Sáng", Class::Normal).await;
    let bulletin = warning(&world, "Lũ", Class::Emergency).await;
    for (it, every, until, field) in [
        (normal, 5, 3600, "repeat"),
        (bulletin, 0, 3600, "repeat.every_minutes"),
        (bulletin, 1441, 3600, "repeat.every_minutes"),
        (bulletin, 5, 1, "repeat.until"),
        (bulletin, 5, 86_402, "repeat.until"),
    ] {
        let wrong = accept(&world, it, every, until).await.unwrap_err();
        assert!(
            matches!(wrong, Error::Invalid { field: told, .. } if told == field),
            "{wrong:?}"
        );
    }
    assert!(
        store.broadcasts(None, 10, &|_| true).await.unwrap().is_empty(),
        "nothing is half done"
    );

    // The server was away from 00:30 to 04:30: what was missed is said, the last of it is said at once, and then it goes on.
    let first = accept(&world, bulletin, 1, 420).await.unwrap();
    let made = make(&world, 270).await;
    let missed = |at| (at, BroadcastState::Failed, Some("missed".to_owned()));
    let coming = |at| (at, BroadcastState::Scheduled, None);
    assert_eq!(
        family(&world, first.id).await,
        [
            coming(1),
            missed(61),
            missed(121),
            missed(181),
            coming(280),
            coming(301),
            coming(361)
        ]
    );
    assert_eq!(
        (made.accepted.len(), made.next),
        (3, None),
        "the one at 421 is not valid any more"
    );

    // Without approval it is said no more, and the record says why.
    let other = accept(&world, bulletin, 1, 3600).await.unwrap();
    store
        .refuse(&actor(), NOW, &world.user, bulletin, "Nhầm số điện thoại")
        .await
        .unwrap();
    assert_eq!(make(&world, 0).await.accepted, []);
    let fared = family(&world, other.id).await;
    assert_eq!(fared[1], (61, BroadcastState::Failed, Some("not_approved".to_owned())));
    assert_eq!(make(&world, 300).await, Made::default());

    // Between two of them nobody takes the bulletin away; once it was stopped, they may.
    let bulletin = warning(&world, "Bão", Class::Emergency).await;
    let it = accept(&world, bulletin, 5, 3600).await.unwrap();
    store
        .record(Fact::Broadcast(it.id, State::Done, later(20)))
        .await
        .unwrap();
    let kept = store.delete_bulletin(&actor(), later(30), bulletin).await.unwrap();
    assert_eq!(kept, Err(vec![Use::Broadcast(it.id, it.start)]));
    store.stop(&actor(), later(40), it.id).await.unwrap();
    let gone = store.delete_bulletin(&actor(), later(50), bulletin).await.unwrap();
    assert_eq!(gone, Ok(()));
    store.close().await;
}
