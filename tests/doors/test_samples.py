"""The table of samples has one for each RPC, and each is served to whoever may ask."""

from __future__ import annotations

import pytest
from tests.doors.house import bearer, house, settled
from tests.doors.rpcs import RPCS
from tests.doors.samples import FIELDS, FURTHER, REFUSED, sample

from stateward_server.auth.scopes import BY_METHOD

pytestmark = pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")


def test_there_is_a_sample_for_each_rpc():
    assert set(FIELDS) == set(RPCS)
    assert {rpc.path for rpc in RPCS.values()} == set(BY_METHOD)
    assert FURTHER.keys() | REFUSED.keys() <= set(RPCS)


@pytest.mark.parametrize("method", RPCS)
async def test_a_sample_is_served_to_an_administrator(method: str):
    async with house() as home:
        tenant = await settled(home, "ours")
        before = home.census()
        answer = await home.ask(method, sample(method, tenant.names), bearer(tenant.admin))
        assert (answer.code == "OK", answer.reason) == (method not in REFUSED, REFUSED.get(method, ""))
        if RPCS[method].reads:
            assert home.census() == before
