-- Entries of the record are not changed, and only what was pruned goes.
CREATE TRIGGER record_stays BEFORE UPDATE ON record
BEGIN
  SELECT RAISE(ABORT, 'entries of the record are not changed');
END;
CREATE TRIGGER record_goes_from_its_beginning BEFORE DELETE ON record
WHEN OLD.number > (SELECT number FROM record_start WHERE id = 1)
BEGIN
  SELECT RAISE(ABORT, 'entries of the record are not removed');
END;
