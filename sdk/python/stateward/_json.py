"""JSON text in both directions, strict on the way out.

Promises that what is sent is JSON that every reader understands: a value that is not raises before any I/O,
and the message names its place. Integers of any size survive. Never guesses: no dates, no NaN, no keys turned
into strings.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import NoReturn

from .state import Json


def encode_event(event: str | Mapping[str, object]) -> str:
    """Write an event: its type alone, or an object with a `type`.

    Raises:
        TypeError: The event, or something in it, is not JSON.
        ValueError: The type is missing or empty, or a value has no JSON form.
    """
    kind = event if isinstance(event, str) else encodable_object(event, "event").get("type")
    if not isinstance(kind, str) or not kind:
        raise ValueError(f"an event needs a non-empty string as its type, got {kind!r}")
    return encode(event, "event")


def encode_object(value: Mapping[str, object], what: str) -> str:
    """Write a JSON object. `what` names it in errors.

    Raises:
        TypeError: The value, or something in it, is not JSON.
        ValueError: A number or text in it has no JSON form.
    """
    return encode(encodable_object(value, what), what)


def encode(value: object, what: str) -> str:
    try:
        plain = _plain(value, what)
        return json.dumps(plain, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise ValueError(f"{what} is nested too deeply, or contains itself") from None


def decode(text: str) -> Json:
    return json.loads(text)


def encodable_object(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{what} must be a JSON object (a dict with string keys), not {type(value).__name__}")
    return value


def _plain(value: object, path: str) -> object:
    """Copy into what json.dumps writes faithfully; it would turn keys into strings on its own."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else _refuse(path, f"{value} has no JSON form")
        case str():
            return value if _is_unicode(value) else _refuse(path, "the text holds half of a surrogate pair")
        case Mapping():
            return {_key(key, path): _plain(item, f"{path}.{key}") for key, item in value.items()}
        case list() | tuple():
            return [_plain(item, f"{path}[{index}]") for index, item in enumerate(value)]
        case _:
            raise TypeError(f"{path}: {type(value).__name__} is not a JSON type")


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{path}: JSON objects have string keys, got {key!r}")
    return key if _is_unicode(key) else _refuse(path, "a key holds half of a surrogate pair")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse(path: str, why: str) -> NoReturn:
    raise ValueError(f"{path}: {why}")
