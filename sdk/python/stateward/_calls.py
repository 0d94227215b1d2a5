"""The calls of the contract as data: which method, which request, how to read the response.

With `_convert`, the only border to generated code. Building a call checks its arguments and does no I/O; the
transport runs it, as often as it takes, with the very same request.
"""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from . import _convert
from ._auth import Metadata
from ._names import instance_path, letter_path, machine_path, timer_path, version_path
from ._wait import Wait
from .state import (
    Comparison,
    DeadLetter,
    IndexEntry,
    InstanceInfo,
    Language,
    Limit,
    MachineInfo,
    MachineVersion,
    Reply,
    State,
    Timer,
    Transition,
)
from .v1 import dead_letter_service_pb2 as letters
from .v1 import instance_service_pb2 as instances
from .v1 import machine_pb2
from .v1 import machine_service_pb2 as machines
from .v1.access_service_pb2_grpc import AccessServiceStub
from .v1.account_service_pb2_grpc import AccountServiceStub
from .v1.audit_service_pb2_grpc import AuditServiceStub
from .v1.dead_letter_service_pb2_grpc import DeadLetterServiceStub
from .v1.identity_provider_service_pb2_grpc import IdentityProviderServiceStub
from .v1.instance_service_pb2_grpc import InstanceServiceStub
from .v1.key_service_pb2_grpc import KeyServiceStub
from .v1.limits_service_pb2 import GetLimitsRequest
from .v1.limits_service_pb2_grpc import LimitsServiceStub
from .v1.machine_service_pb2_grpc import MachineServiceStub
from .v1.member_service_pb2_grpc import MemberServiceStub
from .v1.org_service_pb2_grpc import OrgServiceStub
from .v1.subscription_service_pb2_grpc import SubscriptionServiceStub
from .v1.token_provider_service_pb2_grpc import TokenProviderServiceStub
from .v1.token_service_pb2 import ExchangeTokenRequest
from .v1.token_service_pb2_grpc import TokenServiceStub

Request = TypeVar("Request")
Response = TypeVar("Response")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)
Item = TypeVar("Item")

GZIP_FROM = 1_000_000
"""Modules of this many bytes and more are compressed, to stay clear of request size limits."""


class Stubs:
    """The generated stubs on one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.machines = MachineServiceStub(channel)
        self.instances = InstanceServiceStub(channel)
        self.subscriptions = SubscriptionServiceStub(channel)
        self.letters = DeadLetterServiceStub(channel)
        self.limits = LimitsServiceStub(channel)
        self.orgs = OrgServiceStub(channel)
        self.members = MemberServiceStub(channel)
        self.keys = KeyServiceStub(channel)
        self.identity_providers = IdentityProviderServiceStub(channel)
        self.token_providers = TokenProviderServiceStub(channel)
        self.accounts = AccountServiceStub(channel)
        self.tokens = TokenServiceStub(channel)
        self.audit = AuditServiceStub(channel)
        self.access = AccessServiceStub(channel)


class Run(Protocol[Result_co]):
    """Sends the request once. Raises grpc.aio.AioRpcError."""

    def __call__(
        self, stubs: Stubs, *, timeout: float | None, metadata: Metadata
    ) -> Awaitable[Result_co]: ...


@dataclass(frozen=True, slots=True)
class Call(Generic[Result]):
    """One unary call, ready to run."""

    run: Run[Result]
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list; the last has no `next_token`."""

    items: list[Item]
    next_token: str


def create_machine(machine: str, *, indexes: Sequence[str], request_id: str) -> Call[MachineInfo]:
    return unary(
        lambda stubs: stubs.machines.CreateMachine,
        machines.CreateMachineRequest(machine_id=machine, indexes=indexes, request_id=request_id),
        lambda response: _convert.machine(response.machine),
        request_id,
    )


def get_machine(machine: str) -> Call[MachineInfo]:
    return unary(
        lambda stubs: stubs.machines.GetMachine,
        machines.GetMachineRequest(name=machine_path(machine)),
        lambda response: _convert.machine(response.machine),
    )


def list_machines(page_size: int, page_token: str) -> Call[Page[MachineInfo]]:
    return unary(
        lambda stubs: stubs.machines.ListMachines,
        machines.ListMachinesRequest(page_size=page_size, page_token=page_token),
        lambda response: Page([_convert.machine(m) for m in response.machines], response.next_page_token),
    )


