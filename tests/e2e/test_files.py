"""What a server keeps on disk is for its owner only, also in a directory that others may enter."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import pytest
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


@pytest.mark.skipif(sys.platform != "linux", reason="limits of other processes are Linux's to tell")
def test_a_crash_leaves_no_core_with_secrets_in_it(tmp_path: Path):
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        with serving(tmp_path) as server:
            pids = [server.process.pid, *server.children()]
            limits = [resource.prlimit(pid, resource.RLIMIT_CORE)[0] for pid in pids]
            assert limits == [1 if before[1] else 0] * len(pids)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
