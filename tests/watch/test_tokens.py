"""Resume tokens say where a subscriber stands, and only those of this server are believed."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stateward_server.model.errors import InvalidArgument
from stateward_server.model.names import InstanceUid
from stateward_server.watch.tokens import Position, ResumeTokens

TOKENS = ResumeTokens(b"k" * 32)
HERE = Position("store", InstanceUid(7), 3, 9, every=True)
NUMBERS = st.integers(0, 2**63 - 1)
POSITIONS = st.builds(Position, st.text(), NUMBERS.map(InstanceUid), NUMBERS, NUMBERS, st.booleans())


@given(POSITIONS)
def test_a_token_gives_back_its_position(position: Position):
    assert TOKENS.decode(TOKENS.encode(position), Position) == position
    assert TOKENS.decode(TOKENS.encode(position), Position) == position


def test_another_server_does_not_believe_it():
    refused(ResumeTokens(b"j" * 32).encode(HERE))


@given(st.integers(0, 200), st.characters(codec="ascii"))
def test_a_changed_letter_never_makes_another_position(at: int, letter: str):
    token = TOKENS.encode(HERE)
    at %= len(token)
    assert position(token[:at] + letter + token[at + 1 :]) in {HERE, None}


def position(token: str) -> Position | None:
    try:
        return TOKENS.decode(token, Position)
    except InvalidArgument:
        return None


@given(st.text())
def test_noise_is_refused(token: str):
    refused(token)


@pytest.mark.parametrize("token", ["", ".", "a", "a.b.c", "\ud800", "é.é", "=.=", TOKENS.encode(HERE)[:-4]])
def test_what_looks_a_little_like_a_token_is_refused(token: str):
    refused(token)


def test_a_token_of_a_later_format_is_refused():
    later = ResumeTokens(b"k" * 32)
    body = b"WzIsWzFdXQ=="  # [2,[1]]
    refused(f"{body.decode()}.{urlsafe_b64encode(later._mac(body)).decode()}")


def refused(token: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        TOKENS.decode(token, Position)
    assert refusal.value.reason == "RESUME_TOKEN_INVALID"
