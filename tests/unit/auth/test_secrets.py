"""Secrets are derived from one server key, differ by purpose, and cannot be made from a short key."""

from __future__ import annotations

import hashlib
import re

import pytest

from stateward_server.auth.secrets import Secrets, token_digest

SECRETS = Secrets(bytes(range(32)))


def test_a_signing_secret_is_the_same_each_time_it_is_derived():
    assert SECRETS.signing_secret("sbk_a") == Secrets(bytes(range(32))).signing_secret("sbk_a")
    assert re.fullmatch(r"sbsec_[A-Za-z0-9_-]{43}", SECRETS.signing_secret("sbk_a"))


def test_keys_purposes_and_servers_have_secrets_of_their_own():
    other = Secrets(bytes(32))
    derived = {
        SECRETS.signing_secret("a"),
        SECRETS.signing_secret("b"),
        other.signing_secret("a"),
        SECRETS.purpose("a"),
        SECRETS.purpose("b"),
        other.purpose("a"),
    }
    assert len(derived) == 6
    assert len(SECRETS.purpose("a")) == 32


def test_a_short_server_key_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        Secrets(bytes(31))


def test_of_a_credential_only_a_hash_is_kept():
    assert token_digest("sba_x") == hashlib.sha256(b"sba_x").digest()


def test_a_code_is_looked_at_only_if_it_has_the_length_of_one():
    code = SECRETS.invitation_code("inv_a")
    assert SECRETS.invitation_of(code) == "inv_a"
    assert SECRETS.invitation_of(code + "A") is None
    # It would have a proof, if anyone were to compute it over so much.
    assert SECRETS.invitation_of(SECRETS.invitation_code("x" * 100_000)) is None
