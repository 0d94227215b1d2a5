"""How the things of the API are written: as JSON with stable names, and as lines and cells for people.

The JSON names are the ones documented in docs/cli.md; scripts depend on them, so they only ever grow.
"""

from __future__ import annotations

import json
from datetime import datetime

from stateward import (
    Changed,
    DeadLetter,
    Entered,
    IndexEntry,
    InstanceInfo,
    Left,
    Limit,
    MachineEvent,
    MachineInfo,
    MachineVersion,
    Reply,
    State,
    Synced,
    Timer,
    Transition,
    Update,
)
from stateward_server.cli.output import Listing

Document = dict[str, object]
Facts = list[tuple[str, str]]


def machine(info: MachineInfo) -> Document:
    return {
        "machine": info.name,
        "current_version": info.current_version,
        "indexes": list(info.indexes),
        "create_time": timestamp(info.create_time),
    }


def machine_row(info: MachineInfo) -> tuple[str, ...]:
    return info.name, info.current_version or "-", second(info.create_time)


def version(info: MachineVersion) -> Document:
    return {
        "machine": info.machine,
        "version": info.id,
        "xstate": info.xstate_version,
        "client_info": info.client_info,
        "source_bytes": info.source_bytes,
        "index_selectors": info.index_selectors,
        "create_time": timestamp(info.create_time),
    }


def version_row(info: MachineVersion) -> tuple[str, ...]:
    size = f"{info.source_bytes} B"
    return info.id, str(info.xstate_version), size, info.client_info or "-", second(info.create_time)


def instance(info: InstanceInfo) -> Document:
    return {
        "instance": info.name,
        "version": info.version,
        "revision": info.revision,
        "status": info.status.value,
        "settled": info.settled,
        "paused": info.paused,
        "create_time": timestamp(info.create_time),
    }


def instance_row(info: InstanceInfo) -> tuple[str, ...]:
    status = "paused" if info.paused else standing(info.status.value, settled=info.settled)
    return info.name, str(info.revision), status, info.version, second(info.create_time)


def entry(found: IndexEntry) -> Document:
    return {"value": found.value, **instance(found.instance)}


def entry_row(found: IndexEntry) -> tuple[str, ...]:
    return (found.value, *instance_row(found.instance))


def state(seen: State) -> Document:
    return {
        "revision": seen.revision,
        "value": seen.value,
        "states": list(seen.states),
        "tags": sorted(seen.tags),
        "public_context": seen.public_context,
        "done": seen.done,
        "status": seen.status.value,
        "settled": seen.settled,
        "update_time": timestamp(seen.update_time),
    }


def state_facts(seen: State) -> Facts:
    facts = [
        ("state", value(seen)),
        ("revision", str(seen.revision)),
        ("status", standing(seen.status.value, settled=seen.settled)),
        ("public context", public(seen)),
    ]
    if seen.tags:
        facts.append(("tags", ", ".join(sorted(seen.tags))))
    return [*facts, ("updated", moment(seen.update_time))]


def reply_facts(answer: Reply) -> Facts:
    facts = state_facts(answer.state)
    if not answer.condition_met:
        facts.append(("note", "what was waited for was not reached in time; the event counts all the same"))
    if answer.replayed:
        facts.append(("note", "this request had been carried out before; nothing moved now"))
    return facts


def reply(answer: Reply) -> Document:
    return {
        "revision": answer.revision,
        "condition_met": answer.condition_met,
        "replayed": answer.replayed,
        "state": state(answer.state),
    }


def update(seen: Update) -> Document:
    return {"state": state(seen.state), "resume_token": seen.resume_token}


def update_line(seen: Update) -> str:
    """Write a state on one line, the fields that vary in width last."""
    return _state_line(seen.state)


def _state_line(now: State) -> str:
    tags = f"  #{' #'.join(sorted(now.tags))}" if now.tags else ""
    unsettled = "" if now.status.value == "active" and now.settled else f"  ({standing_of(now)})"
    return f"{moment(now.update_time)}  revision {now.revision}  {value(now)}  {public(now)}{tags}{unsettled}"


def event(seen: MachineEvent) -> Document:
    """One event of a machine's watch."""
    what: Document
    match seen:
        case Entered():
            what = {"event": "entered", "instance": seen.instance, "state": state(seen.state)}
        case Changed():
            what = {"event": "changed", "instance": seen.instance, "state": state(seen.state)}
        case Left():
            what = {"event": "left", "instance": seen.instance, "revision": seen.revision}
        case Synced():
            what = {"event": "synced"}
    return {**what, "resume_token": seen.resume_token}


