"""Pages of docs/ of which a script writes the part between two markers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"


def main(script: str, what: str, rendered: Callable[[], str], usage: str | None) -> int:
    """Bring the page of a script up to date, or with --check say whether it is, by the exit code.

    `cli_docs` writes `docs/cli.md`. `what` is what its markers say is between them; `rendered` returns it.
    """
    parser = argparse.ArgumentParser(description=usage, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if something would change")
    check = parser.parse_args().check
    page = DOCS / f"{script.removesuffix('_docs')}.md"
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(f"<!-- {what}: written by scripts/{script}.py -->\n")
    _, end, after = rest.partition(f"<!-- end of {what} -->\n")
    if not begin or not end:
        raise SystemExit(f"{script}: {page.name} lacks its markers")
    wanted = f"{before}{begin}\n{rendered()}\n\n{end}{after}"
    if text == wanted:
        return 0
    if check:
        print(f"{script}: docs/{page.name} is out of date; run scripts/{script}.py", file=sys.stderr)
        return 1
    page.write_text(wanted, encoding="utf-8")
    return 0
