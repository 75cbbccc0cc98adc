-- The record becomes a chain, and the database gets a vault.

-- What was written down before there was a chain; it is carried over at the first start, in its order.
ALTER TABLE record RENAME TO record_before;

-- Who did what, to what, when, from where; what happened on the air. Rows are only ever added, one after the other.
CREATE TABLE record (
  -- Rises by one, without gaps.
  number BIGINT PRIMARY KEY,
  -- SHA-256 over the previous hash and everything in this row.
  hash TEXT NOT NULL,
  at BIGINT NOT NULL,
  who TEXT NOT NULL,
  origin TEXT NOT NULL,
  what TEXT NOT NULL,
  subject TEXT NOT NULL,
  -- The area that it concerns; none: all of them, or nobody's.
  area TEXT,
  -- What changed, as JSON.
  was TEXT,
  became TEXT,
  detail TEXT NOT NULL
);
CREATE INDEX record_at ON record (at);

-- The last entry that was pruned: the first one left goes on from its hash.
CREATE TABLE record_start (
  id BIGINT PRIMARY KEY,
  number BIGINT NOT NULL,
  hash TEXT NOT NULL
);
INSERT INTO record_start (id, number, hash)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

-- What shows that the vault's keys are this database's.
CREATE TABLE vault (
  id TEXT PRIMARY KEY,
  sealed TEXT NOT NULL
);
