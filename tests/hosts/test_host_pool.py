"""The pool of Deno processes keeps what every host promises, with both dialects."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stateward_server.model.machine import Language, Module
from stateward_server.model.names import VersionId
from stateward_server.ports.host import MachineHost
from stateward_server.runtime.pool import HostPool
from stateward_server.testing.host_listener import RecordingListener
from stateward_server.testing.host_suite import HostSuite

MACHINES = Path(__file__).parent.parent / "machines"


class PoolSuite(HostSuite):
    @pytest.fixture
    async def host(self, listener: RecordingListener) -> AsyncIterator[MachineHost]:
        async def source(version: VersionId) -> Module:
            return Module((MACHINES / f"sample.{version}.ts").read_text(), Language.TYPESCRIPT)

        pool = HostPool(source)
        pool.listen(listener)
        yield pool
        await pool.close()


class TestXState5(PoolSuite):
    @pytest.fixture
    def version(self) -> VersionId:
        return VersionId("v5")


class TestXState4(PoolSuite):
    @pytest.fixture
    def version(self) -> VersionId:
        return VersionId("v4")
