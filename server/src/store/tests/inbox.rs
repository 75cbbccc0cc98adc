//! Approval, inboxes, and what came of it all.

use super::*;
use crate::schedule::recurrence::{FORM, Recurrence, civil};

async fn of_area(world: &World, title: &str, class: Class, area: Option<AreaId>) -> BulletinId {
    let id = BulletinId(ids::fresh(NOW));
    let new = NewBulletin {
        id,
        title: title.into(),
        class,
        format: "wav",
        samples: 480_000,
        area,
        text: None,
        sound: Sound::default(),
    };
    world.store.add_bulletin(&actor(), NOW, &world.user, new).await.unwrap();
    id
}

async fn approve(world: &World, id: BulletinId) -> Vec<BroadcastId> {
    world.store.approve(&actor(), NOW, &world.user, id).await.unwrap().1
}

fn at(seconds: u64, bulletin: BulletinId, areas: &[AreaId]) -> NewBroadcast {
    NewBroadcast {
        bulletin,
        target: Target {
            areas: areas.to_vec(),
            receivers: vec![],
        },
        start: later(seconds),
        overrides: None,
    }
}

async fn accept(world: &World, new: NewBroadcast) -> Broadcast {
    world.store.accept(&actor(), NOW, &world.user, new).await.unwrap()
}

async fn fares(world: &World, id: BroadcastId) -> (BroadcastState, Option<String>) {
    let it = world.store.broadcast_by_id(id).await.unwrap();
    (it.state, it.reason)
}

pub(super) async fn approval_is_asked_for_refused_and_withdrawn(url: &str) {
    let world = world(url).await;
    let World { store, user, .. } = &world;
    let id = of_area(&world, "Nước sạch", Class::Normal, Some(world.commune)).await;
    let it = store.bulletin(id).await.unwrap();
    assert_eq!((it.state, it.author, it.refusal), (BulletinState::Draft, user.id, None));
    let mut watch = store.watch();
    let submitted = store.submit(&actor(), NOW, user, id).await.unwrap();
    assert_eq!(submitted.state, BulletinState::Submitted);
    assert_eq!(watch.try_recv().unwrap(), Change::Bulletin(id));
    assert_eq!(store.submit(&actor(), NOW, user, id).await.unwrap(), submitted);
    let wanted = |state| Wanted {
        state: Some(state),
        ..Wanted::default()
    };
    for (state, many) in [(BulletinState::Submitted, 1), (BulletinState::Draft, 0)] {
        let found = store.bulletins(None, 10, &wanted(state), &|_| true).await.unwrap();
        assert_eq!(found.len(), many, "{state:?}");
    }

    let silent = store.refuse(&actor(), NOW, user, id, "  ").await;
    assert_eq!(invalid(silent), ("reason", Invalid::Empty));
    let (refused, none) = store.refuse(&actor(), NOW, user, id, " Thiếu tên trạm ").await.unwrap();
    assert_eq!(
        (refused.state, refused.refusal.as_deref(), none.len()),
        (BulletinState::Refused, Some("Thiếu tên trạm"), 0)
    );
    let again = store.submit(&actor(), NOW, user, id).await.unwrap();
    assert_eq!((again.state, again.refusal), (BulletinState::Submitted, None));
    assert!(approve(&world, id).await.is_empty());

    // Only another title asks for approval again; who had submitted it does so anew, too.
    let change = async |change| store.change_bulletin(&actor(), NOW, id, change).await.unwrap();
    let besides = BulletinChange {
        folder: Some("Y tế".into()),
        field: Some("Sức khỏe".into()),
        language: Some("en".into()),
        tags: Some(vec!["nước".into()]),
        expires: Some(Some(later(86_400))),
        title: Some("Nước sạch".into()),
    };
    assert_eq!(change(besides).await.0.state, BulletinState::Approved);
    let soon = accept(&world, at(60, id, &[world.commune])).await;
    let title = |text: &str| BulletinChange {
        title: Some(text.into()),
        ..BulletinChange::default()
    };
    let (renamed, withdrawn) = change(title("Nước sạch 2")).await;
    assert_eq!((renamed.state, withdrawn), (BulletinState::Draft, vec![soon.id]));
    let failed = (BroadcastState::Failed, Some("not_approved".to_owned()));
    assert_eq!(fares(&world, soon.id).await, failed);
    store.submit(&actor(), NOW, user, id).await.unwrap();
    assert_eq!(change(title("Nước sạch 3")).await.0.state, BulletinState::Draft);

    let lines = store.lines(100).await.unwrap();
    let acts: Vec<_> = lines
        .iter()
        .rev()
        .filter(|it| it.what.starts_with("bulletin."))
        .collect();
    let said: Vec<_> = acts.iter().map(|it| &*it.what).collect();
    let wanted = [
        "bulletin.upload",
        "bulletin.submit",
        "bulletin.refuse",
        "bulletin.submit",
        "bulletin.approve",
        "bulletin.change",
        "bulletin.change",
        "bulletin.submit",
        "bulletin.change",
    ];
    assert_eq!(said, wanted);
    assert!(acts[2].after.as_ref().unwrap().contains("Thiếu tên trạm"));
    assert!(acts.iter().all(|it| it.area == Some(world.commune)));
    assert!(
        lines
            .iter()
            .any(|it| it.what == "broadcast.failed" && it.detail == "not_approved")
    );
    store.close().await;
}

