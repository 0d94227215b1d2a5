"""What docs/security.md says of scopes and defaults is what the server does."""

from __future__ import annotations

import re
from pathlib import Path

from stateward_server.auth.scopes import ALL, BY_METHOD, BY_ROLE, CI, PRODUCTION, Door
from stateward_server.model.org import Role
from stateward_server.runtime.command import _PRIVATE
from stateward_server.store.sqlite.store import DATABASE

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "security.md").read_text()
ROW = re.compile(r"^\| `([\w.-]+)` \| (.*?) \|(.*)\|$", re.MULTILINE)
HOLDERS = (BY_ROLE[Role.OWNER], BY_ROLE[Role.DEVELOPER], BY_ROLE[Role.VIEWER], PRODUCTION, CI)


def opened(need: object) -> set[str]:
    return {path.rpartition("/")[2] for path, wanted in BY_METHOD.items() if wanted == need}


def calls(text: str) -> set[str]:
    return set(re.findall(r"`([A-Z]\w+)`", text))


def test_the_table_has_all_scopes_what_they_open_and_who_holds_them():
    rows = {scope: (text, marks.split("|")) for scope, text, marks in ROW.findall(TEXT)}
    assert rows.keys() == ALL
    for scope, (text, marks) in rows.items():
        assert opened(scope) <= calls(text), scope
        assert [mark.strip() == "yes" for mark in marks] == [scope in holder for holder in HOLDERS], scope


def test_the_calls_without_a_scope_are_named():
    [sentence] = re.findall(r"^Without a scope: .*?\n\n", TEXT, re.MULTILINE | re.DOTALL)
    assert calls(sentence) == opened(Door.OPEN) | opened(Door.KNOWN) | opened(Door.PERSON)


def test_the_files_have_their_names():
    assert f"`{DATABASE}`" in TEXT


def test_no_range_of_ipv6_is_denied_as_the_page_says():
    assert {address for address in _PRIVATE if ":" in address} == {"[::]", "[::1]"}
