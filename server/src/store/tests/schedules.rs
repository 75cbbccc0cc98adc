//! Schedules, what areas allow, and what goes past it.

use super::*;
use crate::schedule::recurrence::{FORM, Recurrence};
use crate::schedule::rules::{Clock, Hours, Rules};

pub(super) fn at(text: &str) -> chrono::NaiveDateTime {
    chrono::NaiveDateTime::parse_from_str(text, FORM).unwrap()
}

/// The instant that clocks in Việt Nam show so.
pub(super) fn instant(text: &str) -> UnixMicros {
    crate::schedule::recurrence::instant(chrono_tz::Asia::Ho_Chi_Minh, at(text))
}

pub(super) fn daily(bulletin: BulletinId, areas: &[AreaId]) -> NewSchedule {
    let rule = "FREQ=DAILY;COUNT=5";
    NewSchedule {
        title: "Bản tin sáng".into(),
        bulletin,
        target: Target {
            areas: areas.to_vec(),
            receivers: vec![],
        },
        recurrence: Recurrence::new(at("20270116T053000"), chrono_tz::Asia::Ho_Chi_Minh, Some(rule), [], []).unwrap(),
        late: Late::Join,
        paused: false,
        overrides: None,
    }
}

async fn approved(world: &World) -> BulletinId {
    let id = bulletin(world, "Bản tin").await;
    world.store.approve(&actor(), NOW, &world.user, id).await.unwrap();
    id
}

/// `NOW` is 2027-01-15, 15:00 in Việt Nam.
pub(super) async fn each_occurrence_becomes_one_broadcast(url: &str) {
    let world = world(url).await;
    let World { store, user, .. } = &world;
    let id = approved(&world).await;
    let mut watch = store.watch();
    let added = store
        .add_schedule(&actor(), NOW, user, daily(id, &[world.commune]))
        .await
        .unwrap();
    assert_eq!(
        (added.version, added.area, added.approved),
        (1, Some(world.commune), true)
    );
    assert_eq!(watch.try_recv().unwrap(), Change::Schedule(added.id));
    assert_eq!(store.schedules().await.unwrap(), std::slice::from_ref(&added));

    // Nothing is due yet; then the first is, once and not again.
    let first = instant("20270116T053000");
    let soon = UnixMicros(first.0 - 60_000_000);
    let made = store.make_broadcasts(NOW, NOW, later(120), added.id).await.unwrap();
    assert_eq!((made.accepted.len(), made.next), (0, Some(first)));
    let until = UnixMicros(soon.0 + 120_000_000);
    let made = store.make_broadcasts(soon, soon, until, added.id).await.unwrap();
    assert_eq!((made.accepted.len(), made.next), (1, Some(instant("20270117T053000"))));
    let again = store.make_broadcasts(soon, soon, until, added.id).await.unwrap();
    assert_eq!((again.accepted.len(), again.next), (0, made.next));
    let it = store.broadcast_by_id(made.accepted[0]).await.unwrap();
    assert_eq!(
        (it.start, it.state, it.overrides),
        (first, BroadcastState::Scheduled, false)
    );
    assert_eq!(it.schedule, Some((added.id, "20270116T053000".into())));
    assert_eq!((it.target.areas.clone(), it.counts.targeted), (vec![world.commune], 2));
    // What is foreseen has the identifiers that come.
    let foreseen = store.foreseen(soon, instant("20270118T000000"), None).await.unwrap();
    let second = foreseen[1].item.broadcast;
    assert_eq!(
        foreseen.iter().map(|it| it.item.broadcast).collect::<Vec<_>>(),
        [it.id, second]
    );
    let noon = instant("20270116T120000");
    let made = store
        .make_broadcasts(noon, noon, instant("20270117T053100"), added.id)
        .await
        .unwrap();
    assert_eq!(made.accepted, [second]);

    // A change withdraws what has not begun, and plans it anew; who saw an older version is told.
    let mut new = daily(id, &[world.village]);
    new.title = "Bản tin trưa".into();
    let (changed, withdrawn) = store
        .change_schedule(&actor(), noon, user, (added.id, 1), new.clone())
        .await
        .unwrap();
    assert_eq!((changed.version, &withdrawn[..]), (2, &[second][..]));
    let it = store.broadcast_by_id(second).await.unwrap();
    assert_eq!(
        (it.state, it.reason.as_deref()),
        (BroadcastState::Stopped, Some("changed"))
    );
    let stale = store.change_schedule(&actor(), noon, user, (added.id, 1), new).await;
    assert!(matches!(stale, Err(Error::State(Refusal::Changed))));
    let made = store
        .make_broadcasts(noon, noon, instant("20270117T053100"), added.id)
        .await
        .unwrap();
    assert!(made.accepted.len() == 1 && made.accepted[0] != second);

    // One occurrence is moved, one is cancelled.
    let (key, to) = (at("20270118T053000"), at("20270118T170000"));
    let change = (key, Once::Change(Some(to), None));
    let changed = store
        .change_once(&actor(), noon, user, (added.id, 2), change)
        .await
        .unwrap();
    assert_eq!((changed.0.version, changed.1.len()), (3, 1));
    let cancel = (at("20270119T053000"), Once::Cancel);
    store
        .change_once(&actor(), noon, user, (added.id, 3), cancel)
        .await
        .unwrap();
    let nothing = (at("20270119T060000"), Once::Cancel);
    let nothing = store.change_once(&actor(), noon, user, (added.id, 4), nothing).await;
    assert_eq!(invalid(nothing), ("occurrence", Invalid::Unknown));
    let foreseen = store.foreseen(noon, instant("20270201T000000"), None).await.unwrap();
    let starts: Vec<_> = foreseen.iter().map(|it| it.item.start).collect();
    let wanted = ["20270117T053000", "20270118T170000", "20270120T053000"];
    assert_eq!(starts, wanted.map(instant));

    let withdrawn = store.remove_schedule(&actor(), noon, user, added.id).await.unwrap();
    assert!(withdrawn.is_empty());
    assert!(store.schedules().await.unwrap().is_empty());
    assert!(matches!(
        store.schedule(added.id).await,
        Err(Error::Missing("schedule"))
    ));
    store.close().await;
}