pub(super) async fn what_fails_for_want_of_approval_comes_back_in_time(url: &str) {
    let world = world(url).await;
    let World { store, user, .. } = &world;
    let id = of_area(&world, "Tiêm chủng", Class::Normal, None).await;
    approve(&world, id).await;
    let soon = accept(&world, at(60, id, &[world.commune])).await;
    let over = accept(&world, at(1, id, &[world.commune])).await;
    let (_, withdrawn) = store.refuse(&actor(), NOW, user, id, "Sai ngày").await.unwrap();
    assert_eq!(withdrawn.len(), 2);
    let early = store.accept(&actor(), NOW, user, at(5, id, &[world.commune])).await;
    assert!(matches!(early, Err(Error::State(Refusal::NotApproved))));

    // It waits, until it was to begin; so do a schedule's turns.
    let rule = Recurrence::new(
        civil(chrono_tz::Asia::Ho_Chi_Minh, later(30)),
        chrono_tz::Asia::Ho_Chi_Minh,
        Some("FREQ=DAILY;COUNT=3"),
        [],
        [],
    );
    let new = NewSchedule {
        title: "Sáng".into(),
        bulletin: id,
        target: Target {
            areas: vec![world.village],
            receivers: vec![],
        },
        recurrence: rule.unwrap(),
        late: Late::Join,
        paused: false,
        overrides: None,
    };
    let schedule = store.add_schedule(&actor(), NOW, user, new).await.unwrap();
    store.submit(&actor(), NOW, user, id).await.unwrap();
    let (starts, asked) = store.unapproved(NOW).await.unwrap();
    assert_eq!(asked, [id]);
    let due = crate::schedule::deadlines::waiting(NOW, &asked, starts);
    assert_eq!(due, [(id, Some(over.start))]);
    let made = store.make_broadcasts(NOW, NOW, later(120), schedule.id).await.unwrap();
    assert!(made.accepted.is_empty());

    let planned = approve(&world, id).await;
    assert_eq!(planned.len(), 2, "what begins at once cannot be told any more");
    let turn = store.broadcast_by_id(planned[0]).await.unwrap();
    let key = later(30);
    let key = civil(chrono_tz::Asia::Ho_Chi_Minh, key).format(FORM).to_string();
    assert_eq!(
        (turn.state, turn.schedule),
        (BroadcastState::Scheduled, Some((schedule.id, key)))
    );
    let it = store.broadcast_by_id(planned[1]).await.unwrap();
    assert_eq!(
        (it.start, it.end, it.target, it.counts.targeted),
        (soon.start, soon.end, soon.target, 2)
    );
    assert_eq!(fares(&world, soon.id).await.1.as_deref(), Some("changed"));
    assert_eq!(fares(&world, over.id).await.1.as_deref(), Some("not_approved"));
    assert!(store.unapproved(NOW).await.unwrap().0.is_empty());

    // Once more, and a schedule that was changed meanwhile brings nothing back.
    let (_, withdrawn) = store.refuse(&actor(), NOW, user, id, "Sai giờ").await.unwrap();
    assert_eq!(withdrawn.len(), 2);
    store.remove_schedule(&actor(), NOW, user, schedule.id).await.unwrap();
    assert_eq!(approve(&world, id).await.len(), 1);

    // It may be moved, as long as it has not begun.
    let open = store.foreseen(NOW, later(1000), None).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].bulletin, open[0].occurrence), (id, None));
    let moved = store
        .move_broadcast(&actor(), NOW, user, open[0].item.broadcast, later(90))
        .await
        .unwrap();
    assert_eq!((moved.start, moved.end), (later(90), later(100)));
    let stopped = (BroadcastState::Stopped, Some("changed".to_owned()));
    assert_eq!(fares(&world, open[0].item.broadcast).await, stopped);
    let again = store
        .move_broadcast(&actor(), NOW, user, open[0].item.broadcast, later(95))
        .await;
    assert!(matches!(again, Err(Error::State(Refusal::Over))));
    store.close().await;
}

