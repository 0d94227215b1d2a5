"""The values that options take: JSON, events, durations, and what to wait for.

Each is checked while the command line is read, so a slip is a usage error before anything is sent.
Every function here takes the text of an option and raises ValueError with a sentence for the user.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

from stateward import Comparison, IndexCondition, Wait

T = TypeVar("T")
Wanted = tuple[str, Comparison | None, str]
"""An index, and how its values shall compare with a text, if not all are wanted."""

_POINTS = {"committed": Wait.COMMITTED, "settled": Wait.SETTLED, "done": Wait.DONE}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_CONDITION = re.compile(r"([A-Za-z0-9_-]{1,128})(!=|<=|>=|=|<|>)(.*)", re.DOTALL)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def checked(parse: Callable[[str], T]) -> Callable[[click.Context, click.Parameter, str | None], T | None]:
    """Make an option's callback of one of the functions below."""

    def callback(ctx: click.Context, param: click.Parameter, value: str | None) -> T | None:
        try:
            return None if value is None else parse(value)
        except ValueError as wrong:
            raise click.BadParameter(str(wrong), ctx, param) from wrong

    return callback


def each_checked(
    parse: Callable[[str], T],
) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], tuple[T, ...]]:
    """The same for an option that can be given several times."""

    def callback(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> tuple[T, ...]:
        try:
            return tuple(map(parse, given))
        except ValueError as wrong:
            raise click.BadParameter(str(wrong), ctx, param) from wrong

    return callback


def json_object(text: str) -> dict[str, Any]:
    """Parse a JSON object."""
    parsed = _json(text)
    if isinstance(parsed, dict):
        return parsed
    raise ValueError(f"{text} is JSON, but not an object such as '{{\"key\": 1}}'")


def event(text: str) -> dict[str, Any]:
    """Parse an event: a JSON object with a `type`, or the bare type."""
    text = text.strip()
    if not text:
        raise ValueError("an event needs a type")
    if text[0] not in '{["':
        return {"type": text}
    parsed = _json(text)
    if isinstance(parsed, str) and parsed:
        return {"type": parsed}
    if isinstance(parsed, dict) and isinstance(parsed.get("type"), str):
        return parsed
    raise ValueError(f'{text} has no "type": write toggle, or \'{{"type": "toggle", "by": 1}}\'')


def duration(text: str) -> float:
    """Parse 500ms, 5s, 2m or 1h into seconds; a bare number is seconds."""
    match = _DURATION.fullmatch(text.strip())
    seconds = float(match[1]) * _SECONDS[match[2] or "s"] if match else 0.0
    if not seconds:
        raise ValueError(f"{text!r} is not a duration above 0: write 500ms, 5s or 2m")
    return seconds


def wait(text: str) -> Wait:
    """Parse what a reply waits for."""
    kind, _, target = text.partition("=")
    if text in _POINTS:
        return _POINTS[text]
    if kind == "state" and target:
        return Wait.state(target)
    if kind == "tag" and target:
        return Wait.tag(target)
    raise ValueError(f"{text!r} is none of committed, settled, done, state=PATH, tag=TAG")


def selectors(text: str) -> dict[str, str]:
    """Parse selectors of indexes: a JSON object of texts."""
    parsed = json_object(text)
    if all(isinstance(selector, str) for selector in parsed.values()):
        return parsed
    raise ValueError(f'{text} has a selector that is no text: write \'{{"owner": "$.public.owner"}}\'')


def wanted(text: str) -> Wanted:
    """Parse an index, with or without a condition."""
    if re.fullmatch(r"[A-Za-z0-9_-]{1,128}", text):
        return text, None, ""
    found = condition(text)
    return found.index, found.comparison, found.value


def condition(text: str) -> IndexCondition:
    """Parse a condition on an index."""
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not INDEX=VALUE; there are also !=, <, <=, >, >=")
    return IndexCondition(found[1], cast(Comparison, found[2]), found[3])


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_json)
    except ValueError as wrong:
        raise ValueError(f"{text} is not JSON: {wrong}") from wrong


def _no_json(word: str) -> None:
    """Python reads NaN and Infinity; JSON has no such numbers."""
    raise ValueError(f"{word} is no JSON number")
