//! The life of a receiver in the database: its secret replaced in steps, its reports remembered, claims, keys that follow.

use loa_protocol::agreement::PrivateKey;
use loa_protocol::report::{Serial, Telemetry};
use loa_protocol::succession::{FIRST, Trust};

use super::*;
use crate::data::{KeyPlace, Keyring};
use crate::fleet::clones::Sign;

pub(super) async fn a_secret_is_replaced_in_steps_and_none_is_lost(url: &str) {
    let World { store, near, .. } = world(url).await;
    let row = async || store.receiver_row(near).await.unwrap().unwrap();
    let (old, device) = (Secret([1; 32]), PrivateKey::new([6; 32]));
    let serial = Serial { boot: 9, number: 4 };
    // Nothing was ordered: nothing is taken.
    assert!(!store.renew(near, 0, &Secret([8; 32]), serial).await.unwrap());
    assert!(store.order_rotation(&actor(), NOW, near).await.unwrap().rotating);
    let half = row().await.renewal.unwrap().half;
    // Ordered again it is the same half: the receiver may have answered the first order.
    store.order_rotation(&actor(), NOW, near).await.unwrap();
    let renewal = row().await.renewal.unwrap();
    assert_eq!((renewal.half.public(), renewal.next.is_none()), (half.public(), true));
    let next = half.next_secret(&device.public(), &old, 1).unwrap();
    assert!(!store.renew(near, 7, &next, serial).await.unwrap());
    assert!(!store.renewed(near, 0, NOW).await.unwrap());
    assert!(store.renew(near, 0, &next, serial).await.unwrap());
    // Killed here, both are there.
    store.close().await;
    let store = super::open(url).await;
    let row = store.receiver_row(near).await.unwrap().unwrap();
    assert_eq!((row.secret, row.epoch, row.last.rotation), (old, 0, serial));
    assert_eq!(row.renewal.unwrap().next, Some(next.clone()));
    assert!(store.renewed(near, 0, NOW).await.unwrap() && !store.renewed(near, 0, NOW).await.unwrap());
    let row = store.receiver_row(near).await.unwrap().unwrap();
    assert_eq!((row.secret, row.epoch, row.renewal.is_none()), (next, 1, true));
    assert_eq!(store.lines(1).await.unwrap()[0].what, "receiver.rotated");
    // Revoked while one is ordered: nothing of it is taken any more.
    store.order_rotation(&actor(), NOW, near).await.unwrap();
    store.revoke_receiver(&actor(), NOW, near).await.unwrap();
    assert!(!store.renew(near, 1, &Secret([8; 32]), serial).await.unwrap());
    assert!(store.receiver_row(near).await.unwrap().is_none());
    assert_eq!(store.revoked().await.unwrap(), [near]);
    store.close().await;
}

pub(super) async fn reports_are_remembered_and_clones_are_shown(url: &str) {
    let World { store, near, far, .. } = world(url).await;
    let telemetry = Telemetry {
        serial: Serial { boot: 5, number: 7 },
        key_number: 3,
        authority: Some([0xAB; 8]),
        ..Telemetry::default()
    };
    store
        .record(Fact::Telemetry(near, telemetry.clone(), NOW))
        .await
        .unwrap();
    store.record(Fact::Cloned(near, Sign::Boots, NOW)).await.unwrap();
    store.record(Fact::Cloned(near, Sign::Hellos, later(9))).await.unwrap();
    store.close().await;
    let store = super::open(url).await;
    let row = store.receiver_row(near).await.unwrap().unwrap();
    assert_eq!((row.last.telemetry, row.key_number), (telemetry.serial, Some(3)));
    let seen = store.receiver(near).await.unwrap();
    assert_eq!((seen.cloned, seen.authority), (Some(NOW), Some([0xAB; 8])));
    let line = &store.lines(1).await.unwrap()[0];
    assert_eq!(
        (line.what.as_str(), line.detail.as_str()),
        ("receiver.cloned", "hellos")
    );
    // With another secret it is another device, and what was said of the one before is over.
    store
        .replace_secret(&actor(), NOW, near, &Secret([9; 32]), None)
        .await
        .unwrap();
    let seen = store.receiver(near).await.unwrap();
    assert_eq!((seen.cloned, seen.key_number, seen.epoch), (None, None, 1));
    // One that was claimed is answered until it reports.
    let keys = ClaimKeys {
        device: PrivateKey::new([1; 32]).public(),
        server: PrivateKey::new([2; 32]).public(),
        media: ("loa.example".into(), 5004),
    };
    store
        .replace_secret(&actor(), NOW, far, &Secret([9; 32]), Some(keys.clone()))
        .await
        .unwrap();
    let claims = store.claims().await.unwrap();
    assert_eq!(
        (claims[0].receiver, claims[0].device, &claims[0].media),
        (far, keys.device, &keys.media)
    );
    store.record(Fact::Telemetry(far, telemetry, later(1))).await.unwrap();
    store.close().await;
    assert!(super::open(url).await.claims().await.unwrap().is_empty());
}

pub(super) async fn signing_keys_follow_each_other_without_a_gap(url: &str) {
    let store = super::open(url).await;
    let folder = tempfile::tempdir().unwrap();
    let place = KeyPlace::Folder(folder.path().into());
    let first = crate::data::KnownKey {
        trust: Trust {
            number: FIRST,
            key: place.make(FIRST).unwrap().verifying_key(),
        },
        step: None,
    };
    store.add_signing_key(&actor(), NOW, &first).await.unwrap();
    let ring = Keyring::open(place, &store.signing_keys().await.unwrap()).unwrap();
    let second = ring.succeed().unwrap();
    // Not twice the same number, and none that nobody vouches for.
    assert!(matches!(
        store.add_signing_key(&actor(), NOW, &first).await,
        Err(Error::Missing(_))
    ));
    let alone = crate::data::KnownKey {
        step: None,
        ..second.clone()
    };
    assert!(store.add_signing_key(&actor(), NOW, &alone).await.is_err());
    store.add_signing_key(&actor(), NOW, &second).await.unwrap();
    assert_eq!(store.signing_keys().await.unwrap(), [first.clone(), second]);
    assert!(ring.follow(&store.signing_keys().await.unwrap()).unwrap());
    let walked = first.trust.walk(ring.steps_from(FIRST).iter().map(Vec::as_slice));
    assert_eq!(walked, ring.trust());
    store.close().await;
}

impl Store {
    async fn receiver_row(&self, id: ReceiverId) -> Result<Option<crate::playout::ReceiverRow>, Error> {
        crate::playout::Archive::receiver(self, id).await
    }
}
