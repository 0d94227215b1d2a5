-- Who did what to an organisation. Never what was sent: there is nothing secret in it.

CREATE TABLE audit_entries (
  org      TEXT    NOT NULL, -- empty while it is not known
  time     INTEGER NOT NULL,
  id       TEXT    NOT NULL,
  subject  TEXT    NOT NULL,
  method   TEXT    NOT NULL,
  resource TEXT    NOT NULL,
  acting   INTEGER NOT NULL,
  sub      TEXT    NOT NULL,
  sid      TEXT    NOT NULL,
  peer     TEXT    NOT NULL,
  outcome  TEXT    NOT NULL, -- empty while the call runs
  PRIMARY KEY (org, time, id)
) WITHOUT ROWID;
CREATE INDEX audit_entries_by_subject ON audit_entries (org, subject, time, id);
CREATE INDEX audit_entries_by_method ON audit_entries (org, method, time, id);
CREATE INDEX audit_entries_by_time ON audit_entries (time);
