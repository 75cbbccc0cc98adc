-- Sessions begun before end here: they have no second factor and no last day.
DROP TABLE sessions;
CREATE TABLE sessions (
  token_hash TEXT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  user_id TEXT NOT NULL REFERENCES users (id),
  csrf TEXT NOT NULL,
  origin TEXT NOT NULL,
  created BIGINT NOT NULL,
  used BIGINT NOT NULL,
  -- When it ends unless it is used, and when it ends in any case.
  expires BIGINT NOT NULL,
  ends BIGINT NOT NULL,
  -- The password was shown, a second factor is to follow.
  half BIGINT NOT NULL DEFAULT 0,
  -- Wrong codes so far.
  wrong BIGINT NOT NULL DEFAULT 0,
  -- When a second factor was shown in it.
  second_factor BIGINT
);
CREATE INDEX sessions_by_user ON sessions (user_id);

-- What somebody can show besides the password.
CREATE TABLE factors (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id),
  -- totp or passkey.
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  -- The secret of the codes, or the passkey's public key and counter as JSON; sealed by the vault.
  sealed TEXT NOT NULL,
  -- A passkey's identifier.
  credential TEXT UNIQUE,
  -- The 30 seconds whose code was taken last: it and those before are not taken again.
  step BIGINT NOT NULL DEFAULT 0,
  created BIGINT NOT NULL,
  used BIGINT
);
CREATE INDEX factors_by_user ON factors (user_id);

-- Each stands in for a second factor once.
CREATE TABLE recovery_codes (
  user_id TEXT NOT NULL REFERENCES users (id),
  code_hash TEXT NOT NULL,
  PRIMARY KEY (user_id, code_hash)
);

-- Links that let somebody choose a password, one at a time.
CREATE TABLE links (
  user_id TEXT PRIMARY KEY REFERENCES users (id),
  token_hash TEXT NOT NULL UNIQUE,
  -- invitation or reset.
  kind TEXT NOT NULL,
  clears_factors BIGINT NOT NULL,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL
);

-- Browsers in which somebody has signed in.
CREATE TABLE devices (
  token_hash TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id),
  created BIGINT NOT NULL,
  used BIGINT NOT NULL
);
CREATE INDEX devices_by_user ON devices (user_id);

-- Failed attempts: how many, and when the last was. The key is a hash of whose, or from where.
CREATE TABLE failures (
  key TEXT PRIMARY KEY,
  count BIGINT NOT NULL,
  last BIGINT NOT NULL
);
CREATE INDEX failures_by_time ON failures (last);