pub(super) async fn what_was_missed_is_dealt_with_and_said(url: &str) {
    let world = world(url).await;
    let World { store, user, .. } = &world;
    let id = approved(&world).await;
    // The server comes back in the middle of the third of five; a bulletin lasts a second.
    let third = instant("20270118T053000");
    let now = UnixMicros(third.0 + 300_000);
    let begins = UnixMicros(now.0 + 100_000);
    let until = UnixMicros(now.0 + 120_000_000);
    for (late, accepted, start) in [
        (Late::Join, 1, Some(third)),
        (Late::Skip, 0, None),
        // What is more than a day old is not played any more.
        (Late::Play, 1, Some(begins)),
    ] {
        let new = NewSchedule {
            late,
            ..daily(id, &[world.village])
        };
        let it = store.add_schedule(&actor(), NOW, user, new).await.unwrap();
        let made = store.make_broadcasts(now, begins, until, it.id).await.unwrap();
        assert_eq!(made.accepted.len(), accepted, "{late:?}");
        let all = store.broadcasts(None, 100, &|_| true).await.unwrap();
        let of_it: Vec<_> = all
            .iter()
            .filter(|row| row.schedule.as_ref().is_some_and(|s| s.0 == it.id))
            .collect();
        assert_eq!(of_it.len(), 3, "{late:?}");
        let missed = of_it.iter().filter(|row| row.reason.as_deref() == Some("missed"));
        assert_eq!(missed.count(), 3 - accepted, "{late:?}");
        let last = made
            .accepted
            .last()
            .map(|id| of_it.iter().find(|row| row.id == *id).unwrap().start);
        assert_eq!(last, start, "{late:?}");
        store.remove_schedule(&actor(), now, user, it.id).await.unwrap();
    }
    // A bulletin that nobody approved does not sound, and says so.
    let draft = bulletin(&world, "Nháp").await;
    let it = store
        .add_schedule(&actor(), NOW, user, daily(draft, &[world.village]))
        .await
        .unwrap();
    let made = store
        .make_broadcasts(NOW, NOW, instant("20270116T060000"), it.id)
        .await
        .unwrap();
    assert!(made.accepted.is_empty());
    let all = store.broadcasts(None, 100, &|_| true).await.unwrap();
    let said = all
        .iter()
        .find(|row| row.schedule.as_ref().is_some_and(|s| s.0 == it.id))
        .unwrap();
    assert_eq!(
        (said.state, said.reason.as_deref()),
        (BroadcastState::Failed, Some("not_approved"))
    );
    store.close().await;
}

