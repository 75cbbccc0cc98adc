-- What areas were called, and which official codes they had, before.
CREATE TABLE area_names (
  area_id TEXT NOT NULL REFERENCES areas (id),
  name TEXT NOT NULL,
  code TEXT,
  until BIGINT NOT NULL
);
CREATE INDEX area_names_by_area ON area_names (area_id);
