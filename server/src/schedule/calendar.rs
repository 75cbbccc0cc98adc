//! Schedules as calendars (iCalendar, RFC 5545), out and in. Here: one event for each schedule, and one for each occurrence that is
//! different; reading what calendar programs write. Not here: which bulletin is meant (`http`).
//!
//! Zones go by their IANA names. A zone whose clocks never change is also described (§3.6.5); of others the description is left out,
//! as RFC 7809 §3.1.3 allows.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, Offset as _, TimeZone as _, Utc};
use chrono_tz::Tz;
use icalendar::{Calendar, CalendarDateTime, Component as _, DatePerhapsTime, Event, Property};
use loa_protocol::UnixMicros;

use super::recurrence::{FORM, civil, instant};

/// The property that names what sounds.
const SOURCE: &str = "X-LOA-BULLETIN";
/// Events that are read at most.
const MOST: usize = 500;

/// A schedule as a calendar shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name for good, the same in every export.
    pub uid: String,
    /// What it is called.
    pub title: String,
    /// Its start, in civil time.
    pub start: NaiveDateTime,
    /// Its zone; none: that of who reads it.
    pub zone: Option<Tz>,
    /// How long it lasts, in seconds.
    pub seconds: u64,
    /// When it recurs.
    pub rule: Option<String>,
    /// When it does not.
    pub except: Vec<NaiveDateTime>,
    /// When it does besides.
    pub also: Vec<NaiveDateTime>,
    /// Occurrences that begin at another time: when the rule has them, and when they begin.
    pub moved: Vec<(NaiveDateTime, NaiveDateTime)>,
    /// What sounds, if the calendar names it.
    pub source: Option<String>,
}

/// What is wrong with a calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is none.
    #[error("not a calendar (RFC 5545): {0}")]
    Calendar(String),
    /// Too many events.
    #[error("at most {MOST} events")]
    TooMany,
    /// An event has no start.
    #[error("“{0}” has no DTSTART with a time")]
    Start(String),
    /// An event names a zone that is none.
    #[error("“{0}” is in a zone that is not an IANA one: {1}")]
    Zone(String, String),
}

/// A calendar with these entries, as of `now`.
pub fn write(name: &str, entries: &[Entry], now: UnixMicros) -> String {
    let stamp = DateTime::<Utc>::from_timestamp_micros(now.0.cast_signed()).unwrap_or_default();
    let zones: BTreeSet<_> = entries.iter().filter_map(|it| it.zone).map(|it| it.name()).collect();
    let zones: String = zones
        .iter()
        .filter_map(|name| steady(name.parse().ok()?, now))
        .collect();
    // The package makes no zones but reads them.
    let frame = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Loa//Loa//VI\r\nCALSCALE:GREGORIAN\r\n{zones}END:VCALENDAR\r\n"
    );
    let mut calendar: Calendar = frame.parse().expect("a calendar without events");
    calendar.name(name);
    for it in entries {
        let mut event = event(it, it.start, stamp);
        if let Some(rule) = &it.rule {
            event.add_property("RRULE", rule);
        }
        for (key, times) in [("EXDATE", &it.except), ("RDATE", &it.also)] {
            for at in times {
                event.append_multi_property(time(key, *at, it.zone));
            }
        }
        calendar.push(event);
        for (key, start) in &it.moved {
            let mut once = self::event(it, *start, stamp);
            once.append_property(time("RECURRENCE-ID", *key, it.zone));
            calendar.push(once);
        }
    }
    calendar.to_string()
}

