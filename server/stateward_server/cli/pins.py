"""Finds which major version of XState a project uses, from its node_modules or its package.json."""

from __future__ import annotations

import json
import re
from pathlib import Path

_SECTIONS = ("dependencies", "devDependencies", "peerDependencies")


def pinned_xstate(directory: Path) -> int | None:
    """Return the major version that the nearest project has installed, or asks for; None if none says."""
    for folder in (directory.resolve(), *directory.resolve().parents):
        installed = _read(folder / "node_modules" / "xstate" / "package.json").get("version")
        if major := _major(installed):
            return major
        project = _read(folder / "package.json")
        for section in _SECTIONS:
            packages = project.get(section)
            if isinstance(packages, dict) and (major := _major(packages.get("xstate"))):
                return major
    return None


def _read(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _major(version: object) -> int | None:
    """Read the 4 of `4.38.3`, `^4.0.0`, `~4`, `4.x` or `npm:xstate@4`; words such as `latest` say nothing."""
    match = re.search(r"(?:^|[^\d.])(\d+)(?:\.|$|\s)", version) if isinstance(version, str) else None
    return int(match[1]) if match else None
