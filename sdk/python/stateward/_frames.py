"""Frames of the contract's streams as values of ours.

With `_convert`, `_calls` and `_watch_calls`, the only border to generated code. A frame of a kind that this
version does not know counts as a sign of life, like progress.
"""

from __future__ import annotations

from dataclasses import dataclass

from ._convert import state
from ._names import parts
from ._status import error_of
from .errors import StatewardError
from .state import State
from .v1 import subscription_service_pb2


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a watch: its token, and the states it carries, if any."""

    resume_token: str
    states: tuple[State, ...] = ()
    draining: bool = False


@dataclass(frozen=True, slots=True)
class ManyFrame:
    """One frame of a watch of many instances."""

    machine: str
    instance: str
    resume_token: str
    states: tuple[State, ...] = ()
    ended: bool = False
    error: StatewardError | None = None
    """Why it ended; None if it was taken off, or the instance has ended."""


@dataclass(frozen=True, slots=True)
class MachineNews:
    """What a frame says about one instance: a state, or that it left at a revision (0 if it was deleted)."""

    instance: str
    state: State | None = None
    entered: bool = False
    left: int = 0


@dataclass(frozen=True, slots=True)
class MachineFrame:
    """One frame of a watch of a machine."""

    resume_token: str
    news: tuple[MachineNews, ...] = ()
    listing: bool = False
    """It is a page of the first snapshot, of which the last is `complete`."""
    complete: bool = False
    draining: bool = False


def frame(message: subscription_service_pb2.WatchInstanceResponse) -> Frame:
    match message.WhichOneof("frame"):
        case "snapshot":
            return Frame(message.resume_token, (state(message.snapshot),))
        case "changes":
            return Frame(message.resume_token, tuple(state(change) for change in message.changes.states))
        case "draining":
            return Frame(message.resume_token, draining=True)
        case _:
            return Frame(message.resume_token)


def many_frame(message: subscription_service_pb2.WatchInstancesResponse) -> ManyFrame:
    # That the server drains is no news here: the stream goes on until all of it was sent, and then ends.
    machine, instance = parts(message.name)
    token = message.resume_token
    match message.WhichOneof("frame"):
        case "snapshot":
            return ManyFrame(machine, instance, token, (state(message.snapshot),))
        case "changes":
            return ManyFrame(machine, instance, token, tuple(state(each) for each in message.changes.states))
        case "ended":
            error = error_of(message.ended.status) if message.ended.status.code else None
            return ManyFrame(machine, instance, token, ended=True, error=error)
        case _:
            return ManyFrame(machine, instance, token)


def machine_frame(message: subscription_service_pb2.WatchMachineResponse) -> MachineFrame:
    token = message.resume_token
    match message.WhichOneof("frame"):
        case "snapshot":
            listed = tuple(
                MachineNews(parts(each.name)[-1], state(each.state)) for each in message.snapshot.instances
            )
            return MachineFrame(token, listed, listing=True, complete=message.snapshot.complete)
        case "changes":
            return MachineFrame(token, tuple(_news(each) for each in message.changes.changes))
        case "draining":
            return MachineFrame(token, draining=True)
        case _:
            return MachineFrame(token)


def _news(message: subscription_service_pb2.MachineChange) -> MachineNews:
    name = parts(message.name)[-1]
    match message.WhichOneof("change"):
        case "entered":
            return MachineNews(name, state(message.entered), entered=True)
        case "changed":
            return MachineNews(name, state(message.changed))
        case _:
            return MachineNews(name, left=message.left.revision)
