"""Write the limits of the server into docs/limits.md, between its two markers.

limits_docs.py           bring docs/limits.md up to date
limits_docs.py --check   fail if it is not
"""

from __future__ import annotations

import sys
from pathlib import Path

from generated_docs import main
from stateward_server.config import Settings, limits_of
from stateward_server.model.published import Limit, Unit, published


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


if __name__ == "__main__":
    sys.exit(main("limits_docs", "limits", rendered, __doc__))
