"""What a server keeps on disk is for its owner only, also in a directory that others may enter."""

from __future__ import annotations

import os
from pathlib import Path

from tests.servers import serving


def test_nobody_else_can_read_what_the_server_keeps(tmp_path: Path):
    (tmp_path / "data").mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        with serving(tmp_path) as server:
            modes = {path.name: path.stat().st_mode & 0o777 for path in server.data.iterdir()}
    finally:
        os.umask(before)
    assert {"stateward.db", "server.key", "admin.json"} <= modes.keys()
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
