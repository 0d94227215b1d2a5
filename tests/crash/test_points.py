"""`kill -9` at every named point of a turn, by the server itself: what was promised holds afterwards."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.crash.doomed import POINTS
from tests.e2e.kit import DESKS, published
from tests.servers import Server

from stateward import Cause, Instance, State, Transition, Unavailable, Wait

pytestmark = pytest.mark.slow

TURN = [point for point in POINTS if "migration" not in point]


@dataclass
class Doomed:
    """A server that dies at its point once it is armed."""

    server: Server
    armed: Path

    async def dies(self) -> None:
        """Wait for its end and start it again."""
        await asyncio.to_thread(self.server.exit_code)
        self.server.start()


@pytest.fixture
def doomed(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Doomed]:
    script = Path(__file__).with_name("doomed.py")
    armed = tmp_path / "armed"
    server = Server(tmp_path, command=(sys.executable, str(script), request.param, str(armed)))
    try:
        server.start()
        yield Doomed(server, armed)
    finally:
        server.close()


async def history(instance: Instance) -> list[Transition]:
    return [each async for each in instance.transitions()]


async def sent_into_death(doomed: Doomed, event: dict[str, object], request_id: str) -> bool:
    """Send an event to the desk while the server is doomed; tell whether it was acknowledged all the same."""
    doomed.armed.touch()
    async with doomed.server.client() as client:
        instance = client.machine("desk").instance("one")
        try:
            await instance.send(event, request_id=request_id, wait=Wait.COMMITTED)
        except Unavailable:
            return False
        return True


@pytest.mark.parametrize("doomed", [point for point in TURN if "effects" not in point], indirect=True)
async def test_an_event_happens_once_and_subscribers_see_all_of_it(doomed: Doomed) -> None:
    async with doomed.server.client() as client:
        desk = await published(client, DESKS["v5"], "desk")
        # A timer and a change of context: every point is passed by one of the events that follow.
        await desk.instance("one").create(context={"holdMs": 50, "payMs": 1})
        await desk.instance("one").send("ADD")
    seen: list[State] = []
    token = ""
    async with doomed.server.client() as client:
        async for update in client.machine("desk").instance("one").subscribe(mode="every_transition"):
            seen.append(update.state)
            token = update.resume_token
            break
    events: list[dict[str, object]] = [{"type": "HOLD"}, {"type": "ADD", "by": 5}]
    for event in events:
        request_id = str(uuid.uuid4())
        acknowledged = await sent_into_death(doomed, event, request_id)
        if doomed.armed.exists():  # this event does not come by there: the next one, or its timer, does
            continue
        await doomed.dies()
        async with doomed.server.client(attempts=20) as client:
            instance = client.machine("desk").instance("one")
            again = await instance.send(event, request_id=request_id, wait=Wait.COMMITTED)
            assert again.replayed or not acknowledged
            await instance.wait_for(state="idle", timeout=20)
            told = await history(instance)
            async for update in instance.subscribe(mode="every_transition", resume_token=token):
                seen.append(update.state)
                if update.state.revision == told[-1].revision:
                    break
        break
    else:
        pytest.fail("the server never came to its point")
    assert [each.revision for each in told] == list(range(1, len(told) + 1))
    assert [each.revision for each in seen] == list(range(2, len(told) + 1))
    types = Counter(str(each.event["type"]) for each in told)
    assert types[str(event["type"])] == (2 if event["type"] == "ADD" else 1)
    assert [each.cause for each in told].count(Cause.TIMER) == 1


@pytest.mark.parametrize("xstate", ["v4", "v5"])
@pytest.mark.parametrize("doomed", [point for point in TURN if "timer" not in point], indirect=True)
async def test_a_service_runs_at_most_once_and_is_never_forgotten(doomed: Doomed, xstate: str) -> None:
    async with doomed.server.client() as client:
        desk = await published(client, DESKS[xstate], "desk")
        await desk.instance("one").create(context={"payMs": 1})
    request_id = str(uuid.uuid4())
    await sent_into_death(doomed, {"type": "PAY"}, request_id)
    await doomed.dies()
    async with doomed.server.client(attempts=20) as client:
        instance = client.machine("desk").instance("one")
        await instance.send({"type": "PAY"}, request_id=request_id, wait=Wait.COMMITTED)
        await instance.send("ADD")  # whatever was lost is reported before this
        told = await history(instance)
    causes = Counter(each.cause for each in told)
    assert causes[Cause.SERVICE] + causes[Cause.LOST] == 1
    assert told[-1].state.value in ("paid", "failed")
    assert [each.event["type"] for each in told].count("PAY") == 1


@pytest.mark.parametrize("doomed", ["during a migration"], indirect=True)
async def test_a_server_that_died_while_it_opened_the_database_opens_it_the_next_time(doomed: Doomed) -> None:
    async with doomed.server.client() as client:
        desk = await published(client, DESKS["v5"], "desk")
        await desk.instance("one").create()
    doomed.armed.touch()
    doomed.server.kill()
    with pytest.raises(AssertionError, match="did not start"):
        doomed.server.start()
    await doomed.dies()
    async with doomed.server.client(attempts=20) as client:
        assert (await client.machine("desk").instance("one").get()).revision == 1
