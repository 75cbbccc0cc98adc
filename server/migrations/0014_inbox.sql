-- Who asks for approval and who refuses it; what areas above send down, and what is answered.

ALTER TABLE bulletins ADD COLUMN submitted BIGINT;
ALTER TABLE bulletins ADD COLUMN submitted_by TEXT REFERENCES users (id);
ALTER TABLE bulletins ADD COLUMN refused BIGINT;
ALTER TABLE bulletins ADD COLUMN refused_by TEXT REFERENCES users (id);
-- Why it was refused last.
ALTER TABLE bulletins ADD COLUMN refusal TEXT;

-- A bulletin that lies before an area below its own.
CREATE TABLE inbox (
  id TEXT PRIMARY KEY,
  bulletin_id TEXT NOT NULL REFERENCES bulletins (id),
  area_id TEXT NOT NULL REFERENCES areas (id),
  note TEXT,
  -- From when on it is not to begin there any more.
  valid_until BIGINT,
  sent BIGINT NOT NULL,
  sent_by TEXT NOT NULL REFERENCES users (id),
  -- accepted, refused; none: not answered.
  answer TEXT,
  -- Why it was refused.
  reason TEXT,
  answered BIGINT,
  answered_by TEXT REFERENCES users (id),
  UNIQUE (bulletin_id, area_id)
);
CREATE INDEX inbox_by_area ON inbox (area_id);
CREATE INDEX broadcasts_of_bulletin ON broadcasts (bulletin_id);
CREATE INDEX bulletins_by_state ON bulletins (state);
