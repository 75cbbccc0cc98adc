//! The record and the vault, on both databases.

use super::*;
use crate::store::record::{Fault, Filter, Head};

async fn sql(store: &Store, text: &str) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(sqlx::AssertSqlSafe(text.to_owned()))
        .execute(&store.pool)
        .await?;
    Ok(done.rows_affected())
}

/// What the owner of the database can do, too.
async fn take_the_guard_away(store: &Store) {
    let drops: &[&str] = match store.kind {
        Kind::Sqlite => &[
            "DROP TRIGGER record_stays",
            "DROP TRIGGER record_goes_from_its_beginning",
        ],
        Kind::Postgres => &["DROP TRIGGER record_stays ON record"],
    };
    for drop in drops {
        sql(store, drop).await.unwrap();
    }
}

pub(super) async fn the_record_is_a_chain_that_shows_every_change(url: &str) {
    let World { store, near, .. } = world(url).await;
    for volume in 1..=5 {
        store.set_volume(&actor(), NOW, near, volume).await.unwrap();
    }
    let whole = store.verify_record(&[]).await.unwrap();
    assert_eq!(whole.fault, None);
    assert_eq!(whole.head, store.head().await.unwrap());
    let lines = store.lines(1000).await.unwrap();
    let count = lines.len() as u64;
    assert!(count >= 10);
    assert_eq!(whole.head.number, count);
    assert!(lines.iter().rev().map(|line| line.number).eq(1..=count));

    for refused in [
        "UPDATE record SET who = 'hoa' WHERE number = 3",
        "DELETE FROM record WHERE number = 3",
    ] {
        let error = sql(&store, refused).await.unwrap_err().to_string();
        assert!(error.contains("entries of the record are not"), "{error}");
    }
    assert_eq!(store.verify_record(&[]).await.unwrap(), whole);

    take_the_guard_away(&store).await;
    let changes = [
        "who = 'hoa'",
        "origin = 'x'",
        "what = 'x'",
        "subject = 'x'",
        "detail = 'x'",
        "at = at + 1",
        "area = '00000000000000000000000000000000'",
        "was = '1'",
        "became = '1'",
    ];
    for change in changes {
        let column = change.split(' ').next().unwrap();
        sql(
            &store,
            &format!("CREATE TABLE kept AS SELECT {column} AS it FROM record WHERE number = 4"),
        )
        .await
        .unwrap();
        sql(&store, &format!("UPDATE record SET {change} WHERE number = 4"))
            .await
            .unwrap();
        let verdict = store.verify_record(&[]).await.unwrap();
        assert_eq!(verdict.fault, Some(Fault::Changed(4)), "{change}");
        assert_eq!(verdict.head.number, 3);
        sql(
            &store,
            &format!("UPDATE record SET {column} = (SELECT it FROM kept) WHERE number = 4"),
        )
        .await
        .unwrap();
        sql(&store, "DROP TABLE kept").await.unwrap();
    }
    assert_eq!(store.verify_record(&[]).await.unwrap(), whole);

    // Who changes an entry and its hash is found at the next; who rewrites all of them, by what was noted elsewhere.
    let forged =
        "UPDATE record SET hash = '00000000000000000000000000000000000000000000000000000000000000aa' WHERE number = ";
    sql(&store, &format!("{forged} {count}")).await.unwrap();
    assert_eq!(
        store.verify_record(&[]).await.unwrap().fault,
        Some(Fault::Changed(count))
    );
    rewrite_from(&store, count).await;
    assert_eq!(store.verify_record(&[]).await.unwrap().fault, None);
    assert_eq!(
        store.verify_record(&[whole.head]).await.unwrap().fault,
        Some(Fault::Rewritten(count))
    );
    assert_eq!(Fault::Rewritten(count).entry(), count);
    sql(&store, &format!("DELETE FROM record WHERE number = {count}"))
        .await
        .unwrap();
    assert_eq!(store.verify_record(&[]).await.unwrap().fault, None);
    assert_eq!(
        store.verify_record(&[whole.head]).await.unwrap().fault,
        Some(Fault::Cut {
            last: count - 1,
            noted: count
        })
    );
    sql(&store, "DELETE FROM record WHERE number = 5").await.unwrap();
    assert_eq!(
        store.verify_record(&[]).await.unwrap().fault,
        Some(Fault::Gap { expected: 5, found: 6 })
    );
    // Its beginning goes by pruning alone.
    sql(&store, "DELETE FROM record WHERE number < 7").await.unwrap();
    let hash = sqlx::query("SELECT number FROM record WHERE number = 7");
    assert!(hash.fetch_optional(&store.pool).await.unwrap().is_some());
    let sixth = lines.iter().find(|line| line.number == 6).unwrap().head();
    move_start(&store, sixth).await;
    assert_eq!(store.verify_record(&[]).await.unwrap().fault, Some(Fault::Start(6)));
    store.close().await;
}

