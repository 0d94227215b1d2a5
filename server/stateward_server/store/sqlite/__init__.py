"""The store of one machine: one SQLite database in a data directory, owned by one server process."""

from stateward_server.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
