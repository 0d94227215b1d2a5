"""The SQL of who may come in. Lists take the id to begin after and how many."""

from __future__ import annotations

_ORG = "id, display_name, created_at"
CREATE_ORG = f"INSERT INTO orgs ({_ORG}) VALUES (?, ?, ?)"
GET_ORG = f"SELECT {_ORG} FROM orgs WHERE id = ?"
LIST_ORGS = f"SELECT {_ORG} FROM orgs WHERE id > ? ORDER BY id LIMIT ?"
ORGS_OF = (
    "SELECT o.id, o.display_name, o.created_at, m.role FROM members m JOIN orgs o ON o.id = m.org"
    " WHERE m.user = ? AND m.org > ? ORDER BY m.org LIMIT ?"
)
RENAME_ORG = "UPDATE orgs SET display_name = ? WHERE id = ?"

PUT_USER = "INSERT INTO users (id, display_name, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
PUT_MEMBER = "INSERT INTO members (org, user, role, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_MEMBER = (
    "SELECT m.org, u.id, u.display_name, u.created_at, m.role, m.created_at"
    " FROM members m JOIN users u ON u.id = m.user"
)
GET_MEMBER = f"{_MEMBER} WHERE m.org = ? AND m.user = ?"
LIST_MEMBERS = f"{_MEMBER} WHERE m.org = ? AND m.user > ? ORDER BY m.user LIMIT ?"
OTHER_OWNERS = "SELECT 1 FROM members WHERE org = ? AND user <> ? AND role = ? LIMIT 1"
SET_ROLE = "UPDATE members SET role = ? WHERE org = ? AND user = ?"
DELETE_MEMBER = "DELETE FROM members WHERE org = ? AND user = ?"

_INVITATION = "id, org, role, note, created_at, expires_at"
COUNT_INVITATIONS = "SELECT count(*) FROM invitations WHERE org = ?"
CREATE_INVITATION = f"INSERT INTO invitations ({_INVITATION}) VALUES (?, ?, ?, ?, ?, ?)"
GET_INVITATION = f"SELECT {_INVITATION} FROM invitations WHERE id = ?"
LIST_INVITATIONS = f"SELECT {_INVITATION} FROM invitations WHERE org = ? AND id > ? ORDER BY id LIMIT ?"
DELETE_INVITATION = "DELETE FROM invitations WHERE org = ? AND id = ?"

_TOKEN = "id, user, display_name, created_at"
COUNT_TOKENS = "SELECT count(*) FROM access_tokens WHERE user = ?"
CREATE_TOKEN = f"INSERT INTO access_tokens ({_TOKEN}, digest) VALUES (?, ?, ?, ?, ?)"
FIND_TOKEN = (
    "SELECT t.id, t.user, t.display_name, t.created_at, u.id, u.display_name, u.created_at"
    " FROM access_tokens t JOIN users u ON u.id = t.user WHERE t.digest = ?"
)
LIST_TOKENS = f"SELECT {_TOKEN} FROM access_tokens WHERE user = ? AND id > ? ORDER BY id LIMIT ?"
DELETE_TOKEN = "DELETE FROM access_tokens WHERE user = ? AND id = ?"

_KEY = "id, org, display_name, scopes, created_at"
COUNT_KEYS = "SELECT count(*) FROM signing_keys WHERE org = ?"
PUT_KEY = f"INSERT OR REPLACE INTO signing_keys ({_KEY}) VALUES (?, ?, ?, ?, ?)"
GET_KEY = f"SELECT {_KEY} FROM signing_keys WHERE id = ?"
HAS_KEY = "SELECT 1 FROM signing_keys WHERE org = ? AND id = ?"
LIST_KEYS = f"SELECT {_KEY} FROM signing_keys WHERE org = ? AND id > ? ORDER BY id LIMIT ?"
DELETE_KEY = "DELETE FROM signing_keys WHERE org = ? AND id = ?"

_IDENTITY = "id, org, issuer, audience, algorithms, jwks_url, sealed_key, mapping, created_at"
COUNT_IDENTITY_PROVIDERS = "SELECT count(*) FROM identity_providers WHERE org = ? AND id <> ?"
PUT_IDENTITY_PROVIDER = (
    f"INSERT INTO identity_providers ({_IDENTITY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET algorithms = excluded.algorithms, jwks_url = excluded.jwks_url,"
    " sealed_key = excluded.sealed_key, mapping = excluded.mapping"
)
GET_IDENTITY_PROVIDER = f"SELECT {_IDENTITY} FROM identity_providers WHERE org = ? AND id = ?"
FIND_IDENTITY_PROVIDERS = (
    f"SELECT {_IDENTITY} FROM identity_providers WHERE org = ? AND id IN (SELECT value FROM json_each(?))"
)
LIST_IDENTITY_PROVIDERS = (
    f"SELECT {_IDENTITY} FROM identity_providers WHERE org = ? AND id > ? ORDER BY id LIMIT ?"
)
DELETE_IDENTITY_PROVIDER = "DELETE FROM identity_providers WHERE org = ? AND id = ?"

_PROVIDER = "org, service, key_id, mapping, created_at"
COUNT_TOKEN_PROVIDERS = "SELECT count(*) FROM token_providers WHERE org = ? AND service <> ?"
PUT_TOKEN_PROVIDER = (
    f"INSERT INTO token_providers ({_PROVIDER}) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET key_id = excluded.key_id, mapping = excluded.mapping"
)
GET_TOKEN_PROVIDER = f"SELECT {_PROVIDER} FROM token_providers WHERE org = ? AND service = ?"
LIST_TOKEN_PROVIDERS = (
    f"SELECT {_PROVIDER} FROM token_providers WHERE org = ? AND service > ? ORDER BY service LIMIT ?"
)
DELETE_TOKEN_PROVIDER = "DELETE FROM token_providers WHERE org = ? AND service = ?"
