//! One suite over a store, run on SQLite and on PostgreSQL: what holds on one must hold on the other.

mod history;
mod inbox;
mod library;
mod life;
mod playlists;
pub(crate) mod postgres;
mod record;
mod repeats;
mod schedules;
mod tokens;

use std::path::Path;

use loa_protocol::key::Secret;
use loa_protocol::precedence::Class;
use loa_protocol::report::{self, MediaPath, Outcome};
use loa_protocol::{AreaId, BroadcastId, ReceiverId, UnixMicros};
use tokio::sync::broadcast::error::TryRecvError;

use super::*;
use crate::playout::conductor::State;
use crate::playout::{Archive as _, Fact};

const NOW: UnixMicros = UnixMicros(1_800_000_000_123_456);

fn later(seconds: u64) -> UnixMicros {
    UnixMicros(NOW.0 + seconds * 1_000_000)
}

fn actor() -> Actor {
    Actor {
        who: "lan".into(),
        origin: "192.0.2.1".into(),
    }
}

/// Runs the whole suite; each case has a database of its own, at the URL that `fresh` gives.
async fn conform(mut fresh: impl FnMut(&str) -> String) {
    areas_form_a_tree(&fresh("areas")).await;
    text_is_composed_and_judged(&fresh("written")).await;
    receivers_keep_their_secret_and_what_they_say(&fresh("receivers")).await;
    users_and_the_first_of_them(&fresh("users")).await;
    sessions_end(&fresh("sessions")).await;
    tokens::tokens_are_made_used_and_taken_back(&fresh("tokens")).await;
    bulletins_wait_for_approval(&fresh("bulletins")).await;
    library::bulletins_are_found_by_what_is_known_of_them(&fresh("library")).await;
    library::a_sound_that_is_there_already_is_told(&fresh("twice")).await;
    library::what_is_needed_is_not_deleted(&fresh("deleted")).await;
    library::what_came_before_there_was_search_is_found(&fresh("older")).await;
    inbox::approval_is_asked_for_refused_and_withdrawn(&fresh("approval")).await;
    inbox::what_fails_for_want_of_approval_comes_back_in_time(&fresh("want")).await;
    inbox::what_is_sent_down_is_answered_and_reported_on(&fresh("inbox")).await;
    inbox::what_was_planned_and_what_sounded_is_added_up(&fresh("accounts")).await;
    broadcasts_are_kept_with_their_target(&fresh("broadcasts")).await;
    schedules::each_occurrence_becomes_one_broadcast(&fresh("occurrences")).await;
    schedules::what_was_missed_is_dealt_with_and_said(&fresh("missed")).await;
    schedules::areas_allow_and_two_people_go_past_it(&fresh("allow")).await;
    repeats::an_emergency_is_said_again_until_it_is_stopped(&fresh("said")).await;
    repeats::what_is_said_again_is_judged_missed_and_ends(&fresh("ends")).await;
    playlists::a_playlist_is_kept_judged_and_composed(&fresh("playlists")).await;
    playlists::parts_drop_out_in_time(&fresh("drop")).await;
    playlists::what_is_foreseen_of_a_rotation_is_what_comes(&fresh("rotation")).await;
    facts_make_the_account(&fresh("facts")).await;
    what_is_over_stays_over(&fresh("over")).await;
    a_fact_about_nothing_harms_no_other(&fresh("nothing")).await;
    it_is_all_there_after_opening_again(&fresh("again")).await;
    others_are_noticed_and_oneself_is_not(&fresh("others")).await;
    what_fails_leaves_no_trace(&fresh("trace")).await;
    many_at_once(&fresh("many")).await;
    life::a_secret_is_replaced_in_steps_and_none_is_lost(&fresh("renewed")).await;
    life::reports_are_remembered_and_clones_are_shown(&fresh("remembered")).await;
    history::receivers_stand_somewhere(&fresh("somewhere")).await;
    history::what_receivers_said_is_kept_for_a_while(&fresh("history")).await;
    life::signing_keys_follow_each_other_without_a_gap(&fresh("keys")).await;
    record::the_record_is_a_chain_that_shows_every_change(&fresh("chain")).await;
    record::two_processes_write_one_chain(&fresh("two")).await;
    record::the_oldest_go_and_the_rest_still_holds(&fresh("oldest")).await;
    record::entries_are_found_by_what_they_say(&fresh("found")).await;
    record::what_was_written_before_the_chain_is_carried_over(&fresh("before")).await;
    record::what_the_air_does_is_recorded(&fresh("air")).await;
    record::secrets_are_kept_sealed(&fresh("sealed")).await;
    record::the_vaults_key_is_rotated_beside_a_running_server(&fresh("rotated")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    conform(|case| format!("sqlite://{}/{case}.db?mode=rwc", folder.path().display())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    let server = postgres::Server::find().expect("PostgreSQL could not be started");
    let Some(server) = server else {
        eprintln!("not run: neither LOA_TEST_POSTGRES nor PostgreSQL's programs are there");
        return;
    };
    conform(|case| server.database(case)).await;
}

#[tokio::test]
async fn sqlite_waits_for_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&format!("sqlite://{}/a.db?mode=rwc", folder.path().display())).await;
    for (pragma, value) in [("PRAGMA synchronous", 2i64), ("PRAGMA foreign_keys", 1)] {
        let got: (i64,) = sqlx::query_as(pragma).fetch_one(&store.pool).await.unwrap();
        assert_eq!(got.0, value, "{pragma}");
    }
    let mode: (String,) = sqlx::query_as("PRAGMA journal_mode")
        .fetch_one(&store.pool)
        .await
        .unwrap();
    assert_eq!(mode.0, "wal");
    let wrong = Store::open("mysql://root@localhost/loa", Path::new("/"), Vault::of_key([7; 32]))
        .await
        .err()
        .unwrap();
    assert!(matches!(wrong, Error::Address), "{wrong}");
}

