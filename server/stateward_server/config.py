"""Settings of a server: flag over environment (`STATEWARD_*`) over file (TOML) over default.

One frozen value, passed down, never imported for its content. Unknown keys in a file are errors.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from stateward_server.model.errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a server can be told. Addresses are HOST:PORT; port 0 picks a free one."""

    data: Path
    """Directory of the ledger, the server key and admin.json; created when missing."""
    grpc: str = "127.0.0.1:7411"
    http: str = "127.0.0.1:7412"
    log_level: str = "info"
    """debug, info, warning or error."""
    log_format: str = "auto"
    """json, pretty, or auto: pretty on a terminal."""
    host_processes: int = 16
    """Machine processes that may run at once."""
    settle_seconds: int = 90
    """How long services may run after the last event."""
    drain_seconds: int = 10
    """How long a stopping server waits for calls in flight."""


_INTEGERS = frozenset({"host_processes", "settle_seconds", "drain_seconds"})
_CHOICES = {"log_level": ("debug", "info", "warning", "error"), "log_format": ("auto", "pretty", "json")}


def load(flags: Mapping[str, str | None], environment: Mapping[str, str], file: Path | None) -> Settings:
    """Combine the sources. Raises InvalidArgument (INVALID_FIELD) naming the key and its source."""
    known = [field.name for field in fields(Settings)]
    values: dict[str, str] = {}
    if file is not None:
        for key, value in _read(file).items():
            if key not in known:
                raise _bad(f"{file}: unknown setting {key!r}; known are {', '.join(known)}", key)
            values[key] = str(value)
    for key in known:
        if (text := environment.get(f"STATEWARD_{key.upper()}")) is not None:
            values[key] = text
        if (flag := flags.get(key)) is not None:
            values[key] = flag
    if "data" not in values:
        raise _bad("say where the data lives: --data DIR, or STATEWARD_DATA", "data")
    return _checked(values)


def address(text: str, key: str) -> tuple[str, int]:
    """Split HOST:PORT. Raises InvalidArgument (INVALID_FIELD)."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise _bad(f"{key} is {text!r}, it must be HOST:PORT", key)
    return host.strip("[]"), int(port)


def _checked(values: Mapping[str, str]) -> Settings:
    converted: dict[str, object] = {}
    for key, text in values.items():
        if key == "data":
            converted[key] = Path(text)
        elif key in _INTEGERS:
            if not text.isdecimal() or int(text) < 1:
                raise _bad(f"{key} is {text!r}, it must be a whole number above 0", key)
            converted[key] = int(text)
        elif key in _CHOICES and text not in _CHOICES[key]:
            raise _bad(f"{key} is {text!r}, it must be one of {', '.join(_CHOICES[key])}", key)
        else:
            converted[key] = text
    settings = Settings(**converted)  # type: ignore[arg-type]  # converted above, key by key
    address(settings.grpc, "grpc")
    address(settings.http, "http")
    return settings


def _read(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise _bad(f"cannot read {file}: {error}", "config") from error


def _bad(message: str, key: str) -> InvalidArgument:
    return InvalidArgument("INVALID_FIELD", message, field=key)
