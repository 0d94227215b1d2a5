"""Write the limits of the server into docs/limits.md, between its two markers.

limits_docs.py           bring docs/limits.md up to date
limits_docs.py --check   fail if it is not
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from stateward_server.config import Settings, limits_of
from stateward_server.model.published import Limit, Unit, published

PAGE = Path(__file__).resolve().parent.parent / "docs" / "limits.md"
BEGIN = "<!-- limits: written by scripts/limits_docs.py -->\n"
END = "<!-- end of limits -->\n"


def rendered() -> str:
    """Return one row for each limit of a server with default settings."""
    limits = limits_of(Settings(data=Path()))
    rows = [
        f"| `{each.name}` | {each.description} | {shown(each)} | {beyond(each)} |"
        for each in published(limits)
    ]
    return "\n".join(["| Name | What | Limit | Beyond it |", "|---|---|---|---|", *rows])


def shown(limit: Limit) -> str:
    match limit.unit:
        case Unit.MILLISECONDS:
            return f"{limit.value / 1000:,g} s"
        case Unit.COUNT:
            return f"{limit.value:,}"
        case _:
            return f"{limit.value:,} {limit.unit.value}"


def beyond(limit: Limit) -> str:
    parts = [limit.beyond, f"`{limit.reason}`" if limit.reason else ""]
    return "; ".join(part for part in parts if part)


def updated(page: str) -> str:
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"limits_docs: {PAGE.name} lacks its markers")
    return f"{before}{begin}\n{rendered()}\n\n{end}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="change nothing; fail if something would change")
    check = parser.parse_args().check
    page = PAGE.read_text(encoding="utf-8")
    wanted = updated(page)
    if page == wanted:
        return 0
    if check:
        print("limits_docs: docs/limits.md is out of date; run scripts/limits_docs.py", file=sys.stderr)
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