async fn open(url: &str) -> Store {
    Store::open(url, Path::new("/programmes"), Vault::of_key([7; 32]))
        .await
        .unwrap()
}

/// A store with a user, a tree (province → commune → village) and a receiver in commune and village.
struct World {
    store: Store,
    user: User,
    province: AreaId,
    commune: AreaId,
    village: AreaId,
    near: ReceiverId,
    far: ReceiverId,
}

async fn world(url: &str) -> World {
    let store = open(url).await;
    let user = store.add_user(&actor(), NOW, person("lan")).await.unwrap();
    let province = area(&store, "Tỉnh A", None).await;
    let commune = area(&store, "Xã B", Some(province)).await;
    let village = area(&store, "Thôn C", Some(commune)).await;
    let near = receiver(&store, "Nhà văn hóa", commune, 1).await;
    let far = receiver(&store, "Đầu thôn", village, 2).await;
    World {
        store,
        user,
        province,
        commune,
        village,
        near,
        far,
    }
}

fn person(username: &str) -> NewUser {
    NewUser {
        username: username.into(),
        display_name: "Nguyễn Lan".into(),
        grants: crate::authority::Grant::FIRST.to_vec(),
        password: format!("$hash of {username}"),
    }
}

async fn area(store: &Store, name: &str, parent: Option<AreaId>) -> AreaId {
    let new = NewArea {
        parent,
        kind: "area".into(),
        name: name.into(),
        code: None,
    };
    store.add_area(&actor(), NOW, new).await.unwrap().id
}

async fn receiver(store: &Store, name: &str, area: AreaId, secret: u8) -> ReceiverId {
    let new = NewReceiver {
        area,
        name: name.into(),
        volume: 80,
        position: None,
        secret: Secret([secret; 32]),
    };
    store.add_receiver(&actor(), NOW, new, None).await.unwrap().id
}

async fn bulletin(world: &World, title: &str) -> BulletinId {
    let id = BulletinId(ids::fresh(NOW));
    let new = NewBulletin {
        id,
        title: title.into(),
        class: Class::Priority,
        format: "mp3",
        samples: 48_001,
        area: None,
        text: None,
        sound: Sound::default(),
    };
    world.store.add_bulletin(&actor(), NOW, &world.user, new).await.unwrap();
    id
}

async fn broadcast(world: &World, areas: &[AreaId], receivers: &[ReceiverId]) -> Broadcast {
    let id = bulletin(world, "Bản tin sáng").await;
    world.store.approve(&actor(), NOW, &world.user, id).await.unwrap();
    let target = Target {
        areas: areas.to_vec(),
        receivers: receivers.to_vec(),
    };
    let new = NewBroadcast {
        bulletin: id,
        target,
        start: later(10),
        overrides: None,
    };
    world.store.accept(&actor(), NOW, &world.user, new).await.unwrap()
}

