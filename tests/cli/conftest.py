"""A server with the whole contract and none of the engine: one toggle machine in memory.

It has an event loop and a thread of its own, because the command under test runs a loop in the test's thread.
"""

# ruff: noqa: N802 - the names are the contract's

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Any

import click.testing
import grpc
import pytest
from google.protobuf.any_pb2 import Any as Packed
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from stateward.v1 import (
    dead_letter_pb2,
    dead_letter_service_pb2,
    dead_letter_service_pb2_grpc,
    instance_pb2,
    instance_service_pb2,
    instance_service_pb2_grpc,
    limits_service_pb2,
    limits_service_pb2_grpc,
    machine_pb2,
    machine_service_pb2,
    machine_service_pb2_grpc,
    subscription_service_pb2,
    subscription_service_pb2_grpc,
)
from stateward_server.cli.main import main

TOKEN = "sba_the-secret-of-the-test"
AUTH_CONTEXT = "stateward-auth-context-bin"

Run = Callable[..., click.testing.Result]


class FakeServer(
    machine_service_pb2_grpc.MachineServiceServicer,
    instance_service_pb2_grpc.InstanceServiceServicer,
    subscription_service_pb2_grpc.SubscriptionServiceServicer,
    dead_letter_service_pb2_grpc.DeadLetterServiceServicer,
    limits_service_pb2_grpc.LimitsServiceServicer,
):
    """Remembers what it is told; `refusals` has (code, reason, metadata) for a method that shall refuse."""

    def __init__(self) -> None:
        self.machines: dict[str, machine_pb2.Machine] = {}
        self.versions: list[machine_pb2.MachineVersion] = []
        self.instances: dict[str, list[instance_pb2.Transition]] = {}
        self.requests: list[Any] = []
        self.auth_contexts: list[object] = []
        self.refusals: dict[str, tuple[str, str, dict[str, str]]] = {}

    def serve(self, started: Future[int], stop: Future[None]) -> None:
        """Serve until told to stop; runs in a thread."""

        async def run() -> None:
            server = grpc.aio.server()
            machine_service_pb2_grpc.add_MachineServiceServicer_to_server(self, server)
            instance_service_pb2_grpc.add_InstanceServiceServicer_to_server(self, server)
            subscription_service_pb2_grpc.add_SubscriptionServiceServicer_to_server(self, server)
            dead_letter_service_pb2_grpc.add_DeadLetterServiceServicer_to_server(self, server)
            limits_service_pb2_grpc.add_LimitsServiceServicer_to_server(self, server)
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            started.set_result(port)
            await asyncio.wrap_future(stop)
            await server.stop(None)

        asyncio.run(run())

    def last(self, kind: type[Any]) -> Any:
        return next(request for request in reversed(self.requests) if isinstance(request, kind))

    async def CreateMachine(self, request: Any, context: Any) -> Any:
        await self._see("CreateMachine", request, context)
        machine = machine_pb2.Machine(name=f"machines/{request.machine_id}", indexes=request.indexes)
        self.machines[machine.name] = machine
        return machine_service_pb2.CreateMachineResponse(machine=machine)

    async def GetMachine(self, request: Any, context: Any) -> Any:
        await self._see("GetMachine", request, context)
        return machine_service_pb2.GetMachineResponse(machine=self.machines[request.name])

    async def ListMachines(self, request: Any, context: Any) -> Any:
        await self._see("ListMachines", request, context)
        return machine_service_pb2.ListMachinesResponse(machines=self.machines.values())

    async def UpdateMachine(self, request: Any, context: Any) -> Any:
        await self._see("UpdateMachine", request, context)
        self.machines[request.machine.name].current_version = request.machine.current_version
        return machine_service_pb2.UpdateMachineResponse(machine=self.machines[request.machine.name])

    async def GetMachineVersion(self, request: Any, context: Any) -> Any:
        raise NotImplementedError

    async def DeleteMachine(self, request: Any, context: Any) -> Any:
        await self._see("DeleteMachine", request, context)
        del self.machines[request.name]
        return machine_service_pb2.DeleteMachineResponse()

    async def CreateMachineVersion(self, request: Any, context: Any) -> Any:
        await self._see("CreateMachineVersion", request, context)
        version = machine_pb2.MachineVersion(
            name=f"{request.parent}/versions/ver_{len(self.versions):022}",
            xstate_version=machine_pb2.XSTATE_VERSION_4,
            client_info=request.client_info,
            source_bytes=len(request.module_text),
            index_selectors=request.index_selectors,
        )
        self.versions.append(version)
        if request.make_current:
            self.machines[request.parent].current_version = version.name
        return machine_service_pb2.CreateMachineVersionResponse(machine_version=version)

    async def ListMachineVersions(self, request: Any, context: Any) -> Any:
        await self._see("ListMachineVersions", request, context)
        return machine_service_pb2.ListMachineVersionsResponse(machine_versions=self.versions)

    async def CreateInstance(self, request: Any, context: Any) -> Any:
        await self._see("CreateInstance", request, context)
        name = f"{request.parent}/instances/{request.instance_id}"
        self.instances[name] = [transition(name, 1, '{"type":"xstate.init"}')]
        return instance_service_pb2.CreateInstanceResponse(instance=self._instance(name), condition_met=True)

    async def GetInstance(self, request: Any, context: Any) -> Any:
        await self._see("GetInstance", request, context)
        return instance_service_pb2.GetInstanceResponse(instance=self._instance(request.name))

    async def ListInstances(self, request: Any, context: Any) -> Any:
        await self._see("ListInstances", request, context)
        found = [self._instance(name) for name in self.instances]
        return instance_service_pb2.ListInstancesResponse(instances=found)

    async def QueryIndex(self, request: Any, context: Any) -> Any:
        await self._see("QueryIndex", request, context)
        found = [
            instance_pb2.IndexEntry(instance=self._instance(name), value="ann") for name in self.instances
        ]
        return instance_service_pb2.QueryIndexResponse(entries=found)

    async def DeleteInstance(self, request: Any, context: Any) -> Any:
        await self._see("DeleteInstance", request, context)
        del self.instances[request.name]
        return instance_service_pb2.DeleteInstanceResponse()

    async def SendEvent(self, request: Any, context: Any) -> Any:
        await self._see("SendEvent", request, context)
        history = self.instances[request.name]
        history.append(transition(request.name, len(history) + 1, request.event_json))
        state = history[-1].state
        return instance_service_pb2.SendEventResponse(
            state=state, revision=state.revision, condition_met=True
        )

    async def ListTransitions(self, request: Any, context: Any) -> Any:
        await self._see("ListTransitions", request, context)
        return instance_service_pb2.ListTransitionsResponse(transitions=self.instances[request.parent])

    async def WatchInstance(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await self._see("WatchInstance", request, context)
        first, *others = (each.state for each in self.instances[request.name])
        yield subscription_service_pb2.WatchInstanceResponse(resume_token="t1", snapshot=first)
        if others:
            changes = subscription_service_pb2.StateChanges(states=others)
            yield subscription_service_pb2.WatchInstanceResponse(resume_token="t2", changes=changes)

    async def PauseInstance(self, request: Any, context: Any) -> Any:
        await self._see("PauseInstance", request, context)
        paused = self._instance(request.name)
        paused.paused = True
        return instance_service_pb2.PauseInstanceResponse(instance=paused)

    async def ResumeInstance(self, request: Any, context: Any) -> Any:
        await self._see("ResumeInstance", request, context)
        return instance_service_pb2.ResumeInstanceResponse(instance=self._instance(request.name))

    async def ListTimers(self, request: Any, context: Any) -> Any:
        await self._see("ListTimers", request, context)
        timer = instance_pb2.Timer(name=f"{request.parent}/timers/a%2Fb", event_json='{"type":"ring"}')
        timer.due_time.FromJsonString("2026-01-02T03:04:05.500Z")
        return instance_service_pb2.ListTimersResponse(timers=[timer])

    async def CancelTimer(self, request: Any, context: Any) -> Any:
        await self._see("CancelTimer", request, context)
        return instance_service_pb2.CancelTimerResponse()

    async def ListDeadLetters(self, request: Any, context: Any) -> Any:
        await self._see("ListDeadLetters", request, context)
        letter = dead_letter_pb2.DeadLetter(
            name="machines/toggle/instances/session-123/deadLetters/17",
            kind=dead_letter_pb2.DEAD_LETTER_KIND_MESSAGE,
            target="machines/lamp/instances/l",
            payload_json='{"type":"GO"}',
            reason="INSTANCE_NOT_FOUND",
            message="machine 'lamp' has no instance 'l'",
            attempts=5,
        )
        letter.create_time.FromJsonString("2026-01-02T03:04:05Z")
        return dead_letter_service_pb2.ListDeadLettersResponse(dead_letters=[letter])

    async def RetryDeadLetter(self, request: Any, context: Any) -> Any:
        await self._see("RetryDeadLetter", request, context)
        return dead_letter_service_pb2.RetryDeadLetterResponse()

    async def DiscardDeadLetter(self, request: Any, context: Any) -> Any:
        await self._see("DiscardDeadLetter", request, context)
        return dead_letter_service_pb2.DiscardDeadLetterResponse()

    async def GetLimits(self, request: Any, context: Any) -> Any:
        await self._see("GetLimits", request, context)
        limit = limits_service_pb2.Limit(
            name="mailbox",
            value=1024,
            unit=limits_service_pb2.LIMIT_UNIT_COUNT,
            description="Events waiting at one instance",
            reason="MAILBOX_FULL",
        )
        return limits_service_pb2.GetLimitsResponse(limits=[limit])

    async def WatchInstances(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        await self._see("WatchInstances", requests, context)
        for frame in list[Any]():
            yield frame

    async def WatchMachine(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await self._see("WatchMachine", request, context)
        found = [self._instance(name) for name in self.instances]
        page = subscription_service_pb2.MachineSnapshot(instances=found, complete=True)
        yield subscription_service_pb2.WatchMachineResponse(resume_token="t1", snapshot=page)
        name, state = found[0].name, transition(found[0].name, 9, "{}").state
        changes = [
            subscription_service_pb2.MachineChange(name=name, changed=state),
            subscription_service_pb2.MachineChange(
                name=name, left=subscription_service_pb2.WatchLeft(revision=10)
            ),
        ]
        yield subscription_service_pb2.WatchMachineResponse(
            resume_token="t2", changes=subscription_service_pb2.MachineChanges(changes=changes)
        )

    def _instance(self, name: str) -> instance_pb2.Instance:
        machine = name.partition("/instances/")[0]
        return instance_pb2.Instance(
            name=name,
            version=self.machines[machine].current_version or f"{machine}/versions/ver_{0:022}",
            state=self.instances[name][-1].state,
        )

    async def _see(self, method: str, request: Any, context: Any) -> None:
        metadata = dict(context.invocation_metadata())
        assert metadata["authorization"] == f"Bearer {TOKEN}"
        self.requests.append(request)
        self.auth_contexts.append(json.loads(metadata.get(AUTH_CONTEXT, b"null")))
        if method in self.refusals:
            await context.abort_with_status(rpc_status.to_status(refusal(*self.refusals[method])))


def transition(instance: str, revision: int, event_json: str) -> instance_pb2.Transition:
    created = revision == 1
    public = {"toggleCount": revision // 2}
    state = instance_pb2.State(
        revision=revision,
        value_json='"on"' if revision % 2 else '"off"',
        states=["on" if revision % 2 else "off"],
        tags=["lit"] if revision % 2 else [],
        public_context_json=None if created else json.dumps(public),
        status=instance_pb2.MACHINE_STATUS_ACTIVE,
        settled=True,
    )
    state.update_time.FromJsonString(f"2026-01-02T03:04:{revision:02}.500Z")
    cause = instance_pb2.TRANSITION_CAUSE_CREATED if created else instance_pb2.TRANSITION_CAUSE_EVENT
    return instance_pb2.Transition(
        name=f"{instance}/transitions/{revision}", event_json=event_json, cause=cause, state=state, epoch=1
    )


def refusal(code: str, reason: str, metadata: dict[str, str]) -> status_pb2.Status:
    detail = Packed()
    if reason:
        detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="stateward", metadata=metadata))
    return status_pb2.Status(
        code=code_pb2.Code.Value(code), message=f"refused as {reason}", details=[detail] if reason else []
    )


@pytest.fixture
def fake() -> FakeServer:
    return FakeServer()


@pytest.fixture
def profile(fake: FakeServer, tmp_path: Path) -> Iterator[Path]:
    """Serve the fake, and write the profile that leads to it."""
    started: Future[int] = Future()
    stop: Future[None] = Future()
    thread = Thread(target=fake.serve, args=(started, stop))
    thread.start()
    port = started.result(10)
    path = tmp_path / "profile.json"
    path.write_text(json.dumps({"grpc": f"127.0.0.1:{port}", "http": "", "org": "org_x", "token": TOKEN}))
    yield path
    stop.set_result(None)
    thread.join()


@pytest.fixture
def stateward(profile: Path) -> Run:
    """Run the command against the fake; stdout and stderr are kept apart."""

    def run(*words: str | Path, env: dict[str, str] | None = None) -> click.testing.Result:
        arguments: Sequence[str] = [str(word) for word in words]
        environment = {"STATEWARD_PROFILE": str(profile), **(env or {})}
        return click.testing.CliRunner().invoke(main, arguments, env=environment)

    return run