def event_line(seen: MachineEvent) -> str:
    """One event of a machine's watch, on one line."""
    match seen:
        case Entered() | Changed():
            return f"{type(seen).__name__.lower():7}  {seen.instance}  {_state_line(seen.state)}"
        case Left(instance, revision):
            return f"left     {instance}" + (f"  {revision}" if revision else "")
        case Synced():
            return "synced"


def transition(step: Transition) -> Document:
    return {
        "revision": step.revision,
        "event": step.event,
        "cause": step.cause.value,
        "epoch": step.epoch,
        "state": state(step.state),
    }


def transition_row(step: Transition) -> tuple[str, ...]:
    return (
        str(step.revision),
        moment(step.state.update_time),
        step.cause.value,
        compact(step.event) if len(step.event) > 1 else str(step.event.get("type")),
        value(step.state),
        public(step.state),
    )


def timer(seen: Timer) -> Document:
    return {
        "timer": seen.id,
        "due_time": timestamp(seen.due_time),
        "event": seen.event,
        "target": seen.target or None,
    }


def timer_row(seen: Timer) -> tuple[str, ...]:
    return seen.id, moment(seen.due_time), compact(seen.event), seen.target or "-"


def letter(seen: DeadLetter) -> Document:
    return {
        "id": seen.id,
        "machine": seen.machine,
        "instance": seen.instance,
        "kind": seen.kind.value,
        "target": seen.target,
        "about": seen.about or None,
        "payload": seen.payload,
        "reason": seen.reason,
        "message": seen.message,
        "attempts": seen.attempts,
        "create_time": timestamp(seen.create_time),
    }


def letter_row(seen: DeadLetter) -> tuple[str, ...]:
    return (
        str(seen.id),
        seen.instance,
        seen.kind.value,
        seen.about or "-",
        seen.target,
        seen.reason,
        str(seen.attempts),
        second(seen.create_time),
    )


def limit(seen: Limit) -> Document:
    return {
        "name": seen.name,
        "value": seen.value,
        "unit": seen.unit,
        "description": seen.description,
        "reason": seen.reason or None,
    }


def limit_row(seen: Limit) -> tuple[str, ...]:
    match seen.unit:
        case "ms":
            amount = f"{seen.value / 1000:,g} s"
        case "count":
            amount = f"{seen.value:,}"
        case unit:
            amount = f"{seen.value:,} {unit}"
    return seen.name, amount, seen.description.replace("`", ""), seen.reason or "-"


def value(seen: State) -> str:
    return seen.value if isinstance(seen.value, str) else compact(seen.value)


def public(seen: State) -> str:
    return "-" if seen.public_context is None else compact(seen.public_context)


def standing_of(seen: State) -> str:
    return standing(seen.status.value, settled=seen.settled)


def standing(status: str, *, settled: bool) -> str:
    return status if settled else f"{status}, a service is running"


def compact(content: object) -> str:
    return json.dumps(content, ensure_ascii=False)


def moment(time: datetime) -> str:
    """Write a time for people, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S.") + f"{time.microsecond // 1000:03}Z"


def second(time: datetime) -> str:
    """Write a time for people who need no fractions, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ")


def timestamp(time: datetime) -> str:
    """Write a time for programs: RFC 3339, in UTC."""
    return time.isoformat().replace("+00:00", "Z")


INSTANCES = Listing(
    "instances", ("INSTANCE", "REVISION", "STATUS", "VERSION", "CREATED"), instance, instance_row
)
DEAD_LETTERS = Listing(
    "dead_letters",
    ("ID", "INSTANCE", "KIND", "ABOUT", "TARGET", "REASON", "ATTEMPTS", "CREATED"),
    letter,
    letter_row,
)
ENTRIES = Listing("entries", ("VALUE", *INSTANCES.columns), entry, entry_row)
LIMITS = Listing("limits", ("NAME", "LIMIT", "WHAT", "REASON"), limit, limit_row)
MACHINES = Listing("machines", ("MACHINE", "CURRENT VERSION", "CREATED"), machine, machine_row)
TIMERS = Listing("timers", ("TIMER", "DUE", "EVENT", "TARGET"), timer, timer_row)
TRANSITIONS = Listing(
    "transitions",
    ("REVISION", "TIME", "CAUSE", "EVENT", "STATE", "PUBLIC CONTEXT"),
    transition,
    transition_row,
)


def versions(current: str | None) -> Listing[MachineVersion]:
    """Return how versions are listed of which `current` is the current one."""
    return Listing(
        "machine_versions",
        ("VERSION", "XSTATE", "SIZE", "CLIENT INFO", "CREATED", "CURRENT"),
        lambda info: {**version(info), "current": info.id == current},
        lambda info: (*version_row(info), "*" if info.id == current else ""),
    )
