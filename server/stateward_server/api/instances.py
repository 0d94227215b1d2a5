"""InstanceService: the door that events come through."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

from stateward.v1 import instance_service_pb2 as pb
from stateward.v1 import instance_service_pb2_grpc as rpc
from stateward_server.api import convert, convert_index, convert_mail
from stateward_server.api.caller import Context, caller
from stateward_server.api.outcomes import Outcomes, nothing
from stateward_server.api.paging import PageTokens, fitting, page_size
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
        who = caller.get()
        machine = parse_machine(request.parent, "parent")
        size = page_size(request.page_size)
        listing = (who.org, "instances", machine)
        after = self._pages.decode(listing, request.page_token)[0] if request.page_token else 0
        found = await self._query.instances(who.org, machine, after, size + 1)
        more = len(found) > size
        return pb.ListInstancesResponse(
            instances=[convert.listed_instance(each) for each in found[:size]],
            next_page_token=self._pages.encode(listing, [found[size - 1].instance.uid]) if more else "",
        )

    async def QueryIndex(self, request: pb.QueryIndexRequest, _context: Context) -> pb.QueryIndexResponse:
        who = caller.get()
        org = who.org
        machine = parse_machine(request.parent, "parent")
        query = convert_index.query(request)
        size = page_size(request.page_size)
        comparison = "" if query.comparison is None else query.comparison.value
        order = "descending" if query.descending else "ascending"
        listing = (org, "index", machine, query.index, comparison, query.value, order)
        after = None
        if request.page_token:
            value, name = self._pages.decode(listing, request.page_token)
            after = (value, name)
        found, more = await self._query.index(org, machine, query, after, size)
        last = found[-1] if more else None
        place = [last.value, last.loaded.instance.key.name] if last else []
        return pb.QueryIndexResponse(
            entries=[convert_index.entry(each) for each in await self._shown(found, who)],
            next_page_token=self._pages.encode(listing, place) if last else "",
        )

    async def _shown(self, found: Sequence[Found], who: Principal) -> Sequence[Found]:
        """Leave out instances that the machine does not show to a caller who may not list them all."""
        if LISTS in who.scopes:
            return found
        states = [(each.loaded.instance, each.loaded.last) for each in found]
        await self._readers.ask(states, who.auth_json)
        allowed = [await self._readers.allows(*state, who.auth_json) for state in states]
        return list(compress(found, allowed))

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
        size = page_size(request.page_size)
        listing = (key.org, "timers", key.machine, key.name)
        after = self._pages.decode(listing, request.page_token)[0] if request.page_token else ""
        found = await self._engine.timers.list(key, after, size + 1)
        page = fitting((convert_mail.timer(key, each) for each in found), size)
        last = found[len(page) - 1].id if len(page) < len(found) else None
        return pb.ListTimersResponse(
            timers=page, next_page_token="" if last is None else self._pages.encode(listing, [last])
        )

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
        size = page_size(request.page_size)
        listing = (key.org, "transitions", key.machine, key.name)
        after = self._pages.decode(listing, request.page_token)[0] if request.page_token else 0
        found, more = await self._query.transitions(key, after, size)
        path = instance_path(key.machine, key.name)
        page = fitting((convert.transition(path, each) for each in found), size)
        last = found[len(page) - 1].revision if more or len(page) < len(found) else None
        return pb.ListTransitionsResponse(
            transitions=page, next_page_token="" if last is None else self._pages.encode(listing, [last])
        )


def _wanted(path: str, machine: MachineName) -> VersionId | None:
    if not path:
        return None
    owner, version = parse_version(path, "version")
    if owner != machine:
        raise InvalidArgument(
            "INVALID_NAME", f"version is one of machine {owner!r}, not {machine!r}", field="version"
        )
    return version
