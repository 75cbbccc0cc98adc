//! Backups of real stores and real files, made while they change, and restored on either kind of database.

use std::fs;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use loa_protocol::key::Secret;
use loa_protocol::precedence::Class;
use loa_protocol::{AreaId, BroadcastId, ReceiverId, UnixMicros};

use super::make::{Archive, Sink};
use super::*;
use crate::authority::Grant;
use crate::data::{DataFolder, Vault};
use crate::playout::Archive as _;
use crate::store::tests::postgres;
use crate::store::{Actor, BulletinId, NewArea, NewBroadcast, NewBulletin, NewReceiver, NewUser, Store, Target, ids};

const NOW: UnixMicros = UnixMicros(1_800_000_000_123_456);

fn actor() -> Actor {
    Actor {
        who: "lan".into(),
        origin: "192.0.2.1".into(),
    }
}

fn passphrase(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

async fn open(data: &DataFolder, url: Option<&str>) -> Store {
    let url = url.map_or_else(|| data.database_url().unwrap(), str::to_owned);
    let vault = Vault::open(data).unwrap();
    Store::open(&url, &data.programmes(), vault).await.unwrap()
}

struct Village {
    _folder: tempfile::TempDir,
    data: DataFolder,
    store: Arc<Store>,
    area: AreaId,
    bulletin: BulletinId,
    broadcast: BroadcastId,
}

/// A store with something in every table that counts, and its files.
async fn village() -> Village {
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder::open(&folder.path().join("data")).unwrap();
    crate::data::record_key(&data).unwrap();
    let store = Arc::new(open(&data, None).await);
    let new = NewUser {
        username: "lan".into(),
        display_name: "Nguyễn Lan".into(),
        grants: Grant::FIRST.to_vec(),
        password: "$argon2id$of-lan".into(),
    };
    let user = store.add_user(&actor(), NOW, new).await.unwrap();
    store
        .begin_session(
            &actor(),
            NOW,
            &user,
            crate::store::NewSession {
                token_hash: "token",
                expires: UnixMicros(NOW.0 * 2),
                ends: UnixMicros(NOW.0 * 2),
                half: false,
                second_factor: false,
                how: crate::store::How::Password,
            },
        )
        .await
        .unwrap();
    let above = area(&store, "Tỉnh", None).await;
    let area = area(&store, "Xã", Some(above)).await;
    receiver(&store, area, 1).await;
    let bulletin = bulletin(&data, &store, &user, area, "Bản tin").await;
    store.approve(&actor(), NOW, &user, bulletin).await.unwrap();
    let new = NewBroadcast {
        bulletin,
        target: Target {
            areas: vec![area],
            receivers: vec![],
        },
        start: UnixMicros(NOW.0 + 1_000_000_000),
        overrides: None,
    };
    let broadcast = store.accept(&actor(), NOW, &user, new).await.unwrap().id;
    Village {
        _folder: folder,
        data,
        store,
        area,
        bulletin,
        broadcast,
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

async fn receiver(store: &Store, area: AreaId, number: u32) -> ReceiverId {
    let new = NewReceiver {
        area,
        name: format!("Cụm {number}"),
        volume: 80,
        position: None,
        secret: Secret([number as u8; 32]),
    };
    store.add_receiver(&actor(), NOW, new, None).await.unwrap().id
}

async fn bulletin(data: &DataFolder, store: &Store, by: &crate::store::User, area: AreaId, title: &str) -> BulletinId {
    let id = BulletinId(ids::fresh(NOW));
    fs::write(
        data.programmes().join(format!("{id}.opus")),
        format!("sound of {title}"),
    )
    .unwrap();
    fs::write(data.originals().join(id.to_string()), vec![7; 100_000]).unwrap();
    let new = NewBulletin {
        id,
        title: title.into(),
        class: Class::Priority,
        format: "mp3",
        samples: 48_000,
        area: Some(area),
        text: None,
        sound: crate::store::Sound::default(),
    };
    store.add_bulletin(&actor(), NOW, by, new).await.unwrap();
    id
}

/// What is in the tables, but for those that go on by themselves.
async fn rows(store: &Store) -> std::collections::BTreeMap<String, Vec<String>> {
    let mut snapshot = store.snapshot().await.unwrap();
    let mut all = std::collections::BTreeMap::new();
    for table in snapshot.tables().await.unwrap() {
        let mut lines = Vec::new();
        let take = |page: crate::store::dump::Page| -> Result<(), BackupError> {
            lines.extend(page.rows.iter().map(|row| {
                let cells = page
                    .columns
                    .iter()
                    .zip(row)
                    .map(|(column, value)| format!("{column}={value}"));
                let mut cells: Vec<_> = cells.collect();
                cells.sort();
                cells.join(" ")
            }));
            Ok(())
        };
        snapshot.rows(&table, true, take).await.unwrap();
        lines.sort();
        all.insert(table, lines);
    }
    all
}

/// The same, without what restoring itself adds.
fn old(mut rows: std::collections::BTreeMap<String, Vec<String>>) -> std::collections::BTreeMap<String, Vec<String>> {
    rows.get_mut("record")
        .unwrap()
        .retain(|line| !line.contains("backup.restore"));
    rows
}

fn plan(file: &Path, data: &Path, database: Option<String>) -> Plan {
    Plan {
        file: file.into(),
        passphrase: Some(passphrase("một câu dài để nhớ")),
        data: data.into(),
        database,
        force: false,
    }
}

async fn secrets(store: &Store) -> Vec<[u8; 32]> {
    let mut secrets: Vec<_> = store
        .receivers()
        .await
        .unwrap()
        .iter()
        .map(|row| row.secret.0)
        .collect();
    secrets.sort_unstable();
    secrets
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_was_accepted_before_comes_back_on_either_database() {
    let village = village().await;
    let (store, area) = (village.store.clone(), village.area);
    let file = village.data.originals().parent().unwrap().with_file_name("one.loa");
    let pass = passphrase("một câu dài để nhớ");

    // Changes go on while the backup is made: from before it begins until after its end.
    let (began, first) = tokio::sync::oneshot::channel();
    let (end, mut ended) = tokio::sync::oneshot::channel::<()>();
    let writer = tokio::spawn(async move {
        let mut began = Some(began);
        let mut number = 2;
        while matches!(ended.try_recv(), Err(tokio::sync::oneshot::error::TryRecvError::Empty)) {
            receiver(&store, area, number).await;
            number += 1;
            began.take().map(|began| began.send(()));
        }
        number
    });
    first.await.unwrap();
    let known = rows(&village.store).await;
    let contents = make(&village.data, &village.store, &file, Some(&pass), NOW)
        .await
        .unwrap();
    end.send(()).unwrap();
    let written = writer.await.unwrap();
    assert!(contents.manifest.keys && contents.totals.missing.is_empty());
    assert_eq!(verify(&file, Some(&pass)).unwrap(), contents);
    assert!(contents.totals.tables["receivers"] >= 2 && u64::from(written) > contents.totals.tables["receivers"]);

    let elsewhere = tempfile::tempdir().unwrap();
    let server = postgres::Server::find().expect("PostgreSQL could not be started");
    let urls = [None, server.as_ref().map(|server| server.database("restored"))];
    let mut restored = Vec::new();
    for (index, url) in urls
        .into_iter()
        .enumerate()
        .filter(|(index, url)| *index == 0 || url.is_some())
    {
        let folder = elsewhere.path().join(format!("đài {index}"));
        let done = restore(plan(&file, &folder, url.clone()), actor(), NOW).await.unwrap();
        assert_eq!((done.contents, done.before), (contents.clone(), None));
        let data = DataFolder::open(&folder).unwrap();
        let store = open(&data, url.as_deref()).await;
        let now = old(rows(&store).await);
        for (table, lines) in known.iter().filter(|(table, _)| *table != "changes") {
            let lost: Vec<_> = lines.iter().filter(|line| !now[table].contains(line)).collect();
            assert!(lost.is_empty(), "{table}: {lost:?}");
        }
        assert_eq!(now["receivers"].len() as u64, contents.totals.tables["receivers"]);
        assert_eq!(secrets(&store).await.len() as u64, contents.totals.tables["receivers"]);
        assert_eq!(store.session(NOW, "token").await.unwrap(), None);
        assert!(store.user_and_password("lan").await.unwrap().is_some());
        assert_eq!(
            store.broadcast_by_id(village.broadcast).await.unwrap().counts.targeted,
            1
        );
        let verdict = store
            .verify_record(&[contents.manifest.head.parse().unwrap()])
            .await
            .unwrap();
        assert_eq!(verdict.fault, None);
        assert_eq!(store.lines(1).await.unwrap()[0].what, "backup.restore");
        for (name, path) in [
            ("programmes", format!("{}.opus", village.bulletin)),
            ("originals", village.bulletin.to_string()),
        ] {
            let of = |data: &DataFolder| fs::read(data.originals().with_file_name(name).join(&path)).unwrap();
            assert_eq!(of(&data), of(&village.data));
        }
        let key = |data: &DataFolder| crate::data::record_key(data).unwrap().to_bytes();
        assert_eq!(key(&data), key(&village.data));
        // It takes changes, and the record goes on.
        receiver(&store, village.area, u32::MAX).await;
        assert_eq!(store.verify_record(&[verdict.head]).await.unwrap().fault, None);
        restored.push((data, store, now));
    }
    if let [(_, _, here), (data, store, there)] = &restored[..] {
        assert_eq!(here, there);
        // And back: from PostgreSQL to SQLite.
        let file = elsewhere.path().join("back.loa");
        make(data, store, &file, Some(&pass), NOW).await.unwrap();
        let folder = elsewhere.path().join("back");
        restore(plan(&file, &folder, None), actor(), NOW).await.unwrap();
        let back = open(&DataFolder::open(&folder).unwrap(), None).await;
        assert_eq!(secrets(&back).await, secrets(store).await);
        assert_eq!(back.verify_record(&[]).await.unwrap().fault, None);
        back.close().await;
    }
    for (_, store, _) in &restored {
        store.close().await;
    }
    village.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_is_refused_and_changes_nothing() {
    let village = village().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("good.loa");
    let pass = passphrase("một câu dài để nhớ");
    make(&village.data, &village.store, &file, Some(&pass), NOW)
        .await
        .unwrap();
    let again = make(&village.data, &village.store, &file, Some(&pass), NOW)
        .await
        .unwrap_err();
    assert!(matches!(again, BackupError::Exists(_)), "{again}");
    let good = fs::read(&file).unwrap();
    let target = folder.path().join("target");
    let tried = async |bytes: &[u8], pass: Option<&str>| {
        let bad = folder.path().join("bad.loa");
        fs::write(&bad, bytes).unwrap();
        let plan = Plan {
            passphrase: pass.map(passphrase),
            ..plan(&bad, &target, None)
        };
        let error = restore(plan, actor(), NOW).await.unwrap_err();
        assert!(!target.exists(), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "{error}");
        error
    };
    let right = Some("một câu dài để nhớ");
    assert!(matches!(
        tried(&good, Some("một câu khác hẳn")).await,
        BackupError::Passphrase
    ));
    assert!(matches!(tried(&good, None).await, BackupError::NoPassphrase));
    assert!(matches!(tried(b"", right).await, BackupError::Damaged(_)));
    assert!(matches!(
        tried(b"PK\x03\x04 something else", right).await,
        BackupError::Damaged(_)
    ));
    for length in [30, 300, good.len() / 2, good.len() - 1] {
        let error = tried(&good[..length], right).await;
        assert!(matches!(error, BackupError::Damaged(_)), "{length}: {error}");
    }
    for at in [25, 100, good.len() / 3, good.len() - 1] {
        let mut flipped = good.clone();
        flipped[at] ^= 1;
        let error = tried(&flipped, right).await;
        assert!(
            matches!(error, BackupError::Damaged(_) | BackupError::Passphrase),
            "{at}: {error}"
        );
    }
    // Where there is something already.
    fs::create_dir(&target).unwrap();
    fs::write(target.join("letters"), "mine").unwrap();
    let error = restore(plan(&file, &target, None), actor(), NOW).await.unwrap_err();
    assert!(matches!(error, BackupError::NotEmpty(_)), "{error}");
    assert_eq!(fs::read(target.join("letters")).unwrap(), b"mine");
    let forced = Plan {
        force: true,
        ..plan(&file, &target, None)
    };
    let before = restore(forced.clone(), actor(), NOW).await.unwrap().before.unwrap();
    assert_eq!(fs::read(before.join("letters")).unwrap(), b"mine");
    assert!(target.join("loa.db").exists() && !target.join("letters").exists());
    // Not under a server that runs.
    let data = DataFolder::open(&target).unwrap();
    let lock = crate::serve::lock(&data).unwrap().unwrap();
    let error = restore(forced, actor(), UnixMicros(NOW.0 + 1)).await.unwrap_err();
    assert!(matches!(error, BackupError::Running(_)), "{error}");
    drop(lock);
    village.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_nothing_secret_is_in_it() {
    let village = village().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("open.loa");
    let contents = make(&village.data, &village.store, &file, None, NOW).await.unwrap();
    assert!(!contents.manifest.keys);
    let bytes = fs::read(&file).unwrap();
    let within = |needle: &[u8]| bytes.windows(needle.len()).any(|it| it == needle);
    assert!(within("Nguyễn Lan".as_bytes()));
    for secret in ["$argon2id$", "v1.1.", "signing.key", "vault-1"] {
        assert!(!within(secret.as_bytes()), "{secret}");
    }
    // Any byte of what is in it that is another is found.
    let bad = folder.path().join("bad.loa");
    for at in (0..bytes.len()).step_by(997).filter(|at| bytes[*at] != 0) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        fs::write(&bad, flipped).unwrap();
        let block = at / 512 * 512;
        // A tar header's own fields (time, owner) are nobody's.
        let header = bytes.get(block + 257..block + 262) == Some(b"ustar");
        assert!(header || verify(&bad, None).is_err(), "{at}");
    }
    let target = folder.path().join("target");
    restore(plan(&file, &target, None), actor(), NOW).await.unwrap();
    let data = DataFolder::open(&target).unwrap();
    let store = open(&data, None).await;
    assert_eq!(store.list_receivers().await.unwrap().len(), 1);
    assert!(store.receivers().await.unwrap().is_empty());
    assert_eq!(store.user_and_password("lan").await.unwrap().unwrap().1, "");
    assert_eq!(store.verify_record(&[]).await.unwrap().fault, None);
    store.close().await;
    village.store.close().await;
}

/// A backup with these pieces.
fn made_of(path: &Path, manifest: &Manifest, pages: &[(&str, &str)]) {
    let mut archive = Archive::new(Sink::Plain(BufWriter::new(fs::File::create(path).unwrap())));
    archive
        .add("manifest.json", &serde_json::to_vec(manifest).unwrap())
        .unwrap();
    for (table, text) in pages {
        let rows = text.lines().count() as u64 - 1;
        archive.totals.tables.insert((*table).into(), rows);
        archive
            .add(&format!("database/{table}/000001.jsonl"), text.as_bytes())
            .unwrap();
    }
    archive.finish().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_one_is_brought_up_to_date_and_a_newer_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("some.loa");
    let mut manifest = Manifest {
        form: FORM,
        loa: "0.0.9".into(),
        at: NOW.0,
        database: "sqlite".into(),
        migrations: vec![1],
        head: format!("0:{}", "0".repeat(64)),
        keys: false,
    };
    let pages = [
        (
            "areas",
            "[\"id\",\"parent_id\",\"kind\",\"name\",\"code\",\"created\"]\n[\"00000000-0000-0000-0000-000000000002\",\"00000000-0000-0000-0000-000000000001\",\"village\",\"Thôn\",null,5]\n[\"00000000-0000-0000-0000-000000000001\",null,\"commune\",\"Xã\",\"00123\",5]\n",
        ),
        (
            "users",
            "[\"id\",\"username\",\"display_name\",\"role\",\"password\",\"created\"]\n[\"00000000-0000-0000-0000-000000000003\",\"lan\",\"Lan\",\"admin\",\"\",5]\n",
        ),
        (
            "record",
            "[\"id\",\"at\",\"who\",\"origin\",\"what\",\"subject\",\"detail\"]\n[\"a\",5,\"lan\",\"-\",\"area.add\",\"\",\"\"]\n",
        ),
        ("changes", "[\"id\",\"n\"]\n[1,7]\n"),
    ];
    made_of(&file, &manifest, &pages);
    let target = folder.path().join("old");
    restore(plan(&file, &target, None), actor(), NOW).await.unwrap();
    let store = open(&DataFolder::open(&target).unwrap(), None).await;
    assert_eq!(store.areas().await.unwrap().len(), 2);
    assert_eq!(store.users().await.unwrap()[0].grants.len(), 3);
    let whats: Vec<_> = store
        .lines(9)
        .await
        .unwrap()
        .into_iter()
        .map(|line| line.what)
        .collect();
    assert_eq!(whats, ["backup.restore", "area.add"]);
    store.close().await;

    let target = folder.path().join("new");
    for (form, migrations) in [(FORM + 1, vec![1]), (FORM, vec![1, 9999])] {
        (manifest.form, manifest.migrations) = (form, migrations);
        made_of(&file, &manifest, &pages);
        let error = restore(plan(&file, &target, None), actor(), NOW).await.unwrap_err();
        assert!(matches!(error, BackupError::Newer { .. }), "{error}");
        assert!(!target.exists());
    }
    // Rows that refer to nothing, and a path that leads out.
    (manifest.form, manifest.migrations) = (FORM, vec![1]);
    let lost = (
        "areas",
        "[\"id\",\"parent_id\",\"kind\",\"name\",\"created\"]\n[\"2\",\"1\",\"village\",\"Thôn\",5]\n",
    );
    made_of(&file, &manifest, &[lost]);
    restore(plan(&file, &target, None), actor(), NOW).await.unwrap_err();
    let mut archive = Archive::new(Sink::Plain(BufWriter::new(fs::File::create(&file).unwrap())));
    archive
        .add("manifest.json", &serde_json::to_vec(&manifest).unwrap())
        .unwrap();
    archive.add("keys/.hidden", b"x").unwrap();
    archive.finish().unwrap();
    let error = restore(plan(&file, &target, None), actor(), NOW).await.unwrap_err();
    assert!(matches!(error, BackupError::Damaged(_)), "{error}");
    assert!(!target.exists());
}
