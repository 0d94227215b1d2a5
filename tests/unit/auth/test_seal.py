"""A sealed key opens only where it was sealed, and only whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stateward_server.auth.seal import ProviderKeys, SealBroken
from stateward_server.auth.secrets import Secrets
from stateward_server.model.names import OrgId, mint
from stateward_server.testing.clock import SeededEntropy

ORG = OrgId(mint("org", bytes(16)))
OTHER_ORG = OrgId(mint("org", b"\1" * 16))
PLACE = (ORG, "https://issuer", "audience")


def keys(server_key: bytes = bytes(range(32))) -> ProviderKeys:
    return ProviderKeys(Secrets(server_key), SeededEntropy())


@given(st.binary(max_size=100), st.none() | st.text(max_size=9), st.none() | st.text(max_size=9))
def test_what_was_sealed_comes_out_and_is_not_to_be_seen(key, issuer, audience):
    sealed = keys().seal(key, ORG, issuer, audience)
    assert keys().open(sealed, ORG, issuer, audience) == key
    assert len(key) < 4 or key not in sealed


def test_the_same_key_looks_different_each_time():
    sealing = keys()
    assert sealing.seal(b"key", *PLACE) != sealing.seal(b"key", *PLACE)


@pytest.mark.parametrize(
    "place",
    [
        (OTHER_ORG, "https://issuer", "audience"),
        (ORG, "https://other", "audience"),
        (ORG, "https://issuer", None),
        (ORG, None, "audience"),
        (ORG, "audience", "https://issuer"),
        (ORG, 'https://issuer", "audience', None),
    ],
)
def test_a_sealed_key_opens_nowhere_else(place):
    sealed = keys().seal(b"key", *PLACE)
    with pytest.raises(SealBroken):
        keys().open(sealed, *place)


def test_another_server_cannot_open_it():
    sealed = keys().seal(b"key", *PLACE)
    with pytest.raises(SealBroken):
        keys(bytes(32)).open(sealed, *PLACE)


def test_any_change_is_noticed():
    sealed = keys().seal(b"the key itself", *PLACE)
    for n in range(len(sealed)):
        altered = sealed[:n] + bytes([sealed[n] ^ 1]) + sealed[n + 1 :]
        for spoilt in (altered, sealed[:n]):
            with pytest.raises(SealBroken):
                keys().open(spoilt, *PLACE)
