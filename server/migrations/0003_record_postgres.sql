-- Entries of the record are not changed, and only what was pruned goes.
CREATE FUNCTION record_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.number <= (SELECT number FROM record_start WHERE id = 1) THEN
      RETURN OLD;
    END IF;
    RAISE EXCEPTION 'entries of the record are not removed';
  END IF;
  RAISE EXCEPTION 'entries of the record are not changed';
END
$$;
CREATE TRIGGER record_stays BEFORE UPDATE OR DELETE ON record FOR EACH ROW EXECUTE FUNCTION record_guard();
CREATE TRIGGER record_is_not_emptied BEFORE TRUNCATE ON record FOR EACH STATEMENT EXECUTE FUNCTION record_guard();
