-- The life of a receiver: revocation, new secrets, what it trusts; keys that follow each other; devices that were claimed.

-- Since when it is no receiver any more; its secret is gone then, its history stays.
ALTER TABLE receivers ADD COLUMN revoked BIGINT;
-- How often its secret was replaced.
ALTER TABLE receivers ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;
-- The server's half of the next secret (sealed), while one was ordered; and that secret (sealed) once the receiver has made it.
ALTER TABLE receivers ADD COLUMN rotation TEXT;
ALTER TABLE receivers ADD COLUMN next_secret TEXT;
-- What it last said that it trusts.
ALTER TABLE receivers ADD COLUMN key_number BIGINT;
ALTER TABLE receivers ADD COLUMN authority TEXT;
-- Since when two devices were seen under its name.
ALTER TABLE receivers ADD COLUMN cloned BIGINT;
-- The last report of each kind: older ones are not taken again.
ALTER TABLE receivers ADD COLUMN telemetry_boot BIGINT NOT NULL DEFAULT 0;
ALTER TABLE receivers ADD COLUMN telemetry_number BIGINT NOT NULL DEFAULT 0;
ALTER TABLE receivers ADD COLUMN receipt_boot BIGINT NOT NULL DEFAULT 0;
ALTER TABLE receivers ADD COLUMN receipt_number BIGINT NOT NULL DEFAULT 0;
ALTER TABLE receivers ADD COLUMN rotation_boot BIGINT NOT NULL DEFAULT 0;
ALTER TABLE receivers ADD COLUMN rotation_number BIGINT NOT NULL DEFAULT 0;

-- Every key that this server has signed with, and how each but the first was vouched for by the one before. Never removed: a
-- receiver that was away for years walks from one to the next.
CREATE TABLE signing_keys (
  number BIGINT PRIMARY KEY,
  -- Ed25519, hexadecimal digits.
  public TEXT NOT NULL,
  -- The succession message (base64); none for the first.
  step TEXT,
  created BIGINT NOT NULL
);

-- Devices that were claimed and have not reported yet: they are answered, however often they ask.
CREATE TABLE claims (
  id TEXT PRIMARY KEY,
  receiver_id TEXT NOT NULL REFERENCES receivers (id),
  -- X25519 public keys, hexadecimal digits.
  device TEXT NOT NULL,
  server TEXT NOT NULL,
  -- Where it is told that sound comes from.
  media_host TEXT NOT NULL,
  media_port BIGINT NOT NULL,
  approved BIGINT NOT NULL
);
CREATE INDEX claims_by_receiver ON claims (receiver_id);
