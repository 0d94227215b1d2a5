"""The quick start's machines, word for word: who holds the session may read and write, and nobody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.e2e.kit import EXAMPLES, shared, unused
from tests.servers import Server

from stateward import Client, Instance, Machine, RejectedByMachineAuthorizer, ScopeMissing
from stateward.tokens import sign

pytestmark = pytest.mark.slow

STRANGER = {"sid": "session-456"}

ACTS: dict[str, Callable[[Instance], object]] = {
    "get": lambda instance: instance.get(),
    "info": lambda instance: instance.info(),
    "send": lambda instance: instance.send("toggle"),
    "watch": lambda instance: anext(instance.subscribe()),
    "watch every transition": lambda instance: anext(instance.subscribe(mode="every_transition")),
}


@pytest.fixture(params=["toggle.v4.ts", "toggle.v5.ts"])
async def toggle(client: Client, request: pytest.FixtureRequest) -> Machine:
    return await shared(client, EXAMPLES / request.param)


@pytest.fixture
def sid() -> str:
    """A session, and with it the name of its instance."""
    return unused("session")


@pytest.mark.parametrize("act", ACTS)
async def test_another_session_may_do_nothing_and_changes_nothing(
    toggle: Machine, sid: str, act: str
) -> None:
    owner = toggle.instance(sid, auth_context={"sid": sid})
    await owner.create()
    before = (await owner.send("toggle")).state
    for auth in (STRANGER, {}, {"sid": None}, {"sid": [sid]}):
        with pytest.raises(RejectedByMachineAuthorizer):
            await ACTS[act](toggle.instance(sid, auth_context=auth))  # type: ignore[misc]  # all of them await
    assert await owner.get() == before
    # An administrator who acts for nobody is nobody to the machine.
    with pytest.raises(RejectedByMachineAuthorizer):
        await toggle.instance(sid).get()


async def test_another_session_cannot_create_the_instance(toggle: Machine, sid: str) -> None:
    with pytest.raises(RejectedByMachineAuthorizer):
        await toggle.instance(sid, auth_context=STRANGER).create()
    assert sid not in [each.name async for each in toggle.instances()]
    await toggle.instance(sid, auth_context={"sid": sid}).create()


async def test_a_session_toggles_and_is_told_so(toggle: Machine, sid: str) -> None:
    owner = toggle.instance(sid, auth_context={"sid": sid})
    await owner.create()
    told = [(await owner.send("toggle")).state for _ in range(3)]
    assert [state.value for state in told] == ["off", "on", "off"]
    counts = [(state.public_context or {}).get("toggleCount") for state in told]
    assert counts == [1, 1, 2]


async def test_a_signed_token_speaks_for_its_own_session_only(
    server: Server, toggle: Machine, sid: str
) -> None:
    key_id, secret = server.profile["key_id"], server.profile["key_secret"]
    async with server.client(token=sign(key_id, secret, {"sid": sid})) as user:
        mine = user.machine(toggle.name).instance(sid)
        await mine.create()
        assert (await mine.send("toggle")).state.value == "off"
        with pytest.raises(RejectedByMachineAuthorizer):
            await user.machine(toggle.name).instance("session-456").create()
        # It cannot speak for others, or run the place.
        with pytest.raises(ScopeMissing):
            await user.machine(toggle.name).instance(sid, auth_context=STRANGER).get()
        with pytest.raises(ScopeMissing):
            await user.machine(toggle.name).delete()
        with pytest.raises(ScopeMissing):
            await mine.delete()
        with pytest.raises(ScopeMissing):
            assert [each async for each in mine.transitions()]
    async with server.client(token=sign(key_id, secret, STRANGER)) as user:
        for act in ACTS.values():
            with pytest.raises(RejectedByMachineAuthorizer):
                await act(user.machine(toggle.name).instance(sid))  # type: ignore[misc]  # all of them await
