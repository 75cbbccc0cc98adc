//! Playlists: kept, composed, let go of, and what schedules make of them.

use super::schedules::{at, daily, instant};
use super::*;
use crate::schedule::playlist::Joins;
use crate::schedule::recurrence::Recurrence;

/// Approved bulletins of so many seconds each.
async fn parts(world: &World, seconds: &[u64]) -> Vec<BulletinId> {
    let mut made = Vec::new();
    for length in seconds {
        let new = NewBulletin {
            id: BulletinId(ids::fresh(NOW)),
            title: format!("Bài {length}"),
            class: Class::Priority,
            format: "mp3",
            samples: length * 48_000,
            area: None,
            text: None,
            sound: Sound::default(),
        };
        let id = new.id;
        world.store.add_bulletin(&actor(), NOW, &world.user, new).await.unwrap();
        world.store.approve(&actor(), NOW, &world.user, id).await.unwrap();
        made.push(id);
    }
    made
}

fn new(parts: &[BulletinId], take: Option<u32>) -> NewPlaylist {
    NewPlaylist {
        title: "Ca nhạc chiều".into(),
        area: None,
        opening: None,
        parts: parts.to_vec(),
        closing: None,
        joins: Joins {
            gap: 500,
            ..Joins::default()
        },
        take,
    }
}

async fn add(world: &World, new: NewPlaylist) -> Result<Playlist, Error> {
    world.store.add_playlist(&actor(), NOW, &world.user, new).await
}

/// Keeps all that is to be composed at `at` as if it was; gives how many that were.
async fn compose(world: &World, at: UnixMicros) -> usize {
    let (missing, _) = world.store.to_make(at).await.unwrap();
    for it in &missing {
        assert!(world.store.made(at, it, BulletinId(ids::fresh(at))).await.unwrap());
        assert!(
            !world.store.made(at, it, BulletinId(ids::fresh(at))).await.unwrap(),
            "once"
        );
    }
    missing.len()
}

async fn expire(world: &World, id: BulletinId, at: UnixMicros) {
    let change = BulletinChange {
        expires: Some(Some(at)),
        ..BulletinChange::default()
    };
    world.store.change_bulletin(&actor(), NOW, id, change).await.unwrap();
}

fn here(world: &World, bulletin: BulletinId, start: UnixMicros) -> NewBroadcast {
    NewBroadcast {
        bulletin,
        target: Target {
            areas: vec![world.commune],
            receivers: vec![],
        },
        start,
        overrides: None,
    }
}

