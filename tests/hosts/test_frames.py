"""Frames survive any cut of the stream, and what is no frame is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stateward_server.runtime.frames import FrameFault, FrameReader, Json, encode

LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"))
FRAMES = st.lists(st.lists(LEAVES | st.lists(LEAVES, max_size=3), min_size=2, max_size=5), max_size=6)


@given(FRAMES, st.lists(st.integers(0, 400)))
def test_frames_survive_any_cut(frames: list[list[Json]], cuts: list[int]) -> None:
    stream = b"".join(encode(frame) for frame in frames)
    reader, got, start = FrameReader(10_000), [], 0
    for end in (*sorted(cut for cut in cuts if cut < len(stream)), len(stream)):
        got += reader.feed(stream[start:end])
        start = end
    assert got == frames


def test_a_length_is_little_endian() -> None:
    assert encode([1, "é"]) == b'\x08\x00\x00\x00[1,"\xc3\xa9"]'


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"[1]", b'"x"', b"\xff\xff", b"NaN"])
def test_what_is_no_frame_is_refused(body: bytes) -> None:
    with pytest.raises(FrameFault):
        FrameReader(100).feed(len(body).to_bytes(4, "little") + body)


def test_a_frame_over_the_limit_is_refused_before_it_arrives() -> None:
    with pytest.raises(FrameFault, match="limit of 100"):
        FrameReader(100).feed((101).to_bytes(4, "little"))
