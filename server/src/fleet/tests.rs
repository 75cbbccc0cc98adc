//! Orders and the mailbox, against the receiver's side of the protocol.

use loa_protocol::agreement::PrivateKey;
use loa_protocol::claim::Request;
use loa_protocol::command::{Command, Order, Play, Recipient, Rotate};
use loa_protocol::key::Secret;
use loa_protocol::precedence::Class;
use loa_protocol::report::{Outcome, Receipt, Serial, Telemetry};
use loa_protocol::rotation::Rotation;
use loa_protocol::topic::{ClaimWord, Downlink, Topic, Uplink};
use loa_protocol::{AreaId, BroadcastId, ClaimId, MAX_MESSAGE, ReceiverId, SigningKey, StreamId, UnixMicros};

use super::mailbox::{Mailbox, News, Rejected};
use super::orders::{self, Message, Orders};
use crate::enrol::Identity;

const NOW: UnixMicros = UnixMicros(1_800_000_000_000_000);
const ME: ReceiverId = ReceiverId([1; 16]);
const OTHER: ReceiverId = ReceiverId([2; 16]);

fn key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn keys() -> std::sync::Arc<crate::data::Keyring> {
    std::sync::Arc::new(crate::data::Keyring::of_key(key()))
}

fn secret() -> Secret {
    Secret([4; 32])
}

fn play() -> Play {
    Play {
        broadcast: BroadcastId([5; 16]),
        stream: StreamId([5; 16]),
        ssrc: 7,
        class: Class::Priority,
        depth: 2,
        start: NOW.offset(1_500_000),
        samples: 48_000 * 90,
        packet_samples: 2880,
        pre_skip: 312,
        overrides: false,
    }
}

/// What a receiver makes of a message.
fn open(message: &Option<Message>, to: ReceiverId) -> Command {
    let (topic, payload) = message.as_ref().unwrap();
    assert_eq!(*topic, *Topic::Down(to, Downlink::Command).text());
    let command = Command::open(&key().verifying_key(), payload).unwrap();
    assert_eq!(command.to, Recipient::Receiver(to));
    command
}

#[test]
fn orders_say_what_is_to_be_done_and_for_how_long() {
    let mut orders = Orders::new(keys());
    let played = open(&orders.play(NOW, ME, &play()), ME);
    assert_eq!((played.order, played.issued), (Order::Play(play()), NOW));
    assert_eq!(played.expires, NOW.offset(1_500_000 + 90_000_000));
    let minute = NOW.offset(60_000_000);
    for (message, order) in [
        (orders.stop(NOW, ME, play().broadcast), Order::Stop(play().broadcast)),
        (orders.volume(NOW, ME, 70), Order::Volume(70)),
        (orders.volume(NOW, ME, 255), Order::Volume(100)),
        (orders.reboot(NOW, ME), Order::Reboot),
    ] {
        let command = open(&message, ME);
        assert_eq!((command.order, command.expires), (order, minute));
    }
    let policy = crate::schedule::rules::Place::default().policy(NOW).unwrap();
    assert_eq!(
        (policy.utc_offset, policy.allows(NOW), policy.daily_minutes),
        (420, true, None)
    );
    assert_eq!(open(&orders.policy(NOW, ME, &policy), ME).order, Order::Policy(policy));
}

#[test]
fn numbers_rise_for_each_receiver_and_across_a_restart() {
    let mut orders = Orders::new(keys());
    let mut numbers: Vec<_> = (0..3).map(|_| open(&orders.reboot(NOW, ME), ME).number).collect();
    // The clock was set back a little.
    numbers.push(open(&orders.reboot(NOW.offset(-1_000_000), ME), ME).number);
    let mut restarted = Orders::new(keys());
    numbers.push(open(&restarted.reboot(NOW.offset(1_000_000), ME), ME).number);
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    assert_eq!(open(&orders.reboot(NOW, OTHER), OTHER).number, NOW.0);
}

