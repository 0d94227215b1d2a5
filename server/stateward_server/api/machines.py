"""MachineService: publishing machines and versions."""

from __future__ import annotations

import asyncio
from functools import partial

from stateward.v1 import machine_service_pb2 as pb
from stateward.v1 import machine_service_pb2_grpc as rpc
from stateward_server.api import convert
from stateward_server.api.caller import Context, caller
from stateward_server.api.outcomes import Outcomes, nothing
from stateward_server.api.paging import PageTokens
from stateward_server.api.paths import parse_machine, parse_version
from stateward_server.catalog.catalog import Machines
from stateward_server.model.errors import InvalidArgument
from stateward_server.model.limits import ApiLimits
from stateward_server.model.machine import Module
from stateward_server.model.names import VersionId, machine_name

_MAX_CLIENT_INFO = ApiLimits().client_info_characters


class MachineServicer(rpc.MachineServiceServicer):
    """Converts, calls the catalog, converts back."""

    def __init__(self, machines: Machines, outcomes: Outcomes, pages: PageTokens) -> None:
        self._machines = machines
        self._outcomes = outcomes
        self._pages = pages

    async def CreateMachine(
        self, request: pb.CreateMachineRequest, _context: Context
    ) -> pb.CreateMachineResponse:
        org = caller.get().org
        name = machine_name(request.machine_id)
        indexes = tuple(request.indexes)
        machine = await self._outcomes.once(
            org,
            "CreateMachine",
            request.request_id,
            (name, *sorted(indexes)),
            do=lambda record: self._machines.create(org, name, record, indexes=indexes),
            again=lambda _: self._machines.get(org, name),
        )
        return pb.CreateMachineResponse(machine=convert.machine(machine))

    async def GetMachine(self, request: pb.GetMachineRequest, _context: Context) -> pb.GetMachineResponse:
        machine = await self._machines.get(caller.get().org, parse_machine(request.name, "name"))
        return pb.GetMachineResponse(machine=convert.machine(machine))

    async def ListMachines(
        self, request: pb.ListMachinesRequest, _context: Context
    ) -> pb.ListMachinesResponse:
        org = caller.get().org
        page, token = await self._pages.page(
            request,
            (org, "machines"),
            partial(self._machines.list, org),
            start="",
            place=lambda each: each.name,
            show=convert.machine,
        )
        return pb.ListMachinesResponse(machines=page, next_page_token=token)

    async def UpdateMachine(
        self, request: pb.UpdateMachineRequest, _context: Context
    ) -> pb.UpdateMachineResponse:
        org = caller.get().org
        if list(request.update_mask.paths) != ["current_version"]:
            raise InvalidArgument(
                "INVALID_FIELD", "update_mask must be 'current_version'", field="update_mask"
            )
        name = parse_machine(request.machine.name, "machine.name")
        owner, version = parse_version(request.machine.current_version, "machine.current_version")
        if owner != name:
            raise InvalidArgument(
                "INVALID_NAME",
                f"current_version is one of machine {owner!r}",
                field="machine.current_version",
            )
        machine = await self._outcomes.once(
            org,
            "UpdateMachine",
            request.request_id,
            (name, version),
            do=lambda record: self._machines.choose(org, name, version, record),
            again=lambda _: self._machines.get(org, name),
        )
        return pb.UpdateMachineResponse(machine=convert.machine(machine))

    async def DeleteMachine(
        self, request: pb.DeleteMachineRequest, _context: Context
    ) -> pb.DeleteMachineResponse:
        org = caller.get().org
        name = parse_machine(request.name, "name")
        await self._outcomes.once(
            org,
            "DeleteMachine",
            request.request_id,
            (name,),
            do=lambda record: self._machines.delete(org, name, record),
            again=nothing,
        )
        return pb.DeleteMachineResponse()

    async def CreateMachineVersion(
        self, request: pb.CreateMachineVersionRequest, _context: Context
    ) -> pb.CreateMachineVersionResponse:
        org = caller.get().org
        name = parse_machine(request.parent, "parent")
        if len(request.client_info) > _MAX_CLIENT_INFO:
            raise InvalidArgument(
                "INVALID_FIELD",
                f"client_info has more than {_MAX_CLIENT_INFO} characters",
                field="client_info",
            )
        # Zipping megabytes would hold up every other call.
        module = await asyncio.to_thread(self._module, request)
        current = request.make_current
        selectors = dict(request.index_selectors)
        flat = (text for pair in sorted(selectors.items()) for text in pair)
        version = await self._outcomes.once(
            org,
            "CreateMachineVersion",
            request.request_id,
            (name, module.source, module.language.value, request.client_info, str(current), *flat),
            do=lambda record: self._machines.publish(
                org,
                name,
                module,
                request.client_info,
                make_current=current,
                index_selectors=selectors,
                request=record,
            ),
            again=lambda stored: self._machines.version(org, name, VersionId(stored)),
        )
        return pb.CreateMachineVersionResponse(machine_version=convert.version(version))

    async def GetMachineVersion(
        self, request: pb.GetMachineVersionRequest, _context: Context
    ) -> pb.GetMachineVersionResponse:
        name, version = parse_version(request.name, "name")
        found = await self._machines.version(caller.get().org, name, version)
        return pb.GetMachineVersionResponse(machine_version=convert.version(found))

    async def ListMachineVersions(
        self, request: pb.ListMachineVersionsRequest, _context: Context
    ) -> pb.ListMachineVersionsResponse:
        org = caller.get().org
        name = parse_machine(request.parent, "parent")
        page, token = await self._pages.page(
            request,
            (org, "versions", name),
            partial(self._machines.versions, org, name),
            start=(-1, ""),
            place=lambda each: (each.created_at, each.id),
            show=convert.version,
        )
        return pb.ListMachineVersionsResponse(machine_versions=page, next_page_token=token)

    def _module(self, request: pb.CreateMachineVersionRequest) -> Module:
        language = convert.language(request.language)
        match request.WhichOneof("module"):
            case "module_text":
                return self._machines.from_text(request.module_text, language)
            case "module_gzip":
                return self._machines.unpack(request.module_gzip, language)
            case _:
                raise InvalidArgument("INVALID_FIELD", "send module_text or module_gzip", field="module")
