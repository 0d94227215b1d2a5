"""The file that says where a server is and how to get in: where it is by default, and writing it whole.

Only its owner can read it. What is in it is never printed.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from stateward import Profile
from stateward_server.cli.failure import USAGE, Failure


def default_place() -> Path:
    """Return where the profile is when nothing else is said: in the user's XDG configuration directory."""
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "stateward" / "profile.json"


@contextmanager
def replacing(path: Path) -> Iterator[Callable[[Mapping[str, object]], None]]:
    """Make sure that a profile can be written, and give the function that writes it, whole or not at all."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}."
        )  # readable by its owner only
    except OSError as wrong:
        raise _unwritable(path, wrong) from wrong

    def write(members: Mapping[str, object]) -> None:
        try:
            file.write(json.dumps(members, indent=2, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
            Path(name).replace(path)
        except OSError as wrong:
            raise _unwritable(path, wrong) from wrong

    with os.fdopen(handle, "w", encoding="utf-8") as file:
        try:
            yield write
        finally:
            with suppress(FileNotFoundError):
                Path(name).unlink()


def members(path: Path) -> dict[str, Any]:
    """Return what is in a profile; nothing where there is none, or where it is not one."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def content(profile: Profile) -> dict[str, object]:
    """Return a profile as it is written; paths are absolute, so that it works from anywhere."""
    written: dict[str, object] = {"grpc": profile.target, "token": profile.token}
    if profile.org is not None:
        written["org"] = profile.org
    if profile.tls is not None:
        files = {name: getattr(profile.tls, name) for name in ("ca", "certificate", "key")}
        tls = {name: str(Path(file).absolute()) for name, file in files.items() if file is not None}
        if profile.tls.server_name is not None:
            tls["server_name"] = profile.tls.server_name
        written["tls"] = tls
    if profile.allow_plaintext:
        written["allow_plaintext"] = True
    return written


def refuse_servers_own(path: Path) -> None:
    """Raise Failure for the admin.json of a server: it cannot be had again, and the server writes it anew."""
    if "key_secret" in members(path):
        raise Failure(
            f"{path} was written by a server, for its administrator",
            reason="PROFILE",
            hint="name another file with --profile, or leave STATEWARD_PROFILE unset",
            exit_code=USAGE,
        )


def _unwritable(path: Path, wrong: OSError) -> Failure:
    return Failure(
        f"cannot write the profile {path}: {wrong.strerror}",
        reason="PROFILE",
        hint="name another file with --profile",
        exit_code=USAGE,
    )
