"""A catalog call with a request id takes effect once, also when its repeat comes while it still runs."""

from __future__ import annotations

import asyncio

import pytest

from stateward_server.api.outcomes import Outcomes
from stateward_server.model.errors import AlreadyExists, InvalidArgument
from stateward_server.model.machine import RequestRecord
from stateward_server.model.names import OrgId
from stateward_server.testing.clock import ManualClock, settle

ORG = OrgId("org_a")
ID = "0b5e7c1a-8c7d-4d6e-9f10-112233445566"


class Records:
    """Records of requests (Requests), and a call that takes until it is let go."""

    def __init__(self) -> None:
        self.kept: dict[tuple[OrgId, str], RequestRecord] = {}
        self.calls = 0
        self.held = asyncio.Event()
        self.held.set()

    async def get_request(self, org: OrgId, request_id: str) -> RequestRecord | None:
        await asyncio.sleep(0)
        return self.kept.get((org, request_id))

    async def do(self, record: RequestRecord | None) -> str:
        self.calls += 1
        call = self.calls
        await self.held.wait()
        if record is not None:
            self.kept[record.org, record.id] = RequestRecord(
                record.org, record.id, record.digest, f"made-{call}", record.time_ms
            )
        return f"made-{call}"

    async def again(self, outcome: str) -> str:
        return f"again {outcome}"


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def outcomes(records: Records) -> Outcomes:
    return Outcomes(records, ManualClock(1234))


async def call(
    outcomes: Outcomes, records: Records, request_id: str = ID, body: str = "m", org: OrgId = ORG
) -> str:
    return await outcomes.once(org, "CreateMachine", request_id, (body,), do=records.do, again=records.again)


async def test_without_a_request_id_every_call_counts(outcomes: Outcomes, records: Records):
    assert await call(outcomes, records, request_id="") == "made-1"
    assert await call(outcomes, records, request_id="") == "made-2"
    assert records.kept == {}


async def test_the_first_call_is_done_and_recorded(outcomes: Outcomes, records: Records):
    assert await call(outcomes, records) == "made-1"
    [record] = records.kept.values()
    assert (record.org, record.id, record.time_ms) == (ORG, ID, 1234)


async def test_a_repeat_finds_what_the_first_call_did(outcomes: Outcomes, records: Records):
    await call(outcomes, records)
    assert await call(outcomes, records, request_id=ID.upper()) == "again made-1"
    assert records.calls == 1


async def test_another_body_under_the_same_id_is_refused(outcomes: Outcomes, records: Records):
    await call(outcomes, records)
    with pytest.raises(InvalidArgument) as refusal:
        await call(outcomes, records, body="other")
    assert (refusal.value.reason, refusal.value.metadata) == ("REQUEST_ID_REUSED", {"request_id": ID})


async def test_another_method_under_the_same_id_is_refused(outcomes: Outcomes, records: Records):
    await call(outcomes, records)
    with pytest.raises(InvalidArgument) as refusal:
        await outcomes.once(ORG, "DeleteMachine", ID, ("m",), do=records.do, again=records.again)
    assert refusal.value.reason == "REQUEST_ID_REUSED"


async def test_organisations_do_not_share_request_ids(outcomes: Outcomes, records: Records):
    assert await call(outcomes, records) == "made-1"
    assert await call(outcomes, records, org=OrgId("org_b")) == "made-2"


async def test_a_call_that_failed_is_done_again(outcomes: Outcomes, records: Records):
    async def fail(record: RequestRecord | None) -> str:
        raise AlreadyExists("MACHINE_EXISTS", "there is one")

    with pytest.raises(AlreadyExists):
        await outcomes.once(ORG, "CreateMachine", ID, ("m",), do=fail, again=records.again)
    assert await call(outcomes, records) == "made-1"


async def test_a_repeat_waits_for_the_call_that_still_runs(outcomes: Outcomes, records: Records):
    records.held.clear()
    calls = [asyncio.ensure_future(call(outcomes, records)) for _ in range(3)]
    await settle()
    assert records.calls == 1
    records.held.set()
    assert await asyncio.gather(*calls) == ["made-1", "again made-1", "again made-1"]


async def test_a_caller_that_goes_away_does_not_cut_its_call_short(outcomes: Outcomes, records: Records):
    records.held.clear()
    first = asyncio.ensure_future(call(outcomes, records))
    await settle()
    first.cancel()
    repeat = asyncio.ensure_future(call(outcomes, records))
    await settle()
    records.held.set()
    assert await repeat == "again made-1"
    assert records.calls == 1


async def test_a_repeat_takes_over_when_the_running_call_fails(outcomes: Outcomes, records: Records):
    begun = asyncio.Event()

    async def fail(record: RequestRecord | None) -> str:
        await begun.wait()
        raise AlreadyExists("MACHINE_EXISTS", "there is one")

    first = asyncio.ensure_future(
        outcomes.once(ORG, "CreateMachine", ID, ("m",), do=fail, again=records.again)
    )
    await settle()
    repeat = asyncio.ensure_future(call(outcomes, records))
    await settle()
    begun.set()
    with pytest.raises(AlreadyExists):
        await first
    assert await repeat == "made-1"


async def test_nothing_is_remembered_of_calls_that_have_ended(outcomes: Outcomes, records: Records):
    await call(outcomes, records)
    await settle()
    assert outcomes.running == 0