/// What is wrong with which field.
fn invalid<T: std::fmt::Debug>(result: Result<T, Error>) -> (&'static str, Invalid) {
    match result {
        Err(Error::Invalid { field, why }) => (field, why),
        other => panic!("{other:?}"),
    }
}

async fn areas_form_a_tree(url: &str) {
    let World {
        store,
        province,
        commune,
        village,
        ..
    } = world(url).await;
    let areas = store.areas().await.unwrap();
    let paths: Vec<_> = areas.iter().map(|area| area.path.clone()).collect();
    assert_eq!(
        paths,
        [
            vec![province],
            vec![province, commune],
            vec![province, commune, village]
        ]
    );
    assert_eq!(areas[1].parent, Some(province));

    let add = |kind: &str, name: &str, parent, code: Option<&str>| {
        let new = NewArea {
            parent,
            kind: kind.into(),
            name: name.into(),
            code: code.map(Into::into),
        };
        let store = &store;
        async move { store.add_area(&actor(), NOW, new).await }
    };
    add("province", "Tỉnh D", None, Some("38")).await.unwrap();
    assert_eq!(
        invalid(add("province", "Tỉnh E", None, Some("38")).await),
        ("code", Invalid::Taken)
    );
    assert_eq!(
        invalid(add("commune", "X", Some(AreaId([9; 16])), None).await),
        ("parent_id", Invalid::Unknown)
    );
    assert_eq!(invalid(add("Xã", "X", None, None).await).0, "kind");
    let mut deepest = village;
    for level in 4..=8 {
        deepest = add("level", &format!("Cấp {level}"), Some(deepest), None)
            .await
            .unwrap()
            .id;
    }
    assert_eq!(invalid(add("level", "Cấp 9", Some(deepest), None).await).0, "parent_id");
    store.close().await;
}

async fn text_is_composed_and_judged(url: &str) {
    let World { store, commune, .. } = world(url).await;
    // "Xã Ðông" as some keyboards send it: letters and marks apart.
    let apart = NewArea {
        parent: Some(commune),
        kind: "village".into(),
        name: " Xa\u{303} \u{110}o\u{302}ng\n".into(),
        code: None,
    };
    let added = store.add_area(&actor(), NOW, apart).await.unwrap();
    assert_eq!(added.name, "X\u{e3} \u{110}\u{f4}ng");
    for (name, why) in [("  ", Invalid::Empty), (&*"a".repeat(121), Invalid::Long(120))] {
        let new = NewReceiver {
            area: commune,
            name: name.into(),
            volume: 80,
            position: None,
            secret: Secret([0; 32]),
        };
        assert_eq!(
            invalid(store.add_receiver(&actor(), NOW, new, None).await),
            ("name", why)
        );
    }
    assert_eq!(invalid(bulletins::title("hai\ndòng")).0, "title");
    assert_eq!(bulletins::title(&"ế".repeat(200)).unwrap().chars().count(), 200);
    store.close().await;
}

