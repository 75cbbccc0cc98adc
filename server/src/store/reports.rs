//! What came of bulletins, place by place. Here: when one begins next in an area, how it fared there, and until when what is not approved
//! has to be; all of it follows from schedules, broadcasts and receipts, and nothing is kept twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use loa_protocol::{AreaId, BroadcastId, ReceiverId, UnixMicros};

use super::broadcasts::Target;
use super::row::{Columns as _, micros};
use super::{BroadcastState, BulletinId, BulletinState, Delivery, Error, Schedule, Store};

/// How a bulletin fares in an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fared {
    /// It is there.
    Received,
    /// It begins at an instant to come.
    Scheduled,
    /// It sounds.
    Playing,
    /// It has sounded, whole and everywhere.
    Played,
    /// It was cut off, or did not sound everywhere.
    Interrupted,
    /// It sounded nowhere.
    Failed,
    /// The area does not want it.
    Refused,
}

impl Fared {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Scheduled => "scheduled",
            Self::Playing => "playing",
            Self::Played => "played",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

/// A report back from an area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How it fares.
    pub fared: Fared,
    /// When it came, was refused, began, ended; or when it is to begin.
    pub at: UnixMicros,
    /// When it begins next.
    pub next: Option<UnixMicros>,
    /// Receivers of the last broadcast that has begun, and of those, who have played all of it.
    pub receivers: (u64, u64),
}

/// A broadcast at the receivers of an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sounded {
    state: BroadcastState,
    start: UnixMicros,
    end: UnixMicros,
    reported: Option<UnixMicros>,
    receivers: u64,
    played: u64,
    /// Those that have played a part, or say nothing of it yet but that they have it.
    begun: u64,
}

/// How it fares by what is known: pure.
fn report(delivery: &Delivery, next: Option<UnixMicros>, sounded: &[Sounded]) -> Report {
    let begun = sounded.iter().filter(|it| match it.state {
        BroadcastState::Scheduled => false,
        // Stopped before anybody had heard of it, it never began.
        BroadcastState::Stopped => it.begun + it.played > 0,
        _ => true,
    });
    let last = begun.max_by_key(|it| (it.state == BroadcastState::OnAir, it.start));
    let (fared, at) = match (last, next, &delivery.answer) {
        (Some(it), ..) => match it.state {
            BroadcastState::OnAir => (Fared::Playing, it.start),
            BroadcastState::Failed => (Fared::Failed, it.start),
            BroadcastState::Done if it.receivers > 0 && it.played == it.receivers => {
                (Fared::Played, it.reported.unwrap_or(it.end))
            }
            BroadcastState::Done if it.played + it.begun == 0 => (Fared::Failed, it.end),
            _ => (Fared::Interrupted, it.reported.unwrap_or(it.end)),
        },
        (None, Some(at), _) => (Fared::Scheduled, at),
        (None, None, Some(answer)) if answer.refusal.is_some() => (Fared::Refused, answer.at),
        (None, None, _) => (Fared::Received, delivery.sent),
    };
    Report {
        fared,
        at,
        next,
        receivers: last.map_or((0, 0), |it| (it.receivers, it.played)),
    }
}

/// Where areas and receivers lie.
struct Ground {
    paths: HashMap<AreaId, Vec<AreaId>>,
    places: HashMap<ReceiverId, AreaId>,
}

impl Ground {
    fn within(&self, area: AreaId, of: AreaId) -> bool {
        self.paths.get(&area).is_some_and(|path| path.contains(&of))
    }

    /// Whether something of `area` is in `target`.
    fn touches(&self, target: &Target, area: AreaId) -> bool {
        let areas = target.areas.iter();
        let singles = target.receivers.iter().filter_map(|it| self.places.get(it));
        areas.clone().any(|it| self.within(*it, area) || self.within(area, *it))
            || singles.clone().any(|it| self.within(*it, area))
    }
}

type ByArea = BTreeMap<(BroadcastId, AreaId), Sounded>;

