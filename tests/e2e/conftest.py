"""A running server for each file of tests, and clients of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.e2e.kit import DESKS, Raw, published, raw
from tests.servers import Server, serving

from stateward import Client, Machine


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that no test may kill."""
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    """A client of the administrator that does not retry."""
    async with server.client() as client:
        yield client


@pytest.fixture
async def wire(server: Server) -> AsyncIterator[Raw]:
    """The administrator without the SDK."""
    async with raw(server) as wire:
        yield wire


@pytest.fixture(params=["v4", "v5"])
async def desk(client: Client, request: pytest.FixtureRequest) -> Machine:
    """A freshly published desk, for both generations of XState."""
    return await published(client, DESKS[request.param])
