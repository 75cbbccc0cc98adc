-- Speech from text: how officers want words read, phrases that somebody recorded, and what typed bulletins say.

CREATE TABLE readings (
  id TEXT PRIMARY KEY,
  -- Where it holds, and below; none: everywhere.
  area_id TEXT REFERENCES areas (id),
  word TEXT NOT NULL,
  reading TEXT NOT NULL,
  created BIGINT NOT NULL,
  created_by TEXT NOT NULL REFERENCES users (id)
);
CREATE UNIQUE INDEX readings_by_word ON readings (word, COALESCE(area_id, ''));

CREATE TABLE phrases (
  id TEXT PRIMARY KEY,
  -- Whose it is; none: of who may do everything everywhere.
  area_id TEXT REFERENCES areas (id),
  language TEXT NOT NULL,
  -- What is said, in that language.
  text TEXT NOT NULL,
  -- The same in Vietnamese.
  meaning TEXT NOT NULL,
  -- The recording.
  bulletin_id TEXT NOT NULL REFERENCES bulletins (id),
  created BIGINT NOT NULL,
  created_by TEXT NOT NULL REFERENCES users (id)
);
CREATE UNIQUE INDEX phrases_by_text ON phrases (language, text, COALESCE(area_id, ''));

CREATE TABLE bulletin_texts (
  bulletin_id TEXT PRIMARY KEY REFERENCES bulletins (id),
  -- As JSON: each part's language, what was typed and what was said for it, or the phrase that was played.
  parts TEXT NOT NULL,
  gap_ms BIGINT NOT NULL
);