async fn receivers_keep_their_secret_and_what_they_say(url: &str) {
    let World {
        store,
        province,
        commune,
        village,
        near,
        far,
        ..
    } = world(url).await;
    let mut rows = store.receivers().await.unwrap();
    rows.sort_by_key(|row| row.id);
    assert_eq!((rows[0].id, rows[1].id), (near.min(far), near.max(far)));
    let row = rows.iter().find(|row| row.id == far).unwrap();
    assert_eq!(
        (row.secret.0, row.areas.clone(), row.volume),
        ([2; 32], vec![province, commune, village], 80)
    );

    let again = NewReceiver {
        area: commune,
        name: "Nhà văn hóa".into(),
        volume: 80,
        position: None,
        secret: Secret([3; 32]),
    };
    assert_eq!(
        invalid(store.add_receiver(&actor(), NOW, again, None).await),
        ("name", Invalid::Taken)
    );
    let nowhere = NewReceiver {
        area: AreaId([9; 16]),
        name: "X".into(),
        volume: 80,
        position: None,
        secret: Secret([3; 32]),
    };
    assert_eq!(
        invalid(store.add_receiver(&actor(), NOW, nowhere, None).await),
        ("area_id", Invalid::Unknown)
    );

    assert_eq!(store.set_volume(&actor(), NOW, near, 35).await.unwrap().volume, 35);
    assert_eq!(invalid(store.set_volume(&actor(), NOW, near, 101).await).0, "volume");
    let missing = store.set_volume(&actor(), NOW, ReceiverId([9; 16]), 35).await;
    assert!(matches!(missing, Err(Error::Missing("receiver"))), "{missing:?}");

    let telemetry = report::Telemetry {
        path: MediaPath::Udp,
        round_trip: 12_500,
        clock_error: 900,
        expected: 2000,
        lost: 10,
        firmware: "0.1.0".try_into().unwrap(),
        board: "qemu".try_into().unwrap(),
        ..Default::default()
    };
    store.record(Fact::Presence(near, true, later(1))).await.unwrap();
    store.record(Fact::Telemetry(near, telemetry, later(2))).await.unwrap();
    store.record(Fact::Presence(far, false, later(2))).await.unwrap();
    settle(&store).await;
    let it = store.receiver(near).await.unwrap();
    assert_eq!(
        (it.online, it.seen, it.path),
        (true, Some(later(2)), Some(MediaPath::Udp))
    );
    assert_eq!(
        (it.round_trip, it.clock_error, it.packets),
        (Some(12_500), Some(900), Some((2000, 10)))
    );
    assert_eq!(
        (it.firmware.as_deref(), it.board.as_deref()),
        (Some("0.1.0"), Some("qemu"))
    );
    // It was never there: that it is gone says nothing of when it was seen.
    assert_eq!(store.receiver(far).await.unwrap().seen, None);
    assert_eq!(
        store.tally().await.unwrap(),
        Tally {
            receivers: 2,
            online: 1,
            playing: 0,
            scheduled: 0,
            on_air: 0
        }
    );
    store.forget_presence().await.unwrap();
    assert!(!store.receiver(near).await.unwrap().online);
    store.close().await;
}

async fn users_and_the_first_of_them(url: &str) {
    let store = open(url).await;
    store.offer_setup(NOW, "old", later(60)).await.unwrap();
    store.offer_setup(NOW, "token", later(60)).await.unwrap();
    assert!(!store.setup_is_open(NOW, "old").await.unwrap());
    assert!(store.setup_is_open(later(59), "token").await.unwrap());
    assert!(!store.setup_is_open(later(60), "token").await.unwrap());
    let late = store.set_up(&actor(), later(60), "token", person("lan")).await;
    assert!(matches!(late, Err(Error::Missing("setup token"))), "{late:?}");
    // What is filled in wrong does not spend the token.
    assert_eq!(
        invalid(store.set_up(&actor(), NOW, "token", person("Lan")).await).0,
        "username"
    );
    let user = store.set_up(&actor(), NOW, "token", person("lan")).await.unwrap();
    let again = store.set_up(&actor(), NOW, "token", person("mai")).await;
    assert!(matches!(again, Err(Error::Missing("setup token"))), "{again:?}");
    let offered = store.offer_setup(NOW, "new", later(60)).await;
    assert!(matches!(offered, Err(Error::State(Refusal::UserExists))), "{offered:?}");

    assert_eq!(
        invalid(store.add_user(&actor(), NOW, person("lan")).await),
        ("username", Invalid::Taken)
    );
    for wrong in ["", "Lan", "lân", "a b", &"a".repeat(65)] {
        assert_eq!(
            invalid(store.add_user(&actor(), NOW, person(wrong)).await).0,
            "username",
            "{wrong}"
        );
    }
    assert_eq!(store.users().await.unwrap(), std::slice::from_ref(&user));
    assert_eq!(
        store.user_and_password("lan").await.unwrap(),
        Some((user, "$hash of lan".into()))
    );
    store.set_password(&actor(), NOW, "lan", "$another").await.unwrap();
    assert_eq!(store.user_and_password("lan").await.unwrap().unwrap().1, "$another");
    assert_eq!(store.user_and_password("mai").await.unwrap(), None);
    assert!(store.set_password(&actor(), NOW, "mai", "$x").await.is_err());
    store.close().await;
}