async fn rewrite_from(store: &Store, number: u64) {
    for line in store
        .lines(1000)
        .await
        .unwrap()
        .into_iter()
        .rev()
        .filter(|line| line.number >= number)
    {
        let mut line = line;
        line.detail = "forged".into();
        let before = store
            .entries(
                &Filter {
                    before: Some(line.number),
                    ..Filter::default()
                },
                1,
            )
            .await
            .unwrap();
        line.hash = line.hash_after(&before[0].hash);
        let hash = line.head().to_string();
        let hash = hash.split_once(':').unwrap().1;
        sql(
            store,
            &format!(
                "UPDATE record SET detail = 'forged', hash = '{hash}' WHERE number = {}",
                line.number
            ),
        )
        .await
        .unwrap();
    }
}

async fn move_start(store: &Store, head: Head) {
    let text = head.to_string();
    let (number, hash) = text.split_once(':').unwrap();
    sql(
        store,
        &format!("UPDATE record_start SET number = {number}, hash = '{hash}'"),
    )
    .await
    .unwrap();
}

pub(super) async fn two_processes_write_one_chain(url: &str) {
    let World { store, near, far, .. } = world(url).await;
    let (store, other) = (std::sync::Arc::new(store), std::sync::Arc::new(open(url).await));
    let before = store.head().await.unwrap().number;
    let mut tasks = tokio::task::JoinSet::new();
    for (store, receiver) in [(&store, near), (&other, far), (&store, far), (&other, near)] {
        let store = store.clone();
        tasks.spawn(async move {
            for volume in 0..25 {
                store.set_volume(&actor(), NOW, receiver, volume).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let verdict = store.verify_record(&[]).await.unwrap();
    assert_eq!((verdict.fault, verdict.head.number), (None, before + 100));
    store.close().await;
    other.close().await;
}

pub(super) async fn the_oldest_go_and_the_rest_still_holds(url: &str) {
    let World { store, near, .. } = world(url).await;
    let old = store.head().await.unwrap();
    for second in 100..110 {
        store.set_volume(&actor(), later(second), near, 5).await.unwrap();
    }
    // A clock that was set back in between moves nothing to before what came earlier.
    store.set_volume(&actor(), later(1), near, 5).await.unwrap();
    let last = store.head().await.unwrap();

    assert_eq!(
        store.prune_record(&Actor::server(), later(200), NOW).await.unwrap(),
        None
    );
    assert_eq!(store.head().await.unwrap(), last);
    let pruned = store
        .prune_record(&Actor::server(), later(200), later(50))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((pruned.entries, pruned.last), (old.number, old));
    let verdict = store.verify_record(&[old, last]).await.unwrap();
    assert_eq!((verdict.fault, verdict.start), (None, old));
    let lines = store.lines(100).await.unwrap();
    assert_eq!(lines.len(), 12);
    assert_eq!((lines[0].what.as_str(), lines[0].at), ("record.prune", later(200)));
    assert_eq!(lines[0].subject, old.number.to_string());
    store.set_volume(&actor(), later(201), near, 5).await.unwrap();

    // All of it: the entry that says so stays.
    let all = store
        .prune_record(&Actor::server(), later(300), later(299))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(all.entries, 13);
    assert_eq!(store.lines(100).await.unwrap().len(), 1);
    let verdict = store.verify_record(&[last]).await.unwrap();
    assert_eq!((verdict.fault, verdict.start), (None, all.last));
    store.close().await;
}

pub(super) async fn entries_are_found_by_what_they_say(url: &str) {
    let World { store, near, .. } = world(url).await;
    let other = Actor {
        who: "hoa'; --".into(),
        origin: "::1".into(),
    };
    store.set_volume(&other, later(5), near, 5).await.unwrap();
    let found = async |filter: Filter| store.entries(&filter, 100).await.unwrap();
    let it = found(Filter {
        who: Some("hoa'; --".into()),
        ..Filter::default()
    })
    .await;
    assert_eq!(it.len(), 1);
    assert_eq!(it[0].actor, other);
    assert_eq!(
        found(Filter {
            since: Some(later(5)),
            ..Filter::default()
        })
        .await,
        it
    );
    assert_eq!(
        found(Filter {
            until: Some(NOW),
            ..Filter::default()
        })
        .await,
        []
    );
    let all = store.lines(100).await.unwrap();
    assert_eq!(
        found(Filter {
            before: Some(it[0].number),
            ..Filter::default()
        })
        .await,
        all[1..]
    );
    let filter = Filter {
        what: Some("receiver.".into()),
        subject: Some(near.to_string()),
        ..Filter::default()
    };
    let whats: Vec<_> = found(filter).await.into_iter().map(|line| line.what).collect();
    assert_eq!(whats, ["receiver.volume", "receiver.enrol"]);
    assert_eq!(
        found(Filter {
            what: Some("receiver_".into()),
            ..Filter::default()
        })
        .await,
        []
    );
    assert_eq!(store.entries(&Filter::default(), 2).await.unwrap(), all[..2]);
    store.close().await;
}

pub(super) async fn secrets_are_kept_sealed(url: &str) {
    let World { store, near, far, .. } = world(url).await;
    let texts = async |store: &Store| {
        let rows = sqlx::query("SELECT secret FROM receivers ORDER BY id")
            .fetch_all(&store.pool)
            .await
            .unwrap();
        rows.iter().map(|row| row.text("secret").unwrap()).collect::<Vec<_>>()
    };
    assert!(texts(&store).await.iter().all(|text| text.starts_with("v1.1.")));
    // What one receiver's row holds speaks for no other.
    sql(
        &store,
        &format!("UPDATE receivers SET secret = (SELECT secret FROM receivers WHERE id = '{near}') WHERE id = '{far}'"),
    )
    .await
    .unwrap();
    let rows = store.receivers().await.unwrap();
    assert_eq!(
        rows.iter().map(|row| (row.id, row.secret.0)).collect::<Vec<_>>(),
        [(near, [1; 32])]
    );

    // As it was before there was a vault.
    let plain = "02".repeat(32);
    sql(
        &store,
        &format!("UPDATE receivers SET secret = '{plain}' WHERE id = '{far}'"),
    )
    .await
    .unwrap();
    sql(&store, "DELETE FROM vault").await.unwrap();
    store.close().await;
    let folder = tempfile::tempdir().unwrap();
    let store = open(url).await;
    assert!(texts(&store).await.iter().all(|text| text.starts_with("v1.1.")));
    let secrets = async |store: &Store| {
        let mut rows = store.receivers().await.unwrap();
        rows.sort_by_key(|row| row.secret.0);
        rows.iter().map(|row| (row.id, row.secret.0)).collect::<Vec<_>>()
    };
    assert_eq!(secrets(&store).await, [(near, [1; 32]), (far, [2; 32])]);
    store.close().await;

    let wrong = Store::open(url, folder.path(), Vault::of_key([8; 32]))
        .await
        .err()
        .unwrap();
    assert!(matches!(wrong, Error::Foreign(_)), "{wrong}");
}

pub(super) async fn the_vaults_key_is_rotated_beside_a_running_server(url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let data = crate::data::DataFolder::open(folder.path()).unwrap();
    let vault = || Vault::open(&data).unwrap();
    let server = Store::open(url, folder.path(), vault()).await.unwrap();
    let beside = Store::open(url, folder.path(), vault()).await.unwrap();
    let home = area(&server, "Xã", None).await;
    let enrol = async |name: &str, byte: u8| {
        let new = NewReceiver {
            area: home,
            name: name.into(),
            volume: 80,
            position: None,
            secret: Secret([byte; 32]),
        };
        server.add_receiver(&actor(), NOW, new, None).await.unwrap().id
    };
    let first = enrol("một", 1).await;
    let rotated = beside.rotate_vault(&actor(), NOW).await.unwrap();
    assert_eq!((rotated.key, rotated.secrets), (2, 2));
    let second = enrol("hai", 2).await;
    for store in [&server, &beside] {
        let mut rows = store.receivers().await.unwrap();
        rows.sort_by_key(|row| row.secret.0);
        let rows: Vec<_> = rows.iter().map(|row| (row.id, row.secret.0)).collect();
        assert_eq!(rows, [(first, [1; 32]), (second, [2; 32])]);
    }
    let keys: Vec<_> = std::fs::read_dir(data.keys())
        .unwrap()
        .map(|it| it.unwrap().file_name())
        .collect();
    assert_eq!(keys, ["vault-2.key"]);

    // One that does not open: nothing is changed, and no key is lost.
    sql(
        &server,
        &format!("UPDATE receivers SET secret = 'v1.2.AAAA' WHERE id = '{first}'"),
    )
    .await
    .unwrap();
    beside.rotate_vault(&actor(), NOW).await.unwrap_err();
    assert!(data.keys().join("vault-2.key").exists());
    let rows = server.receivers().await.unwrap();
    assert_eq!(rows.iter().map(|row| row.secret.0).collect::<Vec<_>>(), [[2; 32]]);
    assert_eq!(server.lines(1).await.unwrap()[0].what, "receiver.enrol");
    server.close().await;
    beside.close().await;
}

pub(super) async fn what_was_written_before_the_chain_is_carried_over(url: &str) {
    let store = open(url).await;
    for (id, at, who) in [("b", 2, "hoa"), ("a", 2, "lan"), ("c", 1, "tú")] {
        let insert = format!(
            "INSERT INTO record_before (id, at, who, origin, what, subject, detail) \
             VALUES ('{id}', {at}, '{who}', '-', 'area.add', '', '')"
        );
        sql(&store, &insert).await.unwrap();
    }
    store.close().await;
    for _ in 0..2 {
        let store = open(url).await;
        let who: Vec<_> = store
            .lines(9)
            .await
            .unwrap()
            .into_iter()
            .map(|line| line.actor.who)
            .collect();
        assert_eq!(who, ["hoa", "lan", "tú"]);
        assert_eq!(store.verify_record(&[]).await.unwrap().fault, None);
        store.close().await;
    }
}

pub(super) async fn what_the_air_does_is_recorded(url: &str) {
    let world = world(url).await;
    let it = broadcast(&world, &[world.commune], &[]).await.id;
    let store = &world.store;
    let reached: Vec<_> = store.receipts(it).await.unwrap().iter().map(|it| it.receiver).collect();
    for fact in [
        Fact::Targeted(it, reached, NOW),
        Fact::Targeted(it, vec![world.near], later(1)),
        Fact::Broadcast(it, State::OnAir, later(2)),
        Fact::Broadcast(it, State::OnAir, later(3)),
        Fact::Broadcast(it, State::Failed("mất tệp".into()), later(4)),
        Fact::Broadcast(it, State::Done, later(5)),
    ] {
        store.record(fact).await.unwrap();
    }
    let filter = Filter {
        subject: Some(it.to_string()),
        ..Filter::default()
    };
    let mut lines = store.entries(&filter, 100).await.unwrap();
    lines.reverse();
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line.what.as_str(), line.at, line.actor.origin.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("broadcast.accept", NOW, "192.0.2.1"),
            ("broadcast.targeted", later(1), "server"),
            ("broadcast.on_air", later(2), "server"),
            ("broadcast.resumed", later(3), "server"),
            ("broadcast.failed", later(4), "server"),
        ]
    );
    assert_eq!(lines[4].detail, "mất tệp");
    assert_eq!(lines[4].before.as_deref(), Some(r#"{"state":"on_air"}"#));
    assert_eq!(lines[4].after.as_deref(), Some(r#"{"state":"failed"}"#));
    assert_eq!(lines[4].area, Some(world.commune));
    let gone = format!(r#"{{"receivers":["{}"]}}"#, world.far);
    assert_eq!(
        (lines[1].before.as_deref(), lines[1].after.as_deref()),
        (Some(gone.as_str()), None)
    );
    assert_eq!(store.verify_record(&[]).await.unwrap().fault, None);
    store.close().await;
}
