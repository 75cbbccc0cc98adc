//! Inboxes: bulletins of areas above, sent to areas below, each of which answers for itself. Here: sending, answering, and until when
//! what was sent may begin there. Not here: what came of it (`reports`), who may (`http`).

use loa_protocol::precedence::Class;
use loa_protocol::{AreaId, UnixMicros};
use serde_json::json;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use super::broadcasts::{Target, distinct};
use super::error::{Invalid, Refusal};
use super::row::{Columns as _, micros, written};
use super::{
    Actor, Bulletin, BulletinId, BulletinState, Change, DeliveryId, Entry, Error, More, Store, User, approval, ids,
    record,
};

/// Longest note, in characters.
pub const MAX_NOTE: usize = 500;

/// A bulletin that is to be sent.
#[derive(Debug, Clone, Default)]
pub struct NewSending {
    /// To these areas; each answers for itself.
    pub areas: Vec<AreaId>,
    /// What is to be said with it.
    pub note: Option<String>,
    /// From when on it is not to begin there any more.
    pub valid_until: Option<UnixMicros>,
}

/// A bulletin in an area's inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its identifier.
    pub id: DeliveryId,
    /// Which bulletin.
    pub bulletin: BulletinId,
    /// Where.
    pub area: AreaId,
    /// What was said with it.
    pub note: Option<String>,
    /// From when on it is not to begin there any more.
    pub valid_until: Option<UnixMicros>,
    /// When it was sent.
    pub sent: UnixMicros,
    /// What was answered; none: nothing yet.
    pub answer: Option<Answer>,
}

/// What an area answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// When.
    pub at: UnixMicros,
    /// Why not, if not.
    pub refusal: Option<String>,
}

impl Delivery {
    /// Whether it was accepted.
    pub fn accepted(&self) -> bool {
        self.answer.as_ref().is_some_and(|it| it.refusal.is_none())
    }
}

const SELECT: &str = "SELECT i.* FROM inbox i JOIN bulletins u ON u.id = i.bulletin_id WHERE u.deleted IS NULL AND ";

impl Store {
    /// Sends a bulletin to areas below its own. One that was sent there already is sent anew: with this note and this time, and to be
    /// answered again.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::Invalid`] for a field that is wrong; [`Error::State`] if it is not approved, or an emergency, which
    /// is broadcast and waits for nobody; when the database cannot.
    pub async fn send(
        &self,
        actor: &Actor,
        now: UnixMicros,
        by: &User,
        id: BulletinId,
        new: NewSending,
    ) -> Result<Vec<Delivery>, Error> {
        let bulletin = self.bulletin(id).await?;
        let areas = distinct(new.areas);
        let note = new.note.filter(|it| !it.trim().is_empty());
        let note = note.map(|it| written("note", &it, MAX_NOTE)).transpose()?;
        self.may_be_sent(now, &bulletin, &areas, new.valid_until).await?;
        let held = self.changes.hold().await;
        let mut tx = super::pool::begin(&self.pool, self.kind).await?;
        for area in &areas {
            sqlx::query(
                "INSERT INTO inbox (id, bulletin_id, area_id, note, valid_until, sent, sent_by) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (bulletin_id, area_id) DO UPDATE SET note = excluded.note, \
                 valid_until = excluded.valid_until, sent = excluded.sent, sent_by = excluded.sent_by, answer = NULL, \
                 reason = NULL, answered = NULL, answered_by = NULL",
            )
            .bind(DeliveryId(ids::fresh(now)).to_string())
            .bind(id.to_string())
            .bind(area.to_string())
            .bind(note.clone())
            .bind(new.valid_until.map(micros))
            .bind(micros(now))
            .bind(by.id.to_string())
            .execute(&mut *tx)
            .await?;
            // One for each: those who read the record of an area see what it was sent.
            let entry = Entry {
                at: now,
                actor,
                what: "bulletin.send",
                subject: id.to_string(),
                detail: bulletin.title.clone(),
            };
            let more = More {
                area: Some(*area),
                before: None,
                after: Some(json!({ "note": note, "valid_until": new.valid_until.map(|at| at.0) })),
            };
            record::add(&mut tx, &entry, &more).await?;
        }
        super::changes::count(&mut tx).await?;
        tx.commit().await?;
        held.counted();
        self.tell(Change::Bulletin(id));
        let sent = self.deliveries(Some(id)).await?;
        Ok(sent.into_iter().filter(|it| areas.contains(&it.area)).collect())
    }

    async fn may_be_sent(
        &self,
        now: UnixMicros,
        it: &Bulletin,
        areas: &[AreaId],
        valid_until: Option<UnixMicros>,
    ) -> Result<(), Error> {
        if areas.is_empty() {
            return Err(Error::invalid("areas", Invalid::Empty));
        }
        let paths = self.paths().await?;
        for area in areas {
            let path = paths.get(area).ok_or(Error::invalid("areas", Invalid::Unknown))?;
            let (_, above) = path.split_last().unwrap_or((area, &[]));
            if it.area.is_some_and(|own| !above.contains(&own)) {
                let form = Invalid::Form("areas below the bulletin's own", "địa bàn cấp dưới của bản tin");
                return Err(Error::invalid("areas", form));
            }
        }
        if valid_until.is_some_and(|at| at <= now) {
            let form = Invalid::Form("an instant to come", "một thời điểm chưa qua");
            return Err(Error::invalid("valid_until", form));
        }
        match (it.state, it.class) {
            (BulletinState::Approved, Class::Emergency) => Err(Error::State(Refusal::Emergency)),
            (BulletinState::Approved, _) => Ok(()),
            _ => Err(Error::State(Refusal::NotApproved)),
        }
    }

