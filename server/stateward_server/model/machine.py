"""A machine is a named definition of one organisation; a version is one uploaded module of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from stateward_server.model.index import Selectors
from stateward_server.model.names import MachineName, OrgId, VersionId


class Language(Enum):
    """What the text of a module is written in."""

    JAVASCRIPT = "js"
    TYPESCRIPT = "ts"


@dataclass(frozen=True, slots=True)
class Module:
    """The source of a version: one self-contained ECMAScript module, as text."""

    source: str
    language: Language
    selectors: Selectors = ()
    """Where in the context the indexes of its machine find their values."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What loading a module told about it."""

    dialect: str
    """`v4` or `v5`: the major version of XState the module is run with."""
    machine_id: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a machine. `created_at` is in Unix milliseconds."""

    id: VersionId
    org: OrgId
    machine: MachineName
    dialect: str
    client_info: str
    source_bytes: int
    created_at: int
    selectors: Selectors = ()
    """Those of its module."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine and the version new instances start with. `created_at` is in Unix milliseconds."""

    org: OrgId
    name: MachineName
    current_version: Version | None
    created_at: int
    indexes: tuple[str, ...] = ()
    """Names under which its instances can be found, sorted."""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A catalog call done under a caller's request id; `outcome` is the id of what it made, if anything."""

    org: OrgId
    id: str
    digest: bytes
    outcome: str
    time_ms: int
