"""Makes the one text that an upload carries, out of the file a user names.

`--node FILE`: a module that imports nothing but what the server has, XState and `@stateward/machine`, is sent
as it is; anything else is joined with its imports by Deno's bundler, those two staying imports. `--file
FILE`: the text is sent untouched. All of it happens before a connection is made.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stateward_server.cli import deno
from stateward_server.cli.failure import USAGE, Failure
from stateward_server.cli.pins import pinned_xstate

Language = Literal["javascript", "typescript"]
_TYPESCRIPT = {".ts", ".mts", ".cts", ".tsx"}
# What the server can read without a bundler's help: no JSX, no CommonJS.
_PLAIN = {".ts", ".mts", ".js", ".mjs"}
_XSTATE = re.compile(r"(?:npm:)?xstate(?:@(?P<version>[^/]+))?(?P<path>/.+)?")
_HELPER = re.compile(r"(?:npm:)?@stateward/machine(?:@[^/]+)?")


@dataclass(frozen=True, slots=True)
class Module:
    """A module ready for upload."""

    path: Path
    text: str
    language: Language
    bundled: bool = False
    project_xstate: int | None = None
    """The major version of XState that the project around the file has, if it says."""


def as_is(path: Path) -> Module:
    """Read a file that is self-contained already."""
    return Module(path, _text(path), "typescript" if path.suffix in _TYPESCRIPT else "javascript")


def needs_bundler(path: Path) -> bool:
    """Whether the module imports anything, at run time, that the server does not have."""
    if path.suffix not in _PLAIN:
        return True
    return any(
        not found.types_only
        and not _XSTATE.fullmatch(found.specifier)
        and not _HELPER.fullmatch(found.specifier)
        for found in deno.imports(path)
    )


def from_entry(path: Path, *, xstate: int | None, bundler: bool) -> Module:
    """Make one text of a module and its imports; `xstate` is the major version the user asks for."""
    text = deno.bundle(path, own_packages=_has_packages(path)) if bundler else _text(path)
    suffix = ".js" if bundler else path.suffix
    project = pinned_xstate(path.parent)
    # A project on XState 5 proves little: `npm install xstate` brings 5 to machines written for 4, such as
    # State Backed's own example. The server, which looks at the machine, decides those.
    text = _settle_xstate(text, suffix, xstate or (4 if project == 4 else None))
    language: Language = "typescript" if suffix in _TYPESCRIPT else "javascript"
    return Module(path, text, language, bundled=bundler, project_xstate=project)


def _settle_xstate(text: str, suffix: str, major: int | None) -> str:
    """Write every import of XState as the server knows it: bare, or `npm:xstate@4`, `npm:xstate@5`."""
    with tempfile.TemporaryDirectory(prefix="stateward-") as scratch:
        module = Path(scratch) / f"module{suffix}"
        while True:
            module.write_text(text, encoding="utf-8")
            # Deno names each specifier once, so a specifier imported twice takes two rounds.
            changed = text
            for found in sorted(deno.imports(module), key=_position, reverse=True):
                wanted = _specifier(found.specifier, major)
                if wanted != found.specifier and not found.types_only:
                    changed = _replace(changed, found, wanted)
            if changed == text:
                return text
            text = changed


def _position(found: deno.Import) -> tuple[int, int]:
    return found.line, found.start


def _specifier(specifier: str, major: int | None) -> str:
    match = _XSTATE.fullmatch(specifier)
    if match is None:
        return specifier
    named = re.search(r"\d+", match["version"] or "")
    version = named[0] if named else major
    if version is None:
        return specifier
    return f"npm:xstate@{version}{match['path'] or ''}"


def _replace(text: str, found: deno.Import, specifier: str) -> str:
    lines = text.split("\n")  # the only line ends that Deno counts
    line = lines[found.line]
    lines[found.line] = f'{line[: found.start]}"{specifier}"{line[found.end :]}'
    return "\n".join(lines)


def _has_packages(path: Path) -> bool:
    return any((folder / "node_modules").is_dir() for folder in path.resolve().parents)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise Failure(f"{path} is not UTF-8 text", reason="MODULE_ENCODING") from wrong
    except OSError as wrong:
        raise Failure(f"cannot read {path}: {wrong.strerror}", reason="FILE", exit_code=USAGE) from wrong