    /// What lies in inboxes, the last sent first: all, or of one bulletin.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn deliveries(&self, of: Option<BulletinId>) -> Result<Vec<Delivery>, Error> {
        let of = of.map(|id| id.to_string()).unwrap_or_default();
        let rows = sqlx::query(select("($1 = '' OR i.bulletin_id = $1) ORDER BY i.sent DESC, i.id"))
            .bind(of)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot be read.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Delivery, Error> {
        let row = sqlx::query(select("i.id = $1")).bind(id.to_string());
        let row = row.fetch_optional(&self.pool).await?;
        read(&row.ok_or(Error::Missing("delivery"))?)
    }

    /// Answers for its area: accepts it, so that it may be scheduled there, or refuses it and says why.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::Invalid`] for the reason; [`Error::State`] if its time is over, or it is to be refused and is
    /// scheduled there; when the database cannot.
    pub async fn answer(
        &self,
        actor: &Actor,
        now: UnixMicros,
        by: &User,
        id: DeliveryId,
        refusal: Option<&str>,
    ) -> Result<Delivery, Error> {
        let reason = refusal.map(|it| written("reason", it, approval::MAX_REASON));
        let reason = reason.transpose()?;
        let known = self.delivery(id).await?;
        if reason.is_some() && self.begins_in(now, known.bulletin, known.area).await?.is_some() {
            return Err(Error::State(Refusal::Scheduled));
        }
        if reason.is_none() && known.valid_until.is_some_and(|at| at <= now) {
            return Err(Error::State(Refusal::Expired));
        }
        let bulletin = self.bulletin(known.bulletin).await?;
        let (what, answer) = match reason {
            None => ("inbox.accept", "accepted"),
            Some(_) => ("inbox.refuse", "refused"),
        };
        let entry = Entry {
            at: now,
            actor,
            what,
            subject: known.bulletin.to_string(),
            detail: bulletin.title,
        };
        let mut work = self.begin(entry).await?;
        let done = sqlx::query(
            "UPDATE inbox SET answer = $1, reason = $2, answered = $3, answered_by = $4 WHERE id = $5 AND sent = $6",
        )
        .bind(answer)
        .bind(reason.clone())
        .bind(micros(now))
        .bind(by.id.to_string())
        .bind(id.to_string())
        .bind(micros(known.sent))
        .execute(&mut *work.tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::State(Refusal::Changed));
        }
        work.more = More {
            area: Some(known.area),
            before: None,
            after: Some(json!({ "answer": answer, "reason": reason })),
        };
        work.commit().await?;
        self.tell(Change::Inbox);
        self.delivery(id).await
    }

    /// From when on a bulletin is not to begin in all of `target`, as those say who sent it there.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) async fn valid_until(&self, id: BulletinId, target: &Target) -> Result<Option<UnixMicros>, Error> {
        let rows =
            sqlx::query("SELECT area_id, valid_until FROM inbox WHERE bulletin_id = $1 AND valid_until IS NOT NULL")
                .bind(id.to_string())
                .fetch_all(&self.pool)
                .await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let (paths, places) = (self.paths().await?, self.areas_of_receivers().await?);
        let singles = target.receivers.iter().filter_map(|it| places.get(it));
        let named: Vec<_> = target
            .areas
            .iter()
            .chain(singles)
            .filter_map(|it| paths.get(it))
            .collect();
        let mut first = None;
        for row in &rows {
            let (area, at) = (row.id("area_id", AreaId::parse)?, row.instant("valid_until")?);
            if named.iter().any(|path| path.contains(&area)) {
                first = first.map_or(Some(at), |it: UnixMicros| Some(it.min(at)));
            }
        }
        Ok(first)
    }

    /// Fills in where bulletins of a list, by their identifiers downwards, were sent.
    pub(super) async fn fill_sent(&self, bulletins: &mut [Bulletin]) -> Result<(), Error> {
        let (Some(newest), Some(oldest)) = (bulletins.first(), bulletins.last()) else {
            return Ok(());
        };
        let rows =
            sqlx::query("SELECT bulletin_id, area_id FROM inbox WHERE bulletin_id BETWEEN $1 AND $2 ORDER BY area_id")
                .bind(oldest.id.to_string())
                .bind(newest.id.to_string())
                .fetch_all(&self.pool)
                .await?;
        for row in &rows {
            let (id, area) = (
                row.id("bulletin_id", BulletinId::parse)?,
                row.id("area_id", AreaId::parse)?,
            );
            if let Some(it) = bulletins.iter_mut().find(|it| it.id == id) {
                it.sent_to.push(area);
            }
        }
        Ok(())
    }
}

fn select(condition: &'static str) -> AssertSqlSafe<String> {
    // Both parts are constants of this file.
    AssertSqlSafe([SELECT, condition].concat())
}

fn read(row: &AnyRow) -> Result<Delivery, Error> {
    let answered = row.maybe_number("answered")?.map(UnixMicros);
    let refusal = row.maybe_text("reason")?;
    Ok(Delivery {
        id: row.id("id", DeliveryId::parse)?,
        bulletin: row.id("bulletin_id", BulletinId::parse)?,
        area: row.id("area_id", AreaId::parse)?,
        note: row.maybe_text("note")?,
        valid_until: row.maybe_number("valid_until")?.map(UnixMicros),
        sent: row.instant("sent")?,
        answer: answered.map(|at| Answer { at, refusal }),
    })
}