async fn reported(world: &World, receiver: ReceiverId, broadcast: BroadcastId, outcome: Outcome, played: u64) {
    let receipt = report::Receipt {
        outcome,
        played,
        planned: 480_000,
        ..super::receipt(broadcast)
    };
    world
        .store
        .record(Fact::Receipt(receiver, receipt, later(40)))
        .await
        .unwrap();
}

async fn air(world: &World, id: BroadcastId, state: State) {
    // What becomes of a broadcast is durable at once, and all facts before it.
    world.store.record(Fact::Broadcast(id, state, later(30))).await.unwrap();
}

pub(super) async fn what_is_sent_down_is_answered_and_reported_on(url: &str) {
    let world = world(url).await;
    let World { store, user, .. } = &world;
    let id = of_area(&world, "Phòng cháy", Class::Normal, Some(world.province)).await;
    let sending = |areas: &[AreaId]| NewSending {
        areas: areas.to_vec(),
        note: Some("Phát trước thứ sáu".into()),
        valid_until: Some(later(3600)),
    };
    let send = async |id, new| store.send(&actor(), NOW, user, id, new).await;
    let draft = send(id, sending(&[world.commune])).await;
    assert!(matches!(draft, Err(Error::State(Refusal::NotApproved))));
    approve(&world, id).await;
    for wrong in [vec![], vec![world.province], vec![AreaId([9; 16])]] {
        assert_eq!(invalid(send(id, sending(&wrong)).await).0, "areas");
    }
    let past = NewSending {
        valid_until: Some(NOW),
        ..sending(&[world.commune])
    };
    assert_eq!(invalid(send(id, past).await).0, "valid_until");
    let flood = of_area(&world, "Lũ", Class::Emergency, Some(world.province)).await;
    approve(&world, flood).await;
    let urgent = send(flood, sending(&[world.commune])).await;
    assert!(matches!(urgent, Err(Error::State(Refusal::Emergency))));

    let sent = send(id, sending(&[world.commune, world.village])).await.unwrap();
    assert_eq!(sent.len(), 2);
    let mut areas = vec![world.commune, world.village];
    areas.sort();
    assert_eq!(store.bulletin(id).await.unwrap().sent_to, areas);
    let listed = store
        .bulletins(None, 10, &Wanted::default(), &|it| !it.sent_to.is_empty())
        .await;
    assert_eq!(listed.unwrap().len(), 1);
    let of = |all: &[Delivery], area| all.iter().find(|it| it.area == area).unwrap().clone();
    let (commune, village) = (of(&sent, world.commune), of(&sent, world.village));
    assert_eq!(
        (commune.note.as_deref(), commune.accepted()),
        (Some("Phát trước thứ sáu"), false)
    );
    let fared = async |it: &Delivery| {
        let all = store.reports(NOW, std::slice::from_ref(it)).await.unwrap();
        (all[0].fared, all[0].next, all[0].receivers)
    };
    assert_eq!(fared(&commune).await, (Fared::Received, None, (0, 0)));

    let accepted = store.answer(&actor(), NOW, user, commune.id, None).await.unwrap();
    assert!(accepted.accepted());
    let refused = store
        .answer(&actor(), NOW, user, village.id, Some("Trùng tuần trước"))
        .await
        .unwrap();
    assert_eq!(
        refused.answer.as_ref().unwrap().refusal.as_deref(),
        Some("Trùng tuần trước")
    );
    assert_eq!(fared(&refused).await.0, Fared::Refused);
    let late = store.answer(&actor(), later(3600), user, village.id, None).await;
    assert!(matches!(late, Err(Error::State(Refusal::Expired))));

    // Not beyond its time; then as the commune likes, and nobody refuses what is scheduled.
    let beyond = store.accept(&actor(), NOW, user, at(3600, id, &[world.commune])).await;
    assert!(matches!(beyond, Err(Error::State(Refusal::Expired))));
    let it = accept(&world, at(30, id, &[world.commune])).await;
    assert_eq!(fared(&accepted).await, (Fared::Scheduled, Some(it.start), (0, 0)));
    assert_eq!(
        fared(&refused).await.0,
        Fared::Scheduled,
        "the village lies in the commune"
    );
    let scheduled = store.answer(&actor(), NOW, user, commune.id, Some("Thôi")).await;
    assert!(matches!(scheduled, Err(Error::State(Refusal::Scheduled))));
    air(&world, it.id, State::OnAir).await;
    assert_eq!(fared(&accepted).await.0, Fared::Playing);
    reported(&world, world.near, it.id, Outcome::Played, 480_000).await;
    reported(&world, world.far, it.id, Outcome::Interrupted, 240_000).await;
    air(&world, it.id, State::Done).await;
    assert_eq!(fared(&accepted).await, (Fared::Interrupted, None, (2, 1)));
    assert_eq!(fared(&refused).await, (Fared::Interrupted, None, (1, 0)));

    // Sent anew, it is to be answered anew.
    let anew = send(id, sending(&[world.village])).await.unwrap();
    assert_eq!((anew.len(), anew[0].id, anew[0].answer.clone()), (1, village.id, None));
    let lines = store.lines(100).await.unwrap();
    let of_village = lines.iter().filter(|it| it.area == Some(world.village));
    let acts: Vec<_> = of_village
        .map(|it| &*it.what)
        .filter(|it| !it.starts_with("area."))
        .collect();
    assert!(
        acts.contains(&"bulletin.send") && acts.contains(&"inbox.refuse"),
        "{acts:?}"
    );
    assert!(lines.iter().any(|it| it.what == "inbox.accept"));
    store.delete_bulletin(&actor(), NOW, id).await.unwrap().unwrap();
    assert!(store.deliveries(None).await.unwrap().is_empty());
    store.close().await;
}

