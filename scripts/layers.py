"""The house's own import contract: a table that says, room by room, what a room may import.

import-linter loads `RoomsContract` through `[tool.importlinter]` in pyproject.toml; `make layers` runs it.
A row reads `room: what it may import`. The longest matching row speaks for a module, so `cli.serve` can be
allowed more than `cli`. A room may always import itself and the root package, and `*` allows everything. Only
outside packages listed as guarded need a permission. A room without a row is an error, so a new room has to
say where it stands; a row without a room is not, so rooms can be planned.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


@dataclass(frozen=True, slots=True)
class Breach:
    """One import that the table does not allow, or a room that the table does not know."""

    importer: str
    imported: str
    line: int

    def __str__(self) -> str:
        if not self.imported:
            return f"{self.importer} belongs to no room in the table"
        return f"{self.importer} -> {self.imported} (line {self.line})"


class RoomsContract(Contract):
    """Check that every room of one package imports only what its row allows."""

    type_name = "rooms"

    root = fields.StringField()
    rooms = fields.ListField(subfield=fields.StringField())
    guarded = fields.ListField(subfield=fields.StringField(), required=False, default=[])

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002 - inherited
        table = Table.read(str(self.root), as_strings(self.rooms), as_strings(self.guarded))
        breaches = [
            breach
            for module in sorted(graph.modules)
            if table.owns(module)
            for breach in breaches_of(module, table, graph)
        ]
        return ContractCheck(kept=not breaches, metadata={"breaches": breaches})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for breach in check.metadata["breaches"]:
            output.print_error(f"- {breach}", bold=False)
        output.new_line()


@dataclass(frozen=True, slots=True)
class Table:
    """The rows by full room name, and the outside packages that need a permission."""

    root: str
    rows: dict[str, frozenset[str]]
    guarded: frozenset[str]

    @classmethod
    def read(cls, root: str, rows: list[str], guarded: list[str]) -> Table:
        outside = frozenset(guarded)
        parsed: dict[str, frozenset[str]] = {}
        for row in rows:
            room, _, allowed = row.partition(":")
            words = (word if word in outside or word == "*" else f"{root}.{word}" for word in allowed.split())
            parsed[f"{root}.{room.strip()}"] = frozenset(words)
        for room, allowed_names in parsed.items():
            unknown = allowed_names - parsed.keys() - outside - {"*"}
            if unknown:
                raise ValueError(
                    f"the row of {room} names neither rooms nor guarded packages: {sorted(unknown)}"
                )
        return cls(root, parsed, outside)

    def owns(self, module: str) -> bool:
        return module.startswith(f"{self.root}.")

    def room_of(self, module: str) -> str | None:
        return longest_prefix(module, self.rows.keys())

    def guard_of(self, module: str) -> str | None:
        return longest_prefix(module, self.guarded)


def breaches_of(module: str, table: Table, graph: ImportGraph) -> list[Breach]:
    room = table.room_of(module)
    if room is None:
        return [Breach(module, "", 0)]
    allowed = table.rows[room] | {room}
    breaches = []
    for imported in sorted(graph.find_modules_directly_imported_by(module)):
        if imported == table.root:
            continue
        needed = table.room_of(imported) if table.owns(imported) else table.guard_of(imported)
        if needed is not None and needed not in allowed and "*" not in allowed:
            details = graph.get_import_details(importer=module, imported=imported)
            breaches.append(Breach(module, imported, min((d["line_number"] for d in details), default=0)))
    return breaches


def longest_prefix(module: str, names: Collection[str]) -> str | None:
    """Find the name that is the module or its nearest enclosing package."""
    parts = module.split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in names), None)


def as_strings(values: object) -> list[str]:
    """Narrow a parsed field: import-linter declares the field, and puts its parsed value in its place."""
    if not isinstance(values, list):
        raise TypeError(f"expected a list, got {values!r}")
    return [str(value) for value in values]
