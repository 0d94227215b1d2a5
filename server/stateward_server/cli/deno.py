"""Runs the Deno binary that is installed with Stateward, as a parser and as a bundler of modules.

`imports` lists what a module imports without running it or fetching anything; `bundle` joins a module and
all it imports into one text, which may fetch packages from npm. Called by `bundle.py` only.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from stateward_server.cli.failure import Failure

# XState stays an import: the server resolves it to its own build, whose effects wait for the commit. So does
# the package of our own, which need not be installed to be uploaded.
EXTERNAL = (
    *("xstate", "xstate/*", "xstate@*", "npm:xstate", "npm:xstate/*", "npm:xstate@*"),
    *("@stateward/machine", "npm:@stateward/machine", "npm:@stateward/machine@*"),
)
TIMEOUT = 180.0
_ADVICE = (
    (("not a dependency",), "npm install the package, or import it as npm:NAME; types need `import type`"),
    (("node_modules", "package.json"), "run npm install (or deno install) in the project first"),
    (("Module not found", "Cannot read file"), "check the path of the import"),
    (("list of packages", "does not exist", "Could not resolve"), "check the name and version in the import"),
    (("import access",), "modules from the web are not fetched: keep a copy in the project"),
    (
        ("esbuild", "registry", "sending request", "npm package"),
        "what is not there yet comes from npm: check the network, or bundle by hand and use --file",
    ),
)
_LAST_ADVICE = "bundle the module yourself and upload it with --file"
_PLACE = re.compile(r"\bat (file://\S+?):(\d+):(\d+)")


@dataclass(frozen=True, slots=True)
class Import:
    """One import of a module; the span covers the quoted specifier, in characters."""

    specifier: str
    types_only: bool
    line: int
    start: int
    end: int


def imports(module: Path) -> list[Import]:
    """List the imports of one module, each specifier once. Raises Failure when it does not parse."""
    found = _run("info", "--json", "--no-remote", "--no-npm", f"./{module.name}", directory=module.parent)
    if found.returncode != 0:
        raise failure(found.stderr)
    graph = json.loads(found.stdout)
    for parsed in graph["modules"]:
        if parsed["specifier"] in graph["roots"]:
            if "error" in parsed:
                raise failure(parsed["error"])
            return [_import(entry) for entry in parsed.get("dependencies", ())]
    raise Failure(f"{module} could not be parsed", reason="MODULE_SYNTAX_ERROR")


def bundle(entry: Path, *, own_packages: bool) -> str:
    """Join a module with all it imports; with `own_packages`, those of a node_modules directory."""
    with tempfile.TemporaryDirectory(prefix="stateward-") as scratch:
        output = Path(scratch) / "bundle.js"
        options = ["--quiet", "--unstable-sloppy-imports", "--platform", "browser", "--format", "esm"]
        if not own_packages:
            options.append("--node-modules-dir=none")
        for pattern in EXTERNAL:
            options += ["--external", pattern]
        done = _run("bundle", *options, "--output", str(output), f"./{entry.name}", directory=entry.parent)
        if done.returncode != 0 or not output.is_file():
            raise failure(done.stderr)
        return output.read_text(encoding="utf-8")


def failure(text: str) -> Failure:
    """Turn Deno's complaint into one of ours: its first line, and the place as file:line:column."""
    message = next((line for line in text.splitlines() if line.strip()), "the module could not be bundled")
    message = message.strip().removeprefix("error: ").removeprefix("SyntaxError: ")
    hint = next((advice for words, advice in _ADVICE if any(word in text for word in words)), "")
    details: dict[str, str] = {}
    if place := _PLACE.search(text):
        details = {"file": _shown(place[1]), "line": place[2], "column": place[3]}
        message = re.sub(r'"(file://[^"]+)"', lambda url: _shown(url[1]), message)
        message = f"{details['file']}:{place[2]}:{place[3]}: {message}"
    if details and not hint:
        return Failure(message, reason="MODULE_SYNTAX_ERROR", details=details)
    return Failure(message, reason="MODULE_BUNDLE_FAILED", hint=hint or _LAST_ADVICE, details=details)


def _shown(url: str) -> str:
    path = Path(unquote(urlsplit(url).path))
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _import(entry: dict[str, Any]) -> Import:
    resolved = entry.get("code") or entry["type"]
    start, end = resolved["span"]["start"], resolved["span"]["end"]
    return Import(
        entry["specifier"], "code" not in entry, start["line"], start["character"], end["character"]
    )


def _run(command: str, *arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"NO_COLOR": "1", "DENO_NO_PROMPT": "1", "DENO_NO_UPDATE_CHECK": "1"}
    try:
        # Runs a binary this package depends on, with a file the user named.
        return subprocess.run(  # noqa: S603
            [sys.executable, "-m", "deno", command, "--no-lock", *arguments],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise Failure(
            f"deno {command} did not finish in {TIMEOUT:.0f} s",
            reason="MODULE_BUNDLE_FAILED",
            hint="check the network: npm packages are fetched on first use",
        ) from late
