-- What must come along with a session's token follows from that token, of which only the hash is kept: a copy of the database does not hold it.
ALTER TABLE sessions DROP COLUMN csrf;