async fn sessions_end(url: &str) {
    let World { store, user, .. } = world(url).await;
    for token in ["one", "two", "three", "half"] {
        let new = NewSession {
            token_hash: token,
            expires: later(60),
            ends: later(85),
            half: token == "half",
            second_factor: false,
            how: How::Password,
        };
        store.begin_session(&actor(), NOW, &user, new).await.unwrap();
    }
    let session = store.session(later(59), "one").await.unwrap().unwrap();
    assert_eq!((session.user, session.expires), (user.clone(), later(60)));
    assert_eq!(store.sessions_of(NOW, user.id).await.unwrap().len(), 3);
    assert_eq!(store.session(later(60), "one").await.unwrap(), None);
    assert_eq!(store.session(NOW, "four").await.unwrap(), None);
    store.prolong_session(later(58), "one", later(90)).await.unwrap();
    assert!(store.session(later(84), "one").await.unwrap().is_some());
    // However much it is used.
    assert_eq!(store.session(later(85), "one").await.unwrap(), None);
    let own = store.sessions_of(later(60), user.id).await.unwrap();
    assert_eq!(
        own.iter().map(|it| (it.id, it.used)).collect::<Vec<_>>(),
        [(session.id, later(58))]
    );
    for n in 1..=3 {
        let goes_on = store.wrong_factor(&actor(), NOW, user.id, "half", "totp", 3).await;
        assert_eq!(goes_on.unwrap(), n < 3);
    }
    assert_eq!(store.session(NOW, "half").await.unwrap(), None);
    store
        .end_session_of(&actor(), NOW, UserId([9; 16]), session.id)
        .await
        .unwrap_err();
    store.end_session(&actor(), NOW, "two").await.unwrap();
    assert_eq!(store.session(NOW, "two").await.unwrap(), None);
    store.set_password(&actor(), NOW, "lan", "$new").await.unwrap();
    assert_eq!(store.session(NOW, "one").await.unwrap(), None);
    store.close().await;
}

async fn bulletins_wait_for_approval(url: &str) {
    let world = world(url).await;
    let first = bulletin(&world, "Một").await;
    let second = bulletin(&world, "Hai").await;
    let store = &world.store;
    let it = store.bulletin(first).await.unwrap();
    assert_eq!(
        (&*it.title, it.class, it.state),
        ("Một", Class::Priority, BulletinState::Draft)
    );
    assert_eq!((&*it.format, it.samples, it.created), ("mp3", 48_001, NOW));
    let new = NewBroadcast {
        bulletin: first,
        target: Target {
            areas: vec![world.commune],
            receivers: vec![],
        },
        start: later(1),
        overrides: None,
    };
    let early = store.accept(&actor(), NOW, &world.user, new).await;
    assert!(matches!(early, Err(Error::State(Refusal::NotApproved))), "{early:?}");
    assert_eq!(
        store.approve(&actor(), NOW, &world.user, first).await.unwrap().0.state,
        BulletinState::Approved
    );
    store.approve(&actor(), NOW, &world.user, first).await.unwrap();
    let approvals = store
        .lines(100)
        .await
        .unwrap()
        .into_iter()
        .filter(|line| line.what == "bulletin.approve")
        .count();
    assert_eq!(approvals, 1);
    let mut listed: Vec<_> = store
        .bulletins(None, 10, &Wanted::default(), &|_| true)
        .await
        .unwrap()
        .into_iter()
        .map(|it| it.id)
        .collect();
    assert!(listed.is_sorted_by(|a, b| a > b));
    assert_eq!(
        store.bulletins(None, 1, &Wanted::default(), &|_| true).await.unwrap()[0].id,
        listed[0]
    );
    assert_eq!(
        store
            .bulletins(Some(listed[0]), 10, &Wanted::default(), &|_| true)
            .await
            .unwrap()[0]
            .id,
        listed[1]
    );
    listed.sort();
    let mut both = [first, second];
    both.sort();
    assert_eq!(listed, both);
    assert_eq!(
        store.programme(first),
        Path::new("/programmes").join(format!("{first}.opus"))
    );
    assert!(matches!(
        store.bulletin(BulletinId([9; 16])).await,
        Err(Error::Missing("bulletin"))
    ));
    store.close().await;
}

