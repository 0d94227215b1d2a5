"""What the front door's rooms refuse, and why."""

from __future__ import annotations

from collections.abc import Iterable

from stateward_server.auth.scopes import ALL
from stateward_server.model.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
)
from stateward_server.model.principal import Principal
from stateward_server.ports.access import Change


def check(change: Change, absence: str, name: str) -> None:
    """Raise what a change that was not made is refused with; `absence` is the reason where nothing is."""
    match change:
        case Change.ABSENT:
            raise absent(absence, name)
        case Change.LAST_OWNER:
            message = "nobody would be left to own the organisation: make somebody else an owner first"
            raise FailedPrecondition("LAST_OWNER", message)


def check_room(change: Change, limit: int) -> None:
    """Raises ResourceExhausted (ACCESS_FULL)."""
    if change is Change.FULL:
        message = f"there are {limit} of this kind, which is all there may be: delete some"
        raise ResourceExhausted("ACCESS_FULL", message, limit=limit)


def absent(absence: str, name: str) -> NotFound:
    """Refuse with a reason such as TOKEN_PROVIDER_NOT_FOUND.

    What another organisation has is indistinguishable from what nobody has.
    """
    field = absence.removesuffix("_NOT_FOUND").lower()
    refusal = NotFound(absence, f"there is no {field.replace('_', ' ')} {name!r}")
    refusal.metadata[field] = name
    return refusal


def check_grant(by: Principal, scopes: Iterable[str]) -> None:
    """Nobody gives what they do not hold.

    Raises InvalidArgument (INVALID_FIELD) for an unknown scope, PermissionDenied (SCOPE_MISSING).
    """
    for scope in sorted(scopes):
        if scope not in ALL:
            known = ", ".join(sorted(ALL))
            raise InvalidArgument(
                "INVALID_FIELD", f"there is no scope {scope[:80]!r}; known are {known}", field="scopes"
            )
        if scope not in by.scopes:
            raise PermissionDenied(
                "SCOPE_MISSING", f"only who holds the scope {scope!r} can give it", scope=scope
            )


def checked_text(text: str, field: str, most: int, *, least: int = 0) -> str:
    """Return what people call something. Raises InvalidArgument (INVALID_FIELD)."""
    if not least <= len(text) <= most or not text.isprintable():
        raise InvalidArgument(
            "INVALID_FIELD", f"{field} must have {least} to {most} printable characters", field=field
        )
    return text
