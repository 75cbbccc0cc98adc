-- When what plays: what areas allow, schedules, and what goes past the rules.

-- The zone of its civil time (IANA), and what it allows (JSON, `schedule::rules`); none: as above it.
ALTER TABLE areas ADD COLUMN zone TEXT;
ALTER TABLE areas ADD COLUMN rules TEXT;

-- Past hours and minutes: asked for by one person, approved by another, for a time.
CREATE TABLE overrides (
  id TEXT PRIMARY KEY,
  area_id TEXT NOT NULL REFERENCES areas (id),
  reason TEXT NOT NULL,
  expires BIGINT NOT NULL,
  asked BIGINT NOT NULL,
  asked_by TEXT NOT NULL REFERENCES users (id),
  approved BIGINT,
  approved_by TEXT REFERENCES users (id),
  withdrawn BIGINT
);
CREATE INDEX overrides_by_area ON overrides (area_id);

CREATE TABLE schedules (
  id TEXT PRIMARY KEY,
  -- Rises with every change.
  version BIGINT NOT NULL,
  area_id TEXT REFERENCES areas (id),
  title TEXT NOT NULL,
  bulletin_id TEXT NOT NULL REFERENCES bulletins (id),
  override_id TEXT REFERENCES overrides (id),
  -- Civil time in `zone` (RFC 5545 §3.3.5), a recurrence rule, exceptions and additions (JSON lists of civil times).
  zone TEXT NOT NULL,
  starts TEXT NOT NULL,
  rule TEXT,
  except_at TEXT NOT NULL,
  also_at TEXT NOT NULL,
  -- When the server was not there at the start: join, skip or play.
  late TEXT NOT NULL,
  paused BIGINT NOT NULL,
  -- What begins before this is a broadcast already, or was missed.
  planned BIGINT NOT NULL,
  created BIGINT NOT NULL,
  changed BIGINT NOT NULL,
  changed_by TEXT NOT NULL REFERENCES users (id),
  removed BIGINT
);

CREATE TABLE schedule_targets (
  schedule_id TEXT NOT NULL REFERENCES schedules (id),
  kind TEXT NOT NULL,
  target_id TEXT NOT NULL,
  PRIMARY KEY (schedule_id, kind, target_id)
);

-- What is different once, by the civil time at which the rule has it.
CREATE TABLE schedule_changes (
  schedule_id TEXT NOT NULL REFERENCES schedules (id),
  occurrence TEXT NOT NULL,
  starts TEXT,
  bulletin_id TEXT REFERENCES bulletins (id),
  PRIMARY KEY (schedule_id, occurrence)
);

ALTER TABLE broadcasts ADD COLUMN schedule_id TEXT REFERENCES schedules (id);
ALTER TABLE broadcasts ADD COLUMN occurrence TEXT;
ALTER TABLE broadcasts ADD COLUMN override_id TEXT REFERENCES overrides (id);
-- It goes past hours and minutes.
ALTER TABLE broadcasts ADD COLUMN overrides BIGINT NOT NULL DEFAULT 0;
CREATE INDEX broadcasts_by_schedule ON broadcasts (schedule_id);
CREATE INDEX broadcasts_by_start ON broadcasts (starts);
