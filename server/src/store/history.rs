//! What receivers said of themselves over time. Here: one small row for each receiver and ten minutes in which it was heard of,
//! and few stretches out of many rows, each with the worst that was in it. Not here: how a receiver is now (`receivers`).

use loa_protocol::report::{MediaPath, Telemetry};
use loa_protocol::{ReceiverId, UnixMicros};
use sqlx::any::AnyRow;

use super::pool::Transaction;
use super::receivers::{path_name, path_named};
use super::row::{Columns as _, integer, micros};
use super::{Error, Store};

/// What one row is about, in microseconds: ten minutes.
pub const SPAN: u64 = 600_000_000;
/// How long rows are kept, in microseconds: 90 days.
const KEPT: u64 = 90 * 86_400 * 1_000_000;
/// Stretches that are told of at most.
pub const MOST: u64 = 300;

/// How a receiver was over a while.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// How long each stretch is, in microseconds.
    pub step: u64,
    /// One after the other, from the first that anything is known of; the last may be shorter.
    pub stretches: Vec<Stretch>,
}

/// How a receiver was for some spans.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stretch {
    /// When it began.
    pub at: UnixMicros,
    /// Of how many spans it is.
    pub spans: u64,
    /// In how many of them the receiver reported.
    pub heard: u64,
    /// How often it went away.
    pub drops: u64,
    /// How often it began afresh.
    pub restarts: u64,
    /// The greatest part of the media packets that was lost, 0 to 1; none if none was sent.
    pub loss: Option<f64>,
    /// The longest round trip, in microseconds.
    pub round_trip: Option<u64>,
    /// How far its clock may have been off at most, in microseconds.
    pub clock_error: Option<u64>,
    /// How sound reached it in the end.
    pub path: Option<MediaPath>,
    /// Its volume in the end, in per cent.
    pub volume: Option<u8>,
}

/// A row.
#[derive(Debug, Clone, Copy)]
struct Row {
    at: UnixMicros,
    drops: u64,
    restarts: u64,
    /// What it said; none: it only went away.
    said: Option<Said>,
}

#[derive(Debug, Clone, Copy)]
struct Said {
    path: MediaPath,
    round_trip: u64,
    clock_error: u64,
    /// Media packets expected and lost since it booted.
    packets: (u64, u64),
    volume: u8,
}

/// When the span began that `at` lies in.
fn span(at: UnixMicros) -> UnixMicros {
    UnixMicros(at.0 - at.0 % SPAN)
}

impl Store {
    /// How the receiver `id` was between two instants, as far as that is known `now`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn history(
        &self,
        id: ReceiverId,
        (from, to): (UnixMicros, UnixMicros),
        now: UnixMicros,
    ) -> Result<History, Error> {
        let first = sqlx::query("SELECT MIN(at) AS at FROM receiver_history WHERE receiver_id = $1")
            .bind(id.to_string())
            .fetch_one(&self.pool)
            .await?
            .maybe_number("at")?;
        let Some(first) = first else {
            return Ok(told(&[], None, (from, from)));
        };
        let from = span(from).max(UnixMicros(first));
        let last = to.min(now).0.saturating_sub(1);
        let end = UnixMicros(span(UnixMicros(last)).0 + SPAN);
        let rows =
            sqlx::query("SELECT * FROM receiver_history WHERE receiver_id = $1 AND at >= $2 AND at < $3 ORDER BY at")
                .bind(id.to_string())
                .bind(micros(from))
                .bind(micros(end))
                .fetch_all(&self.pool)
                .await?;
        let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        // What is counted since it booted is told as what was added.
        let before = sqlx::query(
            "SELECT * FROM receiver_history WHERE receiver_id = $1 AND at < $2 AND path IS NOT NULL \
             ORDER BY at DESC LIMIT 1",
        )
        .bind(id.to_string())
        .bind(micros(from))
        .fetch_optional(&self.pool)
        .await?;
        let before = before.as_ref().map(read).transpose()?.and_then(|it| it.said);
        // That it has not reported in a span that has just begun says nothing.
        let begun = span(now);
        let end = match rows.last().is_some_and(|row| row.at == begun) {
            true => end,
            false => end.min(begun),
        };
        Ok(told(&rows, before.map(|it| it.packets), (from, end)))
    }

    /// Removes what is too old at `now`; says how many rows that was.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn sweep_history(&self, now: UnixMicros) -> Result<u64, Error> {
        let mut removed = 0;
        loop {
            // One span after the other: what waits to be written must not wait for long.
            let query = "DELETE FROM receiver_history WHERE at < $1 AND at = (SELECT MIN(at) FROM receiver_history)";
            let cutoff = integer(now.0.saturating_sub(KEPT));
            let done = sqlx::query(query).bind(cutoff).execute(&self.pool).await?;
            if done.rows_affected() == 0 {
                return Ok(removed);
            }
            removed += done.rows_affected();
        }
    }
}

