//! A whole receiver in virtual time: the real core and the firmware's decoder play a real programme, sample for sample, and its
//! receipts say exactly what the network did.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use loa_protocol::UnixMicros;
use loa_protocol::command::{Order, Play};
use loa_protocol::report::{MediaPath, Outcome};
use loa_protocol::topic::{Downlink, Topic};
use loa_receiver::Micros;
use loa_simulator::News;
use loa_simulator::fault::{Burst, Faults, Outage};
use loa_simulator::virtual_time::{Arrival, VirtualReceiver, replay};
use support::*;

const BOOT: UnixMicros = UnixMicros(MORNING);
/// When the broadcast starts, after boot.
const START: u64 = 5 * SECOND;

/// Everything that a server gives a receiver for one broadcast, in order.
fn arrivals(programme: &Programme, over_mqtt: bool) -> (Play, Vec<(UnixMicros, Arrival)>) {
    let to = enrolment(1, 1883, 5004);
    let play = programme.play(7, BOOT.offset(START as i64));
    let topic = |kind| Topic::Down(to.receiver, kind).text().as_str().to_owned();
    let order = |number, at: UnixMicros, order| {
        (
            at,
            Arrival::Mqtt(topic(Downlink::Command), command(&to, number, at, order)),
        )
    };
    // A server speaks to receivers that have said that they are present; without UDP they first try it for three seconds.
    let present = BOOT.offset(if over_mqtt { 4_000_000 } else { 1_000_000 });
    let mut all = vec![
        (BOOT.offset(100_000), Arrival::MqttUp),
        order(1, present, everything_allowed()),
        order(2, present.offset(100_000), Order::Play(play)),
    ];
    for (index, payload) in (0..).zip(&programme.packets) {
        let datagram = sealed(&play, &to, index, payload);
        let arrival = match over_mqtt {
            true => Arrival::Mqtt(topic(Downlink::Media), datagram),
            false => Arrival::Datagram(datagram),
        };
        all.push((sent_at(&play, index), arrival));
    }
    (play, all)
}

/// Plays a broadcast to its end over a network with these faults.
fn run(programme: &Programme, faults: Faults, seed: u64, over_mqtt: bool) -> (Play, VirtualReceiver) {
    let (play, arrivals) = arrivals(programme, over_mqtt);
    let mut receiver = VirtualReceiver::boot(enrolment(1, 1883, 5004), BOOT, faults, seed);
    for (at, arrival) in arrivals {
        receiver.give(at, arrival);
    }
    receiver.run_until(play.end().offset(3_000_000));
    (play, receiver)
}

#[test]
fn without_faults_it_is_the_programme_sample_for_sample_and_on_time() {
    let programme = Programme::new(10.0);
    let (play, receiver) = run(&programme, Faults::default(), 0, false);
    let report = receiver.report();
    let [broadcast] = &report.broadcasts[..] else {
        panic!("{report:?}")
    };
    assert!(broadcast.played_fully(), "{broadcast:?}");
    let receipt = broadcast.receipt.as_ref().unwrap();
    let packets = programme.packets.len() as u64;
    assert_eq!(
        (receipt.expected, receipt.received, receipt.lost, receipt.concealed),
        (packets, packets, 0, 0)
    );
    assert_eq!((report.muted, report.overdue, report.boots), (0, 0, 1));
    // A steady sound: EBU R 128 and RMS differ by their weighting and offset only.
    let (lufs, dbfs) = (broadcast.level_lufs.unwrap(), receipt.level_dbfs.unwrap());
    assert!((lufs - dbfs).abs() < 4.0, "{lufs} LUFS, {dbfs} dBFS");

    let news: Vec<&News> = receiver.done().news.iter().map(|(_, news)| news).collect();
    assert!(
        matches!(news[..], [News::Ready, News::Playing(_), News::Ended(..)]),
        "{news:?}"
    );
    let done = receiver.finish();
    assert!(
        done.pcm == programme.decoded,
        "not the samples that the decoder gives for these packets"
    );
    let [stretch] = &done.stretches[..] else {
        panic!("{:?}", done.stretches)
    };
    assert!(
        stretch.at.abs_diff(play.start.0) < 1_000,
        "{} µs late",
        stretch.at as i64 - play.start.0 as i64
    );
}

#[test]
fn the_same_arrivals_give_the_same_sound() {
    let programme = Programme::new(3.0);
    let (play, mut arrivals) = arrivals(&programme, false);
    // One packet is missing, so that concealment is part of it.
    arrivals.remove(20);
    let end = play.end().offset(1_000_000);
    let first = replay(enrolment(1, 1883, 5004), BOOT, arrivals.clone(), end);
    let second = replay(enrolment(1, 1883, 5004), BOOT, arrivals, end);
    assert_eq!(first.pcm.len() as u64, programme.samples);
    assert!(first.pcm == second.pcm);
    assert_eq!(first.receipts, second.receipts);
    assert_eq!(first.receipts.last().unwrap().lost, 1);
}

