//! What a stranger can do, and what they cannot.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

const DAY: u64 = 24 * 3600 * SECOND;
const START: UnixMicros = UnixMicros(1_800_000_000 * SECOND);

fn at(micros: u64) -> UnixMicros {
    UnixMicros(START.0 + micros)
}

fn address(n: u32) -> IpAddr {
    Ipv4Addr::from(n).into()
}

/// The most attempts that get through in any 24 hours of `days` when each is made as soon as it may be; `keys` gives them.
fn greedy(days: u64, mut keys: impl FnMut(u32) -> Vec<Key>) -> usize {
    let mut patience = Patience::default();
    let (mut now, mut n, mut most) = (START, 0, 0);
    let mut window = VecDeque::new();
    while now.0 < START.0 + days * DAY {
        match patience.attempt(now, &keys(n)) {
            Ok(()) => {
                n += 1;
                window.push_back(now);
                while window.front().is_some_and(|first| first.0 + DAY <= now.0) {
                    window.pop_front();
                }
                most = most.max(window.len());
            }
            Err(wait) => now.0 += wait.time.as_micros() as u64,
        }
    }
    most
}

#[test]
fn guesses_a_day_are_bounded_however_many_addresses_they_come_from() {
    let everywhere = greedy(5, |n| Key::of_password("lan", address(n << 8), None));
    assert!(everywhere as u64 <= NAME.most(), "{everywhere}");
    // The numbers that the documentation tells.
    assert_eq!(NAME.most(), 126);
    assert!(everywhere >= 100, "the test does not press hard enough: {everywhere}");
    let one = greedy(5, |_| Key::of_password("lan", address(1), None));
    assert!(one as u64 <= NAME_FROM.most(), "{one}");
    assert_eq!(NAME_FROM.most(), 41);
    let names = greedy(5, |n| Key::of_password(&format!("user{n}"), address(1), None));
    assert!(names as u64 <= NETWORK.most(), "{names}");
    assert_eq!(NETWORK.most(), 337);
    let codes = greedy(5, |n| Key::of_factor("lan", address(n << 8), None));
    assert!(codes as u64 <= CODE.most(), "{codes}");
    assert_eq!(CODE.most(), 116);
}

#[test]
fn waiting_doubles_up_to_its_limit_and_is_forgotten_after_a_quiet_day() {
    let keys = Key::of_password("lan", address(1), None);
    let mut patience = Patience::default();
    for _ in 0..5 {
        patience.attempt(START, &keys).unwrap();
    }
    let mut now = START;
    patience.attempt(now, &keys).unwrap();
    for seconds in [1, 2, 4, 8, 16, 32] {
        let wait = patience.attempt(now, &keys).unwrap_err();
        assert_eq!(wait.time, Duration::from_secs(seconds));
        now.0 += wait.time.as_micros() as u64;
        assert!(patience.attempt(UnixMicros(now.0 - 1), &keys).is_err());
        patience.attempt(now, &keys).unwrap();
    }
    now.0 += QUIET;
    for _ in 0..6 {
        patience.attempt(now, &keys).unwrap();
    }
}

#[test]
fn a_wait_is_news_once_after_each_failure() {
    let keys = Key::of_password("lan", address(1), None);
    let mut patience = Patience::default();
    (0..6).for_each(|_| patience.attempt(START, &keys).unwrap());
    let news = |patience: &mut Patience, now| patience.attempt(now, &keys).unwrap_err().news;
    assert!(news(&mut patience, START));
    assert!(!news(&mut patience, START));
    patience.attempt(at(SECOND), &keys).unwrap();
    assert!(news(&mut patience, at(SECOND)));
}

