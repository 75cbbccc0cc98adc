-- Playlists: several bulletins, one after the other. Each is a row of bulletins without sound, of format playlist, which is what schedules
-- and requests name. What sounds is composed into rows of format turn, which is what broadcasts name: these never change.
CREATE TABLE playlists (
  bulletin_id TEXT PRIMARY KEY REFERENCES bulletins (id),
  -- Rises with every change.
  version BIGINT NOT NULL,
  -- Milliseconds.
  gap BIGINT NOT NULL,
  fade_in BIGINT NOT NULL,
  fade_out BIGINT NOT NULL,
  -- How many parts sound each time, by turns; none: all.
  take BIGINT,
  -- Why it could not be composed.
  trouble TEXT,
  changed_by TEXT NOT NULL REFERENCES users (id)
);

CREATE TABLE playlist_parts (
  playlist_id TEXT NOT NULL REFERENCES playlists (bulletin_id),
  -- opening, part, closing.
  role TEXT NOT NULL,
  position BIGINT NOT NULL,
  bulletin_id TEXT NOT NULL REFERENCES bulletins (id),
  PRIMARY KEY (playlist_id, role, position)
);
CREATE INDEX playlist_parts_by_bulletin ON playlist_parts (bulletin_id);

-- What was composed, by what it was composed of (SHA-256).
CREATE TABLE playlist_turns (
  playlist_id TEXT NOT NULL REFERENCES playlists (bulletin_id),
  recipe TEXT NOT NULL,
  bulletin_id TEXT NOT NULL REFERENCES bulletins (id),
  PRIMARY KEY (playlist_id, recipe)
);
