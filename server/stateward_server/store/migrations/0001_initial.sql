-- The ledger: instances, what happened to them, what is due; then the catalog, access, and the store's own row.
--
-- Write cost decides here. One transition must dirty as few pages as it can: the row itself (appended), its place
-- in (uid, revision) and, if it has a request id, its place in (uid, request_id). So the state of an instance lives
-- in its last transition only, and the row in `instances` is never updated. Foreign keys are deferred because an
-- immediate one makes SQLite journal every page of a statement of many rows.

PRAGMA application_id = 1398036292; -- "STWD": tells our file from any other SQLite database

CREATE TABLE meta (
  id        INTEGER PRIMARY KEY CHECK (id = 1),
  store_id  TEXT    NOT NULL,
  epoch     INTEGER NOT NULL,
  last_uid  INTEGER NOT NULL -- no uid above this was ever handed out
);

CREATE TABLE machines (
  org             TEXT    NOT NULL,
  name            TEXT    NOT NULL,
  current_version TEXT,
  created_at      INTEGER NOT NULL,
  PRIMARY KEY (org, name)
) WITHOUT ROWID;

CREATE TABLE versions (
  id           TEXT    NOT NULL PRIMARY KEY,
  org          TEXT    NOT NULL,
  machine      TEXT    NOT NULL,
  dialect      TEXT    NOT NULL,
  client_info  TEXT    NOT NULL,
  source_bytes INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  FOREIGN KEY (org, machine) REFERENCES machines (org, name) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
) WITHOUT ROWID;
CREATE INDEX versions_by_age ON versions (org, machine, created_at, id);

CREATE TABLE modules (
  id       INTEGER PRIMARY KEY,
  version  TEXT NOT NULL UNIQUE REFERENCES versions (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  language TEXT NOT NULL,
  source   BLOB NOT NULL -- UTF-8, zlib
);

CREATE TABLE instances (
  uid        INTEGER PRIMARY KEY,
  org        TEXT    NOT NULL,
  machine    TEXT    NOT NULL,
  name       TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (org, machine, name),
  FOREIGN KEY (org, machine) REFERENCES machines (org, name) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX instances_by_uid ON instances (org, machine); -- an index ends with the rowid, here the uid

CREATE TABLE transitions (
  position       INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of commits, of all instances; never reused
  uid            INTEGER NOT NULL REFERENCES instances (uid) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  revision       INTEGER NOT NULL,
  epoch          INTEGER NOT NULL,
  time_ms        INTEGER NOT NULL,
  cause          TEXT    NOT NULL,
  version        TEXT    NOT NULL,
  status         TEXT    NOT NULL,
  settled        INTEGER NOT NULL,
  value          TEXT    NOT NULL, -- JSON, as are states, tags, public, event and snapshot
  states         TEXT    NOT NULL,
  tags           TEXT    NOT NULL,
  public         TEXT,
  event          TEXT    NOT NULL,
  request_id     TEXT,
  request_digest BLOB,
  snapshot       TEXT    NOT NULL -- last, for it is the longest
);
CREATE UNIQUE INDEX transitions_by_revision ON transitions (uid, revision);
CREATE UNIQUE INDEX transitions_by_request ON transitions (uid, request_id) WHERE request_id IS NOT NULL;

CREATE TABLE unsettled ( -- instances whose last transition is not settled; touched when that changes only
  uid INTEGER PRIMARY KEY REFERENCES instances (uid) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE timers (
  uid    INTEGER NOT NULL REFERENCES instances (uid) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  id     TEXT    NOT NULL,
  due_ms INTEGER NOT NULL,
  target TEXT,
  event  TEXT    NOT NULL,
  PRIMARY KEY (uid, id)
) WITHOUT ROWID;
CREATE INDEX timers_by_due ON timers (due_ms, uid, id);

CREATE TABLE requests (
  org     TEXT    NOT NULL,
  id      TEXT    NOT NULL,
  digest  BLOB    NOT NULL,
  outcome TEXT    NOT NULL,
  time_ms INTEGER NOT NULL,
  PRIMARY KEY (org, id)
) WITHOUT ROWID;

CREATE TABLE orgs (
  id         TEXT    NOT NULL PRIMARY KEY,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE credentials (
  digest     BLOB    NOT NULL PRIMARY KEY, -- of an administrator's token; the token itself is never stored
  org        TEXT    NOT NULL,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE signing_keys (
  id         TEXT    NOT NULL PRIMARY KEY,
  org        TEXT    NOT NULL,
  scopes     TEXT    NOT NULL, -- a JSON array
  created_at INTEGER NOT NULL
) WITHOUT ROWID;
