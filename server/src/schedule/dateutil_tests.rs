//! Recurrence beside python-dateutil's, an independent reading of the same standard: its own examples (RFC 5545 §3.8.5.3), and thousands of
//! rules made up at random, in a zone without summer time and in two with it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use chrono::NaiveDateTime;
use chrono_tz::Tz;
use loa_protocol::UnixMicros;

use super::recurrence::{FORM, Recurrence, Wrong, instant};

/// Rules made up.
const MANY: usize = 2500;
/// Occurrences of each that are compared.
const MOST: usize = 40;

struct Case {
    start: String,
    zone: Tz,
    rule: String,
    before: String,
}

/// The standard's examples: all begin on 2 September 1997 at 9:00 in New York unless they say otherwise.
const EXAMPLES: &[(&str, &str)] = &[
    ("19970902T090000", "FREQ=DAILY;COUNT=10"),
    ("19970902T090000", "FREQ=DAILY;UNTIL=19971224T000000"),
    ("19970902T090000", "FREQ=DAILY;INTERVAL=2"),
    ("19970902T090000", "FREQ=DAILY;INTERVAL=10;COUNT=5"),
    (
        "19980101T090000",
        "FREQ=YEARLY;UNTIL=20000131T090000;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
    ),
    ("19980101T090000", "FREQ=DAILY;UNTIL=20000131T090000;BYMONTH=1"),
    ("19970902T090000", "FREQ=WEEKLY;COUNT=10"),
    ("19970902T090000", "FREQ=WEEKLY;UNTIL=19971224T000000"),
    ("19970902T090000", "FREQ=WEEKLY;INTERVAL=2;WKST=SU"),
    (
        "19970902T090000",
        "FREQ=WEEKLY;UNTIL=19971007T000000;WKST=SU;BYDAY=TU,TH",
    ),
    ("19970902T090000", "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH"),
    (
        "19970901T090000",
        "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000;WKST=SU;BYDAY=MO,WE,FR",
    ),
    ("19970902T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH"),
    ("19970905T090000", "FREQ=MONTHLY;COUNT=10;BYDAY=1FR"),
    ("19970905T090000", "FREQ=MONTHLY;UNTIL=19971224T000000;BYDAY=1FR"),
    ("19970907T090000", "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU"),
    ("19970922T090000", "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO"),
    ("19970928T090000", "FREQ=MONTHLY;BYMONTHDAY=-3"),
    ("19970902T090000", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15"),
    ("19970930T090000", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1"),
    (
        "19970910T090000",
        "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
    ),
    ("19970902T090000", "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU"),
    ("19970610T090000", "FREQ=YEARLY;COUNT=10;BYMONTH=6,7"),
    ("19970310T090000", "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3"),
    ("19970101T090000", "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200"),
    ("19970519T090000", "FREQ=YEARLY;BYDAY=20MO"),
    ("19970512T090000", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO"),
    ("19970313T090000", "FREQ=YEARLY;BYMONTH=3;BYDAY=TH"),
    ("19970605T090000", "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8"),
    ("19970902T090000", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13"),
    ("19970913T090000", "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13"),
    (
        "19961105T090000",
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
    ),
    ("19970904T090000", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3"),
    ("19970929T090000", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2"),
    ("19970902T090000", "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000"),
    ("19970902T090000", "FREQ=MINUTELY;INTERVAL=15;COUNT=6"),
    ("19970902T090000", "FREQ=MINUTELY;INTERVAL=90;COUNT=4"),
    (
        "19970902T090000",
        "FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40",
    ),
    (
        "19970902T090000",
        "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16",
    ),
    ("19970805T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO"),
    ("19970805T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU"),
    ("20070115T090000", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5"),
];

/// The standard's own answers to some of them: civil times in New York.
const ANSWERS: &[(usize, &[&str])] = &[
    (
        9,
        &[
            "19970902", "19970904", "19970909", "19970911", "19970916", "19970918", "19970923", "19970925", "19970930",
            "19971002",
        ],
    ),
    (
        15,
        &[
            "19970907", "19970928", "19971102", "19971130", "19980104", "19980125", "19980301", "19980329", "19980503",
            "19980531",
        ],
    ),
    (
        16,
        &["19970922", "19971020", "19971117", "19971222", "19980119", "19980216"],
    ),
    (
        24,
        &[
            "19970101", "19970410", "19970719", "20000101", "20000409", "20000718", "20030101", "20030410", "20030719",
            "20060101",
        ],
    ),
    (31, &["19961105", "20001107", "20041102"]),
    (32, &["19970904", "19971007", "19971106"]),
    (39, &["19970805", "19970810", "19970819", "19970824"]),
    (40, &["19970805", "19970817", "19970819", "19970831"]),
    (41, &["20070115", "20070130", "20070215", "20070315", "20070330"]),
];

#[test]
fn rules_recur_as_the_standard_says() {
    for (n, days) in ANSWERS {
        let (start, rule) = EXAMPLES[*n];
        let it = ours(&case(start, chrono_tz::America::New_York, rule)).unwrap();
        let all = it.between(UnixMicros(0), UnixMicros(u64::MAX / 2));
        let got: Vec<_> = all
            .iter()
            .take(days.len())
            .map(|it| it.key.format("%Y%m%d").to_string())
            .collect();
        assert_eq!(got, *days, "{rule}");
    }
}

#[test]
fn rules_recur_as_python_dateutil_says() {
    let mut cases: Vec<Case> = EXAMPLES
        .iter()
        .map(|(start, rule)| case(start, chrono_tz::America::New_York, rule))
        .collect();
    let mut dice = Dice(0x10a);
    cases.extend((0..MANY).map(|_| dice.case()));
    let theirs = theirs(&cases);
    let (mut compared, mut never) = (0, 0);
    for (case, theirs) in cases.iter().zip(theirs) {
        let text = format!("{} in {}: {}", case.start, case.zone, case.rule);
        let before = instant(case.zone, at(&case.before));
        let ours: Vec<u64> = match ours(case) {
            Ok(it) => it
                .between(UnixMicros(0), before)
                .iter()
                .take(MOST)
                .map(|it| it.start.0 / 1_000_000)
                .collect(),
            Err(Wrong::Never) => vec![],
            Err(wrong) => panic!("{text}: {wrong}"),
        };
        // Where a gap makes two civil times change places, they are compared in the order of time.
        let mut theirs = theirs;
        theirs.sort_unstable();
        assert_eq!(ours, theirs, "{text}");
        compared += ours.len();
        never += usize::from(ours.is_empty());
    }
    assert!(
        compared > 30_000 && never < MANY / 2,
        "{compared} occurrences, {never} rules without one"
    );
}

fn ours(case: &Case) -> Result<Recurrence, Wrong> {
    Recurrence::new(at(&case.start), case.zone, Some(&case.rule), [], [])
}

fn theirs(cases: &[Case]) -> Vec<Vec<u64>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = here.join("../target/python/bin/python");
    assert!(
        python.exists(),
        "`cargo xtask supply` installs python-dateutil; {} is not there",
        python.display()
    );
    let mut python = Command::new(python)
        .arg(here.join("src/schedule/recurrences.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    let lines: String = cases
        .iter()
        .map(|it| {
            format!(
                "{}\n",
                serde_json::json!([it.start, it.zone.name(), it.rule, MOST, it.before])
            )
        })
        .collect();
    let writing = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    writing.join().unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn at(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, FORM).unwrap()
}

/// Compared over six years, but not past 2037: the files that python-dateutil reads zones from say nothing of later summers. Rules of hours
/// are compared over one.
fn case(start: &str, zone: Tz, rule: &str) -> Case {
    let year: u32 = start[..4].parse().unwrap();
    let years = if rule.contains("HOURLY") { 1 } else { 6 };
    Case {
        start: start.to_owned(),
        zone,
        rule: rule.to_owned(),
        before: format!("{}{}", (year + years).min(2037), &start[4..]),
    }
}

/// Numbers that look like chance and are the same in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ it >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ it >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((it ^ it >> 31) % sides as u64) as usize
    }

    fn some(&mut self, of: &[&str]) -> String {
        let most = 1 + self.roll(3);
        let mut chosen: Vec<&str> = (0..most).map(|_| of[self.roll(of.len())]).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen.join(",")
    }

    fn number(&mut self, from: i32, to: i32) -> i32 {
        from + i32::try_from(self.roll((to - from + 1) as usize)).unwrap()
    }

    fn case(&mut self) -> Case {
        let zone = [
            chrono_tz::Asia::Ho_Chi_Minh,
            chrono_tz::Europe::Berlin,
            chrono_tz::America::New_York,
        ][self.roll(3)];
        let (month, day) = (self.number(1, 12), self.number(1, 28));
        // Often when clocks change.
        let hour = [2, 5, 17, 23][self.roll(4)];
        let start = format!(
            "{}{month:02}{day:02}T{hour:02}{:02}00",
            self.number(2024, 2030),
            self.number(0, 59)
        );
        let frequency = ["DAILY", "WEEKLY", "MONTHLY", "YEARLY", "HOURLY"][self.roll(5)];
        let mut rule = format!("FREQ={frequency}");
        let mut add = |part: String| rule = format!("{rule};{part}");
        if self.roll(2) == 0 {
            add(format!("INTERVAL={}", self.number(1, 5)));
        }
        match self.roll(4) {
            0 => add(format!("COUNT={}", self.number(1, 50))),
            1 => add(format!("UNTIL={}1224T120000", self.number(2031, 2033))),
            _ => {}
        }
        const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
        const NTH: [&str; 9] = ["1MO", "2TU", "3WE", "-1TH", "FR", "-2SA", "1SU", "4MO", "-1FR"];
        let mut sets = false;
        if self.roll(2) == 0 {
            let ordinals = matches!(frequency, "MONTHLY" | "YEARLY") && self.roll(2) == 0;
            let days = self.some(if ordinals { &NTH } else { &DAYS });
            add(format!("BYDAY={days}"));
            sets = !ordinals;
        }
        if self.roll(4) == 0 {
            add(format!("BYMONTH={}", self.some(&["1", "2", "3", "6", "9", "10", "12"])));
        }
        if self.roll(5) == 0 && matches!(frequency, "MONTHLY" | "YEARLY" | "DAILY") {
            add(format!(
                "BYMONTHDAY={}",
                self.some(&["1", "2", "13", "15", "29", "30", "31", "-1", "-5"])
            ));
            sets = true;
        }
        if self.roll(8) == 0 && frequency == "YEARLY" {
            add(format!(
                "BYYEARDAY={}",
                self.some(&["1", "60", "100", "200", "365", "366", "-1"])
            ));
        }
        if self.roll(3) == 0 {
            add(format!("BYHOUR={}", self.some(&["0", "2", "3", "5", "17", "23"])));
        }
        if self.roll(5) == 0 {
            add(format!("BYMINUTE={}", self.some(&["0", "15", "30", "59"])));
        }
        if sets && self.roll(4) == 0 && matches!(frequency, "MONTHLY" | "YEARLY") {
            add(format!("BYSETPOS={}", self.some(&["1", "2", "-1", "3"])));
        }
        if self.roll(4) == 0 {
            add(format!("WKST={}", ["MO", "SU"][self.roll(2)]));
        }
        case(&start, zone, &rule)
    }
}