async fn broadcasts_are_kept_with_their_target(url: &str) {
    let world = world(url).await;
    let World {
        store,
        commune,
        village,
        near,
        far,
        ..
    } = &world;
    let it = broadcast(&world, &[*commune, *commune], &[*near]).await;
    assert_eq!(
        it.target,
        Target {
            areas: vec![*commune],
            receivers: vec![*near]
        }
    );
    assert_eq!((it.state, it.start), (BroadcastState::Scheduled, later(10)));
    // 48 001 samples take a little more than a second; the end is rounded up to the microsecond.
    assert_eq!(it.end.0 - it.start.0, 1_000_021);
    assert_eq!(
        it.counts,
        Counts {
            targeted: 2,
            playing: 0,
            played: 0
        }
    );

    let row = store.broadcast(it.id).await.unwrap().unwrap();
    assert_eq!(
        (row.class, row.start, row.begun, row.samples),
        (Class::Priority, it.start, false, 48_001)
    );
    assert_eq!((row.areas, row.receivers), (vec![*commune], vec![*near]));
    assert_eq!(row.programme, store.programme(it.bulletin));
    assert_eq!(broadcast(&world, &[*village], &[]).await.counts.targeted, 1);
    assert_eq!(broadcast(&world, &[], &[*far, *near]).await.counts.targeted, 2);

    let ask = |areas: &[AreaId], receivers: &[ReceiverId]| {
        let target = Target {
            areas: areas.to_vec(),
            receivers: receivers.to_vec(),
        };
        let new = NewBroadcast {
            bulletin: it.bulletin,
            target,
            start: later(10),
            overrides: None,
        };
        let world = &world;
        async move { world.store.accept(&actor(), NOW, &world.user, new).await }
    };
    assert_eq!(invalid(ask(&[], &[]).await), ("target", Invalid::Empty));
    assert_eq!(
        invalid(ask(&[AreaId([9; 16])], &[]).await),
        ("target.areas", Invalid::Unknown)
    );
    assert_eq!(
        invalid(ask(&[*commune], &[ReceiverId([9; 16])]).await),
        ("target.receivers", Invalid::Unknown)
    );
    let list = store.broadcasts(None, 1, &|_| true).await.unwrap();
    assert_eq!(list.len(), 3, "what is open is always listed");
    assert!(list.is_sorted_by(|a, b| a.id > b.id));
    assert_eq!(
        store.broadcasts(Some(list[0].id), 1, &|_| true).await.unwrap(),
        list[1..2]
    );
    assert_eq!(store.open_broadcasts().await.unwrap().len(), 3);
    store.close().await;
}

async fn facts_make_the_account(url: &str) {
    let world = world(url).await;
    let World {
        store,
        commune,
        near,
        far,
        ..
    } = &world;
    let it = broadcast(&world, &[*commune], &[]).await;
    let newcomer = receiver(store, "Mới", *commune, 3).await;
    store
        .record(Fact::Targeted(it.id, vec![*near, *far, newcomer], NOW))
        .await
        .unwrap();
    for id in [*near, *far] {
        store.record(Fact::Presence(id, true, later(1))).await.unwrap();
    }
    store.record(Fact::Broadcast(it.id, State::OnAir, NOW)).await.unwrap();
    for id in [*near, *far] {
        let receipt = report::Receipt {
            outcome: Outcome::Playing,
            ..receipt(it.id)
        };
        store.record(Fact::Receipt(id, receipt, later(11))).await.unwrap();
    }
    settle(store).await;
    let now = store.broadcast_by_id(it.id).await.unwrap();
    assert_eq!(
        (now.state, now.counts),
        (
            BroadcastState::OnAir,
            Counts {
                targeted: 3,
                playing: 2,
                played: 0
            }
        )
    );
    assert_eq!(store.receiver(*near).await.unwrap().playing, Some(it.id));
    assert!(store.broadcast(it.id).await.unwrap().unwrap().begun);

    // One is cut off: nobody may say that it plays.
    store.record(Fact::Presence(*far, false, later(12))).await.unwrap();
    let whole = report::Receipt {
        outcome: Outcome::Played,
        played: 48_001,
        level: Some(1830),
        ..receipt(it.id)
    };
    store.record(Fact::Receipt(*near, whole, later(13))).await.unwrap();
    store.record(Fact::Targeted(it.id, vec![*near], NOW)).await.unwrap();
    store.record(Fact::Broadcast(it.id, State::Done, NOW)).await.unwrap();
    let now = store.broadcast_by_id(it.id).await.unwrap();
    assert_eq!(
        (now.state, now.counts),
        (
            BroadcastState::Done,
            Counts {
                targeted: 1,
                playing: 0,
                played: 1
            }
        )
    );
    let receipts = store.receipts(it.id).await.unwrap();
    let of = |id| receipts.iter().find(|it| it.receiver == id);
    let mine = of(*near).unwrap();
    assert_eq!(
        (mine.outcome.as_deref(), mine.planned, mine.played),
        (Some("played"), 48_001, 48_001)
    );
    assert_eq!((mine.expected, mine.received, mine.lost, mine.late), (17, 16, 1, 1));
    assert_eq!((mine.duplicate, mine.concealed, mine.level), (2, 2880, Some(1830)));
    assert_eq!(mine.name, "Nhà văn hóa");
    // It played a part before it was no longer addressed: that stays. The one that never spoke is not held to account.
    assert_eq!(
        of(*far).map(|it| (it.targeted, it.outcome.as_deref())),
        Some((false, Some("playing")))
    );
    assert_eq!(of(newcomer), None);
    assert_eq!(store.receiver(*far).await.unwrap().seen, Some(later(12)));
    store.close().await;
}

