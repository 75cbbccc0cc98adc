//! Whatever comes in, in whatever order: no panic, no sound without authority, and memory that stays what it is.

use crate::world::*;
use loa_protocol::command::{Order, Policy};
use loa_protocol::report::Outcome;
use loa_receiver::{Input, Micros, Output, Receiver};
use proptest::prelude::*;

#[test]
fn it_fits_a_chip() {
    let size = size_of::<Receiver<TestDecoder>>();
    println!("a receiver without its decoder: {size} bytes");
    assert!(size <= 64 * 1024, "{size}");
}

#[derive(Debug, Clone)]
enum Noise {
    Up,
    Down,
    Timer,
    Datagram(Vec<u8>),
    Mqtt(usize, Vec<u8>),
}

fn noise() -> impl Strategy<Value = Noise> {
    let bytes = || {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..90),
            // Something that looks like RTP, RTCP, hello or COSE.
            (0usize..5, proptest::collection::vec(any::<u8>(), 0..90)).prop_map(|(kind, mut bytes)| {
                let head: [&[u8]; 5] = [
                    &[0x80, 111],
                    &[0x80, 200],
                    b"L\x01\x02\0",
                    &[0xD2, 0x84, 0x43, 0xA1, 1, 0x27],
                    &[0x80, 111, 0, 1, 0, 0, 0, 0, 0, 0, 3, 0xE9],
                ];
                bytes.splice(0..0, head[kind].iter().copied());
                bytes
            }),
        ]
    };
    prop_oneof![
        1 => Just(Noise::Up),
        1 => Just(Noise::Down),
        2 => Just(Noise::Timer),
        6 => bytes().prop_map(Noise::Datagram),
        6 => (0usize..6, bytes()).prop_map(|(topic, bytes)| Noise::Mqtt(topic, bytes)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn noise_makes_no_sound(steps in proptest::collection::vec((noise(), prop_oneof![0u64..50_000, 0u64..20_000_000, Just(u64::MAX >> 1)]), 0..80), known in any::<bool>()) {
        let mut world = World::ready();
        if known {
            // A broadcast is known and on, but none of its packets comes.
            world.order(Order::Play(play(1, 3 * SECOND, 48_000 * 60)));
        }
        let (command, media) = (command_topic(), media_topic());
        let topics = [command.as_str(), media.as_str(), "", "loa/1/area/21212121212121212121212121212121/command", "loa/1/x/y", "\u{0}"];
        let mut now = world.now;
        for (noise, pause) in steps {
            now = now.saturating_add(pause);
            let at = Micros(now);
            match noise {
                Noise::Up => world.receiver.handle(at, Input::MqttUp),
                Noise::Down => world.receiver.handle(at, Input::MqttDown),
                Noise::Timer => world.receiver.handle(at, Input::Timer),
                Noise::Datagram(mut bytes) => world.receiver.handle(at, Input::Datagram(&mut bytes)),
                Noise::Mqtt(topic, mut bytes) => world.receiver.handle(at, Input::Mqtt { topic: topics[topic], payload: &mut bytes }),
            }
            // A shell may give several inputs before it looks.
            if pause % 3 == 0 {
                continue;
            }
            let mut outputs = 0;
            while let Some(output) = world.receiver.poll() {
                outputs += 1;
                prop_assert!(outputs < 1000);
                let audible = matches!(output, Output::Sound { .. } | Output::Amplifier(true) | Output::Reboot);
                prop_assert!(!audible, "{output:?}");
            }
            let _ = world.receiver.next_wakeup();
        }
    }

    /// Signed nonsense: a server that is broken, or far from the right time, brings no receiver down.
    #[test]
    fn any_signed_command_is_borne(
        orders in proptest::collection::vec((any::<u8>(), any::<u64>(), any::<u64>(), any::<u16>(), any::<u16>(), 0u8..12), 0..30),
    ) {
        let mut world = World::ready();
        for (id, start, samples, packet_samples, pre_skip, kind) in orders {
            let mut it = play(id % 8, 0, samples % (86_400 * 48_000) + 1);
            let near = world.now + start % (20 * SECOND);
            it.start = loa_protocol::UnixMicros(if kind == 0 { start } else { OFFSET + near - 5 * SECOND.min(near) });
            it.packet_samples = (packet_samples % 48 + 1) * 120;
            it.pre_skip = pre_skip;
            it.class = [Default::default(), loa_protocol::precedence::Class::Emergency][usize::from(kind % 2)];
            let order = match kind {
                9 => Order::Stop(it.broadcast),
                10 => Order::Volume(id % 101),
                11 => Order::Policy(Policy { daily_minutes: Some(packet_samples % 3), ..Policy::unrestricted() }),
                _ => Order::Play(it),
            };
            world.order(order);
            for index in [0, 1, start % 100, it.packets().saturating_sub(1)] {
                world.at(world.now + start % 300_000, Event::Datagram(packet(&it, index, &payload(index))));
            }
            world.run(start % 3_000_000);
        }
        let sound = &world.log.sound;
        prop_assert!(sound.windows(2).all(|pair| pair[1].0 + 1 >= pair[0].0 + pair[0].1.len() as u64 * 125 / 6), "stretches overlap");
    }
}

#[test]
fn a_flood_of_packets_drops_what_does_not_fit_and_no_more() {
    let mut world = World::ready();
    let mut it = play(1, 3 * SECOND, 48_000 * 20);
    it.packet_samples = 960;
    world.order(Order::Play(it));
    // All at once, a day early as it were: what fits is kept, what comes again in time is refused as seen before.
    for index in 0..it.packets() {
        world.at(
            world.now,
            Event::Datagram(packet(&it, index, &[&payload(index)[..], &[0; 300]].concat())),
        );
    }
    world.run(40 * SECOND);
    let receipt = world.receipt(&it);
    assert_eq!(receipt.outcome, Outcome::Interrupted);
    assert!(receipt.received >= 50, "a second at least: {receipt:?}");
    assert_eq!(
        receipt.received + u64::from(world.receiver.counters().overflowed),
        it.packets()
    );
}
