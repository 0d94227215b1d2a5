"""What the server promises, held against what was seen of one clerk (see `machines/`): pure functions.

`objections` are what must never be, at no moment; `unfinished` is what must still come. A test is through
when there are none of either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import Any, cast

from stateward import Cause, State, Transition


@dataclass(frozen=True, slots=True)
class Call:
    """One event that was sent: `id` is in it, `revision` is what its sender was told (None: nothing)."""

    id: str
    revision: int | None


@dataclass(frozen=True, slots=True)
class Life:
    """Everything that is known of one instance."""

    history: Sequence[Transition]
    calls: Sequence[Call] = ()
    witness: Sequence[str] = ()
    """What its actions (`noted ID`) and services (`ran ID`) said when they ran."""
    views: Mapping[str, Sequence[State]] = field(default_factory=dict)
    """What its subscribers saw, from some state on."""


def objections(life: Life) -> list[str]:
    """Return every broken promise, in words."""
    return [
        *_order(life.history),
        *_acknowledged(life),
        *_timers(life.history),
        *_services(life.history),
        *_errands(life.history),
        *_effects(life),
        *_seen(life),
    ]


def unfinished(history: Sequence[Transition]) -> list[str]:
    """Return what the instance still has to do."""
    last = history[-1].state
    return [f"{region} is {value}" for region, value in _regions(last).items() if value not in _AT_REST]


def correspondence(lives: Mapping[str, Life], children: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return what must not be between clerks, and what must still come.

    `children` are the ids of all errands that were ever created.
    """
    wrong: list[str] = []
    missing: list[str] = []
    posted, mailed = _sent(lives, "POST"), _sent(lives, "MAIL")
    for receiver, life in lives.items():
        got = [str(each.event["id"]) for each in life.history if each.event["type"] == "GOT"]
        for sender in lives:
            sent = posted.get((sender, receiver), [])
            heard = [id_ for id_ in got if id_ in sent]
            if heard != sent[: len(heard)]:
                wrong.append(f"{receiver} got {heard} of {sender}, which had sent {sent}")
            missing += sent[len(heard) :]
            late = mailed.get((sender, receiver), [])
            wrong += [f"{receiver} got {id_} {n} times" for id_ in late if (n := got.count(id_)) > 1]
            missing += [id_ for id_ in late if id_ not in got]
        known = {id_ for (_, to), ids in (*posted.items(), *mailed.items()) if to == receiver for id_ in ids}
        wrong += [f"{receiver} got {id_}, which nobody had sent" for id_ in got if id_ not in known]
    hired = [str(now.event["id"]) for life in lives.values() for now in _entries(life.history, "helped")]
    wrong += [f"the child {id_} is there {n} times" for id_, n in Counter(children).items() if n > 1]
    wrong += [f"the child {id_} was not asked for" for id_ in children if id_ not in hired]
    return wrong, missing


_AT_REST = ("free", "quiet", "alone")
_JOBS = ("working", "talking")
_NOTED = ("NOTE", "RANG", "GOT")


def _order(history: Sequence[Transition]) -> Iterator[str]:
    revisions = [each.revision for each in history]
    if revisions != list(range(1, len(history) + 1)):
        yield f"revisions have gaps or repeats: {revisions}"
    if any(after.epoch < before.epoch for before, after in pairwise(history)):
        yield "a younger run of the server is before an older one"


def _acknowledged(life: Life) -> Iterator[str]:
    taken = [(str(each.event["id"]), each.revision) for each in life.history if each.cause is Cause.EVENT]
    times = Counter(id_ for id_, _ in taken)
    for id_ in times.keys() - {call.id for call in life.calls}:
        yield f"{id_} was taken and nobody had sent it"
    for call in life.calls:
        if call.revision is None:
            if times[call.id] > 1:
                yield f"{call.id} was taken {times[call.id]} times"
        elif [revision for id_, revision in taken if id_ == call.id] != [call.revision]:
            yield f"{call.id} was acknowledged at {call.revision} and is there {times[call.id]} times"


