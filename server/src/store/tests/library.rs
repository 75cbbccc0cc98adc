//! Bulletins in the library: found, told apart, deleted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

fn wanted(set: impl FnOnce(&mut Wanted)) -> Wanted {
    let mut wanted = Wanted::default();
    set(&mut wanted);
    wanted
}

async fn titles(store: &Store, wanted: Wanted) -> Vec<String> {
    let found = store.bulletins(None, 10, &wanted, &|_| true).await.unwrap();
    found.into_iter().map(|it| it.title).collect()
}

async fn found(store: &Store, search: &str) -> Vec<String> {
    titles(store, wanted(|it| it.search = search.into())).await
}

async fn change(world: &World, id: BulletinId, change: BulletinChange) -> Result<Bulletin, Error> {
    let changed = world.store.change_bulletin(&actor(), later(1), id, change).await;
    changed.map(|it| it.0)
}

/// A bulletin whose sound is all `byte`.
async fn sounding(world: &World, title: &str, byte: u8, area: Option<AreaId>) -> BulletinId {
    // Each a moment after the one before: identifiers sort by when they were made.
    static MADE: AtomicU64 = AtomicU64::new(0);
    let id = BulletinId(ids::fresh(later(MADE.fetch_add(1, Ordering::Relaxed))));
    let new = NewBulletin {
        id,
        title: title.into(),
        class: Class::Normal,
        format: "wav",
        samples: 4800,
        area,
        sound: Sound {
            fingerprint: Some([byte; 32]),
            source_loudness: Some(-30.123),
            loudness: Some(-16.0),
            peaks: vec![byte, 255],
        },
        text: None,
    };
    world.store.add_bulletin(&actor(), NOW, &world.user, new).await.unwrap();
    id
}

pub(super) async fn bulletins_are_found_by_what_is_known_of_them(url: &str) {
    let world = world(url).await;
    let store = &world.store;
    let flood = bulletin(&world, "Cảnh báo lũ quét").await;
    let health = bulletin(&world, "Tiêm chủng ở trạm y tế Đồng Hoà").await;
    let odd = bulletin(&world, "100% hộ dân").await;
    let known = store.bulletin(flood).await.unwrap();
    assert_eq!((known.folder, known.field, &*known.language), (None, None, "vi"));
    assert!(known.tags.is_empty() && known.expires.is_none());

    let all = BulletinChange {
        folder: Some("Thời tiết/Mưa lũ".into()),
        field: Some(" Phòng chống thiên tai ".into()),
        language: Some("hmn-Latn".into()),
        // As some keyboards send it, and twice.
        tags: Some(vec!["lu\u{303}".into(), "bão số 3".into(), "l\u{169}".into()]),
        expires: Some(Some(later(60))),
        ..BulletinChange::default()
    };
    let changed = change(&world, flood, all.clone()).await.unwrap();
    assert_eq!(changed.tags, ["bão số 3", "l\u{169}"]);
    assert_eq!(changed.field.as_deref(), Some("Phòng chống thiên tai"));
    assert_eq!(changed.expires, Some(later(60)));
    assert_eq!(change(&world, flood, all).await.unwrap(), changed);
    let lines = store.lines(100).await.unwrap();
    let acts: Vec<_> = lines.iter().filter(|line| line.what == "bulletin.change").collect();
    assert_eq!(acts.len(), 1, "what changes nothing is no act");

    assert_eq!(found(store, "tiem chung").await, ["Tiêm chủng ở trạm y tế Đồng Hoà"]);
    assert_eq!(found(store, "hòa TIÊM").await, ["Tiêm chủng ở trạm y tế Đồng Hoà"]);
    assert_eq!(found(store, "thien tai").await, ["Cảnh báo lũ quét"]);
    assert_eq!(found(store, "bão").await, ["Cảnh báo lũ quét"]);
    assert_eq!(found(store, "mưa").await, ["Cảnh báo lũ quét"]);
    assert_eq!(found(store, "100%").await, ["100% hộ dân"]);
    assert_eq!(found(store, "chúng").await, [""; 0]);
    assert_eq!(found(store, "%").await, ["100% hộ dân"]);
    assert_eq!(found(store, "").await.len(), 3);

    for folder in ["Thời tiết", "Thời tiết/Mưa lũ"] {
        assert_eq!(
            titles(store, wanted(|it| it.folder = Some(folder.into()))).await,
            ["Cảnh báo lũ quét"]
        );
    }
    assert!(
        titles(store, wanted(|it| it.folder = Some("Thời".into())))
            .await
            .is_empty()
    );
    assert_eq!(
        titles(store, wanted(|it| it.tag = Some("bão số 3".into()))).await.len(),
        1
    );
    assert!(
        titles(store, wanted(|it| it.tag = Some("bão số".into())))
            .await
            .is_empty()
    );
    assert_eq!(
        titles(store, wanted(|it| it.language = Some("vi".into()))).await.len(),
        2
    );
    let field = Some("Phòng chống thiên tai".into());
    assert_eq!(titles(store, wanted(|it| it.field = field)).await.len(), 1);

    let cleared = BulletinChange {
        folder: Some(String::new()),
        tags: Some(vec![]),
        expires: Some(None),
        ..BulletinChange::default()
    };
    let it = change(&world, flood, cleared).await.unwrap();
    assert_eq!((it.folder, it.tags, it.expires), (None, vec![], None));
    assert!(found(store, "mưa").await.is_empty());

    let one = |set: fn(&mut BulletinChange)| {
        let mut change = BulletinChange::default();
        set(&mut change);
        change
    };
    for (wrong, field) in [
        (one(|it| it.title = Some(" ".into())), "title"),
        (one(|it| it.folder = Some("a//b".into())), "folder"),
        (one(|it| it.folder = Some("/a".into())), "folder"),
        (one(|it| it.field = Some("x".repeat(101))), "field"),
        (one(|it| it.language = Some("Tiếng Việt".into())), "language"),
        (one(|it| it.tags = Some(vec!["a\nb".into()])), "tags"),
        (one(|it| it.tags = Some(vec!["a".into(); 21])), "tags"),
    ] {
        assert_eq!(invalid(change(&world, odd, wrong).await).0, field);
    }
    let nothing = change(&world, BulletinId([9; 16]), BulletinChange::default()).await;
    assert!(matches!(nothing, Err(Error::Missing("bulletin"))));
    assert_eq!(
        store.bulletin(health).await.unwrap().title,
        "Tiêm chủng ở trạm y tế Đồng Hoà"
    );
    store.close().await;
}