/// A receiver has reported; before it is written down as what it last said.
pub(super) async fn heard(tx: &mut Transaction, id: ReceiverId, it: &Telemetry, at: UnixMicros) -> Result<(), Error> {
    let row = sqlx::query("SELECT noted, telemetry_boot FROM receivers WHERE id = $1 AND revoked IS NULL");
    let Some(row) = row.bind(id.to_string()).fetch_optional(&mut **tx).await? else {
        return Ok(());
    };
    let (span, boot) = (span(at), row.number("telemetry_boot")?);
    let restarted = ![0, integer(it.serial.boot).cast_unsigned()].contains(&boot);
    if row.maybe_number("noted")? == Some(span.0) && !restarted {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO receiver_history (receiver_id, at, restarts, path, round_trip, clock_error, expected, lost, volume) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT (receiver_id, at) DO UPDATE SET restarts = receiver_history.restarts + excluded.restarts, \
         path = excluded.path, round_trip = excluded.round_trip, clock_error = excluded.clock_error, \
         expected = excluded.expected, lost = excluded.lost, volume = excluded.volume",
    )
    .bind(id.to_string())
    .bind(micros(span))
    .bind(i64::from(restarted))
    .bind(path_name(it.path))
    .bind(i64::from(it.round_trip))
    .bind(i64::from(it.clock_error))
    .bind(integer(it.expected))
    .bind(integer(it.lost))
    .bind(i64::from(it.volume))
    .execute(&mut **tx)
    .await?;
    sqlx::query("UPDATE receivers SET noted = $1 WHERE id = $2")
        .bind(micros(span))
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// A receiver has gone; before it is written down as gone, so that it is counted once.
pub(super) async fn dropped(tx: &mut Transaction, id: ReceiverId, at: UnixMicros) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO receiver_history (receiver_id, at, drops) \
         SELECT id, CAST($1 AS BIGINT), 1 FROM receivers WHERE id = $2 AND online = 1 AND revoked IS NULL \
         ON CONFLICT (receiver_id, at) DO UPDATE SET drops = receiver_history.drops + 1",
    )
    .bind(micros(span(at)))
    .bind(id.to_string())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Row, Error> {
    let volume = |row: &AnyRow| u8::try_from(row.number("volume")?).map_err(|_| Error::Corrupt("volume"));
    let said = match row.maybe_id("path", path_named)? {
        None => None,
        Some(path) => Some(Said {
            path,
            round_trip: row.number("round_trip")?,
            clock_error: row.number("clock_error")?,
            packets: (row.number("expected")?, row.number("lost")?),
            volume: volume(row)?,
        }),
    };
    Ok(Row {
        at: row.instant("at")?,
        drops: row.number("drops")?,
        restarts: row.number("restarts")?,
        said,
    })
}

