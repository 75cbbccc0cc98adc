//! API tokens.

use super::*;
use crate::authority::{Grant, Limit, Reach, Right, Role};

fn new(name: &str, area: Option<AreaId>) -> NewToken {
    NewToken {
        name: name.into(),
        rights: vec![Right::Broadcast, Right::See, Right::See],
        area,
        second_factor: None,
        expires: later(60),
    }
}

pub(super) async fn tokens_are_made_used_and_taken_back(url: &str) {
    let store = open(url).await;
    let person = |name: &str| NewUser {
        username: name.into(),
        display_name: name.into(),
        grants: vec![Grant::everywhere(Role::Officer)],
        password: "$argon2id$".into(),
    };
    let mai = store.add_user(&actor(), NOW, person("mai")).await.unwrap();
    let hoa = store.add_user(&actor(), NOW, person("hoa")).await.unwrap();
    let area = NewArea {
        parent: None,
        kind: "commune".into(),
        name: "Xã".into(),
        code: None,
    };
    let area = store.add_area(&actor(), NOW, area).await.unwrap().id;

    let token = store
        .add_token(&actor(), NOW, &mai, "hash", new(" Máy báo bão ", Some(area)))
        .await
        .unwrap();
    let limit = Limit {
        rights: vec![Right::See, Right::Broadcast],
        reach: Reach::Area(area),
    };
    assert_eq!((token.name.as_str(), token.limit()), ("Máy báo bão", limit));
    assert_eq!(store.token("hash").await.unwrap(), Some((token.clone(), mai.clone())));
    assert_eq!(store.token("other").await.unwrap(), None);
    assert_eq!(store.tokens(mai.id).await.unwrap(), std::slice::from_ref(&token));
    assert_eq!(store.tokens(hoa.id).await.unwrap(), []);

    for (wrong, field, why) in [
        (new("Máy báo bão", None), "name", Invalid::Taken),
        (new(" ", None), "name", Invalid::Empty),
        (new("b", Some(AreaId([9; 16]))), "area_id", Invalid::Unknown),
    ] {
        match store.add_token(&actor(), NOW, &mai, "hash 2", wrong).await {
            Err(Error::Invalid {
                field: at,
                why: because,
            }) => assert_eq!((at, because), (field, why)),
            other => panic!("{other:?}"),
        }
    }
    // Another person's may be called the same.
    let other = store
        .add_token(&actor(), NOW, &hoa, "hash 3", new("Máy báo bão", None))
        .await
        .unwrap();
    assert_eq!(other.limit().reach, Reach::Everywhere);

    // Its use is noted, but not at every one.
    for (at, origin, noted) in [(5, "a", (5, "a")), (8, "b", (5, "a")), (16, "c", (16, "c"))] {
        store
            .note_token_use(token.id, later(at), origin, later(at - 5))
            .await
            .unwrap();
        let (used, _) = store.token("hash").await.unwrap().unwrap();
        assert_eq!(
            (used.used, used.used_from.as_deref()),
            (Some(later(noted.0)), Some(noted.1))
        );
    }
    let before = store.lines(100).await.unwrap().len();
    for at in [100, 101, 200] {
        store
            .note_token_refused(&actor(), later(at), &token, "expired", later(at - 50))
            .await
            .unwrap();
    }
    let lines = store.lines(100).await.unwrap();
    assert_eq!(lines.len(), before + 2);
    assert_eq!(
        (&*lines[0].what, &*lines[0].detail),
        ("token.refuse", "Máy báo bão: expired")
    );
    assert_eq!((&lines[0].subject, lines[0].area), (&token.id.to_string(), Some(area)));

    sqlx::query("UPDATE users SET disabled = 1")
        .execute(&store.pool)
        .await
        .unwrap();
    assert!(store.token("hash").await.unwrap().unwrap().1.disabled.is_some());

    let mut changes = store.watch();
    store.remove_token(&actor(), NOW, token.id).await.unwrap();
    assert_eq!(changes.try_recv(), Ok(Change::Sessions));
    assert!(matches!(
        store.remove_token(&actor(), NOW, token.id).await,
        Err(Error::Missing("token"))
    ));
    assert_eq!(store.token("hash").await.unwrap(), None);
    assert!(store.token("hash 3").await.unwrap().is_some());
    let whats: Vec<_> = store
        .lines(3)
        .await
        .unwrap()
        .into_iter()
        .map(|line| line.what)
        .collect();
    assert_eq!(whats, ["token.remove", "token.refuse", "token.refuse"]);
    store.close().await;
}
