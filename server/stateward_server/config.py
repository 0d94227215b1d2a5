"""Settings of a server: flag over environment (`STATEWARD_*`) over file (TOML) over default.

One frozen value, passed down, never imported for its content. Unknown keys in a file are errors.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from stateward_server.model.errors import InvalidArgument
from stateward_server.model.limits import ApiLimits, EngineLimits, HostLimits, Limits, RateLimits, WatchLimits


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a server can be told. Addresses are HOST:PORT; port 0 picks a free one."""

    data: Path
    """Directory of the ledger, the server key and admin.json; created when missing."""
    grpc: str = "127.0.0.1:7411"
    http: str = "127.0.0.1:7412"
    tls_cert: Path | None = None
    """PEM file with the certificate of both addresses, and what leads to its authority; None is plaintext."""
    tls_key: Path | None = None
    """PEM file with its private key."""
    tls_client_ca: Path | None = None
    """PEM file with the authorities of clients; with it, every client must have a certificate of one."""
    allow_plaintext: bool = False
    """Whether to listen without TLS where others can reach it."""
    allow_private_jwks: bool = False
    """Whether key sets of identity providers may be at private addresses, and come over plain HTTP."""
    allow_machine_ipv6: bool = False
    """Whether machines may reach IPv6 addresses, also private ones."""
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
    history_days: int = 0
    """How long transitions are kept; 0 keeps them for ever. The last one of an instance always is."""
    audit_days: int = 0
    """How long entries of the audit log are kept; 0 keeps them for ever."""
    keepalive_seconds: int = 30
    """After how long a quiet connection is pinged; no answer for two thirds of that means it is dead."""
    send_seconds: int = 20
    """How long a subscriber may leave a frame unread."""
    org_requests_per_second: int = 0
    """How often an organisation may call; 0 is without limit."""
    key_requests_per_second: int = 0
    """How often calls may come with one key; 0 is without limit."""
    failed_tokens_per_second: int = 100
    """How often an address may bring an invalid token; 0 is without limit."""
    open_requests_per_second: int = 100
    """How often an address may call what needs no token; 0 is without limit."""


_ADDRESSES = frozenset({"grpc", "http"})
_PATHS = {
    "data": "a directory",
    "tls_cert": "a PEM file",
    "tls_key": "a PEM file",
    "tls_client_ca": "a PEM file",
}
_BOOLEANS = frozenset({"allow_machine_ipv6", "allow_plaintext", "allow_private_jwks"})
_INTEGERS = frozenset(
    {
        "host_processes",
        "settle_seconds",
        "drain_seconds",
        "history_days",
        "audit_days",
        "keepalive_seconds",
        "send_seconds",
        "org_requests_per_second",
        "key_requests_per_second",
        "failed_tokens_per_second",
        "open_requests_per_second",
    }
)
_MAY_BE_ZERO = frozenset(
    {
        "history_days",
        "audit_days",
        "org_requests_per_second",
        "key_requests_per_second",
        "failed_tokens_per_second",
        "open_requests_per_second",
    }
)
_CHOICES = {"log_level": ("debug", "info", "warning", "error"), "log_format": ("auto", "pretty", "json")}


@dataclass(frozen=True, slots=True)
class _Given:
    """A value as it was written, and where."""

    text: str
    source: str


def load(flags: Mapping[str, str | None], environment: Mapping[str, str], file: Path | None) -> Settings:
    """Combine the sources. Raises InvalidArgument (INVALID_FIELD) naming the key and its source."""
    known = [field.name for field in fields(Settings)]
    given: dict[str, _Given] = {}
    if file is not None:
        for key, value in _read(file).items():
            if key not in known:
                raise _bad(f"{file}: unknown setting {key!r}; known are {', '.join(known)}", key)
            type_, kind = _kind(key)
            if type(value) is not type_:
                raise _bad(f"{file}: {key} must be {kind}", key)
            given[key] = _Given(str(value).lower() if type_ is bool else str(value), str(file))
    for key in known:
        variable = f"STATEWARD_{key.upper()}"
        if (text := environment.get(variable)) is not None:
            given[key] = _Given(text, variable)
        if (flag := flags.get(key)) is not None:
            given[key] = _Given(flag, f"--{key.replace('_', '-')}")
    if "data" not in given:
        raise _bad("say where the data lives: --data DIR, or STATEWARD_DATA", "data")
    return _consistent(Settings(**{key: _checked(key, value) for key, value in given.items()}))