impl Store {
    /// How what was sent fares in each of these areas.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn reports(&self, now: UnixMicros, deliveries: &[Delivery]) -> Result<Vec<Report>, Error> {
        let (ground, schedules) = (self.ground().await?, self.schedules().await?);
        let mut known: BTreeMap<BulletinId, (ByArea, Vec<(Target, UnixMicros)>)> = BTreeMap::new();
        for id in deliveries.iter().map(|it| it.bulletin).collect::<BTreeSet<_>>() {
            let starts = self.starts_of(now, id, &schedules).await?;
            known.insert(id, (self.sounded(id).await?, starts));
        }
        let mut reports = Vec::new();
        for it in deliveries {
            let (sounded, starts) = &known[&it.bulletin];
            // What one broadcast came to in all places of the area.
            let mut here: BTreeMap<BroadcastId, Sounded> = BTreeMap::new();
            for ((id, _), one) in sounded.iter().filter(|(key, _)| ground.within(key.1, it.area)) {
                let sum = here.entry(*id).or_insert(Sounded {
                    reported: None,
                    receivers: 0,
                    played: 0,
                    begun: 0,
                    ..*one
                });
                sum.receivers += one.receivers;
                sum.played += one.played;
                sum.begun += one.begun;
                sum.reported = sum.reported.max(one.reported);
            }
            let here: Vec<_> = here.into_values().collect();
            reports.push(report(it, first(&ground, starts, it.area), &here));
        }
        Ok(reports)
    }

    /// When a bulletin begins next in an area, if it is to.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn begins_in(
        &self,
        now: UnixMicros,
        bulletin: BulletinId,
        area: AreaId,
    ) -> Result<Option<UnixMicros>, Error> {
        let schedules = self.schedules().await?;
        let starts = self.starts_of(now, bulletin, &schedules).await?;
        Ok(first(&self.ground().await?, &starts, area))
    }

    /// What is to begin and is not approved, and when; and besides, what somebody asks approval for.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn unapproved(&self, now: UnixMicros) -> Result<(Vec<(BulletinId, UnixMicros)>, Vec<BulletinId>), Error> {
        let mut starts = Vec::new();
        for it in self.schedules().await? {
            let next = it.series.next(UnixMicros(now.0.max(it.planned.0)));
            if let Some(next) = next.filter(|_| !it.approved && !it.paused) {
                starts.push((it.bulletin, next.start));
            }
        }
        let rows = sqlx::query(
            "SELECT b.bulletin_id AS id, b.starts AS starts FROM broadcasts b JOIN bulletins u ON u.id = b.bulletin_id \
             WHERE b.state = 'failed' AND b.reason = 'not_approved' AND b.starts > $1 AND u.state <> $2 AND u.deleted IS NULL",
        )
        .bind(micros(now))
        .bind(BulletinState::Approved.name())
        .fetch_all(&self.pool)
        .await?;
        for row in &rows {
            starts.push((row.id("id", BulletinId::parse)?, row.instant("starts")?));
        }
        let rows = sqlx::query("SELECT id FROM bulletins WHERE state = $1 AND deleted IS NULL ORDER BY submitted, id")
            .bind(BulletinState::Submitted.name())
            .fetch_all(&self.pool)
            .await?;
        let asked = rows
            .iter()
            .map(|row| row.id("id", BulletinId::parse))
            .collect::<Result<_, _>>()?;
        Ok((starts, asked))
    }

    async fn ground(&self) -> Result<Ground, Error> {
        Ok(Ground {
            paths: self.paths().await?,
            places: self.areas_of_receivers().await?,
        })
    }

    /// When and where a bulletin is to begin.
    async fn starts_of(
        &self,
        now: UnixMicros,
        id: BulletinId,
        schedules: &[Schedule],
    ) -> Result<Vec<(Target, UnixMicros)>, Error> {
        let of_it = schedules.iter().filter(|it| it.bulletin == id && !it.paused);
        let next = |it: &Schedule| {
            Some((
                it.target.clone(),
                it.series.next(UnixMicros(now.0.max(it.planned.0)))?.start,
            ))
        };
        let mut starts: Vec<_> = of_it.filter_map(next).collect();
        let rows = sqlx::query("SELECT id FROM broadcasts WHERE bulletin_id = $1 AND state = 'scheduled'")
            .bind(id.to_string())
            .fetch_all(&self.pool)
            .await?;
        for row in &rows {
            let it = self.broadcast_by_id(row.id("id", BroadcastId::parse)?).await?;
            starts.push((it.target, it.start));
        }
        Ok(starts)
    }

    /// What came of a bulletin's broadcasts, by where receivers lie.
    async fn sounded(&self, id: BulletinId) -> Result<ByArea, Error> {
        let rows = sqlx::query(
            "SELECT b.id AS id, b.state AS state, b.starts AS starts, b.ends AS ends, e.area_id AS area, \
             r.outcome AS outcome, COUNT(*) AS many, MAX(r.reported) AS reported FROM broadcasts b \
             JOIN receipts r ON r.broadcast_id = b.id JOIN receivers e ON e.id = r.receiver_id \
             WHERE b.bulletin_id = $1 AND COALESCE(b.reason, '') <> 'changed' \
             GROUP BY b.id, b.state, b.starts, b.ends, e.area_id, r.outcome",
        )
        .bind(id.to_string())
        .fetch_all(&self.pool)
        .await?;
        let mut found = ByArea::new();
        for row in &rows {
            let key = (row.id("id", BroadcastId::parse)?, row.id("area", AreaId::parse)?);
            let it = found.entry(key).or_insert(Sounded {
                state: row.id("state", BroadcastState::named)?,
                start: row.instant("starts")?,
                end: row.instant("ends")?,
                reported: None,
                receivers: 0,
                played: 0,
                begun: 0,
            });
            let many = row.number("many")?;
            it.receivers += many;
            match row.maybe_text("outcome")?.as_deref() {
                Some("played") => it.played += many,
                Some("received" | "playing" | "interrupted") => it.begun += many,
                _ => {}
            }
            it.reported = it.reported.max(row.maybe_number("reported")?.map(UnixMicros));
        }
        Ok(found)
    }
}