pub(super) async fn a_playlist_is_kept_judged_and_composed(url: &str) {
    let world = world(url).await;
    let World { store, user, .. } = &world;
    let songs = parts(&world, &[10, 20, 30]).await;
    let draft = bulletin(&world, "Chưa duyệt").await;
    let mut watch = store.watch();
    let wanted = NewPlaylist {
        opening: Some(songs[0]),
        closing: Some(songs[0]),
        ..new(&[songs[1], songs[2], songs[1]], None)
    };
    let it = add(&world, wanted.clone()).await.unwrap();
    assert_eq!(
        (it.version, it.class, &it.title[..]),
        (1, Class::Priority, "Ca nhạc chiều")
    );
    assert_eq!(watch.try_recv().unwrap(), Change::Playlist(it.id));
    assert_eq!(store.playlists().await.unwrap(), std::slice::from_ref(&it));
    let length = (10 + 20 + 30 + 20 + 10) * 48_000 + 4 * 24_000;
    let sounding = it.sounding(NOW, 7).unwrap();
    assert_eq!((sounding.samples, sounding.made), (length, None));
    // Among bulletins it is none.
    let shown = store.bulletins(None, 10, &Wanted::default(), &|_| true).await.unwrap();
    assert_eq!(shown.len(), 4);

    // It sounds once it is composed, and what was accepted stays as it is.
    let refused = store.accept(&actor(), NOW, user, here(&world, it.id, later(10))).await;
    assert!(matches!(refused, Err(Error::State(Refusal::Composing))));
    assert_eq!((compose(&world, NOW).await, compose(&world, NOW).await), (1, 0));
    let made = store
        .playlist(it.id)
        .await
        .unwrap()
        .sounding(NOW, 0)
        .unwrap()
        .made
        .unwrap();
    let aired = store
        .accept(&actor(), NOW, user, here(&world, it.id, later(10)))
        .await
        .unwrap();
    assert_eq!(
        (aired.bulletin, aired.samples, &aired.title[..]),
        (made, length, "Ca nhạc chiều")
    );
    assert_eq!(aired.end.0 - aired.start.0, length.div_ceil(48) * 1000);
    // What was composed is nothing that people name.
    let refused = store.accept(&actor(), NOW, user, here(&world, made, later(10))).await;
    assert!(matches!(refused, Err(Error::Missing("bulletin"))));

    // A part is needed; so is the playlist while it is to be on the air.
    let uses = store
        .delete_bulletin(&actor(), NOW, songs[1])
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(uses, [Use::Playlist(it.id, "Ca nhạc chiều".into())]);
    let uses = store.remove_playlist(&actor(), NOW, it.id).await.unwrap().unwrap_err();
    assert_eq!(uses, [Use::Broadcast(aired.id, aired.start)]);

    // A change is another composition; the one before goes when nobody needs it.
    let other = NewPlaylist {
        title: "Ca nhạc tối".into(),
        ..new(&songs, None)
    };
    let changed = store
        .change_playlist(&actor(), NOW, user, (it.id, 1), other.clone())
        .await
        .unwrap();
    assert_eq!((changed.version, &changed.title[..]), (2, "Ca nhạc tối"));
    let stale = store.change_playlist(&actor(), NOW, user, (it.id, 1), other).await;
    assert!(matches!(stale, Err(Error::State(Refusal::Changed))));
    assert_eq!(store.forget_turns(NOW).await.unwrap(), []);
    store.stop(&actor(), NOW, aired.id).await.unwrap();
    assert_eq!(store.forget_turns(NOW).await.unwrap(), [made]);
    assert!(!store.bulletin_ids().await.unwrap().contains(&made));
    assert_eq!(store.broadcast_by_id(aired.id).await.unwrap().title, "Ca nhạc chiều");
    assert_eq!(compose(&world, NOW).await, 1);

    // What cannot be composed waits for a change.
    let (id, why) = (changed.id, "part 2 cannot be read");
    let third = new(&songs[..2], None);
    store
        .change_playlist(&actor(), NOW, user, (id, 2), third.clone())
        .await
        .unwrap();
    store.playlist_trouble(id, Some(why)).await.unwrap();
    assert_eq!(store.playlist(id).await.unwrap().trouble.as_deref(), Some(why));
    assert_eq!(store.to_make(NOW).await.unwrap(), (vec![], None));
    store
        .change_playlist(&actor(), NOW, user, (id, 3), third)
        .await
        .unwrap();
    assert_eq!(compose(&world, NOW).await, 1);

    let gone = store.remove_playlist(&actor(), NOW, id).await.unwrap().unwrap();
    assert_eq!(gone.len(), 2);
    assert!(matches!(store.playlist(id).await, Err(Error::Missing("playlist"))));
    assert!(store.playlists().await.unwrap().is_empty());
    store.delete_bulletin(&actor(), NOW, songs[1]).await.unwrap().unwrap();

    // What is not right.
    let wrong = |set: fn(&mut NewPlaylist)| {
        let mut it = new(&[songs[0], songs[2]], None);
        set(&mut it);
        it
    };
    for (it, field) in [
        (wrong(|it| it.title = String::new()), "title"),
        (wrong(|it| it.parts.clear()), "bulletin_ids"),
        (wrong(|it| it.joins.gap = 600_001), "gap_ms"),
        (wrong(|it| it.joins.fade_in = 30_001), "fade_in_ms"),
        (wrong(|it| it.joins.fade_out = 30_001), "fade_out_ms"),
        (wrong(|it| it.take = Some(0)), "take"),
        (wrong(|it| it.take = Some(3)), "take"),
        (wrong(|it| it.parts.push(BulletinId([9; 16]))), "bulletin_ids"),
        (wrong(|it| it.closing = Some(BulletinId([9; 16]))), "closing_id"),
        (new(&[songs[1]], None), "bulletin_ids"),
        (new(&[id], None), "bulletin_ids"),
    ] {
        let error = add(&world, it).await.unwrap_err();
        assert!(
            matches!(error, Error::Invalid { field: of, .. } if of == field),
            "{error}"
        );
    }
    let error = add(&world, new(&[songs[0], draft], None)).await.unwrap_err();
    assert_eq!(error.to_string(), "“Chưa duyệt”: the bulletin is not approved");
    assert!(store.playlists().await.unwrap().is_empty(), "nothing was kept");
    let acts: Vec<_> = store.lines(100).await.unwrap().into_iter().map(|it| it.what).collect();
    for (what, times) in [
        ("playlist.add", 1),
        ("playlist.change", 3),
        ("playlist.remove", 1),
        ("playlist.compose", 3),
    ] {
        assert_eq!(acts.iter().filter(|it| *it == what).count(), times, "{what}");
    }
}

