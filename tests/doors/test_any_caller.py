"""Whatever one organisation does, in whatever order: another notices nothing, and nothing of it is said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.doors.house import House, Tenant, anonymous_token, bearer, house
from tests.doors.neighbours import both, leaks, strangers, visible
from tests.doors.rpcs import PATIENCE_S, RPCS, Metadata
from tests.doors.samples import Names, sample

from stateward.v1 import subscription_service_pb2 as subscription_pb
from stateward_server.api.edge import AUTH_CONTEXT_KEY
from stateward_server.auth.scopes import ALL

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning"),
]

CALLERS = ("administrator", "member", "key", "on behalf of ann", "anonymous", "nobody", "astray")
NAMES = [field.name for field in fields(Names)]

Plan = Sequence[tuple[str, str, set[str], bool]]
"""RPC, caller, which names are stolen, and whether the request id is as well."""

calls = st.lists(
    st.tuples(
        st.sampled_from(sorted(RPCS)),
        st.sampled_from(CALLERS + ("administrator",) * 6),
        st.sets(st.sampled_from(NAMES)),
        st.booleans(),
    ),
    min_size=8,
    max_size=40,
)


# A failure is told as it was found: to look for a shorter one would take minutes.
@settings(max_examples=20, phases=[Phase.generate])
@given(calls)
def test_no_sequence_of_calls_changes_what_another_organisation_sees(plan: Plan) -> None:
    asyncio.run(obey(plan))


async def test_nor_does_any_call_where_the_ledger_is_on_disk(tmp_path: Path):
    plan: Plan = [
        (method, caller, stolen, stolen != set(NAMES))
        for stolen in (set(NAMES), {"machine", "instance", "spare"}, set(NAMES) - {"machine", "instance"})
        for caller in ("administrator", "astray")
        for method in RPCS
    ]
    await obey(plan, tmp_path)


async def obey(plan: Plan, data: Path | None = None) -> None:
    async with house(data=data) as home:
        theirs, ours = await both(home, namesakes=True)
        callers = await known(home, theirs, ours)
        before, watched, listening = await visible(home, theirs), Watched(home, theirs), Listening(home, ours)
        await watched.begin()
        await listening.begin(f"machines/{theirs.names.machine}/instances/{theirs.names.instance}")
        for method, caller, stolen, repeatable in plan:
            request = sample(method, mixed(ours.names, theirs.names, stolen), repeatable=repeatable)
            answer = await home.ask(method, request, callers[caller])
            assert not leaks(theirs, answer.seen), method
        await home.rest()
        assert await visible(home, theirs) == before
        assert await strangers(home, theirs) == []
        await watched.saw_nothing()
        assert not leaks(theirs, await listening.heard())
        assert theirs.canary not in home.said()


async def known(home: House, theirs: Tenant, ours: Tenant) -> dict[str, Metadata]:
    key = bearer(await home.key_with(ours, ALL))
    return {
        "administrator": bearer(ours.admin, ours.org),  # who may make more of them
        "member": bearer(ours.member),
        "key": key,
        "on behalf of ann": (*key, (AUTH_CONTEXT_KEY, b'{"sub":"ann"}')),
        "anonymous": bearer(await anonymous_token(home, ours)),
        "nobody": (),
        "astray": bearer(ours.admin, theirs.org),
    }


def mixed(ours: Names, theirs: Names, stolen: set[str]) -> Names:
    """Return names of both; proofs cannot be stolen, as who has one may come in."""
    found = replace(ours, **{name: getattr(theirs, name) for name in stolen - {"code", "subject_token"}})
    return replace(found, code=f"{found.invitation}.guess") if "code" in stolen else found


class Watched:
    """The open watches of the organisation that must notice nothing."""

    def __init__(self, home: House, tenant: Tenant) -> None:
        self._home = home
        self._tenant = tenant
        self._path = f"machines/{tenant.names.machine}/instances/{tenant.names.instance}"

    async def begin(self) -> None:
        self._one = self._open("WatchInstance")
        self._all = self._open("WatchMachine")
        self._revision = (await frame(self._one, "WatchInstance")).snapshot.revision
        while not (await frame(self._all, "WatchMachine")).snapshot.complete:
            pass

    async def saw_nothing(self) -> None:
        """Make something happen: it is the next that either watch sees."""
        event = json.dumps({"type": "NOTE", "note": "at last"})
        me = bearer(self._tenant.admin)
        await self._home.made("SendEvent", me, name=self._path, event_json=event, request_id="")
        [state] = (await frame(self._one, "WatchInstance")).changes.states
        [change] = (await frame(self._all, "WatchMachine")).changes.changes
        assert state.revision == change.changed.revision == self._revision + 1
        assert change.name == self._path
        self._one.cancel()
        self._all.cancel()

    def _open(self, method: str) -> Any:
        wire: Any = self._home.channel
        request = sample(method, self._tenant.names).SerializeToString()
        return wire.unary_stream(RPCS[method].path)(
            request, metadata=bearer(self._tenant.admin), timeout=PATIENCE_S
        )


class Listening:
    """A stream of the organisation that may be up to anything, open all the while."""

    def __init__(self, home: House, tenant: Tenant) -> None:
        self._home = home
        self._tenant = tenant
        self._asking: asyncio.Queue[str] = asyncio.Queue()
        """Paths to watch; a blank one ends it."""

    async def begin(self, path: str) -> None:
        wire: Any = self._home.channel
        self._stream = wire.stream_stream(RPCS["WatchInstances"].path)(
            self._requests(), metadata=bearer(self._tenant.admin, self._tenant.org), timeout=PATIENCE_S
        )
        self._asking.put_nowait(path)
        assert (await frame(self._stream, "WatchInstances")).name == path

    async def heard(self) -> bytes:
        """Return all that has come, up to the word of something that is new at the end."""
        me = bearer(self._tenant.admin, self._tenant.org)
        await self._home.made("CreateMachine", me, machine_id="end", request_id="")
        await self._home.made(
            "CreateMachineVersion",
            me,
            parent="machines/end",
            make_current=True,
            module_text="",
            request_id="",
        )
        await self._home.made("CreateInstance", me, parent="machines/end", instance_id="i", request_id="")
        self._asking.put_nowait("machines/end/instances/i")
        heard: list[bytes] = []
        while True:
            told = await frame(self._stream, "WatchInstances")
            heard.append(told.SerializeToString())
            if told.name == "machines/end/instances/i":
                self._asking.put_nowait("")
                self._stream.cancel()
                return b"\n".join(heard)

    async def _requests(self) -> AsyncIterator[bytes]:
        while path := await self._asking.get():
            add = subscription_pb.WatchAdd(name=path)
            yield subscription_pb.WatchInstancesRequest(add=add).SerializeToString()


async def frame(stream: Any, method: str) -> Any:
    return RPCS[method].response.FromString(await stream.read())
