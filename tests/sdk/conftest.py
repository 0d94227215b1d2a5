from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.sdk.fakes import FakeServer, Sleeps

from stateward import Client, Instance, Machine, RetryPolicy


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    server = FakeServer()
    await server.start()
    yield server
    await server.close()
    assert not server.unused(), "the script was not played to its end"


@pytest.fixture
def sleeps() -> Sleeps:
    return Sleeps()


@pytest.fixture
def retry(sleeps: Sleeps) -> RetryPolicy:
    return RetryPolicy(attempts=4, first_delay=1.0, max_delay=3.0, sleep=sleeps.sleep, random=sleeps.random)


@pytest.fixture
async def client(server: FakeServer, retry: RetryPolicy) -> AsyncIterator[Client]:
    async with Client.connect(server.target, token="the-token", retry=retry) as client:
        yield client


@pytest.fixture
def machine(client: Client) -> Machine:
    return client.machine("toggle")


@pytest.fixture
def instance(machine: Machine) -> Instance:
    return machine.instance("s1")