pub(super) async fn parts_drop_out_in_time(url: &str) {
    let world = world(url).await;
    let World { store, user, .. } = &world;
    let songs = parts(&world, &[10, 20]).await;
    let hours = |hours: u64| later(hours * 3600);
    expire(&world, songs[0], hours(3)).await;
    let id = add(&world, new(&songs, None)).await.unwrap().id;
    // Only what sounds now; the rest an hour before it does.
    assert_eq!(compose(&world, NOW).await, 1);
    assert_eq!(store.to_make(NOW).await.unwrap(), (vec![], Some(hours(2))));
    let refused = store.accept(&actor(), NOW, user, here(&world, id, hours(3))).await;
    assert!(matches!(refused, Err(Error::State(Refusal::Expired))));
    assert_eq!(compose(&world, hours(2)).await, 1);
    let both = store.playlist(id).await.unwrap();
    let samples = |at| both.sounding(at, 0).map(|it| (it.samples, it.made.is_some()));
    let all = 30 * 48_000 + 24_000;
    assert_eq!(samples(UnixMicros(hours(3).0 - 1)), Some((all, true)));
    assert_eq!(samples(hours(3)), Some((20 * 48_000, true)));
    let aired = store
        .accept(&actor(), hours(2), user, here(&world, id, hours(3)))
        .await
        .unwrap();
    assert_eq!(aired.samples, 20 * 48_000);

    // It is kept a day longer, for who comes late.
    assert_eq!(store.forget_turns(hours(26)).await.unwrap(), []);
    let gone = store.forget_turns(hours(28)).await.unwrap();
    assert_eq!(gone, [both.sounding(NOW, 0).unwrap().made.unwrap()]);
    // With the last part nothing sounds any more.
    expire(&world, songs[1], hours(30)).await;
    let empty = store
        .accept(&actor(), hours(30), user, here(&world, id, hours(30)))
        .await;
    assert!(matches!(empty, Err(Error::State(Refusal::Expired))));
    assert_eq!(store.to_make(hours(30)).await.unwrap(), (vec![], None));
}

/// `NOW` is 2027-01-15, 15:00 in Việt Nam.
pub(super) async fn what_is_foreseen_of_a_rotation_is_what_comes(url: &str) {
    let world = world(url).await;
    let World { store, user, .. } = &world;
    let songs = parts(&world, &[10, 20, 30]).await;
    let id = add(&world, new(&songs, Some(1))).await.unwrap().id;
    let wanted = NewSchedule {
        recurrence: Recurrence::new(
            at("20270116T053000"),
            chrono_tz::Asia::Ho_Chi_Minh,
            Some("FREQ=DAILY;COUNT=5"),
            [at("20270118T053000")],
            [],
        )
        .unwrap(),
        ..daily(id, &[world.commune])
    };
    let schedule = store.add_schedule(&actor(), NOW, user, wanted).await.unwrap();
    assert!(schedule.approved);
    let end = instant("20270122T000000");
    let foreseen = store.foreseen(NOW, end, None).await.unwrap();
    let seconds = |it: &Foreseen| (it.item.end.0 - it.item.start.0) / 1_000_000;
    // One is left out: the others have their turns as they would have had.
    assert_eq!(foreseen.iter().map(seconds).collect::<Vec<_>>(), [10, 20, 10, 20]);

    // Before it is composed it cannot sound, and that is said.
    let first = instant("20270116T053000");
    let made = store
        .make_broadcasts(first, first, UnixMicros(first.0 + 1), schedule.id)
        .await;
    assert!(made.unwrap().accepted.is_empty());
    let row = store.broadcast_by_id(foreseen[0].item.broadcast).await.unwrap();
    assert_eq!(
        (row.state, row.reason.as_deref()),
        (BroadcastState::Failed, Some("not_composed"))
    );
    assert_eq!(compose(&world, NOW).await, 3);
    let made = store.make_broadcasts(first, first, end, schedule.id).await.unwrap();
    let ids: Vec<_> = foreseen[1..].iter().map(|it| it.item.broadcast).collect();
    assert_eq!(made.accepted, ids);
    let list = store.playlist(id).await.unwrap();
    for (foreseen, place) in foreseen[1..].iter().zip([1, 3, 4]) {
        let it = store.broadcast_by_id(foreseen.item.broadcast).await.unwrap();
        assert_eq!((it.start, it.end), (foreseen.item.start, foreseen.item.end));
        let sounding = list.sounding(it.start, place).unwrap();
        assert_eq!((Some(it.bulletin), it.samples), (sounding.made, sounding.samples));
    }
    let uses = store.remove_playlist(&actor(), NOW, id).await.unwrap().unwrap_err();
    assert!(uses.contains(&Use::Schedule(schedule.id, schedule.title)), "{uses:?}");
}