def set_current_version(machine: str, version: str, *, request_id: str) -> Call[MachineInfo]:
    changed = machine_pb2.Machine(name=machine_path(machine), current_version=version_path(machine, version))
    mask = FieldMask(paths=["current_version"])
    return unary(
        lambda stubs: stubs.machines.UpdateMachine,
        machines.UpdateMachineRequest(machine=changed, update_mask=mask, request_id=request_id),
        lambda response: _convert.machine(response.machine),
        request_id,
    )


def delete_machine(machine: str, *, request_id: str) -> Call[None]:
    return unary(
        lambda stubs: stubs.machines.DeleteMachine,
        machines.DeleteMachineRequest(name=machine_path(machine), request_id=request_id),
        lambda _: None,
        request_id,
    )


def upload(
    machine: str,
    source: str,
    language: Language,
    *,
    client_info: str,
    make_current: bool,
    index_selectors: Mapping[str, str],
    request_id: str,
) -> Call[MachineVersion]:
    request = machines.CreateMachineVersionRequest(
        parent=machine_path(machine),
        language=_convert.language_number(language),
        client_info=client_info,
        make_current=make_current,
        index_selectors=index_selectors,
        request_id=request_id,
    )
    text = source.encode()
    if len(text) < GZIP_FROM:
        request.module_text = source
    else:
        # A time in the header would turn the same upload into another request.
        request.module_gzip = gzip.compress(text, mtime=0)
    return unary(
        lambda stubs: stubs.machines.CreateMachineVersion,
        request,
        lambda response: _convert.machine_version(response.machine_version),
        request_id,
    )


def list_versions(machine: str, page_size: int, page_token: str) -> Call[Page[MachineVersion]]:
    return unary(
        lambda stubs: stubs.machines.ListMachineVersions,
        machines.ListMachineVersionsRequest(
            parent=machine_path(machine), page_size=page_size, page_token=page_token
        ),
        lambda response: Page(
            [_convert.machine_version(v) for v in response.machine_versions], response.next_page_token
        ),
    )


def create_instance(
    machine: str, instance: str, *, context_json: str, version: str | None, wait: Wait, request_id: str
) -> Call[Reply]:
    request = instances.CreateInstanceRequest(
        parent=machine_path(machine),
        instance_id=instance,
        context_json=context_json,
        version=version_path(machine, version) if version is not None else "",
        wait=_convert.wait_message(wait),
        request_id=request_id,
    )
    return unary(lambda stubs: stubs.instances.CreateInstance, request, _convert.created, request_id)


def get_state(machine: str, instance: str) -> Call[State]:
    return unary(
        lambda stubs: stubs.instances.GetInstance,
        instances.GetInstanceRequest(name=instance_path(machine, instance)),
        lambda response: _convert.state(response.instance.state),
    )


def get_info(machine: str, instance: str) -> Call[InstanceInfo]:
    return unary(
        lambda stubs: stubs.instances.GetInstance,
        instances.GetInstanceRequest(name=instance_path(machine, instance)),
        lambda response: _convert.instance_info(response.instance),
    )


def list_instances(machine: str, page_size: int, page_token: str) -> Call[Page[InstanceInfo]]:
    return unary(
        lambda stubs: stubs.instances.ListInstances,
        instances.ListInstancesRequest(
            parent=machine_path(machine), page_size=page_size, page_token=page_token
        ),
        lambda response: Page(
            [_convert.instance_info(i) for i in response.instances], response.next_page_token
        ),
    )


def query_index(
    machine: str,
    index: str,
    comparison: Comparison | None,
    value: str,
    *,
    descending: bool,
    page_size: int,
    page_token: str,
) -> Call[Page[IndexEntry]]:
    request = instances.QueryIndexRequest(
        parent=machine_path(machine),
        index=index,
        value=value,
        descending=descending,
        page_size=page_size,
        page_token=page_token,
    )
    if comparison is not None:
        request.comparison = _convert.comparison_number(comparison)
    return unary(
        lambda stubs: stubs.instances.QueryIndex,
        request,
        lambda response: Page([_convert.index_entry(e) for e in response.entries], response.next_page_token),
    )


def send_event(
    machine: str, instance: str, *, event_json: str, expected_revision: int, wait: Wait, request_id: str
) -> Call[Reply]:
    request = instances.SendEventRequest(
        name=instance_path(machine, instance),
        event_json=event_json,
        expected_revision=expected_revision,
        wait=_convert.wait_message(wait),
        request_id=request_id,
    )
    return unary(lambda stubs: stubs.instances.SendEvent, request, _convert.sent, request_id)


