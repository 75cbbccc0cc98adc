//! The way to the server: hello by UDP, over MQTT where UDP is shut, and back; presence, and receipts that waited.

use crate::world::*;
use loa_protocol::command::{Order, Policy};
use loa_protocol::hello::Answer;
use loa_protocol::report::{MediaPath, Outcome};
use loa_protocol::{UnixMicros, key::Secret};
use loa_receiver::Status;

const LATENCY: u64 = 400_000;

/// Hellos said from `from` on: when, on which way, with which flags.
fn said(world: &World, from: u64) -> Vec<(u64, &'static str, bool, bool)> {
    let hellos = world.log.hellos.iter().filter(|(at, _, _)| *at >= from);
    hellos
        .map(|(at, way, hello)| (*at, *way, hello.clock_set, hello.probe))
        .collect()
}

#[test]
fn hello_at_once_again_with_the_clock_set_then_every_five_seconds() {
    let mut world = World::new();
    world.run(14 * SECOND);
    let bound = 2 * DELAY;
    let want = [0, bound, bound + 5 * SECOND, bound + 10 * SECOND].map(|at| (at, "udp", at > 0, false));
    assert_eq!(said(&world, 0), want);
    assert_eq!(world.receiver.media_path(), MediaPath::Udp);
    assert_eq!(
        world.receiver.wall(loa_receiver::Micros(7)),
        Some(UnixMicros(OFFSET + 7))
    );
    assert_eq!(world.receiver.clock_error(), DELAY as u32);
    assert_eq!(world.log.status, []);
    // MQTT comes up later: subscribed, then present, then the first telemetry.
    world.at(world.now, Event::MqttUp);
    world.run(0);
    assert_eq!(world.log.subscribed.len(), 5);
    assert!(world.log.subscribed.contains(&command_topic()) && world.log.subscribed.contains(&media_topic()));
    assert_eq!((world.log.present.len(), world.log.telemetry.len()), (1, 1));
    let telemetry = &world.log.telemetry[0].1;
    assert_eq!(
        (telemetry.path, telemetry.round_trip, telemetry.clock_error),
        (MediaPath::Udp, 10_000, 5_000)
    );
    assert_eq!(
        (telemetry.firmware.as_str(), telemetry.board.as_str(), telemetry.uptime),
        ("1.2.3", "virtual", 14)
    );
    assert_eq!(
        (telemetry.serial.boot, telemetry.at),
        (OFFSET + 2 * DELAY, world.wall(14 * SECOND))
    );
    assert_eq!(world.receiver.status(), Status::Ready);
    world.run(61 * SECOND);
    assert_eq!(world.log.telemetry.len(), 3);
    // And so in each new session.
    world.at(world.now, Event::MqttDown);
    world.at(world.now + SECOND, Event::MqttUp);
    world.run(2 * SECOND);
    assert_eq!((world.log.subscribed.len(), world.log.present.len()), (10, 2));
}

#[test]
fn where_udp_is_shut_sound_comes_over_mqtt_and_back() {
    let mut world = World::new();
    world.udp = false;
    world.boot();
    world.run_until(3 * SECOND + 500_000);
    let mqtt = 3 * SECOND;
    let want = [
        (0, "udp", false, false),
        (SECOND, "udp", false, false),
        (2 * SECOND, "udp", false, false),
        (mqtt, "mqtt", false, false),
        (mqtt + 2 * DELAY, "mqtt", true, false),
    ];
    assert_eq!(said(&world, 0), want);
    assert_eq!(
        (world.receiver.media_path(), world.receiver.status()),
        (MediaPath::Mqtt, Status::Ready)
    );

    // A broadcast through the tunnel.
    world.order(Order::Policy(Policy::unrestricted()));
    let it = play(1, 6 * SECOND, 48_000);
    world.order(Order::Play(it));
    for index in 0..it.packets() {
        let event = Event::Mqtt(media_topic(), packet(&it, index, &payload(index)));
        world.at(world.sounds(&it, index) - LATENCY, event);
    }
    world.run_until(32 * SECOND);
    assert_eq!(world.receipt(&it).outcome, Outcome::Played);
    assert!(
        said(&world, 4 * SECOND)
            .iter()
            .all(|(_, way, set, probe)| (*way, *set, *probe) == ("mqtt", true, false))
    );

    // Probed in vain, then UDP opens.
    world.run_until(35 * SECOND);
    let probes: Vec<_> = said(&world, 0).into_iter().filter(|(_, _, _, probe)| *probe).collect();
    assert_eq!(probes, [(mqtt + 30 * SECOND, "udp", true, true)]);
    assert_eq!(world.receiver.media_path(), MediaPath::Mqtt);
    world.udp = true;
    let probe = mqtt + 60 * SECOND;
    world.run_until(probe + SECOND);
    let want = [(probe, "udp", true, true), (probe + 2 * DELAY, "udp", true, false)];
    assert_eq!(said(&world, probe), want);
    assert_eq!(world.receiver.media_path(), MediaPath::Udp);
}

#[test]
fn a_tunnel_that_ends_with_its_session_is_left_for_udp() {
    let mut world = World::new();
    world.udp = false;
    world.boot();
    world.run(5 * SECOND);
    assert_eq!(world.receiver.media_path(), MediaPath::Mqtt);
    world.udp = true;
    world.at(world.now, Event::MqttDown);
    world.run(SECOND);
    assert_eq!(
        (world.receiver.media_path(), world.receiver.status()),
        (MediaPath::Udp, Status::Enrolled)
    );
}

