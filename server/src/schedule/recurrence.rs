//! When something recurs (RFC 5545 §3.8.5). Here: a rule with its exceptions, kept as civil time in a zone, and the instants that
//! follow from it. Not here: what sounds then (`plan`), how it is kept (`store`).
//!
//! A rule is expanded in civil time alone, always from its own start; each civil time then becomes an instant: one that a clock
//! skips (summer time begins) counts by the offset before the gap, one that it shows twice is the first of both (RFC 5545
//! §3.3.5). So nothing drifts over a change of the clocks.

use std::collections::BTreeSet;
use std::str::FromStr as _;

use chrono::{DateTime, Duration, LocalResult, NaiveDate, NaiveDateTime, Offset as _, TimeZone as _, Utc};
use chrono_tz::Tz;
use loa_protocol::UnixMicros;
use rrule::{RRule, RRuleSet, Unvalidated};

/// How RFC 5545 §3.3.5 writes a date and a time.
pub const FORM: &str = "%Y%m%dT%H%M%S";

/// Occurrences that one question is answered with at most.
const MOST: usize = 20_000;
/// Occurrences from the start of a rule on that are counted at most: every hour for 50 years.
const LONGEST: usize = 450_000;
/// Longest rule, in bytes.
const MAX_RULE: usize = 500;
/// Most exceptions of one kind.
const MAX_EXCEPTIONS: usize = 1000;

/// A rule, its exceptions and its zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Recurrence {
    start: NaiveDateTime,
    zone: Tz,
    rule: Option<(String, RRule)>,
    except: BTreeSet<NaiveDateTime>,
    also: BTreeSet<NaiveDateTime>,
}

/// What recurs, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occurrence {
    /// When it is, by the rule, in civil time: its name in the series (RFC 5545 §3.8.4.4, `RECURRENCE-ID`).
    pub key: NaiveDateTime,
    /// The instant.
    pub start: UnixMicros,
    /// How many come before it, exceptions counted: one that is taken out moves no other.
    pub place: u64,
}

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// The rule is none.
    #[error("the rule cannot be read: {0}")]
    Rule(String),
    /// It is longer than anybody needs.
    #[error("a rule has at most {MAX_RULE} characters, and at most {MAX_EXCEPTIONS} exceptions of a kind")]
    TooLong,
    /// The start lies outside the years that are counted.
    #[error("the start must lie in the years 1970 to 2200")]
    Year,
    /// It never occurs.
    #[error("the rule never occurs")]
    Never,
}

impl Recurrence {
    /// From `start` on in the civil time of `zone`: once, or as `rule` (the value of an `RRULE`) says, at `also` (`RDATE`) and not at
    /// `except` (`EXDATE`). The start itself counts only if the rule meets it. An `UNTIL` without a `Z` is civil time.
    ///
    /// # Errors
    /// [`Wrong`] says what.
    pub fn new(
        start: NaiveDateTime,
        zone: Tz,
        rule: Option<&str>,
        except: impl IntoIterator<Item = NaiveDateTime>,
        also: impl IntoIterator<Item = NaiveDateTime>,
    ) -> Result<Self, Wrong> {
        let it = Self {
            start,
            zone,
            rule: rule.map(|rule| read(rule, start, zone)).transpose()?,
            except: except.into_iter().collect(),
            also: also.into_iter().collect(),
        };
        let years = NaiveDate::from_ymd_opt(1970, 1, 2)..=NaiveDate::from_ymd_opt(2200, 12, 31);
        if !it
            .also
            .iter()
            .chain([&start])
            .all(|at| years.contains(&Some(at.date())))
        {
            return Err(Wrong::Year);
        }
        if it.except.len() > MAX_EXCEPTIONS || it.also.len() > MAX_EXCEPTIONS {
            return Err(Wrong::TooLong);
        }
        // Each of its occurrences may be excepted, one by one: that is no fault.
        let rule = Self {
            except: BTreeSet::new(),
            ..it.clone()
        };
        if rule
            .civil(start - Duration::days(1), NaiveDateTime::MAX)
            .next()
            .is_none()
        {
            return Err(Wrong::Never);
        }
        Ok(it)
    }

