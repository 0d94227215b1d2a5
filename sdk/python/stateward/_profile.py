"""A profile: the file that says where a server is and how to get in, such as a server's admin.json."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ._tls import TLS

_PEM = ("ca", "certificate", "key")


@dataclass(frozen=True, slots=True)
class Profile:
    """Where a server is, and how to get in."""

    target: str
    token: str | None = field(default=None, repr=False)
    tls: TLS | None = None
    allow_plaintext: bool = False
    org: str | None = None

    @classmethod
    def read(cls, path: str | Path) -> Profile:
        """Read a profile.

        Args:
            path: A JSON object with the texts `grpc` (host and port), `token` and `org` (the organisation's
                id, for a person of several), and where the connection is encrypted an object `tls`, with any
                of `ca`, `certificate`, `key` (paths, from the profile's directory on) and `server_name`.
                `allow_plaintext` set to true lets the token travel unencrypted.

        Raises:
            OSError: The file cannot be read.
            ValueError: It is not a profile. The message never quotes what is in it.
        """
        path = Path(path)
        try:
            content = json.loads(path.read_text("utf-8"))
        except ValueError:
            raise ValueError(f"{path} is not a profile: it is not JSON") from None
        members = content if isinstance(content, dict) else {}
        if not _is_text(members.get("grpc")):
            raise ValueError(f'{path} is not a profile: it has no "grpc" (host and port)')
        for name in ("token", "org"):
            if name in members and not _is_text(members[name]):
                raise ValueError(f'{path} is not a profile: its "{name}" is not text')
        if members.get("allow_plaintext", False) not in (True, False):
            raise ValueError(f'{path} is not a profile: its "allow_plaintext" is not true or false')
        tls = _tls(path, members["tls"]) if "tls" in members else None
        return Profile(
            members["grpc"],
            members.get("token"),
            tls,
            members.get("allow_plaintext", False),
            members.get("org"),
        )


def _tls(path: Path, members: Any) -> TLS:
    known = (*_PEM, "server_name")
    if not isinstance(members, dict) or not all(
        name in known and _is_text(value) for name, value in members.items()
    ):
        raise ValueError(f'{path} is not a profile: its "tls" has texts {", ".join(known)} at most')
    try:
        files = {name: path.parent / members[name] for name in _PEM if name in members}
        return TLS(**files, server_name=members.get("server_name"))
    except ValueError as error:
        raise ValueError(f"{path} is not a profile: {error}") from None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""
