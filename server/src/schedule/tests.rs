//! What schedules, rules and plans promise: cases by hand, and properties over random trees, receivers and times.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, NaiveDateTime};
use chrono_tz::Tz;
use loa_protocol::precedence::Class;
use loa_protocol::{BroadcastId, UnixMicros};
use proptest::prelude::*;

use super::plan::{Candidate, Fate, Piece, Why, plan, why};
use super::recurrence::{FORM, Recurrence, Wrong, civil, instant};
use super::rules::{Clock, Hours, Place, Rules, Season};

const HANOI: Tz = chrono_tz::Asia::Ho_Chi_Minh;
const BERLIN: Tz = chrono_tz::Europe::Berlin;
const MINUTE: u64 = 60_000_000;

fn at(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, FORM).unwrap()
}

fn keys(it: &Recurrence, from: &str, to: &str) -> Vec<String> {
    let instant = |text| instant(it.zone(), at(text));
    let found = it.between(instant(from), instant(to));
    found.iter().map(|it| it.key.format(FORM).to_string()).collect()
}

fn daily(zone: Tz, start: &str, rule: &str) -> Recurrence {
    Recurrence::new(at(start), zone, Some(rule), [], []).unwrap()
}

#[test]
fn a_rule_recurs_less_its_exceptions_and_with_what_is_added() {
    let start = at("20261130T053000");
    let it = Recurrence::new(
        start,
        HANOI,
        Some("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA"),
        [at("20261202T053000")],
        [at("20261206T060000"), at("20261130T053000")],
    )
    .unwrap();
    assert_eq!(
        keys(&it, "20261129T000000", "20261208T000000"),
        [
            "20261130T053000",
            "20261201T053000",
            "20261203T053000",
            "20261204T053000",
            "20261205T053000",
            "20261206T060000",
            "20261207T053000"
        ]
    );
    // 5:30 in Vietnam is 22:30 the day before in UTC.
    let first = it.next(UnixMicros(0)).unwrap();
    assert_eq!(
        (first.key, civil(chrono_tz::UTC, first.start)),
        (start, at("20261129T223000"))
    );
    assert!(it.has(start) && !it.has(at("20261202T053000")) && !it.has(at("20261206T053000")));
}

#[test]
fn what_a_clock_skips_or_shows_twice_counts_as_the_standard_says() {
    // 29 March 2026: 2:00 becomes 3:00. 25 October: 3:00 becomes 2:00.
    let it = daily(BERLIN, "20260328T023000", "FREQ=DAILY;COUNT=3");
    let utc = |it: &Recurrence, n: usize| {
        let all = it.between(UnixMicros(0), UnixMicros(u64::MAX / 2));
        civil(chrono_tz::UTC, all[n].start).format(FORM).to_string()
    };
    assert_eq!(
        [utc(&it, 0), utc(&it, 1), utc(&it, 2)],
        ["20260328T013000", "20260329T013000", "20260330T003000"]
    );
    let it = daily(BERLIN, "20261024T023000", "FREQ=DAILY;COUNT=3");
    assert_eq!(
        [utc(&it, 0), utc(&it, 1), utc(&it, 2)],
        ["20261024T003000", "20261025T003000", "20261026T013000"]
    );
    // A day that an island never had.
    let apia = daily(chrono_tz::Pacific::Apia, "20111229T120000", "FREQ=DAILY;COUNT=3");
    assert_eq!(
        [utc(&apia, 0), utc(&apia, 1), utc(&apia, 2)],
        ["20111229T220000", "20111230T220000", "20111230T220000"]
    );
}

#[test]
fn until_is_civil_time_an_instant_or_a_whole_day() {
    let all = |until: &str| {
        let it = daily(HANOI, "20261201T053000", &format!("FREQ=DAILY;UNTIL={until}"));
        keys(&it, "20261201T000000", "20271201T000000").len()
    };
    assert_eq!((all("20261203T053000"), all("20261203T052959")), (3, 2));
    assert_eq!((all("20261202T223000Z"), all("20261202T222959Z")), (3, 2));
    assert_eq!(all("20261203"), 3);
}