def delete_instance(machine: str, instance: str, *, request_id: str) -> Call[None]:
    return unary(
        lambda stubs: stubs.instances.DeleteInstance,
        instances.DeleteInstanceRequest(name=instance_path(machine, instance), request_id=request_id),
        lambda _: None,
        request_id,
    )


def list_transitions(machine: str, instance: str, page_size: int, page_token: str) -> Call[Page[Transition]]:
    return unary(
        lambda stubs: stubs.instances.ListTransitions,
        instances.ListTransitionsRequest(
            parent=instance_path(machine, instance), page_size=page_size, page_token=page_token
        ),
        lambda response: Page(
            [_convert.transition(t) for t in response.transitions], response.next_page_token
        ),
    )


def pause_instance(machine: str, instance: str, *, request_id: str) -> Call[InstanceInfo]:
    return unary(
        lambda stubs: stubs.instances.PauseInstance,
        instances.PauseInstanceRequest(name=instance_path(machine, instance), request_id=request_id),
        lambda response: _convert.instance_info(response.instance),
        request_id,
    )


def resume_instance(machine: str, instance: str, *, request_id: str) -> Call[InstanceInfo]:
    return unary(
        lambda stubs: stubs.instances.ResumeInstance,
        instances.ResumeInstanceRequest(name=instance_path(machine, instance), request_id=request_id),
        lambda response: _convert.instance_info(response.instance),
        request_id,
    )


def list_timers(machine: str, instance: str, page_size: int, page_token: str) -> Call[Page[Timer]]:
    return unary(
        lambda stubs: stubs.instances.ListTimers,
        instances.ListTimersRequest(
            parent=instance_path(machine, instance), page_size=page_size, page_token=page_token
        ),
        lambda response: Page([_convert.timer(t) for t in response.timers], response.next_page_token),
    )


def cancel_timer(machine: str, instance: str, timer: str, *, request_id: str) -> Call[None]:
    return unary(
        lambda stubs: stubs.instances.CancelTimer,
        instances.CancelTimerRequest(name=timer_path(machine, instance, timer), request_id=request_id),
        lambda _: None,
        request_id,
    )


def list_letters(
    machine: str, instance: str | None, page_size: int, page_token: str
) -> Call[Page[DeadLetter]]:
    parent = machine_path(machine) if instance is None else instance_path(machine, instance)
    return unary(
        lambda stubs: stubs.letters.ListDeadLetters,
        letters.ListDeadLettersRequest(parent=parent, page_size=page_size, page_token=page_token),
        lambda response: Page([_convert.letter(m) for m in response.dead_letters], response.next_page_token),
    )


def retry_letter(machine: str, instance: str, letter: int, *, request_id: str) -> Call[None]:
    return unary(
        lambda stubs: stubs.letters.RetryDeadLetter,
        letters.RetryDeadLetterRequest(name=letter_path(machine, instance, letter), request_id=request_id),
        lambda _: None,
        request_id,
    )


def discard_letter(machine: str, instance: str, letter: int, *, request_id: str) -> Call[None]:
    return unary(
        lambda stubs: stubs.letters.DiscardDeadLetter,
        letters.DiscardDeadLetterRequest(name=letter_path(machine, instance, letter), request_id=request_id),
        lambda _: None,
        request_id,
    )


def get_limits() -> Call[dict[str, Limit]]:
    return unary(
        lambda stubs: stubs.limits.GetLimits,
        GetLimitsRequest(),
        lambda response: {message.name: _convert.limit(message) for message in response.limits},
    )


def exchange_token(token_provider: str, subject_token: str) -> Call[tuple[str, float]]:
    """Get a token, and for how many seconds it is valid."""
    return unary(
        lambda stubs: stubs.tokens.ExchangeToken,
        ExchangeTokenRequest(token_provider=token_provider, subject_token=subject_token),
        lambda response: (response.access_token, float(response.expires_in)),
    )


def unary(
    method: Callable[[Stubs], grpc.aio.UnaryUnaryMultiCallable[Request, Response]],
    request: Request,
    result: Callable[[Response], Result],
    request_id: str | None = None,
) -> Call[Result]:
    """Make a call of a method, its request, and how to read its response."""

    async def run(stubs: Stubs, *, timeout: float | None, metadata: Metadata) -> Result:
        return result(await method(stubs)(request, timeout=timeout, metadata=metadata))

    return Call(run, request_id)
