"""The memory store keeps what every store promises."""

from __future__ import annotations

import pytest

from stateward_server.ports.store import Store
from stateward_server.store.memory import MemoryStore
from stateward_server.testing.clock import ManualClock, SeededEntropy
from stateward_server.testing.store_suite import StoreSuite


class TestMemoryStore(StoreSuite):
    @pytest.fixture
    async def store(self) -> Store:
        return MemoryStore(clock=ManualClock(), entropy=SeededEntropy())
