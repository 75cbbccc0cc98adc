-- What programs show in place of a session. Of a token only the hash is kept.
CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  token_hash TEXT NOT NULL UNIQUE,
  user_id TEXT NOT NULL REFERENCES users (id),
  name TEXT NOT NULL,
  -- Names of rights, with spaces between them.
  rights TEXT NOT NULL,
  -- Where they hold; none: wherever its owner's do.
  area_id TEXT REFERENCES areas (id),
  -- When a second factor was shown in the session that it was made in.
  second_factor BIGINT,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  -- When it was last used and from where, and when it was last refused; not noted at every request.
  used BIGINT,
  used_from TEXT,
  refused BIGINT,
  UNIQUE (user_id, name)
);