pub(super) async fn what_was_planned_and_what_sounded_is_added_up(url: &str) {
    let world = world(url).await;
    let World { store, .. } = &world;
    let id = of_area(&world, "Sáng", Class::Normal, None).await;
    let priority = of_area(&world, "Ưu tiên", Class::Priority, None).await;
    approve(&world, id).await;
    approve(&world, priority).await;
    // Ten seconds at two receivers: all of it, and half of it.
    let first = accept(&world, at(10, id, &[world.commune])).await;
    air(&world, first.id, State::OnAir).await;
    reported(&world, world.near, first.id, Outcome::Played, 480_000).await;
    reported(&world, world.far, first.id, Outcome::Interrupted, 240_000).await;
    air(&world, first.id, State::Done).await;
    // It failed: planned, and not played. It was stopped before it began: neither. It is to come: neither.
    let failed = accept(&world, at(20, priority, &[world.village])).await;
    air(&world, failed.id, State::Failed("no sound".into())).await;
    let stopped = accept(&world, at(25, id, &[world.commune])).await;
    store.stop(&actor(), NOW, stopped.id).await.unwrap();
    accept(&world, at(26, id, &[world.commune])).await;

    let all = async |areas: &[AreaId], from, to| store.accounts(areas, (later(from), later(to))).await.unwrap();
    let account = |broadcasts, planned, played| Account {
        broadcasts,
        planned,
        played,
    };
    let whole = all(&[world.province], 0, 100).await;
    assert_eq!(whole.get(&Class::Normal), Some(&account(1, 20_000, 15_000)));
    assert_eq!(whole.get(&Class::Priority), Some(&account(1, 10_000, 0)));
    assert_eq!(whole.len(), 2);
    let sum = whole.values().fold(Account::default(), |sum, it| sum.and(*it));
    assert_eq!((sum, sum.ratio()), (account(2, 30_000, 15_000), Some(0.5)));
    let village = all(&[world.village], 0, 100).await;
    assert_eq!(village.get(&Class::Normal), Some(&account(1, 10_000, 5_000)));
    assert_eq!(all(&[world.village, world.province], 0, 100).await, whole);
    assert_eq!(all(&[world.province], 11, 100).await.len(), 1);
    assert!(all(&[world.province], 0, 10).await.is_empty() && all(&[], 0, 100).await.is_empty());
    assert_eq!(Account::default().ratio(), None);

    let receipts = store.receipts(first.id).await.unwrap();
    let mut accounts: Vec<_> = receipts.iter().map(|it| it.account(BroadcastState::Done)).collect();
    accounts.sort_unstable();
    assert_eq!(accounts, ["interrupted", "played"]);
    let silent = store.receipts(failed.id).await.unwrap();
    let of = |state| silent[0].account(state);
    assert_eq!(
        [BroadcastState::Scheduled, BroadcastState::OnAir, BroadcastState::Failed].map(of),
        ["scheduled", "scheduled", "failed"]
    );
    store.close().await;
}
