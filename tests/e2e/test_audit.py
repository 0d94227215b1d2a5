"""The audit log of a real server: what administrators do is in it, also when the server is killed at it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.e2e.kit import DESKS, published
from tests.servers import Server, serving

from stateward import Client
from stateward.v1 import (
    audit_pb2,
    audit_service_pb2_grpc,
    instance_service_pb2_grpc,
    key_service_pb2_grpc,
    member_service_pb2_grpc,
    org_pb2,
    org_service_pb2_grpc,
)
from stateward.v1 import audit_service_pb2 as pb
from stateward.v1 import instance_service_pb2 as instance_pb
from stateward.v1 import key_service_pb2 as key_pb
from stateward.v1 import member_service_pb2 as member_pb
from stateward.v1 import org_service_pb2 as org_pb

pytestmark = pytest.mark.slow

Metadata = tuple[tuple[str, str | bytes], ...]


class Office:
    """The services an administrator uses, over one channel."""

    def __init__(self, channel: grpc.aio.Channel, server: Server) -> None:
        self.audit: Any = audit_service_pb2_grpc.AuditServiceStub(channel)
        self.keys: Any = key_service_pb2_grpc.KeyServiceStub(channel)
        self.orgs: Any = org_service_pb2_grpc.OrgServiceStub(channel)
        self.members: Any = member_service_pb2_grpc.MemberServiceStub(channel)
        self.instances: Any = instance_service_pb2_grpc.InstanceServiceStub(channel)
        self.admin: Metadata = (("authorization", f"Bearer {server.profile['token']}"),)

    async def entries(self, metadata: Metadata = (), **asked: Any) -> list[audit_pb2.AuditEntry]:
        """All entries, oldest first."""
        request = pb.ListAuditEntriesRequest(page_size=1_000, **asked)
        found = await self.audit.ListAuditEntries(request, metadata=metadata or self.admin)
        return list(reversed(found.audit_entries))


@pytest.fixture
async def office(server: Server) -> AsyncIterator[Office]:
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        yield Office(channel, server)


async def test_each_act_of_an_administrator_is_one_entry(client: Client, office: Office):
    machine = await published(client, DESKS["v5"])
    path = f"machines/{machine.name}/instances/desk"
    desk, admin = machine.instance("desk"), {"metadata": office.admin}
    await desk.create()
    await office.instances.PauseInstance(instance_pb.PauseInstanceRequest(name=path), **admin)
    await office.instances.ResumeInstance(instance_pb.ResumeInstanceRequest(name=path), **admin)
    assert [each.cause async for each in desk.transitions()]
    await desk.delete()
    made = [
        (each.method, each.resource, each.acting, each.outcome)
        for each in await office.entries()
        if each.resource.startswith(f"machines/{machine.name}")
    ]
    assert [
        (method.partition(".")[2], resource) for method, resource, *_ in made if "Version" not in method
    ] == [
        ("CreateMachine", f"machines/{machine.name}"),
        ("PauseInstance", path),
        ("ResumeInstance", path),
        ("ListTransitions", path),
        ("DeleteInstance", path),
    ]
    [version] = [resource for method, resource, *_ in made if method == "MachineService.CreateMachineVersion"]
    assert version.startswith(f"machines/{machine.name}/versions/ver_")
    assert {(acting, outcome) for *_, acting, outcome in made} == {(False, "OK")}


async def test_acting_for_somebody_is_on_record_also_in_everyday_calls(client: Client, office: Office):
    machine = await published(client, DESKS["v4"])
    create = instance_pb.CreateInstanceRequest(parent=f"machines/{machine.name}", instance_id="desk")
    ann = (*office.admin, ("stateward-auth-context-bin", b'{"sub":"ann","sid":"tab","secret":"no"}'))
    await office.instances.CreateInstance(create, metadata=office.admin)
    name = f"machines/{machine.name}/instances/desk"
    send = instance_pb.SendEventRequest(name=name, event_json='"UNHEARD-OF"')
    await office.instances.SendEvent(send, metadata=ann)
    [found] = [each for each in await office.entries() if each.resource == name]
    assert (found.method, found.acting, found.outcome) == ("InstanceService.SendEvent", True, "OK")
    assert (found.sub, found.sid) == ("ann", "tab")


async def test_a_new_organisation_and_a_new_member_are_in_the_log_of_that_organisation(office: Office):
    asked = member_pb.CreateInvitationRequest(role=org_pb2.ROLE_VIEWER)
    invited = await office.members.CreateInvitation(asked, metadata=office.admin)
    request = member_pb.AcceptInvitationRequest(
        code=invited.code, display_name="Ann", request_id=str(uuid.uuid4())
    )
    await office.members.AcceptInvitation(request)
    joined = await office.members.AcceptInvitation(request)
    with pytest.raises(grpc.aio.AioRpcError):
        await office.members.AcceptInvitation(member_pb.AcceptInvitationRequest(code="guessed"))
    ann = (("authorization", f"Bearer {joined.access_token}"),)
    made = await office.orgs.CreateOrg(org_pb.CreateOrgRequest(display_name="Ann's"), metadata=ann)

    [entry] = await office.entries(method="MemberService.AcceptInvitation")
    assert (entry.subject, entry.resource, entry.outcome) == ("", invited.invitation.name, "OK")
    assert await office.entries(method="OrgService.CreateOrg") == []
    [entry] = await office.entries((*ann, ("stateward-org", made.org.name.removeprefix("orgs/"))))
    assert (entry.method, entry.resource, entry.outcome) == ("OrgService.CreateOrg", made.org.name, "OK")
    assert entry.subject.removeprefix("users/") == joined.member.name.removeprefix("members/")


async def test_entries_outlive_a_kill_and_no_change_is_without_one(tmp_path: Path):
    """A server is killed while keys are made: what was made and not answered has an open entry."""
    with serving(tmp_path) as server:
        replies = 0
        for _ in range(2):
            async with grpc.aio.insecure_channel(server.grpc) as channel:
                office, enough = Office(channel, server), asyncio.Event()
                makers = [asyncio.ensure_future(make_keys(office, enough)) for _ in range(8)]
                await enough.wait()
                server.kill()
                replies += sum(await asyncio.gather(*makers))
            server.start()
        async with grpc.aio.insecure_channel(server.grpc) as channel:
            office = Office(channel, server)
            listing = key_pb.ListKeysRequest(page_size=1_000)
            listed = await office.keys.ListKeys(listing, metadata=office.admin)
            entries = await office.entries(method="KeyService.CreateKey")
    keys = {key.name for key in listed.keys if key.display_name == "made here"}
    finished = {entry.resource for entry in entries if entry.outcome == "OK"}
    unfinished = sum(not entry.outcome for entry in entries)
    assert len(keys) >= replies >= 20
    assert finished <= keys
    assert len(keys - finished) <= unfinished


async def make_keys(office: Office, enough: asyncio.Event) -> int:
    """Make keys until the server is gone, and return how many it has answered."""
    request = key_pb.CreateKeyRequest(use=key_pb.KEY_USE_CI, display_name="made here")
    made = 0
    while True:
        try:
            await office.keys.CreateKey(request, metadata=office.admin)
        except grpc.aio.AioRpcError:
            return made
        made += 1
        if made == 10:
            enough.set()
