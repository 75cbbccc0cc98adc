//! What was planned and what sounded, added up. Here: sums over the receipts of a period, for areas and everything below them. Not here:
//! one broadcast's account, receiver by receiver (`broadcasts`).

use std::collections::BTreeMap;

use loa_protocol::precedence::Class;
use loa_protocol::{AreaId, UnixMicros};
use sqlx::AssertSqlSafe;

use super::row::{Columns as _, micros};
use super::{Error, Store, bulletins};

/// What was planned and what sounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Account {
    /// Broadcasts.
    pub broadcasts: u64,
    /// Milliseconds of sound that were to be, each receiver's added.
    pub planned: u64,
    /// Milliseconds that sounded.
    pub played: u64,
}

impl Account {
    /// The part that sounded, 0 to 1; none if nothing was to.
    pub fn ratio(&self) -> Option<f64> {
        (self.planned > 0).then(|| self.played as f64 / self.planned as f64)
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            broadcasts: self.broadcasts + other.broadcasts,
            planned: self.planned + other.planned,
            played: self.played + other.played,
        }
    }
}

impl Store {
    /// By class, what was to begin from `from` on and before `to` in `areas` and below them. What nobody was to hear any more when its time
    /// came, because it was stopped or changed before, does not count; what failed does.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn accounts(
        &self,
        areas: &[AreaId],
        (from, to): (UnixMicros, UnixMicros),
    ) -> Result<BTreeMap<Class, Account>, Error> {
        let mut sums = BTreeMap::new();
        if areas.is_empty() {
            return Ok(sums);
        }
        let places: Vec<_> = (3..).take(areas.len()).map(|n| format!("${n}")).collect();
        // A receiver that said nothing was to play as long as the broadcast was.
        let sql = format!(
            "WITH RECURSIVE below (id) AS (SELECT id FROM areas WHERE id IN ({}) \
             UNION SELECT a.id FROM areas a JOIN below w ON a.parent_id = w.id) \
             SELECT u.class AS class, COUNT(DISTINCT b.id) AS broadcasts, \
             CAST(SUM(CASE WHEN r.planned > 0 THEN r.planned / 48 ELSE (b.ends - b.starts) / 1000 END) AS BIGINT) AS planned, \
             CAST(SUM(r.played / 48) AS BIGINT) AS played \
             FROM broadcasts b JOIN bulletins u ON u.id = b.bulletin_id JOIN receipts r ON r.broadcast_id = b.id \
             JOIN receivers e ON e.id = r.receiver_id JOIN below w ON w.id = e.area_id \
             WHERE b.starts >= $1 AND b.starts < $2 AND b.state <> 'scheduled' AND COALESCE(b.reason, '') <> 'changed' \
             AND (b.state <> 'stopped' OR r.outcome IS NOT NULL) GROUP BY u.class",
            places.join(", ")
        );
        // Only numbers were put into it.
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(micros(from)).bind(micros(to));
        for area in areas {
            query = query.bind(area.to_string());
        }
        for row in query.fetch_all(&self.pool).await? {
            let account = Account {
                broadcasts: row.number("broadcasts")?,
                planned: row.number("planned")?,
                played: row.number("played")?,
            };
            sums.insert(bulletins::class(&row)?, account);
        }
        Ok(sums)
    }
}
