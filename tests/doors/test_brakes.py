"""An address that guesses is slowed down, whatever it guesses at: tokens, codes of invitations."""

from __future__ import annotations

from typing import Any

import pytest
from tests.doors.house import House, Tenant, bearer, house, settled
from tests.doors.samples import sample

from stateward_server.model.limits import RateLimits

pytestmark = pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")

ONE_A_SECOND = RateLimits(failures_per_second=1, open_per_second=0)
AT_ONCE = 10
GUESSES: dict[str, dict[str, Any]] = {
    "ExchangeToken": {"subject_token": "a.b.c"},
    "AcceptInvitation": {"code": "inv_AAAAAAAAAAAAAAAAAAAAAA.guessed"},
}
REJECTED = {"ExchangeToken": "SUBJECT_TOKEN_REJECTED", "AcceptInvitation": "INVITATION_INVALID"}


async def guess(home: House, tenant: Tenant, method: str, token: str = "") -> None:
    request = sample(method, tenant.names, **GUESSES[method])
    answer = await home.ask(method, request, bearer(token) if token else ())
    assert answer.reason == REJECTED[method]


@pytest.mark.parametrize("by_whom", ["nobody", "a member"])
@pytest.mark.parametrize("method", GUESSES)
async def test_failed_proofs_count_as_failed_tokens_do(method: str, by_whom: str):
    async with house(ONE_A_SECOND) as home:
        tenant = await settled(home, "ours")
        for _ in range(AT_ONCE):
            await guess(home, tenant, method, tenant.member if by_whom == "a member" else "")
        before = home.census()
        for other in GUESSES:
            good = sample(other, tenant.names)
            assert (await home.ask(other, good)).reason == "RATE_LIMITED"
            assert (await home.ask(other, good, bearer(tenant.member))).reason == "RATE_LIMITED"
        assert (
            await home.ask("WhoAmI", sample("WhoAmI", tenant.names), bearer("x"))
        ).reason == "RATE_LIMITED"
        assert home.census() == before
        # Who is known by a token is not shut out by others at the same address.
        await home.made("WhoAmI", bearer(tenant.admin))
        home.clock.set(home.clock.now_ms() + 1_000)
        await home.made("ExchangeToken", (), **_fields(sample("ExchangeToken", tenant.names)))


async def test_good_proofs_cost_nothing():
    async with house(ONE_A_SECOND) as home:
        tenant = await settled(home, "ours")
        for _ in range(2 * AT_ONCE):
            await home.made("ExchangeToken", (), **_fields(sample("ExchangeToken", tenant.names)))


def _fields(request: Any) -> dict[str, Any]:
    return {field.name: value for field, value in request.ListFields()}
