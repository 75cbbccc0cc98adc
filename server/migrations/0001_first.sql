-- Portable between SQLite and PostgreSQL: identifiers are text (UUIDv7), instants are microseconds since 1970 (UTC),
-- truth values are 0 and 1.

CREATE TABLE areas (
  id TEXT PRIMARY KEY,
  parent_id TEXT REFERENCES areas (id),
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  code TEXT UNIQUE,
  created BIGINT NOT NULL
);
CREATE INDEX areas_by_parent ON areas (parent_id);

CREATE TABLE receivers (
  id TEXT PRIMARY KEY,
  area_id TEXT NOT NULL REFERENCES areas (id),
  name TEXT NOT NULL,
  secret TEXT NOT NULL,
  volume BIGINT NOT NULL,
  created BIGINT NOT NULL,
  -- What it last said of itself.
  online BIGINT NOT NULL DEFAULT 0,
  seen BIGINT,
  playing TEXT,
  path TEXT,
  round_trip BIGINT,
  clock_error BIGINT,
  expected BIGINT,
  lost BIGINT,
  uptime BIGINT,
  refused_media BIGINT,
  refused_commands BIGINT,
  firmware TEXT,
  board TEXT,
  UNIQUE (area_id, name)
);

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  username TEXT NOT NULL UNIQUE,
  display_name TEXT NOT NULL,
  role TEXT NOT NULL,
  password TEXT NOT NULL,
  created BIGINT NOT NULL
);

CREATE TABLE sessions (
  token_hash TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id),
  csrf TEXT NOT NULL,
  origin TEXT NOT NULL,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL
);

CREATE TABLE setup_tokens (
  token_hash TEXT PRIMARY KEY,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL
);

CREATE TABLE bulletins (
  id TEXT PRIMARY KEY,
  title TEXT NOT NULL,
  class BIGINT NOT NULL,
  state TEXT NOT NULL,
  format TEXT NOT NULL,
  samples BIGINT NOT NULL,
  created BIGINT NOT NULL,
  created_by TEXT NOT NULL REFERENCES users (id),
  approved BIGINT,
  approved_by TEXT REFERENCES users (id)
);

CREATE TABLE broadcasts (
  id TEXT PRIMARY KEY,
  bulletin_id TEXT NOT NULL REFERENCES bulletins (id),
  state TEXT NOT NULL,
  starts BIGINT NOT NULL,
  ends BIGINT NOT NULL,
  accepted BIGINT NOT NULL,
  accepted_by TEXT NOT NULL REFERENCES users (id),
  -- Why it failed.
  reason TEXT
);
CREATE INDEX broadcasts_by_state ON broadcasts (state);

CREATE TABLE targets (
  broadcast_id TEXT NOT NULL REFERENCES broadcasts (id),
  kind TEXT NOT NULL,
  target_id TEXT NOT NULL,
  PRIMARY KEY (broadcast_id, kind, target_id)
);

-- What each receiver made of each broadcast; without an outcome it has not reported yet.
CREATE TABLE receipts (
  broadcast_id TEXT NOT NULL REFERENCES broadcasts (id),
  receiver_id TEXT NOT NULL REFERENCES receivers (id),
  targeted BIGINT NOT NULL,
  outcome TEXT,
  reported BIGINT,
  planned BIGINT NOT NULL DEFAULT 0,
  played BIGINT NOT NULL DEFAULT 0,
  expected BIGINT NOT NULL DEFAULT 0,
  received BIGINT NOT NULL DEFAULT 0,
  lost BIGINT NOT NULL DEFAULT 0,
  late BIGINT NOT NULL DEFAULT 0,
  duplicate BIGINT NOT NULL DEFAULT 0,
  concealed BIGINT NOT NULL DEFAULT 0,
  -- Hundredths of dB below full scale.
  level BIGINT,
  PRIMARY KEY (broadcast_id, receiver_id)
);

-- Who did what, to what, when, from where. Rows are only ever added.
CREATE TABLE record (
  id TEXT PRIMARY KEY,
  at BIGINT NOT NULL,
  who TEXT NOT NULL,
  origin TEXT NOT NULL,
  what TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL
);
CREATE INDEX record_by_time ON record (at);

-- Rises with every change that people make, so that a process notices what another one did.
CREATE TABLE changes (id BIGINT PRIMARY KEY, n BIGINT NOT NULL);
INSERT INTO changes (id, n) VALUES (1, 0);
