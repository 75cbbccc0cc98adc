//! What areas allow: hours, minutes a day, volume. Here: one area's rules, with seasons and holidays, how rules of areas above and
//! below go together, and the signed policy that a receiver gets of them on a day. Not here: who may set them.
//!
//! Rules narrow: below an area only that is allowed which it allows itself, so that a commune cannot give itself more than its
//! province does. Emergencies go past all of them, overrides past hours and minutes.

use chrono::{Datelike as _, Days, NaiveDate, NaiveTime, Timelike as _};
use chrono_tz::Tz;
use loa_protocol::UnixMicros;
use loa_protocol::command::{MAX_WINDOWS, Policy, Window};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::recurrence::{civil, instant};

const DAY: u16 = 1440;
const WEEK: u8 = 0b111_1111;

/// What an area says of itself and all below it; what it does not say, it leaves to others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// When normal and priority broadcasts may sound; none: never; absent: at any time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<Vec<Hours>>,
    /// Minutes of sound in a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily_minutes: Option<u16>,
    /// Times of the year in which other rules hold instead; where several do, the last one counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub seasons: Vec<Season>,
}

/// A time of the week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// Days on which it begins, 1 (Monday) to 7 (Sunday); none given: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<u8>,
    /// From this time on, `HH:MM`.
    #[schema(value_type = String)]
    pub from: Clock,
    /// Until this time, `HH:MM`, up to `24:00`; on the next day if it is not after `from`.
    #[schema(value_type = String)]
    pub to: Clock,
    /// Highest volume meanwhile, in per cent.
    #[serde(default = "full", skip_serializing_if = "is_full")]
    pub volume: u8,
}

/// A time of the year.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Season {
    /// What it is called: `Tết`, `thi tốt nghiệp`.
    pub name: String,
    /// Its first day.
    #[schema(value_type = String, format = Date)]
    pub from: NaiveDate,
    /// Its last day.
    #[schema(value_type = String, format = Date)]
    pub to: NaiveDate,
    /// Every year, whatever the years above.
    #[serde(default)]
    pub yearly: bool,
    /// As in [`Rules::hours`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Vec<Hours>>,
    /// As in [`Rules::daily_minutes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_minutes: Option<u16>,
}

/// Minutes since midnight, 0 to 1440, written `HH:MM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Clock(u16);

/// What is wrong with rules: the field, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {right}")]
pub struct Wrong {
    /// Where.
    pub field: &'static str,
    /// What would be right, in English.
    pub right: &'static str,
    /// The same in Vietnamese.
    pub vi: &'static str,
}

/// What holds at one place on one day: [`Rules`] of all areas above it together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Minutes of the week (0: Monday, 0:00) at which sound is allowed, and how loud: apart from each other and in order.
    spans: Vec<Span>,
    daily_minutes: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: u16,
    to: u16,
    volume: u8,
}

const WEEK_MINUTES: u16 = 7 * DAY;

impl Rules {
    /// Says what is wrong, if something is.
    ///
    /// # Errors
    /// The first thing that is.
    pub fn check(&self) -> Result<(), Wrong> {
        let seasons = self.seasons.iter().map(|it| (it.hours.as_ref(), it.daily_minutes));
        for (hours, minutes) in seasons.chain([(self.hours.as_ref(), self.daily_minutes)]) {
            for it in hours.into_iter().flatten() {
                check(it)?;
            }
            if hours.is_some_and(|it| it.len() > MAX_WINDOWS) {
                return Err(Wrong {
                    field: "hours",
                    right: "at most 12 windows of hours",
                    vi: "nhiều nhất 12 khung giờ",
                });
            }
            if minutes.is_some_and(|it| it > DAY) {
                return Err(Wrong {
                    field: "daily_minutes",
                    right: "0 to 1440 minutes",
                    vi: "từ 0 đến 1440 phút",
                });
            }
        }
        let right = |it: &Season| !it.name.trim().is_empty() && it.name.chars().count() <= 80 && it.from <= it.to;
        match self.seasons.len() <= 100 && self.seasons.iter().all(right) {
            true => Ok(()),
            false => Err(Wrong {
                field: "seasons",
                right: "at most 100, each with a name and a last day that is not before its first",
                vi: "nhiều nhất 100, mỗi đợt có tên và ngày cuối không trước ngày đầu",
            }),
        }
    }