fn first(ground: &Ground, starts: &[(Target, UnixMicros)], area: AreaId) -> Option<UnixMicros> {
    let here = starts.iter().filter(|it| ground.touches(&it.0, area));
    here.map(|it| it.1).min()
}

#[cfg(test)]
mod tests {
    use super::super::{Answer, DeliveryId};
    use super::*;

    const SENT: UnixMicros = UnixMicros(1_000_000);

    fn delivery(refusal: Option<&str>) -> Delivery {
        let answer = Answer {
            at: UnixMicros(2_000_000),
            refusal: refusal.map(Into::into),
        };
        Delivery {
            id: DeliveryId([1; 16]),
            bulletin: BulletinId([2; 16]),
            area: AreaId([3; 16]),
            note: None,
            valid_until: None,
            sent: SENT,
            answer: Some(answer),
        }
    }

    fn sounded(state: BroadcastState, start: u64, (receivers, played, begun): (u64, u64, u64)) -> Sounded {
        Sounded {
            state,
            start: UnixMicros(start),
            end: UnixMicros(start + 500),
            reported: (played + begun > 0).then_some(UnixMicros(start + 600)),
            receivers,
            played,
            begun,
        }
    }

    #[test]
    fn what_was_sent_is_reported_on_from_coming_to_having_sounded() {
        use BroadcastState::{Done, Failed, OnAir, Scheduled, Stopped};
        let next = Some(UnixMicros(9_000_000));
        let accepted = delivery(None);
        let of = |next, all: &[Sounded]| {
            let it = report(&accepted, next, all);
            (it.fared, it.at.0)
        };
        assert_eq!(of(None, &[]), (Fared::Received, SENT.0));
        assert_eq!(of(next, &[]), (Fared::Scheduled, 9_000_000));
        let waiting = sounded(Scheduled, 9_000_000, (3, 0, 0));
        assert_eq!(of(next, &[waiting]), (Fared::Scheduled, 9_000_000));
        assert_eq!(of(None, &[sounded(OnAir, 50, (3, 0, 3))]), (Fared::Playing, 50));
        assert_eq!(of(None, &[sounded(Done, 50, (3, 3, 0))]), (Fared::Played, 650));
        assert_eq!(of(None, &[sounded(Done, 50, (3, 2, 0))]), (Fared::Interrupted, 650));
        assert_eq!(of(None, &[sounded(Done, 50, (3, 0, 0))]), (Fared::Failed, 550));
        assert_eq!(of(None, &[sounded(Stopped, 50, (3, 0, 1))]), (Fared::Interrupted, 650));
        assert_eq!(of(None, &[sounded(Failed, 50, (3, 0, 0))]), (Fared::Failed, 50));
        // Stopped before anybody heard of it: as if it had not been.
        assert_eq!(of(None, &[sounded(Stopped, 50, (3, 0, 0))]), (Fared::Received, SENT.0));
        // The last one counts, and what sounds before all.
        let (first, second) = (sounded(Done, 50, (3, 3, 0)), sounded(Failed, 5_000, (3, 0, 0)));
        assert_eq!(of(next, &[second, first]), (Fared::Failed, 5_000));
        assert_eq!(of(next, &[second, sounded(OnAir, 40, (1, 0, 1))]), (Fared::Playing, 40));
        let refused = report(&delivery(Some("Trùng")), None, &[]);
        assert_eq!((refused.fared, refused.at.0), (Fared::Refused, 2_000_000));
    }
}