/// The entries of a calendar; civil times in no zone are of `zone`.
///
/// # Errors
/// [`Wrong`] says what.
pub fn read(text: &str, zone: Tz) -> Result<Vec<Entry>, Wrong> {
    if !text
        .trim_start_matches('\u{feff}')
        .trim_start()
        .starts_with("BEGIN:VCALENDAR")
    {
        return Err(Wrong::Calendar("it does not begin with BEGIN:VCALENDAR".into()));
    }
    let calendar: Calendar = text.parse().map_err(|error: String| {
        let first: String = error.lines().next().unwrap_or_default().chars().take(200).collect();
        Wrong::Calendar(first)
    })?;
    let mut entries: Vec<Entry> = Vec::new();
    let mut moved = Vec::new();
    for event in calendar.events() {
        if entries.len() + moved.len() >= MOST {
            return Err(Wrong::TooMany);
        }
        let title = event.get_summary().unwrap_or_default().to_owned();
        let named = event.property_value("DTSTART").is_some();
        let start = event.get_start().filter(|_| named);
        let Some(DatePerhapsTime::DateTime(start)) = start else {
            return Err(Wrong::Start(title));
        };
        let own = match &start {
            CalendarDateTime::WithTimezone { tzid, .. } => Some(
                tzid.trim_start_matches('/')
                    .parse()
                    .map_err(|_| Wrong::Zone(title.clone(), tzid.clone()))?,
            ),
            // Civil time is what people mean: an instant is shown as their clocks show it.
            CalendarDateTime::Utc(_) | CalendarDateTime::Floating(_) => None,
        };
        let of = own.unwrap_or(zone);
        let start = civil_of(&start, of);
        let uid = event.get_uid().unwrap_or_default().to_owned();
        if let Some(key) = times(event, "RECURRENCE-ID", of, start.time()).first() {
            moved.push((uid, *key, start));
            continue;
        }
        let seconds = match event.get_end() {
            Some(DatePerhapsTime::DateTime(end)) => (civil_of(&end, of) - start).num_seconds(),
            _ => 0,
        };
        entries.push(Entry {
            uid,
            title,
            start,
            zone: own,
            seconds: u64::try_from(seconds).unwrap_or(0),
            rule: event.property_value("RRULE").map(str::to_owned),
            except: times(event, "EXDATE", of, start.time()),
            also: times(event, "RDATE", of, start.time()),
            moved: Vec::new(),
            source: event.property_value(SOURCE).map(str::to_owned),
        });
    }
    for (uid, key, start) in moved {
        if let Some(it) = entries.iter_mut().find(|it| it.uid == uid) {
            it.moved.push((key, start));
        }
    }
    Ok(entries)
}

fn event(it: &Entry, start: NaiveDateTime, stamp: DateTime<Utc>) -> Event {
    let mut event = Event::new();
    event.uid(&it.uid).summary(&it.title).timestamp(stamp);
    event.append_property(time("DTSTART", start, it.zone));
    let seconds = i64::try_from(it.seconds.max(1)).unwrap_or(1);
    event.append_property(time("DTEND", start + chrono::Duration::seconds(seconds), it.zone));
    if let Some(source) = &it.source {
        event.add_property(SOURCE, source);
    }
    event.done()
}

fn time(key: &str, at: NaiveDateTime, zone: Option<Tz>) -> Property {
    let mut property = Property::new(key, at.format(FORM).to_string());
    if let Some(zone) = zone {
        property.add_parameter("TZID", zone.name());
    }
    property
}

/// The description of a zone whose clocks do not change in the years about `now`.
fn steady(zone: Tz, now: UnixMicros) -> Option<String> {
    let today = civil(zone, now).date();
    let offset = |days: u64| {
        let at = today.checked_add_days(Days::new(days))?.and_time(NaiveTime::MIN);
        Some(zone.offset_from_utc_datetime(&at).fix().local_minus_utc())
    };
    let now = offset(0)?;
    if (1..=53).any(|week| offset(week * 7) != Some(now)) {
        return None;
    }
    let (sign, size) = (if now < 0 { '-' } else { '+' }, now.abs());
    let shown = format!("{sign}{:02}{:02}", size / 3600, size / 60 % 60);
    Some(format!(
        "BEGIN:VTIMEZONE\r\nTZID:{}\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:{shown}\r\n\
         TZOFFSETTO:{shown}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n",
        zone.name()
    ))
}

/// The times that a property names, one value or several, in one line or several.
fn times(event: &Event, key: &str, zone: Tz, of_day: NaiveTime) -> Vec<NaiveDateTime> {
    let single = event.properties().get(key);
    let several = event.multi_properties().get(key).into_iter().flatten();
    let read = |property: &Property| -> Vec<NaiveDateTime> {
        let named = property
            .params()
            .get("TZID")
            .and_then(|it| it.value().parse::<Tz>().ok());
        let one = |text: &str| -> Option<NaiveDateTime> {
            if let Some(text) = text.strip_suffix('Z') {
                let at = NaiveDateTime::parse_from_str(text, FORM).ok()?;
                return Some(at.and_utc().with_timezone(&zone).naive_local());
            }
            match NaiveDateTime::parse_from_str(text, FORM) {
                Ok(at) => Some(
                    named
                        .filter(|it| *it != zone)
                        .map_or(at, |it| civil(zone, instant(it, at))),
                ),
                Err(_) => Some(NaiveDate::parse_from_str(text, "%Y%m%d").ok()?.and_time(of_day)),
            }
        };
        property.value().split(',').filter_map(|it| one(it.trim())).collect()
    };
    single.into_iter().chain(several).flat_map(read).collect()
}

