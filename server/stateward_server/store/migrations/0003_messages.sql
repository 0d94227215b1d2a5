-- Messages between instances: who is whose child, what is owed, what could not be delivered; and pauses.

ALTER TABLE instances ADD COLUMN parent_uid INTEGER; -- of the instance that spawned it, which may be gone by now
ALTER TABLE instances ADD COLUMN parent_machine TEXT;
ALTER TABLE instances ADD COLUMN parent_name TEXT;
ALTER TABLE instances ADD COLUMN child TEXT; -- the id by which the parent knows it
ALTER TABLE instances ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;

ALTER TABLE timers ADD COLUMN to_machine TEXT; -- of the instance that gets the event, instead of the timer's own
ALTER TABLE timers ADD COLUMN to_name TEXT;

-- Rows outlive their sender: what was committed is sent.
CREATE TABLE outbox (
  position   INTEGER PRIMARY KEY AUTOINCREMENT, -- never reused: receivers know by it what they have had
  uid        INTEGER NOT NULL, -- of the sender, with its name
  org        TEXT    NOT NULL,
  machine    TEXT    NOT NULL,
  name       TEXT    NOT NULL,
  kind       TEXT    NOT NULL,
  to_machine TEXT    NOT NULL,
  to_name    TEXT    NOT NULL,
  to_uid     INTEGER,
  child      TEXT    NOT NULL,
  version    TEXT,
  payload    TEXT, -- JSON
  attempt    INTEGER NOT NULL,
  not_before INTEGER NOT NULL
);

CREATE TABLE dead_letters (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  uid        INTEGER NOT NULL, -- of the instance it came from, with its name
  org        TEXT    NOT NULL,
  machine    TEXT    NOT NULL,
  name       TEXT    NOT NULL,
  position   INTEGER, -- the parcel's old place in the outbox, which is its identity
  kind       TEXT    NOT NULL, -- 'timer', or that of a parcel
  child      TEXT    NOT NULL, -- or the timer's id
  due_ms     INTEGER,
  target     TEXT,
  to_machine TEXT,
  to_name    TEXT,
  to_uid     INTEGER,
  version    TEXT,
  payload    TEXT,
  reason     TEXT    NOT NULL,
  message    TEXT    NOT NULL,
  attempts   INTEGER NOT NULL,
  time_ms    INTEGER NOT NULL
);
CREATE INDEX dead_letters_by_machine ON dead_letters (org, machine, id);
CREATE INDEX dead_letters_by_instance ON dead_letters (org, machine, name, id);
CREATE INDEX dead_letters_by_uid ON dead_letters (uid);
