-- Emergencies that are said again until somebody stops them or they are not valid any more.
CREATE TABLE repeats (
  -- The first of them.
  broadcast_id TEXT PRIMARY KEY REFERENCES broadcasts (id),
  -- Microseconds from one beginning to the next.
  every BIGINT NOT NULL,
  -- From when on none begins.
  valid_until BIGINT NOT NULL,
  -- When the next one begins that is no broadcast yet; none: there are no more.
  next BIGINT
);

-- The first of them; the first names itself.
ALTER TABLE broadcasts ADD COLUMN repeat_of TEXT REFERENCES broadcasts (id);
CREATE INDEX broadcasts_by_repeat ON broadcasts (repeat_of);
