"""Two organisations in one house: what each can see, and what of one must never reach the other."""

from __future__ import annotations

from tests.doors.house import SECRETS, House, Tenant, bearer, settled
from tests.doors.rpcs import RPCS
from tests.doors.samples import sample


async def both(home: House, *, namesakes: bool) -> tuple[Tenant, Tenant]:
    """Let two organisations move in; `namesakes` have chosen the same names for what they have."""
    theirs = await settled(home, "theirs")
    ours = await settled(home, "ours")
    if namesakes:
        me = bearer(ours.admin)
        for name in (theirs.names.machine, theirs.names.spare):
            await home.made("CreateMachine", me, machine_id=name, indexes=["owner"], request_id="")
        parent = f"machines/{theirs.names.machine}"
        await home.made(
            "CreateMachineVersion", me, parent=parent, module_text="", make_current=True, request_id=""
        )
        await home.made("CreateInstance", me, parent=parent, instance_id=theirs.names.instance, request_id="")
    return theirs, ours


def leaks(theirs: Tenant, said: bytes) -> bool:
    """Say whether any of an organisation's secrets is in what was said."""
    names = theirs.names
    secrets = (theirs.canary, theirs.admin, theirs.member, names.code, SECRETS.signing_secret(names.key))
    return any(secret.encode() in said for secret in secrets)


async def visible(home: House, tenant: Tenant) -> dict[str, bytes]:
    """Return all that an organisation can see of itself, but for its audit log, in which this question is."""
    found = {}
    for method, rpc in RPCS.items():
        if rpc.reads and method != "ListAuditEntries":
            answer = await home.ask(method, sample(method, tenant.names), bearer(tenant.admin))
            assert answer.code == "OK", method
            found[method] = answer.message
    return found


async def strangers(home: House, tenant: Tenant) -> list[str]:
    """Return who else is in an organisation's audit log than its administrator, and people it let in."""
    log = await home.made("ListAuditEntries", bearer(tenant.admin), page_size=1_000)
    ours = {f"users/usr_{tenant.canary.removeprefix('canary-')}-owner-0001", ""}
    return [entry.subject for entry in log.audit_entries if entry.subject not in ours]
