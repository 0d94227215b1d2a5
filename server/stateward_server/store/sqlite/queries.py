"""Every statement of the store, in one place: what is asked, and how each table's columns are read.

Used by the roles of this package. Text is put together from constants of this module only; values are always
bound. Each read runs on an index, which a test checks against SQLite's own plan.
"""

# ruff: noqa: S608 - see above: nothing from outside ever becomes part of a statement

from __future__ import annotations

from stateward_server.model.index import Comparison

# --- Ledger and timers ---

TRANSITION_COLUMNS = (
    "revision, epoch, time_ms, cause, version, status, settled, value, states, tags, public, event,"
    " request_id, request_digest, indexes, snapshot"
)
TIMER_COLUMNS = "uid, id, due_ms, target, event, to_machine, to_name"
INSTANCE_COLUMNS = (
    "uid, org, machine, name, created_at, paused, parent_uid, parent_machine, parent_name, child"
)

_LAST = ", ".join(f"t.{column}" for column in TRANSITION_COLUMNS.split(", "))
_HEAD = ", ".join(f"i.{column}" for column in INSTANCE_COLUMNS.split(", "))
_LOAD = (
    f"SELECT {_HEAD}, {_LAST} FROM instances AS i JOIN transitions AS t"
    " ON t.uid = i.uid AND t.revision = (SELECT max(revision) FROM transitions WHERE uid = i.uid)"
)
LOAD_BY_KEY = f"{_LOAD} WHERE i.org = ? AND i.machine = ? AND i.name = ?"
LOAD_BY_UID = f"{_LOAD} WHERE i.uid = ?"
LIST_INSTANCES = f"{_LOAD} WHERE i.org = ? AND i.machine = ? AND i.uid > ? ORDER BY i.uid LIMIT ?"
FIND_REQUEST = f"SELECT {TRANSITION_COLUMNS} FROM transitions WHERE uid = ? AND request_id = ?"
HISTORY = (
    f"SELECT {TRANSITION_COLUMNS} FROM transitions WHERE uid = ? AND revision > ? ORDER BY revision LIMIT ?"
)
HEAD = "SELECT revision, settled, indexes FROM transitions WHERE uid = ? ORDER BY revision DESC LIMIT 1"
OLDEST = "SELECT min(revision) FROM transitions WHERE uid = ?"
UID_OF = "SELECT uid FROM instances WHERE org = ? AND machine = ? AND name = ?"
HAS_UID = "SELECT 1 FROM instances WHERE uid = ?"
HAS_INSTANCES = "SELECT 1 FROM instances WHERE org = ? AND machine = ? LIMIT 1"
UNSETTLED = "SELECT uid FROM unsettled WHERE uid > ? ORDER BY uid LIMIT ?"
DUE_AFTER = (
    f"SELECT {TIMER_COLUMNS} FROM timers WHERE (due_ms, uid, id) > (?, ?, ?) ORDER BY due_ms, uid, id LIMIT ?"
)
TIMERS_OF = f"SELECT {TIMER_COLUMNS} FROM timers WHERE uid = ? ORDER BY id"

# Written many rows at a time, see `rows.MultiRow`. OR ROLLBACK, because the default promises to undo a
# statement that fails halfway by itself, for which SQLite copies every page before it changes it. The timers
# are found by a chain of ORs, as for `IN (VALUES …)` SQLite would rather read the whole table.
INSERT_INSTANCES = f"INSERT OR ROLLBACK INTO instances ({INSTANCE_COLUMNS}) VALUES"
INSTANCE = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_TRANSITIONS = f"INSERT OR ROLLBACK INTO transitions (uid, {TRANSITION_COLUMNS}) VALUES"
TRANSITION = f"(?{', ?' * len(TRANSITION_COLUMNS.split(','))})"
SET_TIMERS = f"INSERT OR REPLACE INTO timers ({TIMER_COLUMNS}) VALUES"
TIMER = "(?, ?, ?, ?, ?, ?, ?)"
DELETE_TIMERS = "DELETE FROM timers WHERE"
THIS_TIMER = "(uid = ? AND id = ?)"

DELETE_UNSETTLED = "DELETE FROM unsettled WHERE"
THIS_UID = "uid = ?"
INSERT_UNSETTLED = "INSERT OR IGNORE INTO unsettled (uid) VALUES"
UID = "(?)"

DELETE_ENTRIES = "DELETE FROM index_entries WHERE"
THIS_ENTRY = "(uid = ? AND name = ? AND value = ?)"
INSERT_ENTRIES = "INSERT OR REPLACE INTO index_entries (uid, name, value, org, machine, owner) VALUES"
ENTRY = "(?, ?, ?, ?, ?, ?)"

