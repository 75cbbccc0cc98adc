//! Nothing wakes people by mistake: allowed hours, daily minutes, volume cap, and who goes past them.

use crate::world::*;
use loa_protocol::command::{Order, Play, Policy, Window};
use loa_protocol::precedence::Class;
use loa_protocol::report::Outcome;

const LATENCY: u64 = 400_000;
const MINUTE: u64 = 60 * SECOND;
/// Minute of the civil day (UTC+7) that the test clock's zero lies in.
const ZERO: u64 = (OFFSET / MINUTE + 7 * 60) % 1440;

fn policy(windows: &[(u64, u64)]) -> Policy {
    let window =
        |(from, to): &(u64, u64)| Window::daily((ZERO + from) as u16 % 1440, ((ZERO + to - 1) as u16 % 1440) + 1);
    Policy {
        volume_cap: 80,
        utc_offset: 7 * 60,
        allowed: windows.iter().map(window).collect(),
        daily_minutes: None,
    }
}

fn world(policy: Policy) -> World {
    let mut world = World::ready();
    world.order(Order::Policy(policy));
    world
}

/// Where sound began and ended, in samples of the broadcast.
fn stretches(world: &World, play: &Play) -> Vec<(u64, u64)> {
    let mut stretches: Vec<(u64, u64)> = Vec::new();
    for (n, pcm) in world.heard(play) {
        let end = n + pcm.len() as u64;
        match stretches.last_mut() {
            Some(last) if last.1 == n => last.1 = end,
            _ => stretches.push((n, end)),
        }
    }
    stretches
}

#[test]
fn until_a_policy_has_come_only_emergencies_sound() {
    let mut world = World::new();
    world.boot();
    let normal = play(1, 3 * SECOND, 48_000);
    let mut emergency = play(2, 5 * SECOND, 48_000);
    emergency.class = Class::Emergency;
    world.broadcast(&normal, LATENCY);
    world.broadcast(&emergency, LATENCY);
    world.run(10 * SECOND);
    assert_eq!(world.receipt(&normal).outcome, Outcome::Refused);
    assert_eq!(world.receipt(&emergency).outcome, Outcome::Played);
    // A policy that comes while one waits is in force for it.
    let waiting = play(3, 15 * SECOND, 48_000);
    world.broadcast(&waiting, LATENCY);
    world.order(Order::Policy(Policy::unrestricted()));
    world.run(10 * SECOND);
    assert_eq!(world.receipt(&waiting).outcome, Outcome::Played);
}

#[test]
fn outside_allowed_hours_it_is_refused_at_once() {
    let mut world = world(policy(&[(60, 120)]));
    let it = play(1, 10 * SECOND, 48_000);
    world.broadcast(&it, LATENCY);
    world.run(0);
    let receipt = world.receipt(&it);
    assert_eq!((receipt.outcome, receipt.played), (Outcome::Refused, 0));
    world.run(20 * SECOND);
    assert_eq!((world.log.sound.len(), world.log.amplifier.len()), (0, 0));
}

#[test]
fn only_the_allowed_part_sounds_exact_to_the_sample() {
    // Allowed in the second and the fourth minute; it begins in the first and ends in the fifth.
    let mut world = world(policy(&[(1, 2), (3, 4)]));
    let start = 30 * SECOND;
    let it = play(1, start, 48_000 * 240);
    world.broadcast(&it, LATENCY);
    world.run(5 * MINUTE);
    let n = |at: u64| (at - start) * 6 / 125;
    assert_eq!(
        stretches(&world, &it),
        [(n(MINUTE), n(2 * MINUTE)), (n(3 * MINUTE), n(4 * MINUTE))]
    );
    let receipt = world.receipt(&it);
    assert_eq!(
        (receipt.outcome, receipt.played, receipt.lost),
        (Outcome::Interrupted, 48_000 * 120, 0)
    );
    assert_eq!(world.log.amplifier.len(), 4);
}

#[test]
fn a_policy_that_shuts_silences_what_sounds() {
    let mut world = world(Policy::unrestricted());
    let it = play(1, 3 * SECOND, 48_000 * 60);
    world.broadcast(&it, LATENCY);
    world.run_until(10 * SECOND);
    world.order(Order::Policy(policy(&[])));
    world.run_until(10 * SECOND + 200_000);
    assert_eq!(world.log.amplifier.last().map(|(_, on)| *on), Some(false));
    world.run_until(20 * SECOND);
    world.order(Order::Policy(Policy::unrestricted()));
    world.run_until(80 * SECOND);
    let stretches = stretches(&world, &it);
    assert_eq!((stretches.len(), stretches[0].0, stretches[1].1), (2, 0, it.samples));
    // Again from when it was said, no sooner.
    assert_eq!(stretches[1].0, (17 * SECOND + 40_000) * 6 / 125);
}

