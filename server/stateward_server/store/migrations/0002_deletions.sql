-- What was deleted, and after which position, so that a watch of a machine that was away can tell.

CREATE TABLE deletions (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  org        TEXT    NOT NULL,
  machine    TEXT    NOT NULL,
  name       TEXT    NOT NULL,
  uid        INTEGER NOT NULL,
  version    TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  position   INTEGER NOT NULL -- the highest position given out before the deletion
);
CREATE INDEX deletions_by_machine ON deletions (org, machine, position);
