"""Judge the proto files: style, documentation and compatibility, with buf and protos/buf.yaml. Hand them out.

buf gets images compiled by protoc, because it would fetch google/api from a schema registry by itself.

  lint      STANDARD and COMMENTS rules, and the canonical format
  breaking  refuse what would break a client of the last release, the newest v* tag; pass if there is none
  format    rewrite the files in the canonical format
  image     write them, with all they import, into one file for the generators of other languages
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from protoc import PROTOS, ROOT, ToolError, protoc, run, tool

CONFIG = str(PROTOS / "buf.yaml")
# Images also hold the imported google files, which are not ours to judge.
OURS = ["--path", "stateward"]


def image(target: Path, protos: Path = PROTOS) -> str:
    """Compile the proto files and everything they import into one descriptor set."""
    protoc(["--include_imports", "--include_source_info", f"--descriptor_set_out={target}"], protos)
    return str(target)


def lint() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        compiled = image(Path(scratch) / "image.binpb")
        run([tool("buf"), "lint", compiled, "--config", CONFIG, *OURS])
    run([tool("buf"), "format", "--diff", "--exit-code", str(PROTOS)])


def rewrite() -> None:
    run([tool("buf"), "format", "--write", str(PROTOS)])


def breaking(base: str | None) -> None:
    base = base or newest_release()
    if base is None:
        print("breaking: skipped, no release (v* tag) to compare with")
        return
    with tempfile.TemporaryDirectory() as scratch:
        then = Path(scratch) / "then"
        if not extract(base, then):
            print(f"breaking: skipped, {base} has no proto files")
            return
        before = image(Path(scratch) / "before.binpb", then / "protos")
        now = image(Path(scratch) / "now.binpb")
        run([tool("buf"), "breaking", now, "--against", before, "--config", CONFIG, *OURS])
    print(f"breaking: compatible with {base}")


def newest_release() -> str | None:
    """Name the newest release tag that this commit descends from."""
    command = ["git", "describe", "--tags", "--abbrev=0", "--match", "v*"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


def extract(reference: str, target: Path) -> bool:
    """Write out the proto files as they were at a commit; False if it had none."""
    names = git("ls-tree", "-r", "--name-only", reference, "--", "protos/stateward").splitlines()
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(git("show", f"{reference}:{name}"), encoding="utf-8")
    return bool(names)


def git(*arguments: str) -> str:
    """Ask git about this repository."""
    answer = subprocess.run(["git", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if answer.returncode != 0:
        raise ToolError("git " + " ".join(arguments))
    return answer.stdout


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("lint", help="check style, comments and format")
    comparison = commands.add_parser("breaking", help="check compatibility with the last release")
    comparison.add_argument("--against", metavar="REF", help="compare with this commit instead")
    commands.add_parser("format", help="rewrite in the canonical format")
    handout = commands.add_parser("image", help="write the contract into one file")
    handout.add_argument("target", type=Path, metavar="FILE", help="where to")
    arguments = parser.parse_args()
    try:
        match arguments.command:
            case "lint":
                lint()
            case "breaking":
                breaking(arguments.against)
            case "image":
                arguments.target.parent.mkdir(parents=True, exist_ok=True)
                image(arguments.target.absolute())
            case _:
                rewrite()
    except ToolError as failure:
        print(f"protos: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