/// Whatever the network does, the receipt counts it, and the sound has no gap.
fn exact(faults: Faults, seed: u64) -> (loa_simulator::fault::Counts, loa_protocol::report::Receipt) {
    let programme = Programme::new(30.0);
    let (_, receiver) = run(&programme, faults, seed, false);
    let report = receiver.report();
    let network = report.broadcasts[0].network;
    let done = receiver.finish();
    let receipt = done.receipts.last().unwrap().clone();
    assert_eq!(network.offered, programme.packets.len() as u64);
    assert_eq!(receipt.expected, network.offered);
    assert_eq!(receipt.lost, network.unusable(), "{receipt:?} {network:?}");
    assert_eq!(receipt.received, network.arrived);
    assert_eq!(done.pcm.len() as u64, programme.samples, "the sound is not complete");
    assert_eq!((done.stretches.len(), receipt.outcome), (1, Outcome::Played));
    (network, receipt)
}

#[test]
fn losses_are_counted_and_concealed() {
    let (network, receipt) = exact(
        Faults {
            loss: 0.05,
            ..Faults::default()
        },
        42,
    );
    assert!(network.lost > 10, "{network:?}");
    assert!(
        receipt.concealed > 0 && receipt.concealed <= network.lost * 2880,
        "{receipt:?}"
    );
    assert_eq!((receipt.late, receipt.duplicate), (0, 0));
}

#[test]
fn bursts_and_damage_are_counted() {
    let faults = Faults {
        burst: Some(Burst {
            enter: 0.02,
            leave: 0.3,
            loss: 0.8,
        }),
        bit_error: 0.02,
        delay: 40_000,
        jitter: 60_000,
        ..Faults::default()
    };
    let (network, receipt) = exact(faults, 43);
    assert!(network.lost > 10 && network.corrupted > 2, "{network:?}");
    // A changed sequence number can be that of a packet that was seen: refused as such before it is found to be forged.
    assert!(receipt.duplicate <= network.corrupted, "{receipt:?}");
}

#[test]
fn second_copies_and_overtaking_do_no_harm() {
    let faults = Faults {
        duplicate: 0.1,
        reorder: 0.1,
        held_back: 130_000,
        ..Faults::default()
    };
    let (network, receipt) = exact(faults, 44);
    assert!(network.duplicated > 10 && network.held_back > 10, "{network:?}");
    assert_eq!((receipt.lost, receipt.duplicate), (0, network.duplicated));
}

#[test]
fn what_is_held_back_for_too_long_comes_late() {
    let programme = Programme::new(30.0);
    let faults = Faults {
        reorder: 0.05,
        held_back: LATENCY + 100_000,
        ..Faults::default()
    };
    let (_, receiver) = run(&programme, faults, 45, false);
    let network = receiver.report().broadcasts[0].network;
    let receipt = receiver.finish().receipts.pop().unwrap();
    assert!(network.held_back > 5);
    assert_eq!(
        (receipt.lost, receipt.received),
        (network.held_back, network.offered - network.held_back)
    );
    // All but those that came after the broadcast had ended.
    assert!(
        receipt.late <= receipt.lost && receipt.late + 1 >= receipt.lost,
        "{receipt:?}"
    );
}

#[test]
fn an_outage_is_counted() {
    let from = Micros(START + 2 * SECOND);
    let outage = Outage {
        from,
        to: Micros(from.0 + SECOND),
    };
    let programme = Programme::new(8.0);
    let (_, receiver) = run(
        &programme,
        Faults {
            outages: vec![outage],
            ..Faults::default()
        },
        0,
        false,
    );
    let network = receiver.report().broadcasts[0].network;
    let receipt = receiver.finish().receipts.pop().unwrap();
    // A second of packets of 60 ms.
    assert!((16..=17).contains(&network.in_outage), "{network:?}");
    assert_eq!((receipt.lost, receipt.received), (network.in_outage, network.arrived));
}

#[test]
fn where_udp_is_shut_it_asks_over_mqtt_and_plays_the_same() {
    let programme = Programme::new(3.0);
    let (_, receiver) = run(
        &programme,
        Faults {
            udp_shut: true,
            ..Faults::default()
        },
        0,
        true,
    );
    let report = receiver.report();
    assert!(report.hellos.in_outage >= 3 && report.hellos.arrived == 0, "{report:?}");
    let done = receiver.finish();
    assert!(done.pcm == programme.decoded);
    assert_eq!(done.telemetry.last().unwrap().path, MediaPath::Mqtt);
}