fn receipt(broadcast: BroadcastId) -> report::Receipt {
    report::Receipt {
        broadcast,
        planned: 48_001,
        expected: 17,
        received: 16,
        lost: 1,
        late: 1,
        duplicate: 2,
        concealed: 2880,
        ..Default::default()
    }
}

async fn what_is_over_stays_over(url: &str) {
    let world = world(url).await;
    let store = &world.store;
    let it = broadcast(&world, &[world.commune], &[]).await;
    assert_eq!(
        store.stop(&actor(), NOW, it.id).await.unwrap().0.state,
        BroadcastState::Stopped
    );
    let again = store.stop(&actor(), NOW, it.id).await;
    assert!(matches!(again, Err(Error::State(Refusal::Over))), "{again:?}");
    // News from before the stop was known on the air.
    for state in [State::OnAir, State::Done] {
        store.record(Fact::Broadcast(it.id, state, NOW)).await.unwrap();
    }
    assert_eq!(
        store.broadcast_by_id(it.id).await.unwrap().state,
        BroadcastState::Stopped
    );
    assert!(store.broadcast(it.id).await.unwrap().is_none() && store.open_broadcasts().await.unwrap().is_empty());

    let other = broadcast(&world, &[world.commune], &[]).await;
    store
        .record(Fact::Broadcast(other.id, State::Failed("the file is gone".into()), NOW))
        .await
        .unwrap();
    let other = store.broadcast_by_id(other.id).await.unwrap();
    assert_eq!(
        (other.state, other.reason.as_deref()),
        (BroadcastState::Failed, Some("the file is gone"))
    );
    let missing = store.stop(&actor(), NOW, BroadcastId([9; 16])).await;
    assert!(matches!(missing, Err(Error::Missing("broadcast"))), "{missing:?}");
    store.close().await;
}

async fn a_fact_about_nothing_harms_no_other(url: &str) {
    let world = world(url).await;
    let store = &world.store;
    let it = broadcast(&world, &[world.commune], &[]).await;
    store
        .record(Fact::Receipt(ReceiverId([9; 16]), receipt(it.id), NOW))
        .await
        .unwrap();
    store
        .record(Fact::Receipt(world.near, receipt(BroadcastId([9; 16])), NOW))
        .await
        .unwrap();
    store
        .record(Fact::Receipt(world.near, receipt(it.id), NOW))
        .await
        .unwrap();
    store.record(Fact::Broadcast(it.id, State::OnAir, NOW)).await.unwrap();
    assert_eq!(store.broadcast_by_id(it.id).await.unwrap().state, BroadcastState::OnAir);
    let receipts = store.receipts(it.id).await.unwrap();
    let told: Vec<_> = receipts
        .iter()
        .filter(|it| it.outcome.is_some())
        .map(|it| it.receiver)
        .collect();
    assert_eq!(told, [world.near]);
    store.close().await;
}