pub(super) async fn areas_allow_and_two_people_go_past_it(url: &str) {
    let world = world(url).await;
    let World { store, user, .. } = &world;
    let hours = |from, to| {
        Some(vec![Hours {
            days: vec![],
            from: Clock::at(from, 0).unwrap(),
            to: Clock::at(to, 0).unwrap(),
            volume: 70,
        }])
    };
    let rules = Rules {
        hours: hours(5, 21),
        daily_minutes: Some(60),
        seasons: vec![],
    };
    let of_province = (Some(chrono_tz::Europe::Berlin), rules.clone());
    let set = store
        .set_rules(&actor(), NOW, world.province, of_province)
        .await
        .unwrap();
    assert_eq!((set.zone, set.rules), (Some(chrono_tz::Europe::Berlin), rules));
    let of_village = Rules {
        hours: hours(6, 23),
        ..Rules::default()
    };
    store
        .set_rules(&actor(), NOW, world.village, (None, of_village))
        .await
        .unwrap();
    let places = store.places().await.unwrap();
    assert_eq!(places[&world.village].zone, chrono_tz::Europe::Berlin);
    assert_eq!(
        (places[&world.commune].rules.len(), places[&world.village].rules.len()),
        (1, 2)
    );
    let policy = places[&world.village].policy(NOW).unwrap();
    let window = &policy.allowed[0];
    assert_eq!((window.from, window.to, window.volume), (360, 1260, 70));
    assert_eq!((policy.utc_offset, policy.daily_minutes), (60, Some(60)));
    // What no receiver could be told is refused, where it would be so below, too.
    let many = Rules {
        hours: Some(
            (0..12)
                .map(|n| Hours {
                    days: vec![1 + n % 7],
                    from: Clock::at(u16::from(n) + 6, 0).unwrap(),
                    to: Clock::at(u16::from(n) + 6, 30).unwrap(),
                    volume: 50 + n,
                })
                .collect(),
        ),
        ..Rules::default()
    };
    let split = Rules {
        hours: Some(
            (6..18)
                .map(|n| Hours {
                    days: vec![],
                    from: Clock::at(n, 10).unwrap(),
                    to: Clock::at(n, 20).unwrap(),
                    volume: 30 + n as u8,
                })
                .collect(),
        ),
        ..Rules::default()
    };
    store
        .set_rules(&actor(), NOW, world.village, (None, split))
        .await
        .unwrap();
    let wrong = Rules {
        hours: Some(vec![Hours {
            days: vec![8],
            ..many.hours.clone().unwrap()[0].clone()
        }]),
        ..Rules::default()
    };
    assert_eq!(
        invalid(store.set_rules(&actor(), NOW, world.commune, (None, wrong)).await).0,
        "hours"
    );

    // Leave: asked for by one, approved by another, for a time and a place.
    let leave = (world.commune, "Lũ trên sông", later(3600));
    let asked = store.ask_override(&actor(), NOW, user, leave).await.unwrap();
    assert!(!asked.holds(NOW));
    let own = store.approve_override(&actor(), NOW, user, asked.id).await;
    assert!(matches!(own, Err(Error::State(Refusal::SamePerson))));
    let id = approved(&world).await;
    let new = |areas: &[AreaId], overrides| NewBroadcast {
        bulletin: id,
        target: Target {
            areas: areas.to_vec(),
            receivers: vec![],
        },
        start: later(10),
        overrides,
    };
    let early = store
        .accept(&actor(), NOW, user, new(&[world.village], Some(asked.id)))
        .await;
    assert_eq!(invalid(early).0, "override_id");
    let hoa = store.add_user(&actor(), NOW, person("hoa")).await.unwrap();
    let approved = store.approve_override(&actor(), NOW, &hoa, asked.id).await.unwrap();
    assert!(approved.holds(NOW) && !approved.holds(later(3600)));
    let it = store
        .accept(&actor(), NOW, user, new(&[world.village], Some(asked.id)))
        .await
        .unwrap();
    assert!(it.overrides);
    let beyond = store
        .accept(&actor(), NOW, user, new(&[world.province], Some(asked.id)))
        .await;
    assert_eq!(invalid(beyond).0, "override_id");
    store.withdraw_override(&actor(), NOW, asked.id).await.unwrap();
    let gone = store
        .accept(&actor(), NOW, user, new(&[world.village], Some(asked.id)))
        .await;
    assert_eq!(invalid(gone).0, "override_id");
    assert!(store.overrides(NOW).await.unwrap().is_empty());
    let long = (world.commune, "Mãi mãi", later(32 * 86_400));
    assert_eq!(
        invalid(store.ask_override(&actor(), NOW, user, long).await).0,
        "expires"
    );
    store.close().await;
}
