//! The bad network: what it does to datagrams is what was ordered, is the same for the same seed, and is counted.

use std::collections::HashMap;

use loa_receiver::Micros;
use loa_simulator::fault::{Burst, Counts, Faults, Link, Outage, Scope, WrongFault};
use proptest::prelude::*;

const SSRC: u32 = 0xDEAD_BEEF;

/// A datagram of sound that can be told from others.
fn sound(ssrc: u32, number: u32) -> Vec<u8> {
    let mut datagram = vec![0x80, 111];
    datagram.extend((number as u16).to_be_bytes());
    datagram.extend(number.to_be_bytes());
    datagram.extend(ssrc.to_be_bytes());
    datagram.extend([0x5A; 20]);
    datagram
}

fn number(datagram: &[u8]) -> u32 {
    u32::from_be_bytes(datagram[4..8].try_into().expect("four bytes"))
}

/// Sends `count` datagrams, one every 20 ms, and returns what came out when.
fn run(faults: &Faults, seed: u64, count: u32) -> (Vec<(Micros, Vec<u8>)>, Link) {
    let mut link = Link::new(faults.clone(), seed, 0);
    let mut out = Vec::new();
    let mut drain = |link: &mut Link, until: Micros| {
        while let Some(at) = link.next_wakeup().filter(|at| *at <= until) {
            out.extend(link.poll(at).map(|datagram| (at, datagram)));
        }
    };
    for n in 0..count {
        let now = Micros(u64::from(n) * 20_000);
        drain(&mut link, now);
        link.push(now, sound(SSRC, n));
    }
    drain(&mut link, Micros(u64::MAX));
    (out, link)
}

fn share() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0]
}

