-- Who may do what, where: a role granted in an area holds there and below; an empty area is everywhere.
CREATE TABLE grants (
  user_id TEXT NOT NULL REFERENCES users (id),
  role TEXT NOT NULL,
  area_id TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (user_id, role, area_id)
);
INSERT INTO grants (user_id, role) SELECT id, 'officer' FROM users;
INSERT INTO grants (user_id, role) SELECT id, 'approver' FROM users WHERE role = 'admin';
INSERT INTO grants (user_id, role) SELECT id, 'administrator' FROM users WHERE role = 'admin';
ALTER TABLE users DROP COLUMN role;

-- Since when somebody may not sign in any more.
ALTER TABLE users ADD COLUMN disabled BIGINT;

-- When a second factor was shown in a session.
ALTER TABLE sessions ADD COLUMN second_factor BIGINT;

-- Whose bulletin it is: the area's, and those above it; without an area it is that of who may do everything everywhere.
ALTER TABLE bulletins ADD COLUMN area_id TEXT REFERENCES areas (id);