#[test]
fn a_silent_server_is_asked_on_both_ways_and_found_again() {
    let mut world = World::ready();
    world.alive = false;
    world.run(60 * SECOND);
    assert_eq!(world.receiver.media_path(), MediaPath::None);
    assert_eq!(world.receiver.status(), Status::Ready, "the clock is set still");
    world.alive = true;
    let back = world.now;
    world.run(7 * SECOND);
    assert_eq!(world.receiver.media_path(), MediaPath::Udp);
    assert!(said(&world, back).len() < 12);
}

#[test]
fn answers_that_are_none_set_no_clock() {
    let mut world = World::new();
    world.alive = false;
    world.boot();
    let t1 = world.log.hellos.last().unwrap().2.t1;
    let answer = |key: [u8; 32], t1, t2, t3| {
        Answer {
            t1,
            t2: UnixMicros(t2),
            t3: UnixMicros(t3),
        }
        .seal(&key)
        .to_vec()
    };
    let (key, wrong) = (secret().hello_key(), Secret([1; 32]).hello_key());
    let wall = world.wall(world.now).0;
    for datagram in [
        answer(wrong, t1, wall, wall),
        answer(key, t1.offset(1), wall, wall),
        answer(key, t1, wall, wall - 1),
        answer(key, t1, wall, wall + 3 * SECOND),
        vec![],
        vec![b'L'; 44],
    ] {
        world.at(world.now, Event::Datagram(datagram));
        world.run(0);
    }
    assert_eq!(world.receiver.wall(loa_receiver::Micros(world.now)), None);
    assert_eq!(
        (
            world.receiver.counters().refused_media,
            world.receiver.counters().answers
        ),
        (6, 0)
    );
    assert_eq!(world.log.present, []);
    // Over MQTT comes no answer to what was asked by UDP.
    let t1 = world.log.hellos.last().unwrap().2.t1;
    world.at(world.now, Event::Mqtt(media_topic(), answer(key, t1, wall, wall)));
    world.run(0);
    assert_eq!(world.receiver.wall(loa_receiver::Micros(world.now)), None);
}

#[test]
fn a_server_whose_clock_was_wrong_is_followed_and_obeyed() {
    let mut world = World::ready();
    world.clock_error = -3_600_000_000;
    world.run(6 * SECOND);
    let wall = world.receiver.wall(loa_receiver::Micros(world.now));
    assert_eq!(wall, Some(world.wall(world.now)));
    world.run(5 * SECOND);
    let (at, _, hello) = *world.log.hellos.last().unwrap();
    assert_eq!(hello.t1, world.wall(at));
    world.order(Order::Volume(40));
    assert_eq!(world.receiver.counters().refused_commands, 0);
}

#[test]
fn an_answer_counts_once() {
    let mut world = World::ready();
    let hello = world.log.hellos.last().unwrap().2;
    let at = world.wall(world.now);
    let again = Answer {
        t1: hello.t1,
        t2: at,
        t3: at,
    }
    .seal(&secret().hello_key())
    .to_vec();
    world.at(world.now, Event::Datagram(again));
    world.run(0);
    assert_eq!(world.receiver.counters().refused_media, 1);
}

#[test]
fn without_a_network_it_plays_what_it_was_given_and_reports_it_later() {
    let mut world = World::ready();
    let it = play(1, 5 * SECOND, 48_000 * 3);
    world.broadcast(&it, LATENCY);
    world.run(0);
    world.at(6 * SECOND, Event::MqttDown);
    world.at(60 * SECOND, Event::MqttUp);
    world.run_until(59 * SECOND);
    assert_eq!(world.finals(&it).len(), 0);
    assert_eq!(world.receiver.status(), Status::Enrolled);
    world.run_until(62 * SECOND);
    let receipt = world.receipt(&it);
    assert_eq!((receipt.outcome, receipt.played), (Outcome::Played, it.samples));
    assert_eq!(receipt.at, world.wall(60 * SECOND));
    assert_eq!(world.receiver.status(), Status::Ready);
}

#[test]
fn a_receipt_that_a_dying_session_may_have_lost_is_sent_again() {
    let mut world = World::ready();
    let it = play(1, 3 * SECOND, 48_000);
    world.broadcast(&it, LATENCY);
    world.run_until(4 * SECOND + 200_000);
    assert_eq!(world.finals(&it).len(), 1);
    for (down, up, finals) in [(5, 20, 2), (60, 70, 3), (161, 170, 3)] {
        world.at(down * SECOND, Event::MqttDown);
        world.at(up * SECOND, Event::MqttUp);
        world.run_until((up + 11) * SECOND);
        assert_eq!(world.finals(&it).len(), finals);
    }
}

#[test]
fn eight_receipts_are_kept_the_newest_of_them() {
    let mut world = World::ready();
    let mut all = Vec::new();
    // Three times four are told of and play without a session; each lasts too short to carry what was sent in it.
    for round in 0..3u8 {
        let begin = world.now;
        for n in 0..4u8 {
            let it = play(round * 4 + n, begin + u64::from(n + 1) * SECOND, 24_000);
            world.broadcast(&it, LATENCY);
            all.push(it);
        }
        world.at(begin + 1000, Event::MqttDown);
        world.run(5 * SECOND);
        world.log.receipts.clear();
        world.at(world.now, Event::MqttUp);
        world.run(1000);
    }
    let finals: Vec<_> = all.iter().map(|it| world.finals(it).len()).collect();
    assert_eq!(finals, [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
    assert!(
        world
            .log
            .receipts
            .iter()
            .all(|(_, receipt)| receipt.outcome == Outcome::Played)
    );
}