    /// When it begins, in civil time.
    pub fn start(&self) -> NaiveDateTime {
        self.start
    }

    /// The zone that its civil time is of.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// Its rule, as it was given, in upper case.
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_ref().map(|(text, _)| text.as_str())
    }

    /// Civil times at which it does not occur though its rule says so.
    pub fn except(&self) -> impl Iterator<Item = NaiveDateTime> {
        self.except.iter().copied()
    }

    /// Civil times at which it occurs besides.
    pub fn also(&self) -> impl Iterator<Item = NaiveDateTime> {
        self.also.iter().copied()
    }

    /// What occurs from `from` on and before `to`, in order; at most twenty thousand.
    pub fn between(&self, from: UnixMicros, to: UnixMicros) -> Vec<Occurrence> {
        // No zone is more than a day from UTC, and no gap is longer.
        let civil = |at: UnixMicros, days| {
            let moved = utc(at).naive_utc().checked_add_signed(Duration::days(days));
            moved.unwrap_or(NaiveDateTime::MAX)
        };
        let mut found: Vec<_> = self
            .civil(civil(from, -3), civil(to, 3))
            .map(|(place, key)| Occurrence {
                key,
                start: instant(self.zone, key),
                place,
            })
            .filter(|it| (from..to).contains(&it.start))
            .take(MOST)
            .collect();
        found.sort_by_key(|it| (it.start, it.key));
        found
    }

    /// The first that occurs from `from` on.
    pub fn next(&self, from: UnixMicros) -> Option<Occurrence> {
        let civil = utc(from).naive_utc();
        let civil = civil
            .checked_sub_signed(Duration::days(3))
            .unwrap_or(NaiveDateTime::MIN);
        let all = self.civil(civil, NaiveDateTime::MAX).map(|(place, key)| Occurrence {
            key,
            start: instant(self.zone, key),
            place,
        });
        // Two civil times may change places in a gap of hours, not of days.
        let mut soon: Vec<_> = all.filter(|it| it.start >= from).take(50).collect();
        soon.sort_by_key(|it| (it.start, it.key));
        soon.first().copied()
    }

    /// Whether its rule counts minutes or seconds: nothing that a loudspeaker should do.
    pub fn is_restless(&self) -> bool {
        let frequency = self.rule.as_ref().map(|(_, rule)| rule.get_freq());
        matches!(frequency, Some(rrule::Frequency::Minutely | rrule::Frequency::Secondly))
    }

    /// Whether it occurs at that civil time.
    pub fn has(&self, key: NaiveDateTime) -> bool {
        self.place(key).is_some()
    }

    /// How many come before the one at that civil time, if it occurs.
    pub fn place(&self, key: NaiveDateTime) -> Option<u64> {
        self.civil(key, key + Duration::seconds(1)).next().map(|it| it.0)
    }

    /// Civil times from `from` on and before `to`, in order, each with how many come before it.
    fn civil(&self, from: NaiveDateTime, to: NaiveDateTime) -> impl Iterator<Item = (u64, NaiveDateTime)> {
        let by_rule: Box<dyn Iterator<Item = NaiveDateTime>> = match &self.rule {
            Some((_, rule)) => {
                let set = RRuleSet::new(dressed(self.start)).rrule(rule.clone()).limit();
                Box::new(set.into_iter().map(|at| at.naive_utc()))
            }
            None => Box::new(std::iter::once(self.start)),
        };
        let mut by_rule = by_rule.take(LONGEST).peekable();
        let mut also = self.also.iter().copied().peekable();
        let merged = std::iter::from_fn(move || match (by_rule.peek().copied(), also.peek().copied()) {
            (Some(a), Some(b)) if a == b => {
                by_rule.next();
                also.next()
            }
            (Some(a), Some(b)) if b < a => also.next(),
            (Some(_), _) => by_rule.next(),
            (None, _) => also.next(),
        });
        (0..)
            .zip(merged)
            .skip_while(move |(_, at)| *at < from)
            .take_while(move |(_, at)| *at < to)
            .filter(|(_, at)| !self.except.contains(at))
    }
}