    /// Hours and minutes that hold on `day`.
    fn on(&self, day: NaiveDate) -> (Option<&[Hours]>, Option<u16>) {
        match self.seasons.iter().rev().find(|season| season.has(day)) {
            Some(season) => (season.hours.as_deref(), season.daily_minutes),
            None => (self.hours.as_deref(), self.daily_minutes),
        }
    }
}

impl Season {
    fn has(&self, day: NaiveDate) -> bool {
        if !self.yearly {
            return (self.from..=self.to).contains(&day);
        }
        let of_year = |day: NaiveDate| (day.month(), day.day());
        let (from, to, day) = (of_year(self.from), of_year(self.to), of_year(day));
        match self.to.years_since(self.from) {
            Some(years) if years >= 1 => true,
            _ if from <= to => (from..=to).contains(&day),
            // Over New Year.
            _ => day >= from || day <= to,
        }
    }
}

impl Limits {
    /// What holds on `day` where all these rules do.
    pub fn on<'a>(day: NaiveDate, rules: impl IntoIterator<Item = &'a Rules>) -> Self {
        let whole = Span {
            from: 0,
            to: WEEK_MINUTES,
            volume: 100,
        };
        let mut it = Self {
            spans: vec![whole],
            daily_minutes: None,
        };
        for (hours, minutes) in rules.into_iter().map(|rules| rules.on(day)) {
            if let Some(hours) = hours {
                it.spans = both(&it.spans, &of_week(hours));
            }
            it.daily_minutes = [it.daily_minutes, minutes].into_iter().flatten().min();
        }
        it
    }

    /// Minutes of sound in a day; none: any number.
    pub fn daily_minutes(&self) -> Option<u16> {
        self.daily_minutes
    }

    /// How loud sound may be at that minute of the week, in per cent; none: it may not.
    fn volume(&self, minute: u16) -> Option<u8> {
        self.span(minute).map(|it| it.volume)
    }

    fn span(&self, minute: u16) -> Option<Span> {
        self.spans.iter().copied().find(|it| (it.from..it.to).contains(&minute))
    }

    /// The signed policy that says so to a receiver whose civil time is `utc_offset` minutes from UTC.
    ///
    /// # Errors
    /// When it takes more windows than a policy holds.
    pub fn policy(&self, utc_offset: i16) -> Result<Policy, Wrong> {
        let mut allowed = heapless::Vec::new();
        for window in self.windows() {
            allowed.push(window).map_err(|_| TOO_MANY)?;
        }
        Ok(Policy {
            volume_cap: 100,
            utc_offset,
            allowed,
            daily_minutes: self.daily_minutes,
        })
    }

    /// The fewest windows: days that are alike share one.
    fn windows(&self) -> Vec<Window> {
        let mut windows: Vec<Window> = Vec::new();
        for day in 0..7 {
            let (first, last) = (day * DAY, (day + 1) * DAY);
            for span in &self.spans {
                let (from, to) = (span.from.max(first), span.to.min(last));
                if from >= to {
                    continue;
                }
                let (from, to, volume) = (from - first, to - first, span.volume);
                let alike = |it: &&mut Window| (it.from, it.to, it.volume) == (from, to, volume);
                match windows.iter_mut().find(alike) {
                    Some(window) => window.days |= 1 << day,
                    None => windows.push(Window {
                        from,
                        to,
                        days: 1 << day,
                        volume,
                    }),
                }
            }
        }
        windows
    }
}

