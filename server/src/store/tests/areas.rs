//! Communes merge, split and are renamed.

use super::*;

fn new(name: &str, kind: &str, parent: Option<AreaId>, code: Option<&str>) -> NewArea {
    NewArea {
        parent,
        kind: kind.into(),
        name: name.into(),
        code: code.map(Into::into),
    }
}

pub(super) async fn communes_are_renamed_merged_and_split(url: &str) {
    let store = open(url).await;
    let add = async |it| store.add_area(&actor(), NOW, it).await.unwrap().id;
    let province = add(new("Bắc Ninh", "province", None, Some("27"))).await;
    let one = add(new("Tân Lập", "commune", Some(province), Some("09001"))).await;
    let two = add(new("Tân Hoà", "commune", Some(province), Some("09002"))).await;
    let village = add(new("Thôn 1", "village", Some(one), None)).await;

    // Another name and code: what it was called before is kept, and nothing but what is different is in the record.
    let change = AreaChange {
        name: Some(" Tân Lập Mới ".into()),
        code: Some("09011".into()),
        ..AreaChange::default()
    };
    let renamed = store.change_area(&actor(), later(1), one, change).await.unwrap();
    assert_eq!(
        (&*renamed.name, renamed.code.as_deref()),
        ("Tân Lập Mới", Some("09011"))
    );
    let former = Former {
        name: "Tân Lập".into(),
        code: Some("09001".into()),
        until: later(1),
    };
    assert_eq!(renamed.former[..], *std::slice::from_ref(&former));
    let taken = AreaChange {
        code: Some("09002".into()),
        ..AreaChange::default()
    };
    let taken = store.change_area(&actor(), later(2), one, taken).await.unwrap_err();
    assert!(matches!(taken, Error::Invalid { field: "code", .. }), "{taken:?}");
    assert_eq!(store.area(one).await.unwrap(), renamed, "nothing is half done");
    let circle = AreaChange {
        parent: Some(village),
        ..AreaChange::default()
    };
    let circle = store.change_area(&actor(), later(2), one, circle).await.unwrap_err();
    assert!(
        matches!(circle, Error::Invalid { field: "parent_id", .. }),
        "{circle:?}"
    );

    // Two become one, which all that was theirs lies in.
    for wrong in [&[one][..], &[one, one], &[one, village], &[one, AreaId([9; 16])]] {
        let wrong = store
            .merge_areas(&actor(), later(3), new("Tân", "commune", Some(province), None), wrong)
            .await
            .unwrap_err();
        assert!(matches!(wrong, Error::Invalid { field: "area_ids", .. }), "{wrong:?}");
    }
    let inside = new("Tân", "commune", Some(village), None);
    let inside = store
        .merge_areas(&actor(), later(3), inside, &[one, two])
        .await
        .unwrap_err();
    assert!(
        matches!(inside, Error::Invalid { field: "parent_id", .. }),
        "{inside:?}"
    );
    assert_eq!(store.areas().await.unwrap().len(), 4);
    let whole = new("Tân", "commune", Some(province), Some("09100"));
    let whole = store.merge_areas(&actor(), later(4), whole, &[two, one]).await.unwrap();
    assert_eq!(whole.path, [province, whole.id]);
    for part in [one, two] {
        let part = store.area(part).await.unwrap();
        assert_eq!((&*part.kind, part.path), (FORMER, vec![province, whole.id, part.id]));
    }
    assert_eq!(
        store.area(one).await.unwrap().former,
        [former],
        "merging is no other name"
    );
    let deep = store.area(village).await.unwrap();
    assert_eq!(deep.path, [province, whole.id, one, village]);

    // A village goes to another commune; too deep it does not go.
    let split = AreaChange {
        parent: Some(two),
        ..AreaChange::default()
    };
    let moved = store.change_area(&actor(), later(5), village, split).await.unwrap();
    assert_eq!(moved.path, [province, whole.id, two, village]);
    let mut below = village;
    for n in 0..4 {
        below = add(new(&format!("Tổ {n}"), "group", Some(below), None)).await;
    }
    let deeper = add(new("Cụm", "group", Some(one), None)).await;
    let down = AreaChange {
        parent: Some(deeper),
        ..AreaChange::default()
    };
    let down = store.change_area(&actor(), later(6), village, down).await.unwrap_err();
    assert!(matches!(down, Error::Invalid { field: "parent_id", .. }), "{down:?}");
    assert_eq!(store.area(village).await.unwrap().parent, Some(two));
    store.close().await;
}