/// The instant that `zone` shows `civil` at; see the module.
pub fn instant(zone: Tz, civil: NaiveDateTime) -> UnixMicros {
    let at = match zone.from_local_datetime(&civil) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.naive_utc(),
        LocalResult::None => civil - before_gap(zone, civil),
    };
    UnixMicros(u64::try_from(at.and_utc().timestamp_micros()).unwrap_or(0))
}

/// What `zone` shows at an instant.
pub fn civil(zone: Tz, at: UnixMicros) -> NaiveDateTime {
    utc(at).with_timezone(&zone).naive_local()
}

/// The offset that held before the gap that `civil` lies in. The longest gaps are a day: an island changed sides of the date line.
fn before_gap(zone: Tz, civil: NaiveDateTime) -> Duration {
    let earlier = (1..=100).map(|quarters| civil - Duration::minutes(15 * quarters));
    let offset = earlier
        .filter_map(|at| zone.offset_from_local_datetime(&at).latest())
        .map(|offset| offset.fix().local_minus_utc())
        .next();
    Duration::seconds(i64::from(offset.unwrap_or(0)))
}

fn utc(at: UnixMicros) -> DateTime<Utc> {
    let micros = i64::try_from(at.0).unwrap_or(i64::MAX);
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Civil time in the clothes of UTC, which has neither gaps nor doubles.
fn dressed(civil: NaiveDateTime) -> DateTime<rrule::Tz> {
    rrule::Tz::UTC.from_utc_datetime(&civil)
}

fn read(text: &str, start: NaiveDateTime, zone: Tz) -> Result<(String, RRule), Wrong> {
    if text.len() > MAX_RULE {
        return Err(Wrong::TooLong);
    }
    let text = text.trim().to_ascii_uppercase();
    if text.contains("COUNT=") && text.contains("UNTIL=") {
        return Err(Wrong::Rule("COUNT and UNTIL exclude each other".to_owned()));
    }
    let worn = text
        .split(';')
        .map(|part| until(part, zone))
        .collect::<Result<Vec<_>, _>>()?
        .join(";");
    let wrong = |error: rrule::RRuleError| Wrong::Rule(error.to_string());
    let rule = RRule::<Unvalidated>::from_str(&worn).map_err(wrong)?;
    Ok((text, rule.validate(dressed(start)).map_err(wrong)?))
}

/// An `UNTIL` in the clothes that the rule is expanded in (RFC 5545 §3.3.10: it may be an instant, a civil time or a day, which
/// counts whole).
fn until(part: &str, zone: Tz) -> Result<String, Wrong> {
    let Some(value) = part.strip_prefix("UNTIL=") else {
        return Ok(part.to_owned());
    };
    let wrong = || Wrong::Rule(format!("UNTIL={value} is neither a day nor a time"));
    let last = match value.strip_suffix('Z') {
        Some(time) => {
            let at = NaiveDateTime::parse_from_str(time, FORM).map_err(|_| wrong())?;
            at.and_utc().with_timezone(&zone).naive_local()
        }
        None if value.contains('T') => NaiveDateTime::parse_from_str(value, FORM).map_err(|_| wrong())?,
        None => {
            let day = NaiveDate::parse_from_str(value, "%Y%m%d").map_err(|_| wrong())?;
            day.and_hms_opt(23, 59, 59).ok_or_else(wrong)?
        }
    };
    Ok(format!("UNTIL={}Z", last.format(FORM)))
}
