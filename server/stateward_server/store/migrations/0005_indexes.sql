-- Indexes: their names, where versions find their values, the values of every transition, and those of the last ones.

ALTER TABLE machines ADD COLUMN indexes TEXT NOT NULL DEFAULT '[]'; -- a JSON array of names, sorted
ALTER TABLE versions ADD COLUMN selectors TEXT NOT NULL DEFAULT '[]'; -- a JSON array of [index, selector]

-- A watch must know of every transition whether it matched. NULL, which takes no room in the row, for no values.
ALTER TABLE transitions ADD COLUMN indexes TEXT; -- a JSON array of [index, value]

-- What instances can be found by: the values of their last transitions. Touched when those change only.
CREATE TABLE index_entries (
  uid     INTEGER NOT NULL REFERENCES instances (uid) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  name    TEXT    NOT NULL,
  value   TEXT    NOT NULL,
  org     TEXT    NOT NULL, -- of the instance, as are the next two: they are part of the order
  machine TEXT    NOT NULL,
  owner   TEXT    NOT NULL,
  PRIMARY KEY (uid, name, value)
) WITHOUT ROWID;
CREATE INDEX index_entries_by_value ON index_entries (org, machine, name, value, owner);
