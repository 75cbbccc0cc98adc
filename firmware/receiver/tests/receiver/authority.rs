//! No sound without authority: whose commands are obeyed, and whose packets are heard.

use crate::world::*;
use loa_protocol::command::{Order, Recipient};
use loa_protocol::precedence::Class;
use loa_protocol::report::Outcome;
use loa_protocol::topic::Topic;
use loa_protocol::{AreaId, ReceiverId, SigningKey};

const LATENCY: u64 = 400_000;

/// Nothing came of it but a count.
fn is_refused(world: &mut World, message: Vec<u8>, topic: String) {
    let before = *world.receiver.counters();
    world.at(world.now, Event::Mqtt(topic, message));
    world.run(0);
    let after = world.receiver.counters();
    assert_eq!(
        (after.refused_commands, after.obeyed),
        (before.refused_commands + 1, before.obeyed)
    );
    assert_eq!(world.receiver.broadcasts().count(), 0);
}

#[test]
fn forged_foreign_replayed_expired_and_old_commands_change_nothing() {
    let mut world = World::ready();
    let it = play(1, 5 * SECOND, 48_000);
    let good = world.command(Recipient::Receiver(ME), Order::Play(it));
    let key = server_key();

    is_refused(
        &mut world,
        signed(&good, &SigningKey::from_bytes(&[8; 32])),
        command_topic(),
    );
    let mut changed = signed(&good, &key);
    changed[40] ^= 1;
    is_refused(&mut world, changed, command_topic());
    is_refused(&mut world, vec![], command_topic());
    for to in [
        Recipient::Receiver(ReceiverId([1; 16])),
        Recipient::Area(AreaId([1; 16])),
    ] {
        let foreign = world.command(to, Order::Play(it));
        is_refused(&mut world, signed(&foreign, &key), command_topic());
    }
    let mut old = good.clone();
    old.number = 1;
    is_refused(&mut world, signed(&old, &key), command_topic());
    let mut expired = good.clone();
    expired.expires = world.wall(world.now);
    is_refused(&mut world, signed(&expired, &key), command_topic());
    // Signed before this boot: it may have been obeyed then.
    let mut before_boot = good.clone();
    before_boot.issued = world.wall(0).offset(-1_100_000);
    is_refused(&mut world, signed(&before_boot, &key), command_topic());
    // In a place that is not for commands.
    let telemetry = Topic::Up(ME, loa_protocol::topic::Uplink::Telemetry)
        .text()
        .as_str()
        .to_owned();
    is_refused(&mut world, signed(&good, &key), telemetry);
    let mut far = good.clone();
    far.order = Order::Play(loa_protocol::command::Play {
        start: loa_protocol::UnixMicros(u64::MAX - 5),
        ..it
    });
    is_refused(&mut world, signed(&far, &key), command_topic());

    // None of them spent the number.
    world.deliver(&good);
    assert_eq!(world.receiver.broadcasts().count(), 1);
    world.order(Order::Stop(it.broadcast));
    is_refused(&mut world, signed(&good, &key), command_topic());
    world.run(10 * SECOND);
    assert_eq!(world.log.sound, []);
    assert_eq!(
        world.log.telemetry.last().unwrap().1.refused_commands,
        0,
        "told with the next telemetry"
    );
    world.run(30 * SECOND);
    assert_eq!(world.log.telemetry.last().unwrap().1.refused_commands, 11);
}

#[test]
fn each_addressee_has_numbers_of_its_own() {
    let mut world = World::ready();
    for to in [
        Recipient::Area(PROVINCE),
        Recipient::Area(COMMUNE),
        Recipient::Receiver(ME),
    ] {
        let mut command = world.command(to, Order::Volume(30));
        command.number += 100;
        world.deliver(&command);
    }
    assert_eq!(world.receiver.counters().obeyed, 1 + 3);
    assert_eq!(world.receiver.counters().refused_commands, 0);
}

