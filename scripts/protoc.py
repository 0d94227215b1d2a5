"""Where the contract and the compiler are: what gen.py and protos.py share.

Nothing here is downloaded: protoc comes with grpcio-tools, its plugins and Google's annotations from .venv.
The same lock always makes the same code.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
PACKAGE = Path("stateward/v1")


class ToolError(Exception):
    """A compiler or linter said no; its own words are already on stderr."""


def own_files(protos: Path = PROTOS) -> list[str]:
    """List our proto files as protoc wants them: relative to the proto root, sorted."""
    return sorted(path.relative_to(protos).as_posix() for path in protos.glob(f"{PACKAGE}/*.proto"))


def tool(name: str) -> str:
    """Find a program that the lock installed next to this interpreter."""
    return str(Path(sysconfig.get_path("scripts")) / name)


def run(command: list[str]) -> None:
    """Run a tool with its output shown, and raise ToolError if it says no."""
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        raise ToolError(command[0])


def protoc(arguments: list[str], protos: Path = PROTOS) -> None:
    """Compile our proto files with Google's well-known and annotation files on the path."""
    files = own_files(protos)
    if not files:
        raise ToolError(f"no proto files under {protos / PACKAGE}")
    site_packages = Path(sysconfig.get_path("purelib"))
    includes = [protos, site_packages, site_packages / "grpc_tools" / "_proto"]
    run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            *(f"--proto_path={path}" for path in includes),
            *arguments,
            *files,
        ]
    )
