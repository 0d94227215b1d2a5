"""Generate the Python code of the contract: protos/stateward/v1 to sdk/python/stateward/v1.

One copy of the stubs serves server and SDK, because two copies would clash in protobuf's descriptor pool. The
output is committed; `make gen-check` generates it elsewhere and fails if the committed files differ.
"""

from __future__ import annotations

import argparse
import filecmp
import shutil
import sys
import tempfile
from pathlib import Path

from protoc import PACKAGE, ROOT, ToolError, protoc, tool

PYTHON_OUT = ROOT / "sdk" / "python"


def generate(out: Path) -> None:
    """Write messages, services and their type stubs for every proto file below `out`."""
    out.mkdir(parents=True, exist_ok=True)
    protoc(
        [
            f"--plugin=protoc-gen-mypy={tool('protoc-gen-mypy')}",
            f"--plugin=protoc-gen-mypy_grpc={tool('protoc-gen-mypy_grpc')}",
            f"--python_out={out}",
            f"--grpc_python_out={out}",
            f"--mypy_out=quiet,readable_stubs:{out}",
            f"--mypy_grpc_out=quiet,readable_stubs,only_async:{out}",
        ]
    )


def generated_files(out: Path) -> set[str]:
    """List what the generator owns in a package directory; `__init__.py` is written by hand."""
    folder = out / PACKAGE
    return {path.name for pattern in ("*_pb2*.py", "*_pb2*.pyi") for path in folder.glob(pattern)}


def write() -> int:
    """Bring the committed files up to date, deleting those whose proto file is gone."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        generate(fresh)
        wanted = generated_files(fresh)
        target = PYTHON_OUT / PACKAGE
        for stale in generated_files(PYTHON_OUT) - wanted:
            (target / stale).unlink()
        target.mkdir(parents=True, exist_ok=True)
        for name in sorted(wanted):
            shutil.copyfile(fresh / PACKAGE / name, target / name)
    print(f"gen: {len(wanted)} files in {target.relative_to(ROOT)}")
    return 0


def check() -> int:
    """Say which committed files differ from what the proto files make."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        generate(fresh)
        wanted, present = generated_files(fresh), generated_files(PYTHON_OUT)
        complaints = [f"missing: {name}" for name in sorted(wanted - present)]
        complaints += [f"no proto file makes it: {name}" for name in sorted(present - wanted)]
        complaints += [
            f"out of date: {name}"
            for name in sorted(wanted & present)
            if not filecmp.cmp(fresh / PACKAGE / name, PYTHON_OUT / PACKAGE / name, shallow=False)
        ]
    for complaint in complaints:
        print(f"gen-check: {complaint}", file=sys.stderr)
    if complaints:
        print("gen-check: run `make gen` and commit the result", file=sys.stderr)
    return 1 if complaints else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    try:
        return check() if arguments.check else write()
    except ToolError as failure:
        print(f"gen: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
