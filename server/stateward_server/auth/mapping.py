"""The mapping language: a JSON object shaped like the result, with JSONPaths where claims are to come in.

    {"sub.$": "$.sub", "roles.$": "$['https://example.com/roles'][*]", "svc": "web"}

A key that ends in `.$` holds an RFC 9535 path into the claims, and its result is stored under the key
without that ending. Everything else is copied, descending into objects and arrays. The leading `$.` may be
left out.

Paths are made of names, indexes and `[*]`. Filters, functions, slices, several selectors in one bracket and
`..` are refused: with what is left, the work is at most the number of paths times the size of the claims. A
path of names and indexes yields the one value it leads to, also null. A path with `[*]` yields the list of
all matches, in the order of the claims. A path that finds nothing leaves its key out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

from jsonpath import JSONPath, JSONPathEnvironment
from jsonpath.exceptions import JSONPathError
from jsonpath.segments import JSONPathChildSegment
from jsonpath.selectors import IndexSelector, NameSelector, WildcardSelector

from stateward_server.model.errors import InvalidArgument

MAX_TEXT = 16_384
"""Characters of a mapping."""
MAX_PATHS = 64
MAX_PATH = 256
"""Characters of one path."""
MAX_DEPTH = 16
"""Objects and arrays within each other."""
MAX_RESULT = 8_192
"""Bytes of a result, as JSON: a token that carries it in base64 stays below what a bearer token may have."""

_ENDING = ".$"
_ENVIRONMENT = JSONPathEnvironment(strict=True)
_SELECTORS = (NameSelector, IndexSelector, WildcardSelector)
_HINT = "use names, indexes and [*]; a name with more than letters, digits and '_' is written as ['…']"


@dataclass(frozen=True, slots=True)
class Mapping:
    """A checked mapping."""

    _root: _Object

    def apply(self, claims: dict[str, Any]) -> dict[str, Any]:
        """Return the result, which shares its parts with the claims and the mapping: not to be changed.

        Raises ValueError when it would be larger than MAX_RESULT or hold what JSON cannot carry.
        """
        try:
            result = dict(self._root.fields(claims))
            size = len(json.dumps(result, separators=(",", ":"), allow_nan=False))
        except RecursionError:
            raise ValueError("the claims are nested too deeply") from None
        if size > MAX_RESULT:
            raise ValueError(f"the mapped claims have {size} bytes, {MAX_RESULT} are allowed")
        return result


@lru_cache(maxsize=256)
def compile_mapping(text: str, field: str = "mapping_json") -> Mapping:
    """Check a mapping, given as JSON. `field` is the request's name for it.

    Raises InvalidArgument: INVALID_JSON when it is not a JSON object, INVALID_FIELD for all else; the message
    says where in the mapping.
    """
    if len(text) > MAX_TEXT:
        raise InvalidArgument("INVALID_FIELD", f"a mapping has at most {MAX_TEXT} characters", field=field)
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidArgument("INVALID_JSON", f"{field} must be a JSON object", field=field)
    return Mapping(_Compiler(field).compile(value, ""))


@dataclass(frozen=True, slots=True)
class _Literal:
    value: object

    def values(self, claims: object) -> Iterator[object]:  # noqa: ARG002 - the same for all claims
        yield self.value


@dataclass(frozen=True, slots=True)
class _Path:
    """One value or none."""

    query: JSONPath
    many: bool

    def values(self, claims: dict[str, Any]) -> Iterator[object]:
        found = self.query.findall(claims)
        if self.many and found:
            yield found
        else:
            yield from found


@dataclass(frozen=True, slots=True)
class _Object:
    parts: tuple[tuple[str, _Part], ...]

    def fields(self, claims: dict[str, Any]) -> Iterator[tuple[str, object]]:
        for name, part in self.parts:
            for value in part.values(claims):
                yield name, value

    def values(self, claims: dict[str, Any]) -> Iterator[object]:
        yield dict(self.fields(claims))


@dataclass(frozen=True, slots=True)
class _Array:
    parts: tuple[_Part, ...]

    def values(self, claims: dict[str, Any]) -> Iterator[object]:
        yield [value for part in self.parts for value in part.values(claims)]


_Part = _Literal | _Path | _Object | _Array


class _Compiler:
    """Turns parsed JSON into parts, counting paths; `at` is the place for error messages."""

    def __init__(self, field: str) -> None:
        self._field = field
        self._paths = 0

    def compile(self, value: dict[str, Any], at: str, depth: int = 1) -> _Object:
        parts: dict[str, _Part] = {}
        for key, member in value.items():
            here = f"{at}.{key[:64]}" if at else key[:64]
            is_path = key.endswith(_ENDING)
            name = key.removesuffix(_ENDING)
            if name in parts:
                self._refuse(here, "the result would have this key twice")
            parts[name] = self._path(member, here) if is_path else self._part(member, here, depth + 1)
        return _Object(tuple(parts.items()))

    def _part(self, value: object, at: str, depth: int) -> _Part:
        if isinstance(value, dict | list) and depth > MAX_DEPTH:
            self._refuse(at, f"more than {MAX_DEPTH} objects and arrays within each other")
        if isinstance(value, dict):
            return self.compile(value, at, depth)
        if isinstance(value, list):
            return _Array(tuple(self._part(item, f"{at}[{n}]", depth + 1) for n, item in enumerate(value)))
        return _Literal(value)

    def _path(self, text: object, at: str) -> _Path:
        if not isinstance(text, str):
            self._refuse(at, "a key that ends in '.$' must have a JSONPath, such as \"$.sub\"")
        if len(text) > MAX_PATH:
            self._refuse(at, f"a path has at most {MAX_PATH} characters")
        self._paths += 1
        if self._paths > MAX_PATHS:
            self._refuse(at, f"a mapping has at most {MAX_PATHS} paths")
        return self._query(_rooted(text), at)

    def _query(self, text: str, at: str) -> _Path:
        try:
            query = _ENVIRONMENT.compile(text)
        except (JSONPathError, ValueError, RecursionError) as error:
            # Not str(error): the library's own rendering fails for some errors at the end of a path.
            why = error.args[0] if isinstance(error, JSONPathError) and error.args else "malformed"
            self._refuse(at, f"{text!r} is not a JSONPath ({why}): {_HINT}")
        if not isinstance(query, JSONPath) or not all(
            isinstance(segment, JSONPathChildSegment)
            and [type(selector) in _SELECTORS for selector in segment.selectors] == [True]
            for segment in query.segments
        ):
            self._refuse(at, f"{text!r} is not a path that mappings allow: {_HINT}")
        return _Path(query, many=not query.singular_query())

    def _refuse(self, at: str, why: str) -> NoReturn:
        message = _clean(f"{self._field}, at '{at}': {why}")
        raise InvalidArgument("INVALID_FIELD", message, field=self._field, at=_clean(at))


def _rooted(path: str) -> str:
    if path.startswith("$"):
        return path
    return f"${path}" if path.startswith("[") else f"$.{path}"


def _clean(text: str) -> str:
    """Return text that UTF-8 can carry: JSON's escapes can spell halves of a surrogate pair."""
    return text.encode(errors="replace").decode()