const TOO_MANY: Wrong = Wrong {
    field: "hours",
    right: "with the hours of the areas above it, at most 12 windows in a week",
    vi: "cùng với khung giờ của các địa bàn cấp trên, nhiều nhất 12 khung giờ trong tuần",
};

/// What holds at a place at any time: rules of all areas above it, the root's first, in its civil time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The zone of its civil time.
    pub zone: Tz,
    /// Rules of the areas that it lies in.
    pub rules: Vec<Rules>,
}

/// The zone of civil time where nobody says anything else.
pub const ZONE: Tz = Tz::Asia__Ho_Chi_Minh;

impl Default for Place {
    fn default() -> Self {
        Self {
            zone: ZONE,
            rules: Vec::new(),
        }
    }
}

impl Place {
    /// What holds there on the civil day of `at`.
    pub fn limits(&self, at: UnixMicros) -> Limits {
        Limits::on(civil(self.zone, at).date(), &self.rules)
    }

    /// The signed policy of the civil day of `at`.
    ///
    /// # Errors
    /// As [`Limits::policy`].
    pub fn policy(&self, at: UnixMicros) -> Result<Policy, Wrong> {
        use chrono::{Offset as _, TimeZone as _};
        let now = chrono::DateTime::from_timestamp_micros(at.0.cast_signed()).unwrap_or_default();
        let offset = self
            .zone
            .offset_from_utc_datetime(&now.naive_utc())
            .fix()
            .local_minus_utc();
        self.limits(at).policy(i16::try_from(offset / 60).unwrap_or(0))
    }

    /// Looks whether each day from `at` on, for a year, has a policy that a receiver can be told.
    ///
    /// # Errors
    /// As [`Limits::policy`].
    pub fn all_policies(&self, at: UnixMicros) -> Result<(), Wrong> {
        // Rules change where a season begins or ends, and nowhere else.
        let today = civil(self.zone, at).date();
        let days = (0..=366).filter_map(|days| today.checked_add_days(Days::new(days)));
        let mut last = None;
        for day in days {
            let limits = Limits::on(day, &self.rules);
            if last.as_ref() != Some(&limits) {
                limits.policy(0)?;
                last = Some(limits);
            }
        }
        Ok(())
    }

    /// Whether something that is no emergency may sound at `at`, how loud, and until when that is so: at most until the civil day
    /// ends.
    pub fn hours(&self, at: UnixMicros) -> (Option<u8>, UnixMicros) {
        let now = civil(self.zone, at);
        let limits = Limits::on(now.date(), &self.rules);
        let first = u16::try_from(now.weekday().num_days_from_monday()).unwrap_or(0) * DAY;
        let minute = first + u16::try_from(now.hour() * 60 + now.minute()).unwrap_or(0);
        let edges = limits.spans.iter().flat_map(|it| [it.from, it.to]);
        let edge = edges
            .filter(|edge| *edge > minute)
            .min()
            .unwrap_or(first + DAY)
            .min(first + DAY);
        let midnight = now.date() + Days::new(1);
        let until = match edge - first {
            DAY => midnight.and_time(NaiveTime::MIN),
            minutes => now.date().and_time(NaiveTime::MIN) + chrono::Duration::minutes(i64::from(minutes)),
        };
        (
            limits.volume(minute),
            instant(self.zone, until).max(UnixMicros(at.0 + 1)),
        )
    }

    /// When the civil day of `at` began, and when it ends.
    pub fn day(&self, at: UnixMicros) -> (UnixMicros, UnixMicros) {
        let day = civil(self.zone, at).date();
        let midnight = |day: NaiveDate| instant(self.zone, day.and_time(NaiveTime::MIN));
        (midnight(day), midnight(day + Days::new(1)))
    }
}

impl Clock {
    /// That many minutes after midnight, up to 1440.
    pub fn minutes(self) -> u16 {
        self.0
    }

