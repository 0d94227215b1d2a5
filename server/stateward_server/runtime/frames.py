"""The frames between server and host process: a little-endian u32 length and that many bytes of a JSON array.

Pure functions over bytes. What comes from a host process is not to be trusted: any fault is a FrameFault.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import orjson

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

_HEADER = 4


class FrameFault(Exception):
    """The peer sent something that is no frame."""


def encode(frame: Sequence[object]) -> bytes:
    body = orjson.dumps(frame)
    return len(body).to_bytes(_HEADER, "little") + body


class FrameReader:
    """Cuts a byte stream into frames, keeping what is incomplete until more comes."""

    __slots__ = ("_limit", "_parts", "_size", "_wanted")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._wanted = _HEADER
        """Bytes it takes to go on; joined only then, so that a large frame is not copied for each part."""

    def feed(self, data: bytes) -> list[list[Json]]:
        """Take the next bytes and return the frames they complete. Raises FrameFault."""
        if self._parts:
            self._parts.append(data)
            self._size += len(data)
            if self._size < self._wanted:
                return []
            data = b"".join(self._parts)
        frames: list[list[Json]] = []
        start, size = 0, len(data)
        self._wanted = _HEADER
        view = memoryview(data)
        while size - start >= _HEADER:
            length = int.from_bytes(view[start : start + _HEADER], "little")
            if length > self._limit:
                raise FrameFault(f"a frame of {length} bytes is over the limit of {self._limit}")
            end = start + _HEADER + length
            if end > size:
                self._wanted = end - start
                break
            frames.append(_decode(view[start + _HEADER : end]))
            start = end
        rest = data[start:] if start else data
        self._parts = [rest] if rest else []
        self._size = len(rest)
        return frames


def _decode(body: memoryview) -> list[Json]:
    try:
        frame = orjson.loads(body)
    except ValueError as error:
        raise FrameFault("not JSON") from error
    if not isinstance(frame, list) or len(frame) < 2:
        raise FrameFault("not an array of two or more")
    return frame
