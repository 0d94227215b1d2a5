"""`kill -9` at every named point of a turn, by the server itself: what was promised holds afterwards."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest
from tests.crash.doomed import MIGRATION, POINTS
from tests.crash.office import GENERATIONS, Doomed, Office, doomed, hire, opened

from stateward import Cause, Client

pytestmark = pytest.mark.slow

EVENTS: list[dict[str, object]] = [
    {"type": "NOTE"},
    {"type": "LATER", "ms": 20},
    {"type": "POST"},
    {"type": "WORK", "ms": 5},
    {"type": "HIRE"},
    {"type": "MAIL", "ms": 5},
    {"type": "POST"},
    {"type": "NOTE"},
    {"type": "TALK", "ms": 5},
    {"type": "REST"},
    {"type": "NOTE"},
]
"""Among them they come by every point."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doomed]:
    with doomed(tmp_path_factory.mktemp("doomed")) as server:
        asyncio.run(hire(server))
        yield server


async def send_all(office: Office, client: Client, name: str, other: str) -> None:
    for event in EVENTS:
        await office.send(client, name, office.addressed(event, other))


@pytest.mark.parametrize("point", POINTS)
async def test_no_promise_is_broken_by_a_kill(server: Doomed, point: str) -> None:
    names = {f"{xstate}-{'-'.join(point.split())}": xstate for xstate in GENERATIONS}
    async with opened(server, names, watched=list(names)) as office, office.client() as client:
        server.arm(point)
        sending = asyncio.gather(*(send_all(office, client, *pair) for pair in permutations(names)))
        assert await server.dies(10), "the server never came to its point"
        await server.revive()
        await sending
        known = await office.known()
    assert known.objections() == []
    for life in known.lives.values():
        assert all(call.revision for call in life.calls), "a patient client was not answered"
        assert {Cause.TIMER, Cause.MESSAGE, Cause.CHILD} <= {each.cause for each in life.history}


@pytest.mark.parametrize("statements", [0, 25])
def test_a_server_that_died_while_it_made_its_database_makes_it_the_next_time(
    tmp_path: Path, statements: int
) -> None:
    with doomed(tmp_path) as server:
        server.arm(MIGRATION, statements)
        with pytest.raises(AssertionError, match="did not start"):
            server.server.start()
        assert server.server.exit_code() == -signal.SIGKILL
        asyncio.run(hire(server))
