"""Indexes: names on a machine under which instances are found by values of their contexts.

Each version says with a selector where an index finds its values: a JSONPath of members, array positions and
`[*]`. Values are text and compare by code point. They may come from private context, so whoever shows them,
or lets callers choose by them, asks for the scope `indexes.read`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from stateward_server.model.errors import InvalidArgument, NotFound
from stateward_server.model.limits import ApiLimits
from stateward_server.model.names import index_name

IndexEntries: TypeAlias = frozenset[tuple[str, str]]
"""The values of one state, each with the name of its index."""
NO_ENTRIES: IndexEntries = frozenset()

Selectors: TypeAlias = tuple[tuple[str, str], ...]
"""The selector of each index, by the index's name and in its order."""
Path: TypeAlias = tuple[str | int | None, ...]
"""A selector taken apart: a member, a position in an array, or None for all of either."""

_LIMITS = ApiLimits()
_PART = re.compile(
    r"""\.(?P<plain>[A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff-]*)|\[(?P<position>0|[1-9]\d{0,8})\]|(?P<all>\[\*\])"""
    r"""|\[(?:'(?P<single>(?:[^'\\]|\\['\\])*)'|"(?P<double>(?:[^"\\]|\\["\\])*)")\]"""
)


class Comparison(Enum):
    """How a value compares with another one."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="


_HOLDS: Mapping[Comparison, Callable[[str, str], bool]] = {
    Comparison.EQUAL: operator.eq,
    Comparison.NOT_EQUAL: operator.ne,
    Comparison.LESS: operator.lt,
    Comparison.LESS_OR_EQUAL: operator.le,
    Comparison.GREATER: operator.gt,
    Comparison.GREATER_OR_EQUAL: operator.ge,
}


@dataclass(frozen=True, slots=True)
class IndexCondition:
    """What must hold of a value in an index."""

    index: str
    comparison: Comparison
    value: str

    def holds(self, entries: IndexEntries) -> bool:
        """Tell whether it holds for one of the values."""
        if self.comparison is Comparison.EQUAL:
            return (self.index, self.value) in entries
        test = _HOLDS[self.comparison]
        return any(index == self.index and test(value, self.value) for index, value in entries)


@dataclass(frozen=True, slots=True)
class IndexQuery:
    """Which entries of an index are wanted, and in which order."""

    index: str
    comparison: Comparison | None = None
    value: str = ""
    descending: bool = False

    def wants(self, value: str) -> bool:
        """Tell whether an entry of this value is wanted."""
        return self.comparison is None or _HOLDS[self.comparison](value, self.value)


def index_names(texts: Iterable[str]) -> tuple[str, ...]:
    """Check the indexes of a new machine. Raises InvalidArgument (INVALID_NAME, INVALID_FIELD)."""
    names = [index_name(text) for text in texts]
    if len(set(names)) != len(names):
        raise InvalidArgument("INVALID_FIELD", "an index is named twice", field="indexes")
    if len(names) > _LIMITS.indexes:
        raise InvalidArgument(
            "INVALID_FIELD", f"a machine has at most {_LIMITS.indexes} indexes", field="indexes"
        )
    return tuple(sorted(names))


def selectors(machine: str, indexes: Iterable[str], given: Mapping[str, str], before: Selectors) -> Selectors:
    """Return the selectors of a new version: those given, and for the other indexes those from `before`.

    Raises NotFound (INDEX_NOT_FOUND), InvalidArgument (INVALID_FIELD).
    """
    known = frozenset(indexes)
    for name, text in given.items():
        if name not in known:
            raise no_index(machine, name)
        selector_path(text)
    return tuple(sorted((dict(before) | dict(given)).items()))


def selector_path(text: str) -> Path:
    """Take a selector apart. Raises InvalidArgument (INVALID_FIELD)."""
    parts = list(_PART.finditer(text, 1))
    whole = "$" + "".join(part[0] for part in parts)
    if not parts or whole != text or len(text) > _LIMITS.selector_characters:
        raise InvalidArgument(
            "INVALID_FIELD",
            f"the selector {text[:300]!r} is not made of $, members, positions and [*], such as"
            f" $.public.owner or $['lines'][*].sku, in at most {_LIMITS.selector_characters} characters",
            field="index_selectors",
        )
    return tuple(map(_part, parts))


def no_index(machine: str, index: str) -> NotFound:
    return NotFound(
        "INDEX_NOT_FOUND",
        f"machine {machine!r} has no index {index[:140]!r}: indexes are named when a machine is created",
        machine=machine,
        index=index[:140],
    )


def _part(found: re.Match[str]) -> str | int | None:
    if found["all"] is not None:
        return None
    if found["position"] is not None:
        return int(found["position"])
    if found["plain"] is not None:
        return found["plain"]
    quoted = found["single"] if found["single"] is not None else found["double"]
    return re.sub(r"\\(.)", r"\1", quoted)