#[test]
fn what_is_no_rule_is_refused_and_says_why() {
    let new = |rule: &str| Recurrence::new(at("20261201T053000"), HANOI, Some(rule), [], []).map(|_| ());
    for wrong in [
        "",
        "DAILY",
        "FREQ=SOMETIMES",
        "FREQ=DAILY;UNTIL=tomorrow",
        "FREQ=DAILY;COUNT=2;UNTIL=20261212",
        "FREQ=DAILY;BYHOUR=25",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=DAILY\nDTSTART:20200101T000000Z",
    ] {
        assert!(matches!(new(wrong), Err(Wrong::Rule(_))), "{wrong}: {:?}", new(wrong));
    }
    assert_eq!(new("FREQ=DAILY;INTERVAL=0"), Err(Wrong::Never));
    assert_eq!(new("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), Err(Wrong::Never));
    assert_eq!(new(&"FREQ=DAILY;".repeat(100)), Err(Wrong::TooLong));
    assert!(daily(HANOI, "20261201T053000", "FREQ=MINUTELY").is_restless());
    let old = Recurrence::new(at("19691231T000000"), HANOI, None, [], []);
    assert_eq!(old.map(|_| ()), Err(Wrong::Year));
}

fn hours(days: &[u8], from: (u16, u16), to: (u16, u16), volume: u8) -> Hours {
    Hours {
        days: days.to_vec(),
        from: Clock::at(from.0, from.1).unwrap(),
        to: Clock::at(to.0, to.1).unwrap(),
        volume,
    }
}

fn rules(hours: &[Hours], daily_minutes: Option<u16>) -> Rules {
    Rules {
        hours: Some(hours.to_vec()),
        daily_minutes,
        seasons: vec![],
    }
}

fn place(rules: &[Rules]) -> Place {
    Place {
        zone: HANOI,
        rules: rules.to_vec(),
    }
}

#[test]
fn areas_below_narrow_what_areas_above_allow() {
    let province = rules(&[hours(&[], (5, 0), (21, 0), 80)], Some(120));
    let commune = rules(
        &[
            hours(&[1, 2, 3, 4, 5], (4, 30), (6, 0), 100),
            hours(&[], (20, 0), (22, 0), 60),
        ],
        Some(150),
    );
    let it = place(&[province, commune]);
    // A Monday and a Sunday.
    let volume = |text: &str| it.hours(instant(HANOI, at(text))).0;
    assert_eq!(volume("20261130T045900"), None);
    assert_eq!(volume("20261130T050000"), Some(80));
    assert_eq!(volume("20261130T055959"), Some(80));
    assert_eq!(volume("20261130T060000"), None);
    assert_eq!(volume("20261129T053000"), None);
    assert_eq!((volume("20261129T203000"), volume("20261129T210000")), (Some(60), None));
    let limits = it.limits(instant(HANOI, at("20261130T120000")));
    assert_eq!(limits.daily_minutes(), Some(120));
    let policy = it.policy(instant(HANOI, at("20261130T120000"))).unwrap();
    assert_eq!(
        (policy.utc_offset, policy.daily_minutes, policy.allowed.len()),
        (420, Some(120), 2)
    );
}

#[test]
fn seasons_hold_instead_on_their_days_over_new_year_too() {
    let season = |from: (i32, u32, u32), to: (i32, u32, u32), yearly, minutes| Season {
        name: "Tết".into(),
        from: NaiveDate::from_ymd_opt(from.0, from.1, from.2).unwrap(),
        to: NaiveDate::from_ymd_opt(to.0, to.1, to.2).unwrap(),
        yearly,
        hours: None,
        daily_minutes: Some(minutes),
    };
    let mut it = rules(&[], Some(1));
    it.seasons = vec![
        season((2026, 12, 20), (2027, 1, 10), true, 2),
        season((2026, 12, 31), (2026, 12, 31), false, 3),
    ];
    it.check().unwrap();
    let place = place(&[it]);
    let minutes = |text: &str| place.limits(instant(HANOI, at(text))).daily_minutes();
    assert_eq!(minutes("20261219T120000"), Some(1));
    assert_eq!(minutes("20261220T000000"), Some(2));
    assert_eq!(minutes("20281230T120000"), Some(2));
    assert_eq!(minutes("20300110T235959"), Some(2));
    assert_eq!(minutes("20300111T000000"), Some(1));
    assert_eq!(
        (minutes("20261231T120000"), minutes("20271231T120000")),
        (Some(3), Some(2))
    );
}

#[test]
fn wrong_rules_are_named() {
    let mut it = rules(&[hours(&[8], (5, 0), (6, 0), 100)], None);
    assert_eq!(it.check().unwrap_err().field, "hours");
    it = rules(&[], Some(1441));
    assert_eq!(it.check().unwrap_err().field, "daily_minutes");
    for wrong in ["5:00", "05:60", "24:01", "+5:00", "05:0a", ""] {
        assert!(Clock::try_from(wrong.to_owned()).is_err(), "{wrong}");
    }
    assert_eq!(String::from(Clock::try_from("24:00".to_owned()).unwrap()), "24:00");
    // More windows than a policy holds.
    let many: Vec<_> = (0..12)
        .map(|n| hours(&[1 + n as u8 % 7], (n, 0), (n, 30), 100))
        .collect();
    let even: Vec<_> = (0..12).map(|n| hours(&[], (n, 5), (n, 10), 100)).collect();
    let both = place(&[rules(&many, None), rules(&even, None)]);
    assert!(both.policy(UnixMicros(0)).is_ok());
    let odd: Vec<_> = (0..24)
        .map(|n| hours(&[1 + n as u8 % 7], (n, 0), (n, 30), 100))
        .collect();
    assert!(place(&[rules(&odd, None)]).policy(UnixMicros(0)).is_err());
}

fn candidate(n: u8, class: Class, depth: u8, start: u64, minutes: u64) -> Candidate {
    Candidate {
        broadcast: BroadcastId([n; 16]),
        class,
        depth,
        start: UnixMicros(monday().0 + start * MINUTE),
        end: UnixMicros(monday().0 + (start + minutes) * MINUTE),
        overrides: false,
    }
}

fn monday() -> UnixMicros {
    instant(HANOI, at("20261130T000000"))
}

/// Pieces as minutes since Monday, 0:00.
fn minutes(pieces: &[Piece]) -> Vec<(u8, u64, u64, Fate)> {
    let minute = |it: UnixMicros| (it.0 - monday().0) / MINUTE;
    pieces
        .iter()
        .map(|it| (it.broadcast.0[0], minute(it.from), minute(it.to), it.fate))
        .collect()
}

#[test]
fn what_gives_way_what_is_shut_and_what_is_spent_is_told_piece_by_piece() {
    let it = place(&[rules(
        &[hours(&[], (5, 0), (6, 0), 100), hours(&[], (17, 0), (18, 0), 100)],
        Some(40),
    )]);
    let morning = candidate(1, Class::Normal, 2, 290, 30);
    let priority = candidate(2, Class::Priority, 1, 310, 5);
    let emergency = candidate(3, Class::Emergency, 0, 312, 1);
    let evening = candidate(4, Class::Normal, 2, 1020, 30);
    let all = [morning, priority, emergency, evening];
    let week = plan(&it, &all, monday(), UnixMicros(monday().0 + 7 * 1440 * MINUTE));
    let other = |n: u8| Fate::GivesWay(BroadcastId([n; 16]));
    assert_eq!(
        minutes(&week),
        [
            (1, 290, 300, Fate::Hours),
            (1, 300, 310, Fate::Plays),
            (2, 310, 312, Fate::Plays),
            (1, 310, 312, other(2)),
            (3, 312, 313, Fate::Plays),
            (2, 312, 313, other(3)),
            (1, 312, 313, other(3)),
            (2, 313, 315, Fate::Plays),
            (1, 313, 315, other(2)),
            (1, 315, 320, Fate::Plays),
            // 10 + 2 + 2 + 5 of 40 are spent: the emergency does not count.
            (4, 1020, 1041, Fate::Plays),
            (4, 1041, 1050, Fate::Minutes),
        ]
    );
    let why = |minute: u64| why(&week, UnixMicros(monday().0 + minute * MINUTE));
    assert_eq!(why(295), Why::Hours(morning.broadcast));
    assert_eq!(why(312), Why::Plays(emergency.broadcast));
    assert_eq!(why(1045), Why::Minutes(evening.broadcast));
    assert_eq!(why(400), Why::Nothing(Some((evening.broadcast, evening.start))));
    assert_eq!(why(2000), Why::Nothing(None));
    // The same from the middle of the day on: minutes are counted from midnight.
    let afternoon = plan(
        &it,
        &all,
        UnixMicros(monday().0 + 1030 * MINUTE),
        UnixMicros(monday().0 + 1440 * MINUTE),
    );
    assert_eq!(
        minutes(&afternoon),
        [(4, 1030, 1041, Fate::Plays), (4, 1041, 1050, Fate::Minutes)]
    );
}

#[test]
fn an_override_goes_past_hours_and_minutes_and_counts() {
    let it = place(&[rules(&[hours(&[], (5, 0), (6, 0), 100)], Some(10))]);
    let mut night = candidate(1, Class::Normal, 2, 180, 8);
    night.overrides = true;
    let morning = candidate(2, Class::Priority, 0, 300, 10);
    let mut late = candidate(3, Class::Normal, 3, 300, 20);
    late.overrides = true;
    let day = plan(
        &it,
        &[night, morning, late],
        monday(),
        UnixMicros(monday().0 + 1440 * MINUTE),
    );
    assert_eq!(
        minutes(&day),
        [
            (1, 180, 188, Fate::Plays),
            (2, 300, 302, Fate::Plays),
            (3, 300, 302, Fate::GivesWay(morning.broadcast)),
            (2, 302, 310, Fate::Minutes),
            (3, 302, 320, Fate::Plays),
        ]
    );
}

fn some_rules() -> impl Strategy<Value = Rules> {
    let window = (
        proptest::collection::vec(1u8..8, 0..4),
        0u16..1440,
        1u16..1441,
        0u8..101,
    );
    let window = window.prop_map(|(days, from, to, volume)| Hours {
        days,
        from: Clock::at(from / 60, from % 60).unwrap(),
        to: Clock::at(to / 60, to % 60).unwrap(),
        volume,
    });
    let hours = proptest::option::of(proptest::collection::vec(window, 0..4));
    (hours, proptest::option::of(0u16..200)).prop_map(|(hours, daily_minutes)| Rules {
        hours,
        daily_minutes,
        seasons: vec![],
    })
}

fn some_candidates() -> impl Strategy<Value = Vec<Candidate>> {
    let one = (0u8..3, 0u8..4, 0u64..4000, 1u64..200, proptest::bool::weighted(0.1));
    proptest::collection::vec(one, 0..25).prop_map(|all| {
        let numbered = all.into_iter().enumerate();
        numbered
            .map(|(n, (class, depth, start, minutes, overrides))| Candidate {
                overrides,
                ..candidate(n as u8, Class::try_from(class).unwrap(), depth, start, minutes)
            })
            .collect()
    })
}

fn until() -> UnixMicros {
    UnixMicros(monday().0 + 4400 * MINUTE)
}

/// How long each broadcast plays.
fn played(pieces: &[Piece]) -> BTreeMap<BroadcastId, u64> {
    let mut played = BTreeMap::new();
    for it in pieces.iter().filter(|it| it.fate == Fate::Plays) {
        *played.entry(it.broadcast).or_default() += it.to.0 - it.from.0;
    }
    played
}

proptest! {
    #[test]
    fn at_most_one_plays_the_highest_that_may_and_all_is_accounted_for(
        rules in proptest::collection::vec(some_rules(), 0..3), all in some_candidates(),
    ) {
        let it = place(&rules);
        let pieces = plan(&it, &all, monday(), until());
        let mut sounds: Vec<_> = pieces.iter().filter(|it| it.fate == Fate::Plays).collect();
        sounds.sort_by_key(|it| it.from);
        prop_assert!(sounds.windows(2).all(|pair| pair[0].to <= pair[1].from));
        for candidate in &all {
            let mine: Vec<_> = pieces.iter().filter(|it| it.broadcast == candidate.broadcast).collect();
            // Gapless from its start to its end.
            prop_assert_eq!(mine.first().map(|it| it.from), Some(candidate.start));
            prop_assert_eq!(mine.last().map(|it| it.to), Some(candidate.end));
            prop_assert!(mine.windows(2).all(|pair| pair[0].to == pair[1].from && pair[0].fate != pair[1].fate));
            for piece in mine {
                if piece.fate == Fate::Plays && candidate.class != Class::Emergency && !candidate.overrides {
                    // Nothing but an emergency or an override sounds outside allowed hours.
                    let last = UnixMicros(piece.to.0 - 1);
                    prop_assert!(it.hours(piece.from).0.is_some() && it.hours(last).0.is_some());
                }
                if let Fate::GivesWay(to) = piece.fate {
                    let winner = all.iter().find(|it| it.broadcast == to).unwrap();
                    let key = |it: &Candidate| (std::cmp::Reverse(it.class), it.depth, it.start, it.broadcast);
                    prop_assert!(key(winner) < key(candidate));
                }
            }
        }
    }

    #[test]
    fn what_gives_way_to_nobody_and_spends_nothing_changes_nothing_when_it_goes(
        rules in proptest::collection::vec(some_rules(), 0..3), all in some_candidates(), n in 0usize..25,
    ) {
        // One that does not play at all can be taken away, and all else stays as it was.
        let it = place(&rules);
        let whole = plan(&it, &all, monday(), until());
        if let Some(gone) = all.get(n).filter(|gone| !played(&whole).contains_key(&gone.broadcast)) {
            let rest: Vec<_> = all.iter().filter(|it| it.broadcast != gone.broadcast).copied().collect();
            let without: Vec<_> = whole.iter().filter(|it| it.broadcast != gone.broadcast).copied().collect();
            prop_assert_eq!(plan(&it, &rest, monday(), until()), without);
        }
    }

    #[test]
    fn the_signed_policy_says_what_the_plan_says(rules in proptest::collection::vec(some_rules(), 0..3), minute in 0u64..10_080) {
        let it = place(&rules);
        let at = UnixMicros(monday().0 + minute * MINUTE + 59_999_999);
        if let Ok(policy) = it.policy(at) {
            prop_assert_eq!(policy.volume(at), it.hours(at).0);
            prop_assert_eq!(policy.daily_minutes, it.limits(at).daily_minutes());
        }
    }

    #[test]
    fn minutes_of_a_day_are_never_more_than_allowed(rules in some_rules(), all in some_candidates()) {
        let it = place(&[rules]);
        let bound: Vec<_> = all.into_iter().filter(|it| it.class != Class::Emergency && !it.overrides).collect();
        let mut spent: BTreeMap<UnixMicros, u64> = BTreeMap::new();
        for piece in plan(&it, &bound, monday(), until()).iter().filter(|it| it.fate == Fate::Plays) {
            let (day, ends) = it.day(piece.from);
            let today = piece.to.min(ends);
            *spent.entry(day).or_default() += today.0 - piece.from.0;
            if piece.to > ends {
                *spent.entry(ends).or_default() += piece.to.0 - ends.0;
            }
        }
        if let Some(minutes) = it.limits(monday()).daily_minutes() {
            prop_assert!(spent.values().all(|spent| *spent <= u64::from(minutes) * MINUTE), "{spent:?} {minutes}");
        }
    }

    #[test]
    fn any_text_is_a_rule_or_says_what_is_wrong(rule in "(FREQ=(DAILY|WEEKLY|YEARLY))?[A-Z0-9=;,+-]{0,40}") {
        let _ = Recurrence::new(at("20261201T053000"), HANOI, Some(&rule), [], []);
    }

    #[test]
    fn a_part_of_the_time_is_that_part_of_the_whole(from in 0u64..600, length in 0u64..600) {
        let it = daily(BERLIN, "20260101T020000", "FREQ=HOURLY;INTERVAL=5");
        let day = |n: u64| UnixMicros(instant(BERLIN, at("20260101T000000")).0 + n * 1440 * MINUTE);
        let whole: BTreeSet<_> = it.between(day(0), day(1200)).into_iter().collect();
        let part = it.between(day(from), day(from + length));
        let same: Vec<_> = whole.iter().filter(|it| it.start >= day(from) && it.start < day(from + length)).copied().collect();
        prop_assert_eq!(part, same);
    }
}

/// A year of a province: 3,000 receivers in 99 communes, 20 schedules in each, besides those of the province.
#[test]
fn a_year_of_a_province_is_accounted_for_to_the_last_occurrence() {
    const COMMUNES: usize = 99;
    const VILLAGES: usize = 10;
    const RECEIVERS: usize = 3000;
    let year = (
        instant(HANOI, at("20270101T000000")),
        instant(HANOI, at("20280101T000000")),
    );
    let mut number = 0u64;
    let mut series = |start: &str, rule: &str, class: Class, depth: u8, minutes: u64| -> Vec<Candidate> {
        let it = daily(HANOI, start, rule);
        let all = it.between(year.0, year.1);
        all.into_iter()
            .map(|it| {
                number += 1;
                let mut id = [0; 16];
                id[..8].copy_from_slice(&number.to_be_bytes());
                Candidate {
                    broadcast: BroadcastId(id),
                    class,
                    depth,
                    start: it.start,
                    end: UnixMicros(it.start.0 + minutes * MINUTE),
                    overrides: false,
                }
            })
            .collect()
    };
    let province = [
        series("20270101T050000", "FREQ=DAILY", Class::Normal, 0, 15),
        series("20270101T173000", "FREQ=WEEKLY;BYDAY=MO,WE,FR", Class::Priority, 0, 10),
        series("20270115T031500", "FREQ=MONTHLY;BYMONTHDAY=15", Class::Emergency, 0, 2),
    ]
    .concat();
    let place = place(&[
        rules(
            &[hours(&[], (5, 0), (6, 30), 90), hours(&[], (17, 0), (18, 30), 90)],
            None,
        ),
        rules(&[], None),
    ]);
    let place = Place {
        rules: vec![
            place.rules[0].clone(),
            Rules {
                daily_minutes: Some(90),
                ..Rules::default()
            },
        ],
        ..place
    };
    // Each commune has ten villages: half of its schedules are for all of it, half for one village each.
    let communes: Vec<[Vec<Candidate>; 1 + VILLAGES]> = (0..COMMUNES)
        .map(|n| {
            let mut all: [Vec<Candidate>; 1 + VILLAGES] = Default::default();
            for k in 0..20 {
                let (hour, minute) = (if k % 2 == 0 { 5 } else { 17 }, (n * 7 + k * 5) % 60);
                let rule = [
                    "FREQ=DAILY",
                    "FREQ=WEEKLY;BYDAY=TU,TH",
                    "FREQ=DAILY;INTERVAL=3",
                    "FREQ=MONTHLY;BYDAY=1MO",
                ][k % 4];
                let start = format!("20270101T{hour:02}{minute:02}00");
                let class = if k == 7 { Class::Priority } else { Class::Normal };
                let (village, depth) = if k < 10 { (0, 1) } else { (k - 9, 2) };
                all[village].extend(series(&start, rule, class, depth, 4 + (k as u64 * 3) % 20));
            }
            all
        })
        .collect();
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    // All receivers of a village play the same: the plan is a function of the place alone.
    let mut receivers = vec![0u64; COMMUNES * VILLAGES];
    for n in 0..RECEIVERS {
        receivers[n % (COMMUNES * VILLAGES)] += 1;
    }
    for (n, receivers) in receivers.into_iter().enumerate() {
        let commune = &communes[n / VILLAGES];
        let all = [province.as_slice(), &commune[0], &commune[1 + n % VILLAGES]].concat();
        let pieces = plan(&place, &all, year.0, year.1);
        let mut lengths: BTreeMap<BroadcastId, [u64; 4]> = BTreeMap::new();
        for it in &pieces {
            let n = match it.fate {
                Fate::Plays => 0,
                Fate::GivesWay(_) => 1,
                Fate::Hours => 2,
                Fate::Minutes => 3,
            };
            lengths.entry(it.broadcast).or_default()[n] += it.to.0 - it.from.0;
        }
        for it in &all {
            let [plays, gives_way, hours, minutes] = lengths[&it.broadcast];
            assert_eq!(plays + gives_way + hours + minutes, it.end.0.min(year.1.0) - it.start.0);
            let what = match (plays, gives_way, hours, minutes) {
                (_, 0, 0, 0) => "played",
                (0, _, 0, 0) => "pre-empted",
                (0, 0, ..) => "refused",
                (0, ..) => "missed",
                _ => "played in part",
            };
            *totals.entry(what).or_default() += receivers;
        }
        for it in pieces.iter().filter(|it| it.fate == Fate::Plays) {
            let emergency = province
                .iter()
                .any(|other| other.broadcast == it.broadcast && other.class == Class::Emergency);
            let allowed = |at| place.hours(at).0.is_some();
            assert!(emergency || allowed(it.from) && allowed(UnixMicros(it.to.0 - 1)));
        }
    }
    let expected: usize = communes.iter().map(|it| it.iter().map(Vec::len).sum::<usize>()).sum();
    assert!(expected > 290_000, "{expected} occurrences of communes' schedules");
    assert_eq!(
        totals.keys().copied().collect::<Vec<_>>(),
        ["missed", "played", "played in part", "pre-empted", "refused"]
    );
    assert!(totals.values().sum::<u64>() > 7_000_000, "{totals:?}");
}