async fn it_is_all_there_after_opening_again(url: &str) {
    let world = world(url).await;
    let it = broadcast(&world, &[world.commune], &[]).await;
    world
        .store
        .record(Fact::Receipt(world.near, receipt(it.id), NOW))
        .await
        .unwrap();
    // Closing writes down what is waiting, and takes nothing more.
    world.store.close().await;
    assert!(
        world
            .store
            .record(Fact::Broadcast(it.id, State::OnAir, NOW))
            .await
            .is_err()
    );
    let store = open(url).await;
    let kept = store.broadcast_by_id(it.id).await.unwrap();
    assert_eq!(kept, it);
    assert_eq!(
        store
            .receipts(it.id)
            .await
            .unwrap()
            .iter()
            .filter(|it| it.outcome.is_some())
            .count(),
        1
    );
    assert_eq!(store.areas().await.unwrap().len(), 3);
    let whats: Vec<_> = store
        .lines(100)
        .await
        .unwrap()
        .into_iter()
        .rev()
        .map(|line| line.what)
        .collect();
    let count = |what: &str| whats.iter().filter(|it| *it == what).count();
    assert_eq!(
        (count("user.add"), count("area.add"), count("receiver.enrol")),
        (1, 3, 2)
    );
    assert_eq!(
        (
            count("bulletin.upload"),
            count("bulletin.approve"),
            count("broadcast.accept")
        ),
        (1, 1, 1)
    );
    let line = store
        .lines(100)
        .await
        .unwrap()
        .into_iter()
        .find(|line| line.what == "broadcast.accept")
        .unwrap();
    assert_eq!((line.at, line.actor, line.subject), (NOW, actor(), it.id.to_string()));
    assert_eq!(line.detail, "Bản tin sáng");
    store.close().await;
}

async fn others_are_noticed_and_oneself_is_not(url: &str) {
    let mine = open(url).await;
    let theirs = open(url).await;
    let mut watch = mine.watch();
    assert!(!mine.look_elsewhere().await.unwrap());
    area(&mine, "Của mình", None).await;
    assert!(!mine.look_elsewhere().await.unwrap());
    assert_eq!(watch.try_recv().unwrap(), Change::Areas);
    area(&theirs, "Của người khác", None).await;
    area(&mine, "Của mình nữa", None).await;
    assert!(mine.look_elsewhere().await.unwrap());
    assert!(!mine.look_elsewhere().await.unwrap());
    assert_eq!(
        (watch.try_recv().unwrap(), watch.try_recv().unwrap()),
        (Change::Areas, Change::Elsewhere)
    );
    assert!(theirs.look_elsewhere().await.unwrap());
    // What fails is no change.
    let wrong = NewArea {
        parent: None,
        kind: "x".into(),
        name: String::new(),
        code: None,
    };
    theirs.add_area(&actor(), NOW, wrong).await.unwrap_err();
    assert!(!mine.look_elsewhere().await.unwrap());
    assert_eq!(watch.try_recv(), Err(TryRecvError::Empty));
    mine.close().await;
    theirs.close().await;
}

async fn what_fails_leaves_no_trace(url: &str) {
    let world = world(url).await;
    let store = &world.store;
    let lines = store.lines(1000).await.unwrap();
    store.add_user(&actor(), NOW, person("lan")).await.unwrap_err();
    store
        .set_volume(&actor(), NOW, ReceiverId([9; 16]), 5)
        .await
        .unwrap_err();
    store.stop(&actor(), NOW, BroadcastId([9; 16])).await.unwrap_err();
    let again = NewReceiver {
        area: world.commune,
        name: "Nhà văn hóa".into(),
        volume: 80,
        position: None,
        secret: Secret([3; 32]),
    };
    store.add_receiver(&actor(), NOW, again, None).await.unwrap_err();
    assert_eq!(store.lines(1000).await.unwrap(), lines);
    assert!(!store.look_elsewhere().await.unwrap());
    store.close().await;
}

/// Changes by people and facts from the air at once neither fail nor lose each other.
async fn many_at_once(url: &str) {
    let world = std::sync::Arc::new(world(url).await);
    let it = broadcast(&world, &[world.commune], &[]).await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8u8 {
        let world = world.clone();
        tasks.spawn(async move {
            for m in 0..8 {
                receiver(&world.store, &format!("{n}.{m}"), world.commune, n).await;
                world
                    .store
                    .record(Fact::Presence(world.near, m % 2 == 0, NOW))
                    .await
                    .unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    world
        .store
        .record(Fact::Broadcast(it.id, State::Done, NOW))
        .await
        .unwrap();
    assert_eq!(world.store.list_receivers().await.unwrap().len(), 66);
    assert!(!world.store.look_elsewhere().await.unwrap());
    world.store.close().await;
}

/// Waits until all facts are written: what a broadcast's state has become is waited for, and facts keep their order.
async fn settle(store: &Store) {
    store
        .record(Fact::Broadcast(BroadcastId([0; 16]), State::OnAir, NOW))
        .await
        .unwrap();
}
