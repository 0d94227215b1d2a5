"""Names and resource paths: `machines/{machine}/instances/{instance}` and back.

Checks grammar before a name becomes part of a path, so a name can never address something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from .errors import InvalidName

_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")


def checked(name: str, field: str) -> str:
    """Return the name, or raise InvalidName."""
    if not isinstance(name, str):
        raise TypeError(f"a {field} name is a string, not {type(name).__name__}")
    if not _NAME.fullmatch(name):
        raise InvalidName(
            f"{name[:140]!r} is not a valid {field} name: use 1 to 128 letters, digits, '-' or '_'",
            reason="INVALID_NAME",
            metadata={"field": field},
        )
    return name


def texts(values: Iterable[str], what: str) -> list[str]:
    """Return a list of texts. Raises TypeError for a single text, which would be taken for its letters."""
    if isinstance(values, str):
        raise TypeError(f"{what} is a list of texts, got the text {values!r}")
    return list(values)


def machine_path(machine: str) -> str:
    return f"machines/{checked(machine, 'machine')}"


def version_path(machine: str, version: str) -> str:
    return f"{machine_path(machine)}/versions/{checked(version, 'version')}"


def instance_path(machine: str, instance: str) -> str:
    return f"{machine_path(machine)}/instances/{checked(instance, 'instance')}"


def timer_path(machine: str, instance: str, timer: str) -> str:
    return f"{instance_path(machine, instance)}/timers/{quote(timer, safe='')}"


def letter_path(machine: str, instance: str, letter: int) -> str:
    return f"{instance_path(machine, instance)}/deadLetters/{letter}"


def token_provider_path(org: str, service: str) -> str:
    return f"orgs/{checked(org, 'organisation')}/tokenProviders/{checked(service, 'service')}"


def child(collection: str, name: str, field: str) -> str:
    """Return the path of something that hangs below nothing else, such as `keys/sbk_…`."""
    return f"{collection}/{checked(name, field)}"


def parts(path: str) -> list[str]:
    """Return the names in a path: `machines/a/versions/b` gives `["a", "b"]`."""
    return path.split("/")[1::2]