def _timers(history: Sequence[Transition]) -> Iterator[str]:
    """A timer fires only while it is set, once, for whoever has set it, and not before it is due."""
    setter: Transition | None = None
    for before, now in pairwise(history):
        event, was, becomes = now.event, _regions(before.state), _regions(now.state)
        fired = now.cause is Cause.TIMER
        if fired and event["type"] == "RANG":
            if setter is None or was["clock"] != "waiting" or becomes["clock"] != "quiet":
                yield f"a timer fired at {now.revision} that was not set"
            elif event["id"] != setter.event["id"]:
                yield f"the timer of {event['id']} fired at {now.revision} in place of another"
            elif now.state.update_time < setter.state.update_time + timedelta(
                milliseconds=setter.event["ms"]
            ):
                yield f"the timer of {event['id']} fired at {now.revision} before it was due"
        elif fired and (was["desk"], becomes["desk"]) != ("resting", "free"):
            yield f"a timer fired at {now.revision} that was not set"
        elif not fired and (was["desk"] == "resting") > (becomes["desk"] == "resting"):
            yield f"what must wait for a timer did not at {now.revision}"
        if was["clock"] != becomes["clock"]:
            setter = now if becomes["clock"] == "waiting" else None


def _services(history: Sequence[Transition]) -> Iterator[str]:
    """A service is heard only while it runs, in its order, and ends once: by itself, or lost."""
    job, said = "", 0
    for before, now in pairwise(history):
        was, becomes = _regions(before.state)["desk"], _regions(now.state)["desk"]
        speaks = now.cause in (Cause.SERVICE, Cause.LOST)
        if speaks and not job:
            yield f"a service was heard at {now.revision} when none ran"
        elif not speaks and job and becomes != was:
            yield f"{job} ended at {now.revision} without having been heard"
        elif now.event["type"] == "SAID":
            said += 1
            if (now.event["id"], now.event["n"]) != (job, said):
                yield f"{job} was to say {said} at {now.revision}, and said {now.event}"
        elif now.cause is Cause.SERVICE and _result(now) != job:
            yield f"{job} ended at {now.revision} with the result of {_result(now)}"
        if becomes not in _JOBS:
            job = ""
        elif was == "free":
            job, said = str(now.event["id"]), 0


def _errands(history: Sequence[Transition]) -> Iterator[str]:
    """A child reports once, and then its end is told once, while the clerk waits for it."""
    child, reported = "", False
    for before, now in pairwise(history):
        was, becomes = _regions(before.state)["staff"], _regions(now.state)["staff"]
        if now.event["type"] == "REPORT":
            if reported or now.event["id"] != child:
                yield f"a child reported at {now.revision} that did not have to"
            reported = True
        elif now.cause is Cause.CHILD:
            if not reported or _result(now) != child:
                yield f"the end of a child was told at {now.revision} that was not at its end"
        elif was == "helped" != becomes:
            yield f"{child} was left at {now.revision} without having been heard"
        if becomes == "alone":
            child = ""
        elif was == "alone":
            child, reported = str(now.event["id"]), False


def _effects(life: Life) -> Iterator[str]:
    """An action or a service runs at most once, and only for a transition that is there."""
    wanted = {f"noted {each.event['id']}" for each in life.history if each.event["type"] in _NOTED}
    wanted |= {f"ran {each.event['id']}" for job in _JOBS for each in _entries(life.history, job)}
    for line, times in Counter(life.witness).items():
        if line not in wanted:
            yield f"'{line}', and no transition has asked for it"
        if times > 1:
            yield f"'{line}' {times} times"


def _seen(life: Life) -> Iterator[str]:
    states = [each.state for each in life.history]
    for who, view in life.views.items():
        if not view:
            yield f"{who} has seen nothing"
        elif list(view) != states[view[0].revision - 1 :]:
            yield f"{who} saw {[each.revision for each in view]} of {len(states)}, or other states"


def _entries(history: Sequence[Transition], state: str) -> Iterator[Transition]:
    """Return the transitions that entered a state."""
    for before, now in pairwise(history):
        if state in _regions(now.state).values() and state not in _regions(before.state).values():
            yield now


def _sent(lives: Mapping[str, Life], type_: str) -> dict[tuple[str, str], list[str]]:
    """Return the ids of what clerks sent with such events, in order, by sender and receiver."""
    sent: dict[tuple[str, str], list[str]] = {}
    for sender, life in lives.items():
        for each in life.history:
            if each.event["type"] == type_:
                sent.setdefault((sender, str(each.event["to"])), []).append(str(each.event["id"]))
    return sent


def _regions(state: State) -> dict[str, str]:
    return cast("dict[str, str]", state.value)


def _result(transition: Transition) -> Any:
    """Return what a promise resolved to, under its name in XState 5 or 4."""
    result = transition.event.get("output", transition.event.get("data"))
    return result["id"] if isinstance(result, dict) else result