    /// `hours` and `minutes` after midnight; none past 24:00.
    pub fn at(hours: u16, minutes: u16) -> Option<Self> {
        let it = hours.checked_mul(60)?.checked_add(minutes).filter(|_| minutes < 60)?;
        (it <= DAY).then_some(Self(it))
    }
}

impl TryFrom<String> for Clock {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const RIGHT: &str = "a time is written HH:MM, from 00:00 to 24:00";
        let (hours, minutes) = text.split_once(':').ok_or(RIGHT)?;
        let part = |text: &str| match text.len() == 2 && text.bytes().all(|it| it.is_ascii_digit()) {
            true => text.parse().ok(),
            false => None,
        };
        let (hours, minutes) = part(hours).zip(part(minutes)).ok_or(RIGHT)?;
        Self::at(hours, minutes).ok_or(RIGHT)
    }
}

impl From<Clock> for String {
    fn from(it: Clock) -> Self {
        format!("{:02}:{:02}", it.0 / 60, it.0 % 60)
    }
}

fn full() -> u8 {
    100
}

fn is_full(volume: &u8) -> bool {
    *volume == 100
}

fn check(it: &Hours) -> Result<(), Wrong> {
    let right = it.from.0 < DAY && it.to.0 > 0 && it.volume <= 100 && it.days.iter().all(|day| (1..=7).contains(day));
    match right {
        true => Ok(()),
        false => Err(Wrong {
            field: "hours",
            right: "from 00:00 to 24:00, days 1 (Monday) to 7 (Sunday), volume 0 to 100",
            vi: "từ 00:00 đến 24:00, ngày từ 1 (thứ hai) đến 7 (chủ nhật), âm lượng từ 0 đến 100",
        }),
    }
}

/// Hours laid out over the week. Where two overlap, the louder counts.
fn of_week(hours: &[Hours]) -> Vec<Span> {
    let mut spans = Vec::new();
    for it in hours {
        let days = match it.days.is_empty() {
            true => WEEK,
            false => it.days.iter().fold(0, |all, day| all | 1 << (day - 1)),
        };
        for day in (0..7).filter(|day| days & 1 << day != 0) {
            let from = day * DAY + it.from.0;
            let length = match it.to.0 > it.from.0 {
                true => it.to.0 - it.from.0,
                false => it.to.0 + DAY - it.from.0,
            };
            let (to, volume) = (from + length, it.volume);
            spans.push(Span {
                from,
                to: to.min(WEEK_MINUTES),
                volume,
            });
            if to > WEEK_MINUTES {
                spans.push(Span {
                    from: 0,
                    to: to - WEEK_MINUTES,
                    volume,
                });
            }
        }
    }
    apart(&spans)
}

/// Where both allow it, as loud as both do.
fn both(a: &[Span], b: &[Span]) -> Vec<Span> {
    let mut spans = Vec::new();
    for a in a {
        for b in b {
            let (from, to) = (a.from.max(b.from), a.to.min(b.to));
            if from < to {
                let volume = a.volume.min(b.volume);
                spans.push(Span { from, to, volume });
            }
        }
    }
    apart(&spans)
}

/// The same, without overlaps, neighbours that are alike as one, in order.
fn apart(spans: &[Span]) -> Vec<Span> {
    let mut edges: Vec<u16> = spans.iter().flat_map(|it| [it.from, it.to]).collect();
    edges.sort_unstable();
    edges.dedup();
    let mut found: Vec<Span> = Vec::new();
    for pair in edges.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let covers = spans.iter().filter(|it| it.from <= from && to <= it.to);
        let Some(volume) = covers.map(|it| it.volume).max() else {
            continue;
        };
        match found.last_mut() {
            Some(last) if last.to == from && last.volume == volume => last.to = to,
            _ => found.push(Span { from, to, volume }),
        }
    }
    found
}