/// The spans from one instant to another, in few stretches. `before` had been counted when they began.
fn told(rows: &[Row], before: Option<(u64, u64)>, (from, end): (UnixMicros, UnixMicros)) -> History {
    let spans = end.0.saturating_sub(from.0) / SPAN;
    let length = spans.div_ceil(MOST).max(1);
    let stretch = |n: u64| Stretch {
        at: UnixMicros(from.0 + n * length * SPAN),
        spans: length.min(spans - n * length),
        ..Stretch::default()
    };
    let mut stretches: Vec<_> = (0..spans.div_ceil(length)).map(stretch).collect();
    let mut before = before;
    for row in rows {
        let n = (row.at.0 - from.0) / SPAN / length;
        let Some(it) = usize::try_from(n).ok().and_then(|n| stretches.get_mut(n)) else {
            break;
        };
        it.drops += row.drops;
        it.restarts += row.restarts;
        let Some(said) = row.said else { continue };
        it.heard += 1;
        // Whoever began afresh counts from nothing.
        let (expected, lost) = before.filter(|_| row.restarts == 0).unwrap_or_default();
        let new = said
            .packets
            .0
            .checked_sub(expected)
            .zip(said.packets.1.checked_sub(lost));
        let (expected, lost) = new.unwrap_or(said.packets);
        if expected > 0 {
            let loss = (lost as f64 / expected as f64).min(1.0);
            it.loss = Some(it.loss.unwrap_or_default().max(loss));
        }
        before = Some(said.packets);
        it.round_trip = it.round_trip.max(Some(said.round_trip));
        it.clock_error = it.clock_error.max(Some(said.clock_error));
        it.path = Some(said.path);
        it.volume = Some(said.volume);
    }
    History {
        step: length * SPAN,
        stretches,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(n: u64) -> UnixMicros {
        UnixMicros(SPAN * (3_000_000 + n))
    }

    fn said(n: u64, packets: (u64, u64), round_trip: u64) -> Row {
        let said = Said {
            path: MediaPath::Udp,
            round_trip,
            clock_error: 400,
            packets,
            volume: 80,
        };
        Row {
            at: at(n),
            drops: 0,
            restarts: 0,
            said: Some(said),
        }
    }

    #[test]
    fn each_stretch_tells_the_worst_that_was_in_it() {
        let gone = Row {
            said: None,
            drops: 2,
            ..said(601, (0, 0), 0)
        };
        let back = Row {
            restarts: 1,
            ..said(606, (10, 0), 500)
        };
        let rows = [
            said(0, (100, 0), 900),
            said(1, (200, 50), 100),
            said(2, (300, 50), 200),
            gone,
            back,
        ];
        let history = told(&rows, Some((50, 0)), (at(0), at(610)));
        assert_eq!((history.step, history.stretches.len()), (3 * SPAN, 204));
        let first = Stretch {
            at: at(0),
            spans: 3,
            heard: 3,
            loss: Some(0.5),
            round_trip: Some(900),
            clock_error: Some(400),
            path: Some(MediaPath::Udp),
            volume: Some(80),
            ..Stretch::default()
        };
        assert_eq!(history.stretches[0], first);
        let silent = &history.stretches[1];
        assert_eq!((silent.spans, silent.heard, silent.loss), (3, 0, None));
        let [.., gone, _, back, last] = &history.stretches[..] else {
            unreachable!()
        };
        assert_eq!((gone.at, gone.drops, gone.heard), (at(600), 2, 0));
        // What was counted before it began afresh is not taken from what was counted since.
        assert_eq!((back.restarts, back.heard, back.loss), (1, 1, Some(0.0)));
        assert_eq!((last.at, last.spans), (at(609), 1));
    }

    #[test]
    fn a_little_is_told_as_it_is() {
        let rows = [said(0, (0, 0), 7), said(1, (10, 1), 8)];
        let history = told(&rows, None, (at(0), at(2)));
        assert_eq!((history.step, history.stretches.len()), (SPAN, 2));
        // Nothing was sent, so nothing was lost.
        assert_eq!(
            (history.stretches[0].loss, history.stretches[1].loss),
            (None, Some(0.1))
        );
        assert_eq!(told(&[], None, (at(0), at(0))).stretches, []);
    }
}
