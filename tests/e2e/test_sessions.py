"""Clients that get their tokens themselves, against a real server: who machines see, and what expiry does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import grpc
import jwt
import pytest
from tests.e2e.kit import EXAMPLES, OPEN, published, shared
from tests.servers import Server

from stateward import (
    AccessRevoked,
    Anonymous,
    Client,
    Exchange,
    InstanceUpdate,
    Machine,
    Reconnect,
    RejectedByMachineAuthorizer,
    RetryPolicy,
    StatewardError,
    SubjectTokenRejected,
    Subscription,
    TokenExpired,
    Update,
    Watches,
    blocking,
)
from stateward._credentials import anonymous_subject
from stateward.tokens import AUDIENCE
from stateward.v1 import org_service_pb2, org_service_pb2_grpc

pytestmark = pytest.mark.slow

PROMPT = RetryPolicy(first_delay=0.02, max_delay=0.1)
MIRROR = """
import { createMachine } from "xstate";
export const allowRead = () => true;
export const allowWrite = ({ authContext, context }) =>
  JSON.stringify(authContext, Object.keys(authContext).sort()) === context.public.expected;
export default createMachine({ initial: "on", states: { on: { on: { toggle: "on" } } } });
"""
COUNTER = (
    """
import { assign, createMachine } from "xstate";
export default createMachine({
  context: { public: { n: 0 } },
  on: { tick: { actions: assign({ public: ({ context }) => ({ n: context.public.n + 1 }) }) } },
});
"""
    + OPEN
)
SERVICE = "anonymous-statebacked-dev"


@pytest.fixture
def org(server: Server) -> str:
    return server.profile["org"]


async def test_a_machine_sees_who_an_anonymous_session_is(server: Server, client: Client, org: str) -> None:
    machine = await published(client, MIRROR)
    session = Anonymous("me", "phone")
    expected = '{"auth":"anonymous","did":"phone","sid":"me"}'
    async with Client.connect(server.grpc, org=org, anonymous=session) as visitor:
        instance = visitor.machine(machine.name).instance("one")
        await instance.create(context={"public": {"expected": expected}})
        assert (await instance.send("toggle")).revision == 2
        me = await visitor.who_am_i()
    assert (me.org, me.role, me.display_name) == (org, None, "")
    assert me.subject.startswith("keys/sbk_")
    assert me.auth_context == {"sid": "me", "did": "phone", "auth": "anonymous"}
    assert me.expire_time is not None


@pytest.mark.parametrize("module", ["toggle.v4.ts", "toggle.v5.ts"])
async def test_a_session_owns_the_instance_named_after_it(
    server: Server, client: Client, org: str, module: str
) -> None:
    toggle = (await shared(client, EXAMPLES / module)).name
    async with (
        Client.connect(server.grpc, org=org, anonymous=True) as mine,
        Client.connect(server.grpc, org=org, anonymous=True) as theirs,
    ):
        assert mine.session_id
        owned = mine.machine(toggle).instance(mine.session_id)
        await owned.create()
        with pytest.raises(RejectedByMachineAuthorizer):
            await theirs.machine(toggle).instance(mine.session_id).get()
        kept = Anonymous(mine.session_id)
    async with Client.connect(server.grpc, org=org, anonymous=kept) as back:
        assert (await back.machine(toggle).instance(kept.session_id).send("toggle")).state.value == "off"


async def test_a_script_has_a_session_too(server: Server, client: Client, org: str) -> None:
    toggle = (await shared(client, EXAMPLES / "toggle.v5.ts")).name

    def script() -> object:
        with blocking.Client.connect(server.grpc, org=org, anonymous=True) as visitor:
            assert visitor.session_id
            return visitor.machine(toggle).instance(visitor.session_id).create().state.value

    assert await asyncio.to_thread(script) == "on"


async def test_any_service_of_the_organisation_can_be_exchanged_at(server: Server, org: str) -> None:
    exchange = Exchange(SERVICE, lambda: anonymous_subject(Anonymous("me"), org, time.time()))
    async with Client.connect(server.grpc, org=org, exchange=exchange) as user:
        assert (await user.who_am_i()).auth_context["sid"] == "me"
    for refused in (Exchange(SERVICE, "nonsense"), Exchange("no-such-service", exchange.subject)):
        async with Client.connect(server.grpc, org=org, exchange=refused) as user:
            with pytest.raises(SubjectTokenRejected):
                await user.who_am_i()


class Tokens:
    """Brings tokens that the server takes for two seconds more: it tolerates clocks that are 5 s apart."""

    def __init__(self, server: Server) -> None:
        self._key, self._secret = server.profile["key_id"], server.profile["key_secret"]

    def __call__(self) -> str:
        claims = {"aud": AUDIENCE, "exp": time.time() - 3, "act": {"sub": "a"}}
        return jwt.encode(claims, self._secret, algorithm="HS256", headers={"kid": self._key})


async def counter(client: Client) -> Machine:
    """Publish a counter with an instance `one`."""
    machine = await published(client, COUNTER)
    await machine.instance("one").create()
    return machine


async def test_streams_outlive_their_tokens_without_a_gap_under_load(server: Server, client: Client) -> None:
    machine = await counter(client)
    lost: dict[str, list[StatewardError]] = {"one": [], "many": []}
    seen: dict[str, list[int]] = {"one": [], "many": []}
    begun = {"one": asyncio.Event(), "many": asyncio.Event()}

    def told(name: str) -> Callable[[Reconnect], None]:
        return lambda event: lost[name].extend([event.error] if event.error else [])

    async def follow(name: str, events: Subscription | Watches, last: asyncio.Future[int]) -> None:
        async for event in events:
            assert isinstance(event, Update | InstanceUpdate)
            seen[name].append(event.state.revision)
            begun[name].set()
            if last.done() and event.state.revision == last.result():
                return

    async with (
        Client.connect(server.grpc, token_provider=Tokens(server), retry=PROMPT) as user,
        user.watch_many(on_reconnect=told("many")) as many,
    ):
        instance = user.machine(machine.name).instance("one")
        many.add(instance, mode="every_transition")
        one = instance.subscribe(mode="every_transition", on_reconnect=told("one"))
        last: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            group.create_task(follow("one", one, last))
            group.create_task(follow("many", many, last))
            # A snapshot taken after someone wrote would begin with a later revision.
            for first in begun.values():
                await first.wait()
            while not all(lost.values()):
                await machine.instance("one").send("tick")
            last.set_result((await machine.instance("one").get()).revision + 1)
            await machine.instance("one").send("tick")
    assert seen["one"] == seen["many"] == list(range(1, last.result() + 1))
    assert last.result() > 20
    assert {type(error) for errors in lost.values() for error in errors} == {TokenExpired}


async def test_a_fixed_token_takes_its_stream_along(server: Server, client: Client) -> None:
    machine = await counter(client)
    async with server.client(token=Tokens(server)()) as user:
        updates = user.machine(machine.name).instance("one").subscribe()
        await anext(updates)
        with pytest.raises(TokenExpired):
            await anext(updates)


async def test_closing_the_organisation_ends_the_streams_of_anonymous_sessions(
    server: Server, client: Client, org: str
) -> None:
    machine = await counter(client)
    lost: list[Reconnect] = []
    async with (
        grpc.aio.insecure_channel(server.grpc) as channel,
        Client.connect(server.grpc, org=org, anonymous=True, retry=PROMPT) as visitor,
    ):
        updates = visitor.machine(machine.name).instance("one").subscribe(on_reconnect=lost.append)
        await anext(updates)
        orgs = org_service_pb2_grpc.OrgServiceStub(channel)
        admin = (("authorization", f"Bearer {server.profile['token']}"),)
        close = org_service_pb2.UpdateOrgRequest(anonymous_access=False)
        reopen = org_service_pb2.UpdateOrgRequest(anonymous_access=True)
        await orgs.UpdateOrg(close, metadata=admin)
        try:
            # It looks for another way in, and there is none.
            with pytest.raises(SubjectTokenRejected):
                await anext(updates)
        finally:
            await orgs.UpdateOrg(reopen, metadata=admin)
        assert [type(each.error) for each in lost] == [AccessRevoked]
        assert (await visitor.who_am_i()).auth_context["sid"] == visitor.session_id