#[test]
fn before_the_clock_is_set_nothing_is_obeyed() {
    let mut world = World::new();
    world.alive = false;
    world.boot();
    assert_eq!(world.log.present, [], "presence would ask for commands");
    let it = play(1, 2 * SECOND, 48_000);
    let command = signed(&world.command(Recipient::Receiver(ME), Order::Play(it)), &server_key());
    is_refused(&mut world, command, command_topic());
    world.at(world.now, Event::Datagram(packet(&it, 0, &payload(0))));
    world.run(5 * SECOND);
    assert_eq!(world.receiver.counters().refused_media, 1);
    assert_eq!((world.log.sound.len(), world.log.amplifier.len()), (0, 0));
}

#[test]
fn packets_with_another_key_are_silent() {
    let mut world = World::ready();
    let it = play(1, 3 * SECOND, 48_000);
    world.order(Order::Play(it));
    for index in 0..it.packets() {
        // Sealed for another stream, but claiming this one's SSRC; then a real one, changed on the way.
        let mut other = it;
        other.stream = loa_protocol::StreamId([66; 16]);
        world.at(
            world.sounds(&it, index) - LATENCY,
            Event::Datagram(packet(&other, index, &payload(index))),
        );
        let mut changed = packet(&it, index, &payload(index));
        let last = changed.len() - 1;
        changed[last - (index as usize % 20)] ^= 0x10;
        world.at(world.sounds(&it, index) - LATENCY, Event::Datagram(changed));
    }
    world.run(10 * SECOND);
    assert_eq!((world.log.sound.len(), world.log.amplifier.len()), (0, 0));
    assert_eq!(u64::from(world.receiver.counters().refused_media), 2 * it.packets());
    let receipt = world.receipt(&it);
    assert_eq!(
        (receipt.outcome, receipt.expected, receipt.lost),
        (Outcome::Failed, it.packets(), it.packets())
    );
    assert_eq!(receipt.level, None);
}

#[test]
fn packets_that_no_command_speaks_of_are_silent() {
    let mut world = World::ready();
    world.send(&play(1, 3 * SECOND, 48_000), LATENCY);
    world.run(10 * SECOND);
    assert_eq!(world.log.sound, []);
    assert_eq!(world.receiver.counters().refused_media, 17);
}

#[test]
fn packets_replayed_in_another_broadcast_are_silent() {
    let mut world = World::ready();
    let first = play(1, 3 * SECOND, 48_000);
    world.broadcast(&first, LATENCY);
    world.run(5 * SECOND);
    let count = world.log.sound.len();
    let mut second = play(2, 10 * SECOND, 48_000);
    second.ssrc = first.ssrc;
    world.order(Order::Play(second));
    for index in 0..second.packets() {
        world.at(
            world.sounds(&second, index) - LATENCY,
            Event::Datagram(packet(&first, index, &payload(index))),
        );
    }
    world.run(20 * SECOND);
    assert_eq!(world.log.sound.len(), count);
    assert_eq!(world.receipt(&second).outcome, Outcome::Failed);
}

#[test]
fn what_is_over_is_not_played() {
    let mut world = World::ready();
    let mut it = play(1, 0, 48_000);
    it.class = Class::Emergency;
    world.broadcast(&it, LATENCY);
    world.run(5 * SECOND);
    assert_eq!(
        (
            world.receiver.counters().too_late,
            world.log.sound.len(),
            world.log.receipts.len()
        ),
        (1, 0, 0)
    );
}

#[test]
fn a_reboot_is_ordered_once_and_a_replay_after_it_refused() {
    let mut world = World::ready();
    let it = play(1, 3 * SECOND, 480_000);
    world.broadcast(&it, LATENCY);
    world.run_until(4 * SECOND);
    let reboot = world.command(Recipient::Receiver(ME), Order::Reboot);
    world.deliver(&reboot);
    assert!(world.log.rebooted);
    assert_eq!(world.log.amplifier.last(), Some(&(4 * SECOND, false)), "silent first");
    assert_eq!(world.receiver.next_wakeup(), None);

    let mut again = World::new();
    again.clock_error = 6_000_000;
    again.boot();
    is_refused(&mut again, signed(&reboot, &server_key()), command_topic());
    assert!(!again.log.rebooted);
}