DELETE_INSTANCE = "DELETE FROM instances WHERE uid = ?"  # history, timers and entries go by cascade
SET_PAUSED = "UPDATE instances SET paused = ? WHERE uid = ?"
SET_PARENT = (
    "UPDATE instances SET parent_uid = ?, parent_machine = ?, parent_name = ?, child = ? WHERE uid = ?"
)
RESERVE_UIDS = "UPDATE meta SET last_uid = last_uid + ?"
LAST_UID = "SELECT last_uid FROM meta"

# --- Indexes ---

_ENTRIES = (
    f"SELECT e.value, {_HEAD}, {_LAST} FROM index_entries AS e CROSS JOIN instances AS i ON i.uid = e.uid"
    " CROSS JOIN transitions AS t"
    " ON t.uid = i.uid AND t.revision = (SELECT max(revision) FROM transitions WHERE uid = i.uid)"
    " WHERE e.org = ? AND e.machine = ? AND e.name = ?"
)


def query_index(comparison: Comparison | None, *, descending: bool) -> str:
    """Return the statement for entries beyond a place, (value, owner), or (owner) among equals.

    The value to compare with, if any, is bound first.
    """
    wanted = "" if comparison is None else f" AND e.value {comparison.value} ?"
    beyond, order = ("<", "DESC") if descending else (">", "ASC")
    if comparison is Comparison.EQUAL:
        return f"{_ENTRIES}{wanted} AND e.owner {beyond} ? ORDER BY e.owner {order} LIMIT ?"
    return (
        f"{_ENTRIES}{wanted} AND (e.value, e.owner) {beyond} (?, ?)"
        f" ORDER BY e.value {order}, e.owner {order} LIMIT ?"
    )


# --- Outbox and dead letters ---

_SENDER_COLUMNS = "uid, org, machine, name"
PARCEL_COLUMNS = "kind, to_machine, to_name, to_uid, child, version, payload, attempt, not_before"
LETTER_COLUMNS = (
    f"{_SENDER_COLUMNS}, position, kind, child, due_ms, target, to_machine, to_name, to_uid, version,"
    " payload, reason, message, attempts, time_ms"
)
INSERT_PARCELS = f"INSERT OR ROLLBACK INTO outbox ({_SENDER_COLUMNS}, {PARCEL_COLUMNS}) VALUES"
PARCEL = f"(?{', ?' * 12})"
OWED_AFTER = (
    f"SELECT position, {_SENDER_COLUMNS}, {PARCEL_COLUMNS} FROM outbox"
    " WHERE position > ? ORDER BY position LIMIT ?"
)
ACKNOWLEDGE = "DELETE FROM outbox WHERE position = ?"
POSTPONE = "UPDATE outbox SET attempt = ?, not_before = ? WHERE position = ?"
RETURN_PARCEL = (
    f"INSERT INTO outbox (position, {_SENDER_COLUMNS}, {PARCEL_COLUMNS})"
    f" VALUES (?{', ?' * 13}) ON CONFLICT DO NOTHING"
)
INSERT_LETTERS = f"INSERT OR ROLLBACK INTO dead_letters ({LETTER_COLUMNS}) VALUES"
LETTER = f"(?{', ?' * 17})"
DELETE_LETTERS = "DELETE FROM dead_letters WHERE"
THIS_LETTER = "(id = ?)"
DELETE_LETTER = f"{DELETE_LETTERS} id = ?"
DELETE_LETTERS_OF = "DELETE FROM dead_letters WHERE uid = ?"
DELETE_LETTERS_OF_MACHINE = "DELETE FROM dead_letters WHERE org = ? AND machine = ?"
GET_LETTER = (
    f"SELECT id, {LETTER_COLUMNS} FROM dead_letters WHERE id = ? AND org = ? AND machine = ? AND name = ?"
)
LIST_LETTERS = (
    f"SELECT id, {LETTER_COLUMNS} FROM dead_letters WHERE org = ? AND machine = ? AND id > ?"
    " ORDER BY id LIMIT ?"
)
LIST_LETTERS_OF = (
    f"SELECT id, {LETTER_COLUMNS} FROM dead_letters WHERE org = ? AND machine = ? AND name = ? AND id > ?"
    " ORDER BY id LIMIT ?"
)

# --- The total order ---