fn mailbox() -> Mailbox {
    let mut mailbox = Mailbox::default();
    mailbox.replace([(ME, secret())]);
    mailbox
}

fn topic(kind: Uplink) -> String {
    Topic::Up(ME, kind).text().to_string()
}

fn telemetry(boot: u64, number: u64) -> Vec<u8> {
    let mut out = [0; MAX_MESSAGE];
    let telemetry = Telemetry {
        serial: Serial { boot, number },
        volume: 80,
        ..Telemetry::default()
    };
    let length = telemetry.seal(&secret().report_key(), &mut out).unwrap();
    out[..length].to_vec()
}

fn receipt(boot: u64, number: u64) -> Vec<u8> {
    let mut out = [0; MAX_MESSAGE];
    let receipt = Receipt {
        serial: Serial { boot, number },
        outcome: Outcome::Played,
        ..Receipt::default()
    };
    let length = receipt.seal(&secret().report_key(), &mut out).unwrap();
    out[..length].to_vec()
}

#[test]
fn what_receivers_say_is_read() {
    let mut mailbox = mailbox();
    let came = mailbox.open(&topic(Uplink::Presence), b"1");
    assert!(matches!(came, Ok(News::Presence(ME, true))));
    assert!(matches!(
        mailbox.open(&topic(Uplink::Presence), b"0"),
        Ok(News::Presence(ME, false))
    ));
    match mailbox.open(&topic(Uplink::Telemetry), &telemetry(1, 1)) {
        Ok(News::Telemetry(ME, telemetry)) => assert_eq!(telemetry.volume, 80),
        other => panic!("{other:?}"),
    }
    match mailbox.open(&topic(Uplink::Receipt), &receipt(1, 2)) {
        Ok(News::Receipt(ME, receipt)) => assert_eq!(receipt.outcome, Outcome::Played),
        other => panic!("{other:?}"),
    }
    match mailbox.open(&topic(Uplink::Media), b"datagram") {
        Ok(News::Uplink(ME, datagram)) => assert_eq!(datagram, b"datagram"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_proven_is_refused_with_the_reason() {
    let mut mailbox = mailbox();
    let refused = |mailbox: &mut Mailbox, topic: &str, payload: &[u8]| mailbox.open(topic, payload).unwrap_err();
    assert_eq!(
        refused(&mut mailbox, &Topic::Up(OTHER, Uplink::Presence).text(), b"1"),
        Rejected::Unknown
    );
    assert_eq!(
        refused(&mut mailbox, &Topic::Down(ME, Downlink::Command).text(), b""),
        Rejected::Topic
    );
    assert_eq!(refused(&mut mailbox, "loa/1/x/telemetry", b""), Rejected::Topic);
    for payload in [&b""[..], b"2", b"11"] {
        assert_eq!(
            refused(&mut mailbox, &topic(Uplink::Presence), payload),
            Rejected::Malformed
        );
    }
    assert_eq!(
        refused(&mut mailbox, &topic(Uplink::Telemetry), b"not CBOR"),
        Rejected::Malformed
    );
    let mut forged = telemetry(1, 1);
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(
        refused(&mut mailbox, &topic(Uplink::Telemetry), &forged),
        Rejected::Forged
    );
    // One kind never passes for the other.
    assert_eq!(
        refused(&mut mailbox, &topic(Uplink::Receipt), &telemetry(1, 1)),
        Rejected::Forged
    );
    // What was refused has used nothing up.
    assert!(mailbox.open(&topic(Uplink::Telemetry), &telemetry(1, 1)).is_ok());
}

#[test]
fn old_reports_are_not_taken_again() {
    let mut mailbox = mailbox();
    for (boot, number, taken) in [
        (5, 2, true),
        (5, 2, false),
        (5, 1, false),
        (4, 9, false),
        (5, 3, true),
        (6, 0, true),
    ] {
        let got = mailbox.open(&topic(Uplink::Telemetry), &telemetry(boot, number));
        assert_eq!(got.is_ok(), taken, "{boot} {number}: {got:?}");
        // A receipt sent again after a broken connection may come after younger telemetry.
        let got = mailbox.open(&topic(Uplink::Receipt), &receipt(boot - 1, number));
        assert_eq!(got.is_ok(), taken, "{boot} {number}: {got:?}");
    }
    // Changes elsewhere in the fleet do not open the door again; a new secret is a new receiver.
    mailbox.replace([(ME, secret()), (OTHER, Secret([0; 32]))]);
    assert_eq!(
        mailbox.open(&topic(Uplink::Telemetry), &telemetry(6, 0)).unwrap_err(),
        Rejected::Replayed
    );
    mailbox.replace([(ME, Secret([0; 32]))]);
    assert_eq!(
        mailbox.open(&topic(Uplink::Telemetry), &telemetry(9, 0)).unwrap_err(),
        Rejected::Forged
    );
}

#[test]
fn the_server_listens_to_all_that_receivers_say() {
    let filters = orders::subscriptions();
    assert_eq!(filters.len(), Uplink::ALL.len() + 1);
    assert!(filters.contains(&("loa/1/claim/+/request".to_owned(), true)));
    assert!(filters.contains(&("loa/1/+/presence".to_owned(), true)));
    assert!(filters.contains(&("loa/1/+/uplink".to_owned(), false)));
    assert_eq!(orders::media_topic(ME), *Topic::Down(ME, Downlink::Media).text());
}

/// A report under another secret than the first, made a while after the last.
fn under(secret: &Secret, number: u64) -> Vec<u8> {
    let mut out = [0; MAX_MESSAGE];
    let telemetry = Telemetry {
        serial: Serial { boot: 9, number },
        at: NOW.offset(number as i64),
        ..Telemetry::default()
    };
    let length = telemetry.seal(&secret.report_key(), &mut out).unwrap();
    out[..length].to_vec()
}

#[test]
fn a_new_secret_is_made_by_both_and_proven_by_the_first_report_under_it() {
    let mut mailbox = Mailbox::default();
    let (server, receiver) = (PrivateKey::new([5; 32]), PrivateKey::new([6; 32]));
    let mut identity = Identity::from((ME, secret()));
    let half = |epoch, number| {
        let mut out = [0; MAX_MESSAGE];
        let rotation = Rotation {
            serial: Serial { boot: 1, number },
            at: NOW,
            epoch,
            receiver: receiver.public(),
            server: server.public(),
        };
        let length = rotation.seal(&secret().report_key(), &mut out).unwrap();
        out[..length].to_vec()
    };
    mailbox.replace([identity.clone()]);
    let refused = mailbox.open(&topic(Uplink::Rotation), &half(1, 1)).unwrap_err();
    assert_eq!(refused, Rejected::Uncalled);
    identity.ordered = Some(server.public());
    mailbox.put(identity.clone());
    assert_eq!(
        mailbox.open(&topic(Uplink::Rotation), &half(2, 1)).unwrap_err(),
        Rejected::Uncalled
    );
    let rotation = match mailbox.open(&topic(Uplink::Rotation), &half(1, 1)) {
        Ok(News::Rotation(ME, rotation)) => rotation,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        mailbox.open(&topic(Uplink::Rotation), &half(1, 1)).unwrap_err(),
        Rejected::Replayed
    );
    let next = server.next_secret(&rotation.receiver, &secret(), 1).unwrap();
    // Nothing under it before both sides hold it.
    assert_eq!(
        mailbox.open(&topic(Uplink::Telemetry), &under(&next, 1)).unwrap_err(),
        Rejected::Forged
    );
    identity.next = Some(next.clone());
    mailbox.put(identity.clone());
    assert!(mailbox.open(&topic(Uplink::Telemetry), &under(&secret(), 1)).is_ok());
    assert_eq!(mailbox.take_proven(), None);
    // A repeated half is taken as before: the answer to it was lost.
    assert!(mailbox.open(&topic(Uplink::Rotation), &half(1, 2)).is_ok());
    assert!(mailbox.open(&topic(Uplink::Telemetry), &under(&next, 2)).is_ok());
    assert_eq!((mailbox.take_proven(), mailbox.take_proven()), (Some(ME), None));
    (identity.secret, identity.epoch) = (identity.next.take().unwrap(), 1);
    identity.ordered = None;
    mailbox.put(identity);
    assert_eq!(
        mailbox
            .open(&topic(Uplink::Telemetry), &under(&secret(), 3))
            .unwrap_err(),
        Rejected::Forged
    );
    assert_eq!(
        mailbox.open(&topic(Uplink::Telemetry), &under(&next, 2)).unwrap_err(),
        Rejected::Replayed
    );
    assert!(mailbox.open(&topic(Uplink::Telemetry), &under(&next, 3)).is_ok());
}

#[test]
fn what_was_taken_before_a_restart_is_not_taken_after_it() {
    let mut identity = Identity::from((ME, secret()));
    identity.last.telemetry = Serial { boot: 5, number: 7 };
    let mut mailbox = Mailbox::default();
    mailbox.replace([identity]);
    for (boot, number, taken) in [(5, 7, false), (4, 9, false), (5, 8, true)] {
        assert_eq!(
            mailbox
                .open(&topic(Uplink::Telemetry), &telemetry(boot, number))
                .is_ok(),
            taken
        );
    }
}

#[test]
fn one_that_was_revoked_is_told_from_one_that_never_was() {
    let mut mailbox = mailbox();
    mailbox.replace([(OTHER, secret())]);
    mailbox.revoke([ME]);
    assert_eq!(
        mailbox.open(&topic(Uplink::Presence), b"1").unwrap_err(),
        Rejected::Revoked
    );
}

#[test]
fn who_asks_to_be_enrolled_is_heard_in_its_own_name_alone() {
    let mut mailbox = mailbox();
    let request = Request {
        device: PrivateKey::new([3; 32]).public(),
        firmware: "0.1".try_into().unwrap(),
        board: "qemu".try_into().unwrap(),
        key_number: 1,
    };
    let mut out = [0; MAX_MESSAGE];
    let length = request.encode(&mut out).unwrap();
    let under = |id: ClaimId| Topic::Claim(id, ClaimWord::Request).text().to_string();
    let heard = mailbox.open(&under(request.device.claim()), &out[..length]);
    assert!(matches!(heard, Ok(News::Claim(_, heard)) if heard == request));
    let refused = mailbox.open(&under(ClaimId([1; 16])), &out[..length]).unwrap_err();
    assert_eq!(refused, Rejected::Forged);
    let answer = Topic::Claim(request.device.claim(), ClaimWord::Answer)
        .text()
        .to_string();
    assert_eq!(mailbox.open(&answer, &out[..length]).unwrap_err(), Rejected::Topic);
}

#[test]
fn what_is_stored_for_good_is_ordered_from_one_receiver() {
    let mut orders = Orders::new(keys());
    let areas = [AreaId([1; 16]), AreaId([2; 16])];
    let moved = open(&orders.areas(NOW, ME, &areas), ME).order;
    assert!(matches!(moved, Order::Areas(told) if told == areas));
    assert!(orders.areas(NOW, ME, &[AreaId([1; 16]); 9]).is_none());
    let told = open(&orders.authority(NOW, ME, &[7; 400], true), ME).order;
    assert!(matches!(told, Order::Authority(it) if it.alone && it.certificate == [7; 400]));
    assert!(orders.authority(NOW, ME, &[7; 601], false).is_none());
    let server = PrivateKey::new([5; 32]).public();
    let rotate = open(&orders.rotate(NOW, ME, 3, server), ME).order;
    assert_eq!(rotate, Order::Rotate(Rotate { epoch: 3, server }));
}
