"""A real server that limits how often one key may call: what an impatient and a patient client see."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from tests.servers import Server, serving

from stateward import RateLimited

pytestmark = pytest.mark.slow

PER_SECOND = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"key_requests_per_second": PER_SECOND}
    with serving(tmp_path_factory.mktemp("floods"), settings=settings) as server:
        yield server


async def test_a_flood_is_refused_and_who_waits_gets_through(server: Server):
    async with server.client() as client:
        assert (await client.limits())["key_requests_per_second"].value == PER_SECOND
        answers = await asyncio.gather(*(client.limits() for _ in range(200)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, RateLimited)]
    assert 0 < len(refused) < 200
    assert refused[0].metadata == {"limit": str(PER_SECOND)}
    assert 0 < (refused[0].retry_after or 0) <= 1 / PER_SECOND
    async with server.client(attempts=20) as client:
        for _ in range(5):
            await client.limits()
