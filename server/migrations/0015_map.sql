-- Where receivers stand, and what they said of themselves over time.

-- Millionths of a degree (WGS 84); both or neither.
ALTER TABLE receivers ADD COLUMN latitude BIGINT;
ALTER TABLE receivers ADD COLUMN longitude BIGINT;
-- The span of ten minutes that its history was written for last.
ALTER TABLE receivers ADD COLUMN noted BIGINT;

-- One row for each receiver and span of ten minutes in which it was heard of.
CREATE TABLE receiver_history (
  receiver_id TEXT NOT NULL REFERENCES receivers (id),
  -- When the span began.
  at BIGINT NOT NULL,
  -- How often it went away, and began afresh.
  drops BIGINT NOT NULL DEFAULT 0,
  restarts BIGINT NOT NULL DEFAULT 0,
  -- What it said first in the span, or first after it began afresh; none: it only went away.
  path TEXT,
  round_trip BIGINT,
  clock_error BIGINT,
  -- Since it booted.
  expected BIGINT,
  lost BIGINT,
  volume BIGINT,
  PRIMARY KEY (receiver_id, at)
);
CREATE INDEX receiver_history_by_time ON receiver_history (at);