#[test]
fn emergencies_and_overrides_go_past_the_hours_and_only_emergencies_past_the_cap() {
    let mut shut = policy(&[]);
    shut.daily_minutes = Some(0);
    let mut world = world(shut);
    let mut overriding = play(1, 3 * SECOND, 9600);
    overriding.overrides = true;
    let mut emergency = play(2, 5 * SECOND, 9600);
    emergency.class = Class::Emergency;
    for it in [&overriding, &emergency] {
        world.broadcast(it, LATENCY);
    }
    world.run(10 * SECOND);
    for it in [&overriding, &emergency] {
        assert_eq!(world.receipt(it).outcome, Outcome::Played);
    }
    let loud: Vec<i16> = world.heard(&emergency).into_iter().flat_map(|piece| piece.1).collect();
    assert!(loud == programme(&emergency, 0, 9600));
    let capped: Vec<i16> = world.heard(&overriding).into_iter().flat_map(|piece| piece.1).collect();
    for (got, full) in capped.iter().zip(programme(&overriding, 0, 9600)) {
        assert!((f64::from(*got) - 0.8 * f64::from(full)).abs() <= 1.0);
    }
}

#[test]
fn the_cap_holds_whatever_volume_is_ordered() {
    let mut world = world(policy(&[(0, 1440)]));
    world.order(Order::Volume(90));
    assert_eq!(world.log.telemetry.last().unwrap().1.volume, 80);
    world.order(Order::Volume(70));
    assert_eq!(world.log.telemetry.last().unwrap().1.volume, 70);
}

#[test]
fn daily_minutes_end_to_the_sample_and_begin_anew_at_midnight() {
    let mut limited = policy(&[(0, 1440)]);
    // Midnight is two minutes away.
    limited.utc_offset = 7 * 60 + (1440 - ZERO as i16) - 2;
    limited.allowed = Policy::unrestricted().allowed;
    limited.daily_minutes = Some(1);
    let mut world = world(limited);
    let start = 10 * SECOND;
    let it = play(1, start, 48_000 * 150);
    let mut emergency = play(2, 20 * SECOND, 48_000 * 5);
    emergency.class = Class::Emergency;
    world.broadcast(&it, LATENCY);
    world.broadcast(&emergency, LATENCY);
    world.run(200 * SECOND);
    let n = |at: u64| (at - start) * 6 / 125;
    // A minute of it, with the emergency between, which is not counted; then from midnight.
    let heard: u64 = world
        .heard(&emergency)
        .iter()
        .map(|(n, pcm)| if *n < 48_000 * 5 { pcm.len() as u64 } else { 0 })
        .sum();
    assert_eq!(heard, 48_000 * 5);
    let ends: Vec<_> = stretches(&world, &it).iter().map(|stretch| stretch.1).collect();
    assert_eq!(ends.last(), Some(&it.samples));
    assert!(ends.contains(&n(start + 65 * SECOND)), "{ends:?}");
    let receipt = world.receipt(&it);
    assert_eq!(receipt.played, 48_000 * 60 + it.samples - n(2 * MINUTE));
}

#[test]
fn used_up_minutes_refuse_the_next_one() {
    let mut limited = policy(&[(0, 1440)]);
    limited.daily_minutes = Some(1);
    let mut world = world(limited);
    let first = play(1, 3 * SECOND, 48_000 * 60);
    world.broadcast(&first, LATENCY);
    world.run(70 * SECOND);
    assert_eq!(world.receipt(&first).outcome, Outcome::Played);
    let second = play(2, 80 * SECOND, 48_000);
    world.broadcast(&second, LATENCY);
    world.run(0);
    assert_eq!(world.receipt(&second).outcome, Outcome::Refused);
}

#[test]
fn a_window_holds_on_its_days_and_as_loud_as_it_says() {
    // The day of the week (UTC+7) that the test clock's zero lies in.
    let today = ((OFFSET / MINUTE + 7 * 60) / 1440 + 3) % 7;
    let on = |day: u64, volume| Policy {
        allowed: [Window {
            days: 1 << (day % 7),
            volume,
            ..Window::daily(0, 1440)
        }]
        .into_iter()
        .collect(),
        ..policy(&[])
    };
    let it = play(1, 3 * SECOND, 9600);
    let heard = |policy| {
        let mut world = world(policy);
        world.broadcast(&it, LATENCY);
        world.run(10 * SECOND);
        (
            world.receipt(&it).outcome,
            world
                .heard(&it)
                .into_iter()
                .flat_map(|piece| piece.1)
                .collect::<Vec<_>>(),
        )
    };
    let (outcome, half) = heard(on(today, 50));
    assert_eq!((outcome, half.len()), (Outcome::Played, 9600));
    for (got, full) in half.iter().zip(programme(&it, 0, 9600)) {
        assert!((f64::from(*got) - 0.5 * f64::from(full)).abs() <= 1.0);
    }
    // No louder than the cap.
    assert!(heard(on(today, 100)).1 == heard(on(today, 80)).1);
    assert_eq!(heard(on(today + 1, 100)), (Outcome::Refused, vec![]));
}
