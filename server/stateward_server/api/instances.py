"""InstanceService: the door that events come through."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from stateward.v1 import instance_service_pb2 as pb
from stateward.v1 import instance_service_pb2_grpc as rpc
from stateward_server.api import convert, convert_index, convert_mail
from stateward_server.api.caller import Context, caller
from stateward_server.api.outcomes import Outcomes, nothing
from stateward_server.api.paging import PageTokens
from stateward_server.api.paths import (
    instance_path,
    parse_instance,
    parse_machine,
    parse_timer,
    parse_version,
)
from stateward_server.auth.scopes import LISTS
from stateward_server.catalog.catalog import Machines
from stateward_server.engine.engine import Engine
from stateward_server.model.errors import InvalidArgument
from stateward_server.model.ledger import InstanceKey
from stateward_server.model.names import MachineName, VersionId, instance_name
from stateward_server.model.principal import Principal
from stateward_server.ports.store import Found
from stateward_server.query.query import Query
from stateward_server.watch.readers import Readers


class InstanceServicer(rpc.InstanceServiceServicer):
    """Converts, calls one room, converts back."""

    def __init__(
        self,
        engine: Engine,
        machines: Machines,
        query: Query,
        outcomes: Outcomes,
        pages: PageTokens,
        *,
        readers: Readers,
        wait_ms: int,
    ) -> None:
        self._engine = engine
        self._machines = machines
        self._query = query
        self._readers = readers
        self._outcomes = outcomes
        self._pages = pages
        self._wait_ms = wait_ms

    async def CreateInstance(
        self, request: pb.CreateInstanceRequest, _context: Context
    ) -> pb.CreateInstanceResponse:
        who = caller.get()
        machine = parse_machine(request.parent, "parent")
        key = InstanceKey(who.org, machine, instance_name(request.instance_id))
        initial = convert.context(request.context_json)
        wait = convert.wait(request.wait if request.HasField("wait") else None, self._wait_ms)
        tag = convert.request_tag(request.request_id, request.context_json, request.version)
        version = await self._machines.to_start(who.org, machine, _wanted(request.version, machine))
        head, reply = await self._engine.create(key, version, initial, who.auth_json, request=tag, wait=wait)
        return pb.CreateInstanceResponse(
            instance=convert.instance(head, reply.latest), condition_met=reply.met, replayed=reply.replayed
        )

    async def GetInstance(self, request: pb.GetInstanceRequest, _context: Context) -> pb.GetInstanceResponse:
        who = caller.get()
        loaded = await self._engine.read(parse_instance(request.name, "name", who.org), who.auth_json)
        return pb.GetInstanceResponse(instance=convert.instance(loaded.instance, loaded.last))

    async def ListInstances(
        self, request: pb.ListInstancesRequest, _context: Context
    ) -> pb.ListInstancesResponse:
        org = caller.get().org
        machine = parse_machine(request.parent, "parent")
        page, token = await self._pages.page(
            request,
            (org, "instances", machine),
            partial(self._query.instances, org, machine),
            start=0,
            place=lambda each: each.instance.uid,
            show=convert.listed_instance,
        )
        return pb.ListInstancesResponse(instances=page, next_page_token=token)

    async def QueryIndex(self, request: pb.QueryIndexRequest, _context: Context) -> pb.QueryIndexResponse:
        who = caller.get()
        org = who.org
        machine = parse_machine(request.parent, "parent")
        query = convert_index.query(request)
        comparison = "" if query.comparison is None else query.comparison.value
        order = "descending" if query.descending else "ascending"
        listing = (org, "index", machine, query.index, comparison, query.value, order)

        async def fetch(after: tuple[str, str] | None, limit: int) -> list[tuple[Found, bool]]:
            found = await self._query.index(org, machine, query, after, limit)
            return list(zip(found, await self._visible(found, who), strict=True))

        page, token = await self._pages.page(
            request,
            listing,
            fetch,
            start=None,
            place=lambda each: (each[0].value, each[0].loaded.instance.key.name),
            show=lambda each: convert_index.entry(each[0]) if each[1] else None,
        )
        return pb.QueryIndexResponse(entries=page, next_page_token=token)

    async def _visible(self, found: Sequence[Found], who: Principal) -> Sequence[bool]:
        """Tell which instances the machine shows to a caller who may not list them all."""
        if LISTS in who.scopes:
            return [True] * len(found)
        states = [(each.loaded.instance, each.loaded.last) for each in found]
        await self._readers.ask(states, who.auth_json)
        return [await self._readers.allows(*state, who.auth_json) for state in states]

    async def DeleteInstance(
        self, request: pb.DeleteInstanceRequest, _context: Context
    ) -> pb.DeleteInstanceResponse:
        key = parse_instance(request.name, "name", caller.get().org)
        await self._outcomes.once(
            key.org,
            "DeleteInstance",
            request.request_id,
            (request.name,),
            do=lambda record: self._engine.delete(key, record),
            again=nothing,
        )
        return pb.DeleteInstanceResponse()

    async def PauseInstance(
        self, request: pb.PauseInstanceRequest, _context: Context
    ) -> pb.PauseInstanceResponse:
        key = parse_instance(request.name, "name", caller.get().org)
        loaded = await self._outcomes.once(
            key.org,
            "PauseInstance",
            request.request_id,
            (request.name,),
            do=lambda record: self._engine.pauses.pause(key, record),
            again=lambda _: self._query.instance(key),
        )
        return pb.PauseInstanceResponse(instance=convert.listed_instance(loaded))

    async def ResumeInstance(
        self, request: pb.ResumeInstanceRequest, _context: Context
    ) -> pb.ResumeInstanceResponse:
        key = parse_instance(request.name, "name", caller.get().org)
        loaded = await self._outcomes.once(
            key.org,
            "ResumeInstance",
            request.request_id,
            (request.name,),
            do=lambda record: self._engine.pauses.resume(key, record),
            again=lambda _: self._query.instance(key),
        )
        return pb.ResumeInstanceResponse(instance=convert.listed_instance(loaded))

    async def ListTimers(self, request: pb.ListTimersRequest, _context: Context) -> pb.ListTimersResponse:
        key = parse_instance(request.parent, "parent", caller.get().org)
        page, token = await self._pages.page(
            request,
            (key.org, "timers", key.machine, key.name),
            partial(self._engine.timers.list, key),
            start="",
            place=lambda each: each.id,
            show=partial(convert_mail.timer, key),
        )
        return pb.ListTimersResponse(timers=page, next_page_token=token)

    async def CancelTimer(self, request: pb.CancelTimerRequest, _context: Context) -> pb.CancelTimerResponse:
        key, timer = parse_timer(request.name, "name", caller.get().org)
        await self._outcomes.once(
            key.org,
            "CancelTimer",
            request.request_id,
            (request.name,),
            do=lambda record: self._engine.timers.cancel(key, timer, record),
            again=nothing,
        )
        return pb.CancelTimerResponse()

    async def SendEvent(self, request: pb.SendEventRequest, _context: Context) -> pb.SendEventResponse:
        who = caller.get()
        key = parse_instance(request.name, "name", who.org)
        reply = await self._engine.send(
            key,
            convert.event(request.event_json),
            who.auth_json,
            request=convert.request_tag(request.request_id, request.event_json),
            expected_revision=request.expected_revision,
            wait=convert.wait(request.wait if request.HasField("wait") else None, self._wait_ms),
        )
        return pb.SendEventResponse(
            state=convert.state(reply.latest),
            revision=reply.own.revision,
            condition_met=reply.met,
            replayed=reply.replayed,
        )

    async def ListTransitions(
        self, request: pb.ListTransitionsRequest, _context: Context
    ) -> pb.ListTransitionsResponse:
        key = parse_instance(request.parent, "parent", caller.get().org)
        page, token = await self._pages.page(
            request,
            (key.org, "transitions", key.machine, key.name),
            partial(self._query.transitions, key),
            start=0,
            place=lambda each: each.revision,
            show=partial(convert.transition, instance_path(key.machine, key.name)),
        )
        return pb.ListTransitionsResponse(transitions=page, next_page_token=token)


def _wanted(path: str, machine: MachineName) -> VersionId | None:
    if not path:
        return None
    owner, version = parse_version(path, "version")
    if owner != machine:
        raise InvalidArgument(
            "INVALID_NAME", f"version is one of machine {owner!r}, not {machine!r}", field="version"
        )
    return version
