//! Words of yesterday, recorded and said again today: whoever owns the network or the broker has them all.

use crate::world::{Event, OFFSET, SECOND, SEED, TestDecoder, World, enrolment, play};
use loa_protocol::UnixMicros;
use loa_protocol::command::{Order, Play, Policy};

const DAY: i64 = 86_400_000_000;

/// A session in which the receiver booted, was told to play, and played; everything that came to it.
fn yesterday() -> (World, Play) {
    let mut world = World::ready();
    let it = play(1, 4 * SECOND, 48_000 * 4);
    world.broadcast(&it, SECOND);
    world.run(10 * SECOND);
    assert_eq!(world.receipt(&it).played, it.samples);
    (world, it)
}

/// The next day, with other random numbers or the same.
fn today(seed: [u8; 32]) -> World {
    let mut world = World::boot_as(enrolment(), seed, TestDecoder);
    world.clock_error = DAY;
    world
}

fn replayed(world: &mut World, recorded: &[(u64, Event)]) -> u32 {
    for (at, event) in recorded {
        let event = event.clone();
        world.at(world.now + at, event);
    }
    u32::try_from(recorded.len()).unwrap()
}

#[test]
fn a_whole_session_of_yesterday_neither_sets_the_clock_nor_sounds() {
    let (recorded, _) = yesterday();
    let recorded = recorded.log.recorded;
    let mut world = today([9; 32]);
    // The attacker is all there is: he owns the network.
    world.alive = false;
    world.at(0, Event::MqttUp);
    let words = replayed(&mut world, &recorded);
    world.run(20 * SECOND);
    assert_eq!(world.receiver.wall(loa_receiver::Micros(world.now)), None);
    assert!(world.log.sound.is_empty() && world.log.amplifier.is_empty() && world.log.present.is_empty());
    let counters = world.receiver.counters();
    assert_eq!((counters.answers, counters.obeyed, counters.packets), (0, 0, 0));
    assert_eq!(
        counters.refused_media + counters.refused_commands,
        words,
        "each is counted"
    );
}

/// What the test above would see if `t1` could be foreseen: so it can fail.
#[test]
fn with_the_random_numbers_of_yesterday_it_would_be_believed() {
    let (recorded, it) = yesterday();
    let mut world = today(SEED);
    world.alive = false;
    world.at(0, Event::MqttUp);
    replayed(&mut world, &recorded.log.recorded);
    world.run(20 * SECOND);
    let wall = world.receiver.wall(loa_receiver::Micros(world.now)).unwrap();
    assert!(
        wall.since(UnixMicros(OFFSET + world.now)).abs() < 1_000_000,
        "it is yesterday again"
    );
    assert!(!world.log.sound.is_empty(), "{it:?} sounds once more");
}

#[test]
fn beside_its_server_a_session_of_yesterday_changes_nothing() {
    let (recorded, _) = yesterday();
    let recorded = recorded.log.recorded;
    let mut world = today([9; 32]);
    world.boot();
    world.order(Order::Policy(Policy::unrestricted()));
    let before = *world.receiver.counters();
    let words = replayed(&mut world, &recorded);
    world.run(20 * SECOND);
    let counters = world.receiver.counters();
    assert_eq!(counters.obeyed, before.obeyed);
    let refused = |it: &loa_receiver::Counters| it.refused_media + it.refused_commands;
    assert_eq!(refused(counters) - refused(&before), words);
    assert!(world.log.sound.is_empty() && world.log.amplifier.is_empty());
    let wall = world.receiver.wall(loa_receiver::Micros(world.now)).unwrap();
    assert!(wall.since(world.wall(world.now)).abs() < 1_000, "it is today");
    // And its server's next word still counts.
    let it = Play {
        start: world.wall(world.now + 2 * SECOND),
        ..play(2, 0, 48_000)
    };
    world.broadcast(&it, SECOND);
    world.run(5 * SECOND);
    assert_eq!(world.receipt(&it).played, it.samples);
}

#[test]
fn a_command_of_yesterday_is_refused_even_if_it_had_not_expired() {
    let mut world = World::ready();
    let mut command = world.command(
        loa_protocol::command::Recipient::Receiver(crate::world::ME),
        Order::Volume(90),
    );
    command.expires = command.issued.offset(10 * DAY);
    world.deliver(&command);
    let recorded = world.log.recorded.last().unwrap().clone();
    let mut world = today([9; 32]);
    world.boot();
    let before = *world.receiver.counters();
    world.at(world.now, recorded.1);
    world.run(SECOND);
    assert_eq!(world.receiver.counters().refused_commands, before.refused_commands + 1);
}
