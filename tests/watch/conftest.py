from __future__ import annotations

import pytest
from tests.watch.kit import World


@pytest.fixture
def world() -> World:
    world = World()
    world.create()
    return world
