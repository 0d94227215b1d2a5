"""What is said of a server that cannot be reached, made from what gRPC says of it."""

from __future__ import annotations

import pytest

from stateward._unreachable import words

ATTEMPT = "failed to connect to all addresses; last error: "
REFUSED = ": Failed to connect to remote host: Connection refused"
TLS = "ipv4:127.0.0.1:1: Tls handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: error:1:SSL routines:"
HTTP = "ipv4:127.0.0.1:1: Failed parsing HTTP/2 (Trying to connect an http1.x server (HTTP status 404))"
NAME = "ipv4:127.0.0.1:1: Custom verification check failed: Hostname Verification Check failed."


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (f"UNKNOWN: ipv4:127.0.0.1:1{REFUSED}", "nothing listens at 127.0.0.1:1"),
        (f"UNKNOWN: ipv6:%5B::1%5D:443{REFUSED}", "nothing listens at [::1]:443"),
        ("FAILED_PRECONDITION: unix:/s: No such file or directory", "unix:/s: No such file or directory"),
        ("UNAVAILABLE: ipv4:127.0.0.1:7441: Socket closed", "does it want TLS?"),
        (f"UNKNOWN: {TLS}WRONG_VERSION_NUMBER: Invalid context: OK", "it does not speak TLS"),
        (f"UNKNOWN: {TLS}CERTIFICATE_VERIFY_FAILED: self signed certificate: OK", "(ca)"),
        (f"UNKNOWN: {NAME}", "(server_name)"),
        (f"UNIMPLEMENTED: {HTTP}", "is it the address for HTTP?"),
    ],
)
def test_an_attempt_that_failed_is_told_without_the_words_of_grpc(attempt: str, said: str) -> None:
    told = words(ATTEMPT + attempt)

    assert said in told
    assert "last error" not in told


@pytest.mark.parametrize(
    ("details", "said"),
    [
        ("", "the connection was lost"),
        ("Socket closed", "Socket closed"),
        ("errors resolving no.such:1: [address lookup failed: Domain name not found]", "no such host name"),
    ],
)
def test_a_connection_that_was_lost_and_a_name_that_is_none(details: str, said: str) -> None:
    assert said in words(details)
