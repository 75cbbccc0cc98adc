-- Where the sound of a broadcast comes from that plays no file: somebody who speaks, or another station.
CREATE TABLE sources (
  broadcast_id TEXT PRIMARY KEY REFERENCES broadcasts (id),
  -- microphone, relay.
  kind TEXT NOT NULL,
  -- A chime sounds first.
  chime BIGINT NOT NULL DEFAULT 0,
  -- The other station's address.
  url TEXT,
  -- What is wrong with it now.
  trouble TEXT,
  -- Why it ended before its time.
  ended TEXT
);

-- What sounds while the other station is no good, in this order.
CREATE TABLE fallbacks (
  broadcast_id TEXT NOT NULL REFERENCES broadcasts (id),
  position BIGINT NOT NULL,
  bulletin_id TEXT NOT NULL REFERENCES bulletins (id),
  PRIMARY KEY (broadcast_id, position)
);