fn faults() -> impl Strategy<Value = Faults> {
    let burst = proptest::option::of((share(), 0.01..=1.0, share()));
    let outages = proptest::collection::vec((0u64..4_000_000, 0u64..1_000_000), 0..3);
    let times = (0u64..300_000, 0u64..300_000, 0u64..300_000);
    (share(), burst, times, share(), share(), share(), outages).prop_map(
        |(loss, burst, (delay, jitter, held_back), reorder, duplicate, bit_error, outages)| Faults {
            loss,
            burst: burst.map(|(enter, leave, loss)| Burst { enter, leave, loss }),
            delay,
            jitter,
            reorder,
            held_back,
            duplicate,
            bit_error,
            outages: outages
                .into_iter()
                .map(|(from, length)| Outage {
                    from: Micros(from),
                    to: Micros(from + length),
                })
                .collect(),
            ..Faults::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everything_that_goes_in_is_accounted_for(faults in faults(), seed: u64) {
        prop_assert_eq!(faults.check(), Ok(()));
        let (out, link) = run(&faults, seed, 200);
        let counts = link.counts(SSRC);
        prop_assert_eq!(counts.offered, 200);
        prop_assert_eq!(counts.arrived + counts.unusable(), counts.offered);
        prop_assert_eq!(counts.arrived + counts.corrupted + counts.duplicated, out.len() as u64);

        // What came out intact at least once is what is counted as arrived, looked at from outside.
        let mut intact = HashMap::new();
        let mut corrupted = 0;
        for (_, datagram) in &out {
            let n = number(datagram);
            match n < 200 && *datagram == sound(SSRC, n) {
                true => *intact.entry(n).or_insert(0u64) += 1,
                false => corrupted += 1,
            }
        }
        prop_assert_eq!(intact.len() as u64, counts.arrived);
        prop_assert_eq!(intact.values().map(|times| times - 1).sum::<u64>() + corrupted, counts.duplicated + counts.corrupted);
    }

    #[test]
    fn the_same_seed_spoils_the_same(faults in faults(), seed: u64) {
        let (first, a) = run(&faults, seed, 100);
        let (second, b) = run(&faults, seed, 100);
        prop_assert_eq!(first, second);
        prop_assert_eq!(a.counts(SSRC), b.counts(SSRC));
    }

    #[test]
    fn nothing_is_early_and_order_is_kept_unless_reordering_is_ordered(faults in faults(), seed: u64) {
        let faults = Faults { reorder: 0.0, bit_error: 0.0, ..faults };
        let (out, _) = run(&faults, seed, 100);
        for (at, datagram) in &out {
            let sent = u64::from(number(datagram)) * 20_000;
            prop_assert!(at.0 >= sent + faults.delay && at.0 <= sent + faults.delay + faults.jitter);
        }
        let mut firsts: Vec<u32> = out.iter().map(|(_, datagram)| number(datagram)).collect();
        let mut seen = std::collections::HashSet::new();
        firsts.retain(|n| seen.insert(*n));
        prop_assert!(firsts.is_sorted());
    }

    #[test]
    fn one_bit_is_changed_and_no_more(seed: u64) {
        let (out, link) = run(&Faults { bit_error: 1.0, ..Faults::default() }, seed, 50);
        prop_assert_eq!(link.counts(SSRC).corrupted, 50);
        for (n, (_, datagram)) in out.iter().enumerate() {
            let changed: u32 = datagram.iter().zip(sound(SSRC, n as u32)).map(|(a, b)| (a ^ b).count_ones()).sum();
            prop_assert_eq!(changed, 1);
        }
    }

    #[test]
    fn an_outage_takes_exactly_what_falls_into_it(from in 0u64..2_000_000, length in 0u64..2_000_000, seed: u64) {
        let outage = Outage { from: Micros(from), to: Micros(from + length) };
        let (out, link) = run(&Faults { outages: vec![outage], ..Faults::default() }, seed, 200);
        let expected: Vec<u32> = (0..200).filter(|n| !(from..from + length).contains(&(u64::from(*n) * 20_000))).collect();
        prop_assert_eq!(out.iter().map(|(_, datagram)| number(datagram)).collect::<Vec<_>>(), expected);
        prop_assert_eq!(link.counts(SSRC).in_outage, 200 - out.len() as u64);
    }
}

#[test]
fn losses_are_as_many_as_ordered() {
    let (_, link) = run(
        &Faults {
            loss: 0.05,
            ..Faults::default()
        },
        1,
        100_000,
    );
    // Five standard deviations: √(100 000 · 0.05 · 0.95) = 69.
    assert!(link.counts(SSRC).lost.abs_diff(5_000) < 345, "{:?}", link.counts(SSRC));
}

#[test]
fn bursts_are_as_long_and_as_many_as_ordered() {
    let burst = Burst {
        enter: 0.01,
        leave: 0.25,
        loss: 1.0,
    };
    let (out, link) = run(
        &Faults {
            burst: Some(burst),
            ..Faults::default()
        },
        7,
        200_000,
    );
    let lost = link.counts(SSRC).lost;
    let arrived: Vec<u32> = out.iter().map(|(_, datagram)| number(datagram)).collect();
    let bursts = arrived.windows(2).filter(|pair| pair[1] - pair[0] > 1).count() as f64;
    // The share of time in the bad state is enter / (enter + leave), its mean length 1 / leave.
    let share = lost as f64 / 200_000.0;
    assert!((share - 0.01 / 0.26).abs() < 0.003, "{share}");
    let length = lost as f64 / bursts;
    assert!((length - 4.0).abs() < 0.3, "{length}");
}

#[test]
fn what_is_chosen_for_one_does_not_depend_on_what_else_is_ordered() {
    let plain = Faults {
        loss: 0.1,
        ..Faults::default()
    };
    let more = Faults {
        duplicate: 0.5,
        jitter: 500,
        reorder: 0.2,
        held_back: 90_000,
        ..plain.clone()
    };
    let lost = |faults: &Faults| {
        let (out, _) = run(faults, 3, 500);
        let arrived: std::collections::HashSet<u32> = out.iter().map(|(_, datagram)| number(datagram)).collect();
        (0..500).filter(|n| !arrived.contains(n)).collect::<Vec<u32>>()
    };
    assert!(!lost(&plain).is_empty());
    assert_eq!(lost(&plain), lost(&more));
}

#[test]
fn what_is_held_back_is_overtaken() {
    let faults = Faults {
        reorder: 0.2,
        held_back: 50_000,
        ..Faults::default()
    };
    let (out, link) = run(&faults, 9, 100);
    let held = link.counts(SSRC).held_back;
    assert!(held > 5, "{held}");
    let overtaken = |n: u32| {
        let place = |of: u32| out.iter().position(|(_, datagram)| number(datagram) == of).unwrap();
        n < 98 && place(n) > place(n + 1).min(place(n + 2))
    };
    assert!((0..100).filter(|n| overtaken(*n)).count() as u64 > held / 2);
}

#[test]
fn hello_is_spared_unless_everything_is_to_be_spoiled() {
    let hello = vec![b'L'; 52];
    let report = vec![0x80, 200, 0, 6, 0, 0, 0, 1];
    for (scope, arrive) in [(Scope::Sound, true), (Scope::Everything, false)] {
        let mut link = Link::new(
            Faults {
                loss: 1.0,
                scope,
                ..Faults::default()
            },
            0,
            0,
        );
        for datagram in [&hello, &report] {
            link.push(Micros(5), datagram.clone());
            assert_eq!(link.poll(Micros(5)).as_ref(), arrive.then_some(datagram));
        }
        link.push(Micros(5), sound(SSRC, 0));
        assert_eq!(link.poll(Micros(u64::MAX)), None);
        let others = Counts {
            offered: 2,
            arrived: if arrive { 2 } else { 0 },
            lost: if arrive { 0 } else { 2 },
            ..Counts::default()
        };
        assert_eq!(link.others(), others);
        assert_eq!(
            link.counts(SSRC),
            Counts {
                offered: 1,
                lost: 1,
                ..Counts::default()
            }
        );
    }
}

#[test]
fn where_udp_is_shut_nothing_passes() {
    let (out, link) = run(
        &Faults {
            udp_shut: true,
            ..Faults::default()
        },
        0,
        10,
    );
    assert!(out.is_empty());
    assert_eq!(link.counts(SSRC).in_outage, 10);
}

#[test]
fn streams_are_counted_apart() {
    let mut link = Link::new(Faults::default(), 0, 0);
    for (ssrc, times) in [(1, 3), (2, 5)] {
        for n in 0..times {
            link.push(Micros(0), sound(ssrc, n));
        }
    }
    while link.poll(Micros(0)).is_some() {}
    assert_eq!(
        (link.counts(1).arrived, link.counts(2).arrived, link.counts(3).offered),
        (3, 5, 0)
    );
}

#[test]
fn memory_is_bounded_however_long_the_delay() {
    let mut link = Link::new(
        Faults {
            delay: 60_000_000,
            ..Faults::default()
        },
        0,
        0,
    );
    for n in 0..20_000 {
        link.push(Micros(n), sound(n as u32, 0));
    }
    let mut out = 0;
    while link.poll(Micros(u64::MAX)).is_some() {
        out += 1;
    }
    assert_eq!(out, 8192);
}

#[test]
fn what_cannot_be_is_refused_with_what_could() {
    let wrong = |faults: Faults| faults.check().unwrap_err().to_string();
    assert_eq!(
        wrong(Faults {
            loss: 5.0,
            ..Faults::default()
        }),
        "loss is 5, it must lie between 0 and 1"
    );
    assert!(
        Faults {
            bit_error: f64::NAN,
            ..Faults::default()
        }
        .check()
        .is_err()
    );
    let endless = Burst {
        enter: 0.1,
        leave: 0.0,
        loss: 1.0,
    };
    assert_eq!(
        Faults {
            burst: Some(endless),
            ..Faults::default()
        }
        .check(),
        Err(WrongFault::EndlessBurst)
    );
    let backwards = Outage {
        from: Micros(2_000_000),
        to: Micros(1_000_000),
    };
    assert!(
        wrong(Faults {
            outages: vec![backwards],
            ..Faults::default()
        })
        .contains("ends at 1 s")
    );
    assert!(
        wrong(Faults {
            delay: 90_000_000,
            ..Faults::default()
        })
        .contains("at most 60 s")
    );
}