POSITION = "SELECT seq FROM sqlite_sequence WHERE name = 'transitions'"
NEXT_POSITION = "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'transitions'"
EPOCH_AT = "SELECT epoch FROM epochs WHERE position < ? ORDER BY position DESC LIMIT 1"
CHANGES_AFTER = (
    f"SELECT t.position, {_HEAD}, {_LAST}"
    " FROM transitions AS t CROSS JOIN instances AS i ON i.uid = t.uid"
    " WHERE t.position > ? AND t.position <= ? AND i.org = ? AND i.machine = ? ORDER BY t.position LIMIT ?"
)
DELETIONS_AFTER = (
    "SELECT uid, name, version, created_at, position FROM deletions"
    " WHERE org = ? AND machine = ? AND position > ? AND position <= ? ORDER BY position"
)
RECORD_DELETION = (
    "INSERT INTO deletions (org, machine, name, uid, version, created_at, position)"
    " SELECT i.org, i.machine, i.name, i.uid, t.version, i.created_at,"
    " (SELECT seq FROM sqlite_sequence WHERE name = 'transitions')"
    " FROM instances AS i JOIN transitions AS t ON t.uid = i.uid"
    " WHERE i.uid = ? ORDER BY t.revision DESC LIMIT 1"
)

# --- Retention ---

PRUNED = "SELECT pruned FROM meta"
TIMES_AFTER = "SELECT position, time_ms FROM transitions WHERE position > ? ORDER BY position LIMIT ?"
# Never the last of an instance, and never one before which a younger one is kept: history begins later, but
# has no holes.
PRUNE = (
    "DELETE FROM transitions AS t WHERE t.position > ?1 AND t.position <= ?2 AND t.time_ms < ?3"
    " AND EXISTS (SELECT 1 FROM transitions AS n WHERE n.uid = t.uid AND n.revision > t.revision)"
    " AND NOT EXISTS (SELECT 1 FROM transitions AS o"
    " WHERE o.uid = t.uid AND o.revision < t.revision AND (o.time_ms >= ?3 OR o.position <= ?1))"
    " RETURNING position"
)
RAISE_PRUNED = "UPDATE meta SET pruned = max(pruned, ?)"
PRUNE_DELETIONS = "DELETE FROM deletions WHERE position <= ?"

# --- Catalog and requests ---

_VERSION_COLUMNS = "id, org, machine, dialect, client_info, source_bytes, created_at, selectors"
_CURRENT = ", ".join(f"v.{column}" for column in _VERSION_COLUMNS.split(", "))
_MACHINES = (
    f"SELECT m.org, m.name, m.created_at, m.indexes, {_CURRENT}"
    " FROM machines AS m LEFT JOIN versions AS v ON v.id = m.current_version"
)
GET_MACHINE = f"{_MACHINES} WHERE m.org = ? AND m.name = ?"
LIST_MACHINES = f"{_MACHINES} WHERE m.org = ? AND m.name > ? ORDER BY m.name LIMIT ?"
HAS_MACHINE = "SELECT 1 FROM machines WHERE org = ? AND name = ?"
GET_VERSION = f"SELECT {_VERSION_COLUMNS} FROM versions WHERE id = ? AND org = ? AND machine = ?"
LIST_VERSIONS = (
    f"SELECT {_VERSION_COLUMNS} FROM versions WHERE org = ? AND machine = ? AND (created_at, id) > (?, ?)"
    " ORDER BY created_at, id LIMIT ?"
)
GET_MODULE = (
    "SELECT inflate(m.source), m.language, v.selectors"
    " FROM modules AS m JOIN versions AS v ON v.id = m.version WHERE m.version = ?"
)
GET_REQUEST = "SELECT org, id, digest, outcome, time_ms FROM requests WHERE org = ? AND id = ?"

CREATE_MACHINE = (
    "INSERT INTO machines (org, name, current_version, created_at, indexes) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
DELETE_MACHINE = "DELETE FROM machines WHERE org = ? AND name = ?"  # versions and modules go by cascade
CREATE_VERSION = f"INSERT INTO versions ({_VERSION_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
CREATE_MODULE = "INSERT INTO modules (version, language, source) VALUES (?, ?, ?)"
SET_CURRENT = (
    "UPDATE machines SET current_version = ?1 WHERE org = ?2 AND name = ?3"
    " AND EXISTS (SELECT 1 FROM versions WHERE id = ?1 AND org = ?2 AND machine = ?3)"
)
PUT_REQUESTS = "INSERT OR IGNORE INTO requests (org, id, digest, outcome, time_ms) VALUES"
REQUEST = "(?, ?, ?, ?, ?)"


# --- The store's own row ---

CREATE_META = "INSERT INTO meta (id, store_id, epoch, last_uid) VALUES (1, ?, 0, 0) ON CONFLICT DO NOTHING"
RAISE_EPOCH = "UPDATE meta SET epoch = max(epoch + 1, ?)"
BEGIN_EPOCH = (
    "INSERT OR REPLACE INTO epochs (position, epoch) VALUES"
    " (coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'transitions'), 0), ?)"
)
IDENTITY = "SELECT store_id, epoch FROM meta"
