"""Bundle the worker that runs XState machines, both XState builds inside, into the server package.

Writes server/stateward_server/runtime/xstate/dist/host.js. The bundle depends on nothing but the files under
server/hosts/xstate, sdk/machine and the deno release, so the same inputs give the same bytes. Does nothing
when the bundle is up to date. The first run fetches xstate and esbuild from the npm registry that deno is
set up to use; later runs work offline.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from deno import find_deno_bin  # type: ignore[import-untyped]  # the package has no stubs

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "server" / "hosts" / "xstate"
HELPER = ROOT / "sdk" / "machine" / "index.js"
TARGET = ROOT / "server" / "stateward_server" / "runtime" / "xstate" / "dist"
BUNDLE = "host.js"
STAMP = "inputs.sha256"

# Where deno keeps what it fetched differs from machine to machine, and the bundler writes it into the bundle.
CACHE_PATH = re.compile(r'[^\s"]*/npm/[^/\s"]+/(?=xstate/\d)')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--force", action="store_true", help="bundle even if nothing has changed")
    parser.add_argument("--check", action="store_true", help="also type-check the worker's source")
    args = parser.parse_args()

    digest = inputs_digest()
    if args.check:
        deno("check", "--frozen", "src/main.ts")
    if not args.force and is_current(digest):
        print(f"{BUNDLE} is up to date")
        return 0
    bundle = bundled()
    TARGET.mkdir(parents=True, exist_ok=True)
    replace(TARGET / BUNDLE, bundle)
    replace(TARGET / STAMP, digest)
    print(f"wrote {(TARGET / BUNDLE).relative_to(ROOT)} ({len(bundle) // 1024} KB)")
    return 0


def inputs_digest() -> str:
    """Hash everything the bundle is made of: source, lock, this script, the deno release."""
    files = [
        Path(__file__),
        SOURCE / "deno.json",
        SOURCE / "deno.lock",
        HELPER,
        *sorted(SOURCE.glob("src/**/*.ts")),
    ]
    digest = hashlib.sha256(version("deno").encode())
    for file in files:
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def is_current(digest: str) -> bool:
    stamp = TARGET / STAMP
    return (TARGET / BUNDLE).is_file() and stamp.is_file() and stamp.read_text() == digest


def bundled() -> str:
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / BUNDLE
        deno("bundle", "--quiet", "--frozen", "--platform", "deno", "--output", str(output), "src/main.ts")
        text = output.read_text()
    if "process.env" in text:
        raise SystemExit("build_host: the bundle reads the environment; the sandbox has none")
    return CACHE_PATH.sub("npm/", text)


def deno(*args: str) -> None:
    """Run deno in the worker's folder, quiet unless it fails."""
    env = {**os.environ, "NO_COLOR": "1", "DENO_NO_UPDATE_CHECK": "1"}
    done = subprocess.run(
        [find_deno_bin(), *args],
        check=False,
        cwd=SOURCE,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        sys.stderr.write(done.stdout + done.stderr)
        raise SystemExit(f"build_host: deno {args[0]} failed (see above)")


def replace(path: Path, text: str) -> None:
    """Write a file whole or not at all, so that a running server never sees half of it."""
    scratch = path.with_suffix(f".{os.getpid()}.tmp")
    scratch.write_text(text)
    scratch.replace(path)


if __name__ == "__main__":
    sys.exit(main())