#[test]
fn who_was_right_starts_anew_here_but_not_what_others_did() {
    let mut patience = Patience::default();
    let here = Key::of_password("lan", address(1), None);
    for n in 0..19 {
        patience
            .attempt(START, &Key::of_password("lan", address(n << 8), None))
            .unwrap();
    }
    patience.attempt(START, &here).unwrap();
    patience.forgive(&here, true);
    let kept = patience.kept(&here);
    assert_eq!(
        kept.iter()
            .map(|it| it.1.map(|count| count.failures))
            .collect::<Vec<_>>(),
        [None, Some(1), Some(19)]
    );
}

#[test]
fn what_is_kept_goes_on_after_a_restart() {
    let keys = Key::of_password("lan", address(1), None);
    let mut patience = Patience::default();
    (0..6).for_each(|_| patience.attempt(START, &keys).unwrap());
    let kept = patience.kept(&keys);
    let mut again = Patience::of(kept.into_iter().map(|(key, count)| (key, count.unwrap())));
    assert!(again.attempt(at(SECOND - 1), &keys).is_err());
    again.attempt(at(SECOND), &keys).unwrap();
}

#[test]
fn a_clock_set_back_makes_nobody_wait_longer() {
    let keys = Key::of_password("lan", address(1), None);
    let mut patience = Patience::default();
    (0..6).for_each(|_| patience.attempt(at(400 * DAY), &keys).unwrap());
    assert_eq!(patience.attempt(START, &keys).unwrap_err().time, Duration::from_secs(1));
}

#[test]
fn made_up_names_do_not_push_out_what_counts() {
    let victim = Key::of_password("lan", address(1), None);
    let mut patience = Patience::default();
    (0..6).for_each(|_| patience.attempt(START, &victim).unwrap());
    for n in 0..200_000u32 {
        let _ = patience.attempt(
            at(1),
            &Key::of_password(&n.to_string(), address(0x0a00_0000 + (n << 8)), None),
        );
    }
    assert!(patience.counts.len() <= MOST);
    assert!(patience.attempt(at(2), &victim).is_err());
}

proptest! {
    /// Whatever strangers try, from wherever, with whatever success: the owner's known browser is never told to wait, and
    /// neither for its second factor.
    #[test]
    fn a_stranger_never_makes_the_owners_browser_wait(
        attempts in prop::collection::vec((any::<u32>(), any::<bool>(), 0..120u64, any::<bool>(), prop::option::of("[0-9a-f]{8}")), 1..400)
    ) {
        let mut patience = Patience::default();
        let mut now = START;
        for (n, six, seconds, right, guess) in attempts {
            now.0 += seconds * SECOND;
            let from = if six { IpAddr::from([0x2001, 0xdb8, n as u16, (n >> 16) as u16, 0, 0, 0, n as u16]) } else { address(n) };
            // A guess of the browser's secret is none of the owner's.
            let keys = Key::of_password("lan", from, guess.as_deref());
            if patience.attempt(now, &keys).is_ok() && right {
                patience.forgive(&keys, true);
            }
            let _ = patience.attempt(now, &Key::of_factor("lan", from, guess.as_deref()));
            for keys in [Key::of_password("lan", address(7), Some("the owner's")), Key::of_factor("lan", address(7), Some("the owner's"))] {
                prop_assert!(patience.attempt(now, &keys).is_ok());
                patience.forgive(&keys, true);
            }
        }
    }

    /// From however many browsers at once, however the attempts fall: no more get through in a day than the rule says.
    #[test]
    fn no_timing_gets_more_guesses(gaps in prop::collection::vec(0..7200u64, 1..600)) {
        let mut patience = Patience::default();
        let (mut now, mut through) = (START, VecDeque::new());
        for (n, gap) in gaps.into_iter().enumerate() {
            now.0 += gap * SECOND;
            for m in 0..3 {
                if patience.attempt(now, &Key::of_password("lan", address((n as u32 * 3 + m) << 8), None)).is_ok() {
                    through.push_back(now);
                }
            }
            while through.front().is_some_and(|first| first.0 + DAY <= now.0) {
                through.pop_front();
            }
            prop_assert!(through.len() as u64 <= NAME.most(), "{}", through.len());
        }
    }
}
