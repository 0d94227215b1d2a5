-- Who belongs to which organisation, and by what others come in. No secret is kept here but sealed.

ALTER TABLE orgs ADD COLUMN display_name TEXT NOT NULL DEFAULT '';

CREATE TABLE users (
  id           TEXT    NOT NULL PRIMARY KEY,
  display_name TEXT    NOT NULL,
  created_at   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE members (
  org        TEXT    NOT NULL,
  user       TEXT    NOT NULL,
  role       TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (org, user)
) WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user, org);

CREATE TABLE invitations (
  id         TEXT    NOT NULL PRIMARY KEY,
  org        TEXT    NOT NULL,
  role       TEXT    NOT NULL,
  note       TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX invitations_by_org ON invitations (org, id);

CREATE TABLE access_tokens (
  id           TEXT    NOT NULL PRIMARY KEY,
  user         TEXT    NOT NULL,
  display_name TEXT    NOT NULL,
  created_at   INTEGER NOT NULL,
  digest       BLOB    NOT NULL UNIQUE -- of the token; the token itself is never stored
) WITHOUT ROWID;
CREATE INDEX access_tokens_by_user ON access_tokens (user, id);

ALTER TABLE signing_keys ADD COLUMN display_name TEXT NOT NULL DEFAULT '';
CREATE INDEX signing_keys_by_org ON signing_keys (org, id);

CREATE TABLE identity_providers (
  id         TEXT    NOT NULL,
  org        TEXT    NOT NULL,
  issuer     TEXT,
  audience   TEXT,
  algorithms TEXT    NOT NULL, -- a JSON array
  jwks_url   TEXT,
  sealed_key BLOB,
  mapping    TEXT    NOT NULL, -- JSON
  created_at INTEGER NOT NULL,
  PRIMARY KEY (org, id)
) WITHOUT ROWID;

CREATE TABLE token_providers (
  org        TEXT    NOT NULL,
  service    TEXT    NOT NULL,
  key_id     TEXT    NOT NULL,
  mapping    TEXT    NOT NULL, -- JSON
  created_at INTEGER NOT NULL,
  PRIMARY KEY (org, service)
) WITHOUT ROWID;

-- An administrator's credential becomes the access token of a person who owns the organisation.
ALTER TABLE credentials ADD COLUMN name TEXT;
UPDATE credentials SET name = substr(lower(hex(randomblob(16))), 1, 22);
INSERT INTO users SELECT 'usr_' || name, 'Administrator', created_at FROM credentials;
INSERT INTO members SELECT org, 'usr_' || name, 'owner', created_at FROM credentials;
INSERT INTO access_tokens SELECT 'sat_' || name, 'usr_' || name, 'admin.json', created_at, digest FROM credentials;
DROP TABLE credentials;
