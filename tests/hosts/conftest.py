"""A rig for every test that runs modules in real processes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.hosts.kit import Rig


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    yield rig
    await rig.pool.close()
