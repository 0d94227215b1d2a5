"""The border between our words and the generated ones, in both directions."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import orjson
from google.protobuf.timestamp_pb2 import Timestamp

from stateward.v1 import instance_pb2, instance_service_pb2, machine_pb2
from stateward_server.api.paths import instance_path, machine_path, version_path
from stateward_server.model.errors import InvalidArgument, ResourceExhausted
from stateward_server.model.ledger import Cause, Instance, RequestTag, Transition
from stateward_server.model.limits import ApiLimits
from stateward_server.model.machine import Language, Machine, Version
from stateward_server.model.step import Status
from stateward_server.model.wait import Until, Wait
from stateward_server.ports.store import Loaded

_LIMITS = ApiLimits()
MAX_EVENT_BYTES = _LIMITS.event_bytes

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

_STATUS = {
    Status.ACTIVE: instance_pb2.MACHINE_STATUS_ACTIVE,
    Status.DONE: instance_pb2.MACHINE_STATUS_DONE,
    Status.ERROR: instance_pb2.MACHINE_STATUS_FAILED,
    Status.STOPPED: instance_pb2.MACHINE_STATUS_STOPPED,
}
_CAUSE = {
    Cause.CREATED: instance_pb2.TRANSITION_CAUSE_CREATED,
    Cause.EVENT: instance_pb2.TRANSITION_CAUSE_EVENT,
    Cause.TIMER: instance_pb2.TRANSITION_CAUSE_TIMER,
    Cause.SERVICE: instance_pb2.TRANSITION_CAUSE_SERVICE,
    Cause.LOST: instance_pb2.TRANSITION_CAUSE_LOST,
    Cause.MESSAGE: instance_pb2.TRANSITION_CAUSE_MESSAGE,
    Cause.CHILD: instance_pb2.TRANSITION_CAUSE_CHILD,
}
_LANGUAGE: dict[int, Language] = {
    machine_pb2.MODULE_LANGUAGE_UNSPECIFIED: Language.JAVASCRIPT,
    machine_pb2.MODULE_LANGUAGE_JAVASCRIPT: Language.JAVASCRIPT,
    machine_pb2.MODULE_LANGUAGE_TYPESCRIPT: Language.TYPESCRIPT,
}
_POINT: dict[int, Until] = {
    instance_service_pb2.WAIT_POINT_UNSPECIFIED: Until.SETTLED,
    instance_service_pb2.WAIT_POINT_COMMITTED: Until.COMMITTED,
    instance_service_pb2.WAIT_POINT_SETTLED: Until.SETTLED,
    instance_service_pb2.WAIT_POINT_DONE: Until.DONE,
}
_LAST_MS = 253_402_300_799_999

# ------------------------------------------------------------------ to the wire


def timestamp(ms: int) -> Timestamp:
    """A Timestamp knows nothing after the year 9999, but a timer may be due then: it is shown as its end."""
    ms = min(ms, _LAST_MS)
    return Timestamp(seconds=ms // 1000, nanos=ms % 1000 * 1_000_000)


def state(transition: Transition) -> instance_pb2.State:
    view = transition.view
    return instance_pb2.State(
        revision=transition.revision,
        value_json=view.value_json,
        states=view.states,
        tags=view.tags,
        public_context_json=view.public_json,
        done=view.status is Status.DONE,
        status=_STATUS[view.status],
        settled=view.settled,
        update_time=timestamp(transition.time_ms),
    )


def instance(head: Instance, transition: Transition) -> instance_pb2.Instance:
    return instance_pb2.Instance(
        name=instance_path(head.key.machine, head.key.name),
        version=version_path(head.key.machine, transition.version),
        state=state(transition),
        create_time=timestamp(head.created_at),
        paused=head.paused,
    )


def listed_instance(loaded: Loaded) -> instance_pb2.Instance:
    """An instance as lists show it: nothing that `allowRead` would have to decide on."""
    head, last = loaded.instance, loaded.last
    return instance_pb2.Instance(
        name=instance_path(head.key.machine, head.key.name),
        version=version_path(head.key.machine, last.version),
        state=instance_pb2.State(
            revision=last.revision,
            status=_STATUS[last.view.status],
            done=last.view.status is Status.DONE,
            settled=last.view.settled,
        ),
        create_time=timestamp(head.created_at),
        paused=head.paused,
    )


def transition(path: str, entry: Transition) -> instance_pb2.Transition:
    return instance_pb2.Transition(
        name=f"{path}/transitions/{entry.revision}",
        event_json=entry.event_json,
        cause=_CAUSE[entry.cause],
        state=state(entry),
        epoch=entry.epoch,
    )


def machine(entry: Machine) -> machine_pb2.Machine:
    current = entry.current_version
    return machine_pb2.Machine(
        name=machine_path(entry.name),
        current_version=version_path(entry.name, current.id) if current else "",
        create_time=timestamp(entry.created_at),
        indexes=entry.indexes,
    )


def version(entry: Version) -> machine_pb2.MachineVersion:
    dialect = machine_pb2.XSTATE_VERSION_4 if entry.dialect == "v4" else machine_pb2.XSTATE_VERSION_5
    return machine_pb2.MachineVersion(
        name=version_path(entry.machine, entry.id),
        xstate_version=dialect,
        client_info=entry.client_info,
        source_bytes=entry.source_bytes,
        create_time=timestamp(entry.created_at),
        index_selectors=dict(entry.selectors),
    )


# ------------------------------------------------------------------ from the wire


def language(value: int) -> Language:
    found = _LANGUAGE.get(value)
    if found is None:
        raise InvalidArgument("INVALID_FIELD", f"language {value} is not known", field="language")
    return found


def event(text: str) -> str:
    """Check that an event is an object with a `type`, or a type alone. Returns it in object form."""
    size = len(text.encode())
    if size > MAX_EVENT_BYTES:
        raise ResourceExhausted(
            "REQUEST_TOO_LARGE",
            f"the event has {size} bytes, {MAX_EVENT_BYTES} are allowed",
            limit_bytes=MAX_EVENT_BYTES,
        )
    value = _parsed(text, "event_json")
    if isinstance(value, str) and value:
        return orjson.dumps({"type": value}).decode()
    if not isinstance(value, dict) or not isinstance(value.get("type"), str) or not value["type"]:
        raise InvalidArgument(
            "INVALID_JSON",
            'event_json must be a JSON object with a string "type", or the type as a JSON string',
            field="event_json",
        )
    return text


def context(text: str) -> str | None:
    """Check that an initial context is a JSON object; none at all is None."""
    if not text:
        return None
    if not isinstance(_parsed(text, "context_json"), dict):
        raise InvalidArgument("INVALID_JSON", "context_json must be a JSON object", field="context_json")
    return text


def wait(message: instance_service_pb2.Wait | None, longest_ms: int) -> Wait:
    """What the reply waits for; settled by default, for at most `longest_ms`."""
    if message is None:
        return Wait(Until.SETTLED, longest_ms)
    timeout_ms = longest_ms
    if message.HasField("timeout"):
        timeout_ms = message.timeout.seconds * 1000 + message.timeout.nanos // 1_000_000
        if timeout_ms < 0:
            raise InvalidArgument("INVALID_FIELD", "wait.timeout must not be negative", field="wait.timeout")
    timeout_ms = min(timeout_ms, longest_ms)
    match message.WhichOneof("until"):
        case "state":
            return Wait(Until.STATE, timeout_ms, _named(message.state, "wait.state"))
        case "tag":
            return Wait(Until.TAG, timeout_ms, _named(message.tag, "wait.tag"))
        case "point":
            until = _POINT.get(message.point)
            if until is None:
                raise InvalidArgument(
                    "INVALID_FIELD", f"wait.point {message.point} is not known", field="wait.point"
                )
            return Wait(until, timeout_ms)
        case _:
            return Wait(Until.SETTLED, timeout_ms)


def _named(text: str, field: str) -> str:
    if not text:
        raise InvalidArgument("INVALID_FIELD", f"{field} is empty: no state would ever match it", field=field)
    return text


def request_tag(request_id: str, *body: str | bytes) -> RequestTag | None:
    """Return the request's id and a digest of its body; None without an id."""
    if not request_id:
        return None
    if not _UUID.fullmatch(request_id):
        raise InvalidArgument("INVALID_FIELD", "request_id must be a UUID", field="request_id")
    return RequestTag(request_id.lower(), _digest(body))


def _digest(parts: Sequence[str | bytes]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.digest()


def _parsed(text: str, field: str) -> object:
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidArgument("INVALID_JSON", f"{field} is not valid JSON: {error}", field=field) from None
    return value
