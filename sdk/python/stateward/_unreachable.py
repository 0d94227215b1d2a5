"""gRPC's own words for a connection that did not come about, and ours, with what to do.

Those that are not known here are passed on as they are.
"""

from __future__ import annotations

import re

_ATTEMPT = re.compile(r"failed to connect to all addresses; last error: \w+: (?P<rest>.*)", re.DOTALL)
_REFUSED = re.compile(
    r"(?:ipv[46]:)?(?P<address>.+?): Failed to connect to remote host: Connection refused", re.DOTALL
)
_MEANINGS = {
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not trusted; name its authority (ca)",
    "Hostname Verification Check failed": "its certificate has another name than the target (server_name)",
    "WRONG_VERSION_NUMBER": "it does not speak TLS",
    "http1.x server": "what listens there does not speak gRPC; is it the address for HTTP?",
    "Socket closed": "it closed the connection at once; does it want TLS?",
}


def words(details: str) -> str:
    """Say what gRPC's details of a call mean that found no server."""
    if not details:
        return "the connection was lost"
    if details.startswith("errors resolving "):
        return "there is no such host name" if "not found" in details else details
    attempt = _ATTEMPT.fullmatch(details)
    if attempt is None:
        return details
    refused = _REFUSED.fullmatch(attempt["rest"])
    if refused is not None:
        return f"nothing listens at {refused['address'].replace('%5B', '[').replace('%5D', ']')}"
    known = (ours for theirs, ours in _MEANINGS.items() if theirs in attempt["rest"])
    return next(known, attempt["rest"])