pub(super) async fn a_sound_that_is_there_already_is_told(url: &str) {
    let world = world(url).await;
    let store = &world.store;
    let first = sounding(&world, "Một", 1, Some(world.commune)).await;
    let other = sounding(&world, "Hai", 2, Some(world.commune)).await;
    let again = sounding(&world, "Ba", 1, Some(world.commune)).await;
    let elsewhere = sounding(&world, "Bốn", 1, Some(world.village)).await;
    let bare = bulletin(&world, "Năm").await;
    for (id, of) in [
        (first, None),
        (other, None),
        (again, Some(first)),
        (elsewhere, None),
        (bare, None),
    ] {
        assert_eq!(store.bulletin(id).await.unwrap().duplicate_of, of);
    }
    let it = store.bulletin(first).await.unwrap();
    assert_eq!((it.source_loudness, it.loudness), (Some(-3012), Some(-1600)));
    assert_eq!(store.peaks(first).await.unwrap(), [1, 255]);
    assert!(store.peaks(bare).await.unwrap().is_empty());
    // What the first was is gone: the second is the only one now.
    store.delete_bulletin(&actor(), NOW, first).await.unwrap().unwrap();
    assert_eq!(store.bulletin(again).await.unwrap().duplicate_of, None);
    store.close().await;
}

pub(super) async fn what_is_needed_is_not_deleted(url: &str) {
    let world = world(url).await;
    let store = &world.store;
    let aired = broadcast(&world, &[world.commune], &[]).await;
    let id = aired.bulletin;
    let refused = store.delete_bulletin(&actor(), NOW, id).await.unwrap();
    assert_eq!(refused, Err(vec![Use::Broadcast(aired.id, aired.start)]));
    assert_eq!(store.bulletin(id).await.unwrap().id, id);

    store.stop(&actor(), NOW, aired.id).await.unwrap();
    store.delete_bulletin(&actor(), NOW, id).await.unwrap().unwrap();
    assert!(matches!(store.bulletin(id).await, Err(Error::Missing("bulletin"))));
    assert!(matches!(
        store.delete_bulletin(&actor(), NOW, id).await,
        Err(Error::Missing("bulletin"))
    ));
    assert!(
        store
            .bulletins(None, 10, &Wanted::default(), &|_| true)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        !store.bulletin_ids().await.unwrap().contains(&id),
        "its files are swept"
    );
    // What was broadcast stays told.
    assert_eq!(store.broadcast_by_id(aired.id).await.unwrap().title, "Bản tin sáng");
    let new = |bulletin| NewBroadcast {
        bulletin,
        target: Target {
            areas: vec![world.commune],
            receivers: vec![],
        },
        start: later(100),
        overrides: None,
    };
    let gone = store.accept(&actor(), NOW, &world.user, new(id)).await;
    assert!(matches!(gone, Err(Error::Missing("bulletin"))), "{gone:?}");

    // What expires before it would begin is not accepted; what expires later is.
    let soon = bulletin(&world, "Mai hết hạn").await;
    store.approve(&actor(), NOW, &world.user, soon).await.unwrap();
    for (expires, fits) in [(later(100), false), (later(101), true)] {
        let expiry = BulletinChange {
            expires: Some(Some(expires)),
            ..BulletinChange::default()
        };
        change(&world, soon, expiry).await.unwrap();
        let answer = store.accept(&actor(), NOW, &world.user, new(soon)).await;
        match fits {
            true => assert!(answer.is_ok(), "{answer:?}"),
            false => assert!(matches!(answer, Err(Error::State(Refusal::Expired))), "{answer:?}"),
        }
    }
    store.close().await;
}

pub(super) async fn what_came_before_there_was_search_is_found(url: &str) {
    let world = world(url).await;
    bulletin(&world, "Lịch thuỷ lợi").await;
    sqlx::query("UPDATE bulletins SET searched = NULL")
        .execute(&world.store.pool)
        .await
        .unwrap();
    assert!(found(&world.store, "thuy").await.is_empty());
    world.store.close().await;
    let store = open(url).await;
    assert_eq!(found(&store, "thủy loi").await, ["Lịch thuỷ lợi"]);
    store.close().await;
}