def limits_of(settings: Settings) -> Limits:
    """Return the bounds of a server with these settings."""
    settle_ms = settings.settle_seconds * 1000
    return Limits(
        api=ApiLimits(wait_ms=max(ApiLimits().wait_ms, settle_ms)),
        engine=EngineLimits(settle_ms=settle_ms),
        hosts=HostLimits(processes=settings.host_processes, ipv6=settings.allow_machine_ipv6),
        watch=WatchLimits(send_ms=settings.send_seconds * 1000),
        rates=RateLimits(
            org_per_second=settings.org_requests_per_second,
            key_per_second=settings.key_requests_per_second,
            failures_per_second=settings.failed_tokens_per_second,
            open_per_second=settings.open_requests_per_second,
        ),
    )


def address(text: str, key: str) -> tuple[str, int]:
    """Split HOST:PORT. Raises InvalidArgument (INVALID_FIELD)."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not _whole(port) or int(port) > 65_535:
        raise _bad(f"{key} is {text[:80]!r}, it must be HOST:PORT", key)
    return host.strip("[]"), int(port)


def _checked(key: str, given: _Given) -> Any:
    """Convert one value. Its type is that of the field."""
    text = given.text
    if key in _INTEGERS:
        if not _whole(text) or (int(text) < 1 and key not in _MAY_BE_ZERO):
            raise _wrong(key, given, "a whole number" + ("" if key in _MAY_BE_ZERO else " above 0"))
        return int(text)
    if key in _CHOICES and text not in _CHOICES[key]:
        raise _wrong(key, given, f"one of {', '.join(_CHOICES[key])}")
    if key in _ADDRESSES:
        try:
            address(text, key)
        except InvalidArgument:
            raise _wrong(key, given, "HOST:PORT") from None
    if key in _BOOLEANS:
        if text not in {"true", "false"}:
            raise _wrong(key, given, "true or false")
        return text == "true"
    if key in _PATHS:
        if not text:
            raise _wrong(key, given, _PATHS[key])
        return Path(text)
    return text


def _kind(key: str) -> tuple[type, str]:
    """Return the type of a setting in TOML, and what users call it."""
    if key in _INTEGERS:
        return int, "a whole number"
    return (bool, "true or false") if key in _BOOLEANS else (str, "text")


def _consistent(settings: Settings) -> Settings:
    """Refuse half of a pair."""
    if (settings.tls_cert is None) != (settings.tls_key is None):
        missing = "tls_cert" if settings.tls_cert is None else "tls_key"
        raise _bad(f"{missing} is missing: TLS needs a certificate (tls_cert) and its key (tls_key)", missing)
    if settings.tls_client_ca is not None and settings.tls_cert is None:
        raise _bad("tls_client_ca asks for client certificates: that needs tls_cert and tls_key", "tls_cert")
    return settings


def _whole(text: str) -> bool:
    return text.isdecimal() and len(text) < 10


def _read(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _bad(f"cannot read {file}: {error}", "config") from error


def _wrong(key: str, given: _Given, form: str) -> InvalidArgument:
    return _bad(f"{given.source}: {key} is {given.text[:80]!r}, it must be {form}", key)


def _bad(message: str, key: str) -> InvalidArgument:
    return InvalidArgument("INVALID_FIELD", message, field=key)
