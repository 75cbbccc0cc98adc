-- What a library knows of a bulletin besides: where it is put, what it is about, until when it may be broadcast.
ALTER TABLE bulletins ADD COLUMN folder TEXT;
ALTER TABLE bulletins ADD COLUMN field TEXT;
-- BCP 47.
ALTER TABLE bulletins ADD COLUMN language TEXT NOT NULL DEFAULT 'vi';
-- A line each, and a line break before the first.
ALTER TABLE bulletins ADD COLUMN tags TEXT NOT NULL DEFAULT '';
ALTER TABLE bulletins ADD COLUMN expires BIGINT;
-- What it is searched by, as the server makes it; none: not made yet.
ALTER TABLE bulletins ADD COLUMN searched TEXT;
-- SHA-256 of the upload's sound.
ALTER TABLE bulletins ADD COLUMN fingerprint TEXT;
-- Hundredths of a LUFS.
ALTER TABLE bulletins ADD COLUMN source_loudness BIGINT;
ALTER TABLE bulletins ADD COLUMN loudness BIGINT;
-- Its sound is gone; the row stays for what it was broadcast in.
ALTER TABLE bulletins ADD COLUMN deleted BIGINT;
CREATE INDEX bulletins_by_fingerprint ON bulletins (fingerprint);

-- Outlines of their sound, base64.
CREATE TABLE outlines (
  bulletin_id TEXT PRIMARY KEY REFERENCES bulletins (id),
  peaks TEXT NOT NULL
);
