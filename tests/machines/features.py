"""Rows of docs/xstate.md as machines: each runs here as on XState itself, in one dialect or in both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

HEAD = {
    "v4": 'import * as x from "npm:xstate@4"; const a = x.actions;\n',
    "v5": 'import * as x from "npm:xstate@5";\n',
}
OPEN = "export const allowRead = () => true, allowWrite = () => true;\n"


@dataclass(frozen=True, slots=True)
class Feature:
    """One row in one dialect: a machine, what is done to it, and where that leads."""

    row: str
    dialect: str
    config: str
    script: tuple[str | int | dict[str, Any], ...]
    value: Any
    public: Any = None
    before: str = ""
    """Statements before the machine."""

    @property
    def id(self) -> str:
        return f"{self.row}-{self.dialect}"

    @property
    def source(self) -> str:
        return source(self.dialect, self.config, self.before)

    @property
    def acts(self) -> list[list[Any]]:
        """The script in the form `native.ts` plays."""
        acts: list[list[Any]] = [["begin", None]]
        for act in self.script:
            if isinstance(act, int):
                acts.append(["advance", act])
            else:
                acts.append(["send", {"type": act} if isinstance(act, str) else act])
        return acts


def source(dialect: str, config: str, before: str = "") -> str:
    """Return a module that exports a machine anybody may read and write."""
    options = "predictableActionArguments: true, " if dialect == "v4" else ""
    return f"{HEAD[dialect]}{OPEN}{before}\nexport default x.createMachine({{{options}{config}}});\n"


FEATURES: list[Feature] = []
DIFFERENCES: set[str] = set()


def same(
    row: str,
    *script: str | int | dict[str, Any],
    value: Any,
    public: Any = None,
    v4: str | None = None,
    v5: str | None = None,
    before: str = "",
) -> None:
    """Put a row on the list: these machines run as on XState itself."""
    for dialect, config in (("v4", v4), ("v5", v5)):
        if config is not None:
            FEATURES.append(Feature(row, dialect, config, script, value, public, before))


def covers(*rows: str) -> Callable[[T], T]:
    """Say which rows a test is about, when it is more than a comparison."""

    def mark(test: T) -> T:
        DIFFERENCES.update(rows)
        return test

    return mark
