"""How the command fails: one kind of error, its exit code, and what is written to stderr.

Each failure says what happened, its machine-readable reason, and the next step.
"""

from __future__ import annotations

from collections.abc import Mapping

from stateward_server.cli.visible import visible, visible_json

REFUSED = 1
USAGE = 2
UNREACHABLE = 3
INTERRUPTED = 130


class Failure(Exception):
    """A command that cannot do what it was asked to do."""

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        hint: str = "",
        exit_code: int = REFUSED,
        details: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.hint = hint
        self.exit_code = exit_code
        self.details = dict(details or {})

    def as_text(self) -> str:
        lines = [f"Error: {self.message}", f"  reason: {self.reason}"]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return visible("\n".join(lines))

    def as_json(self) -> str:
        body: dict[str, object] = {"message": self.message, "reason": self.reason}
        if self.hint:
            body["hint"] = self.hint
        if self.details:
            body["details"] = self.details
        return visible_json({"error": body})
