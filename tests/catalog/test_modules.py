"""What may be uploaded as a module: text or gzip, bounded in both forms, and nothing else."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stateward_server.catalog.catalog import Machines
from stateward_server.model.errors import InvalidArgument
from stateward_server.model.limits import ModuleLimits
from stateward_server.model.machine import Language, Module
from stateward_server.testing.clock import ManualClock, SeededEntropy

JS = Language.JAVASCRIPT
LIMITS = ModuleLimits(gzip_bytes=1_000, text_bytes=10_000)


def machines(limits: ModuleLimits | None = None) -> Machines:
    nothing = cast(Any, None)
    return Machines(nothing, nothing, ManualClock(), SeededEntropy(), limits)


SMALL = machines(LIMITS)


def refusal(packed: bytes) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        SMALL.unpack(packed, JS)
    return caught.value


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200), st.sampled_from(Language))
def test_gzip_and_text_are_the_same_module(source: str, language: Language):
    module = Module(source, language)
    assert SMALL.unpack(gzip.compress(source.encode()), language) == module
    assert SMALL.from_text(source, language) == module


def test_a_module_may_fill_its_limits():
    source = "x" * 10_000
    assert SMALL.unpack(gzip.compress(source.encode()), JS).source == source
    assert SMALL.from_text(source, JS).source == source


@pytest.mark.parametrize("size", [10_001, 500_000])
def test_one_byte_more_is_too_large(size: int):
    refused = refusal(gzip.compress(b"x" * size))
    assert (refused.reason, refused.metadata) == ("MODULE_TOO_LARGE", {"limit_bytes": "10000"})


def test_a_bomb_is_not_unpacked_beyond_its_limit():
    bomb = zlib.compressobj(9, wbits=31)
    packed = b"".join([*(bomb.compress(bytes(1_000_000)) for _ in range(50)), bomb.flush()])
    large = machines(ModuleLimits(gzip_bytes=1_000_000, text_bytes=100_000))
    tracemalloc.start()
    with pytest.raises(InvalidArgument):
        large.unpack(packed, JS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_the_gzipped_form_has_a_limit_of_its_own():
    noise = SeededEntropy().token_bytes(1_001)
    refused = refusal(noise)
    assert (refused.reason, refused.metadata) == ("MODULE_TOO_LARGE", {"limit_bytes": "1000"})


def test_text_that_would_not_fit_gzipped_is_too_large():
    text = SeededEntropy().token_bytes(1_500).hex()
    with pytest.raises(InvalidArgument) as caught:
        SMALL.from_text(text, JS)
    assert (caught.value.reason, caught.value.metadata) == ("MODULE_TOO_LARGE", {"limit_bytes": "1000"})


def test_the_size_of_text_is_counted_in_bytes():
    SMALL.from_text("é" * 5_000, JS)
    with pytest.raises(InvalidArgument) as caught:
        SMALL.from_text("é" * 5_001, JS)
    assert caught.value.metadata == {"limit_bytes": "10000"}


PACKED = gzip.compress(b"export default 1")


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"export default 1", id="no gzip"),
        pytest.param(zlib.compress(b"export default 1"), id="zlib"),
        pytest.param(PACKED[:-9], id="cut short in the text"),
        pytest.param(PACKED[:-1], id="cut short in the checksum"),
        pytest.param(PACKED[:5], id="cut short in the head"),
        pytest.param(PACKED[:-6] + b"\0" + PACKED[-5:], id="wrong checksum"),
        pytest.param(PACKED + b"x", id="more than gzip"),
        pytest.param(PACKED + PACKED, id="two in one"),
        pytest.param(gzip.compress(b"\xff\xfe"), id="no UTF-8"),
        pytest.param(gzip.compress(b"\xed\xa0\x80"), id="half a surrogate pair"),
    ],
)
def test_what_is_not_one_gzip_of_utf8_is_refused(packed: bytes):
    assert refusal(packed).reason == "MODULE_ENCODING"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_module_or_a_refusal(packed: bytes):
    assert reason(packed) in {None, "MODULE_ENCODING", "MODULE_TOO_LARGE"}


def reason(packed: bytes) -> str | None:
    try:
        SMALL.unpack(packed, JS)
    except InvalidArgument as refused:
        return refused.reason
    return None