fn civil_of(at: &CalendarDateTime, zone: Tz) -> NaiveDateTime {
    match at {
        CalendarDateTime::Floating(at) => *at,
        CalendarDateTime::Utc(at) => at.with_timezone(&zone).naive_local(),
        CalendarDateTime::WithTimezone { date_time, .. } => *date_time,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, FORM).unwrap()
    }

    fn entry() -> Entry {
        Entry {
            uid: "0195".into(),
            title: "Bản tin sáng; thôn 1, thôn 2".into(),
            start: at("20260216T053000"),
            zone: Some(chrono_tz::Asia::Ho_Chi_Minh),
            seconds: 900,
            rule: Some("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA".into()),
            except: vec![at("20260217T053000"), at("20260218T053000")],
            also: vec![at("20260222T060000")],
            moved: vec![(at("20260219T053000"), at("20260219T170000"))],
            source: Some("0196".into()),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let berlin = Entry {
            uid: "other".into(),
            zone: Some(chrono_tz::Europe::Berlin),
            ..entry()
        };
        let entries = [entry(), berlin];
        let text = write("Xã Đông", &entries, UnixMicros(1_771_200_000_000_000));
        assert_eq!(read(&text, chrono_tz::UTC).unwrap(), entries);
        assert!(
            text.contains("BEGIN:VTIMEZONE\r\n") && text.matches("BEGIN:VTIMEZONE").count() == 1,
            "{text}"
        );
        assert!(text.contains("TZOFFSETTO:+0700"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 75), "{text}");
    }

    #[test]
    fn what_calendar_programs_write_is_read() {
        // UTC, a list of exceptions in one line, a day alone, folded lines; no zone at all.
        let text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n\
            DTSTART:20260215T223000Z\r\nDTEND:20260215T224500Z\r\nRRULE:FREQ=DAILY\r\nEXDATE:20260216T223000Z,20260217T223000Z\r\n\
            SUMMARY:Bản tin\r\n  sáng\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:2\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260216T170000\r\n\
            EXDATE;VALUE=DATE:20260217\r\nRRULE:FREQ=DAILY;COUNT=3\r\nSUMMARY:Chiều\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        let got = read(text, chrono_tz::Asia::Ho_Chi_Minh).unwrap();
        assert_eq!(
            (got[0].start, got[0].seconds, got[0].title.as_str()),
            (at("20260216T053000"), 900, "Bản tin sáng")
        );
        assert_eq!(got[0].except, [at("20260217T053000"), at("20260218T053000")]);
        assert_eq!(
            (got[1].start, &got[1].except),
            (at("20260216T170000"), &vec![at("20260217T170000")])
        );
    }

    #[test]
    fn what_is_none_is_said_to_be_none() {
        let wrong = |text: &str| read(text, chrono_tz::UTC).unwrap_err();
        assert!(matches!(wrong(""), Wrong::Calendar(_)));
        assert!(matches!(wrong("hello"), Wrong::Calendar(_)));
        let of = |lines: &str| {
            format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:S\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n")
        };
        assert_eq!(wrong(&of("")), Wrong::Start("S".into()));
        assert_eq!(wrong(&of("DTSTART;VALUE=DATE:20260216\r\n")), Wrong::Start("S".into()));
        let zone = wrong(&of("DTSTART;TZID=Nowhere:20260216T000000\r\n"));
        assert_eq!(zone, Wrong::Zone("S".into(), "Nowhere".into()));
        let many = "BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260216T000000\r\nEND:VEVENT\r\n".repeat(501);
        assert_eq!(
            wrong(&format!("BEGIN:VCALENDAR\r\n{many}END:VCALENDAR\r\n")),
            Wrong::TooMany
        );
    }
}
