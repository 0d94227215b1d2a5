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

    __slots__ = ("_limit", "_rest")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = b""

    def feed(self, data: bytes) -> list[list[Json]]:
        """Take the next bytes and return the frames they complete. Raises FrameFault."""
        if self._rest:
            data = self._rest + data
        frames: list[list[Json]] = []
        start, size = 0, len(data)
        view = memoryview(data)
        while size - start >= _HEADER:
            length = int.from_bytes(view[start : start + _HEADER], "little")
            if length > self._limit:
                raise FrameFault(f"a frame of {length} bytes is over the limit of {self._limit}")
            end = start + _HEADER + length
            if end > size:
                break
            frames.append(_decode(view[start + _HEADER : end]))
            start = end
        self._rest = data[start:] if start else data
        return frames


def _decode(body: memoryview) -> list[Json]:
    try:
        frame = orjson.loads(body)
    except ValueError as error:
        raise FrameFault("not JSON") from error
    if not isinstance(frame, list) or len(frame) < 2:
        raise FrameFault("not an array of two or more")
    return frame
