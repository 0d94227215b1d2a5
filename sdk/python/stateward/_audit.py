"""The audit log: `Client.audit`. A handle without I/O of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime

from . import _access_calls as calls
from ._pages import walk
from ._transport import Caller
from .access import AuditEntry


class Audit:
    """Who did what to the client's organisation. Get it from `Client.audit`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def list(
        self,
        *,
        subject: str | None = None,
        method: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        page_size: int | None = None,
    ) -> AsyncGenerator[AuditEntry, None]:
        """List administrative calls, and calls made on behalf of somebody, newest first.

        Args:
            subject: Only calls with the tokens of this `users/…` or `keys/…`.
            method: Only calls of this RPC, such as `KeyService.CreateKey`.
            start: Only calls from this moment on; without a time zone it is taken for local time.
            end: Only calls before this moment.
            page_size: How many to fetch at a time.

        Raises:
            InvalidArgument: There is no such RPC.
            InvalidName: The subject is neither a user nor a key.
            ScopeMissing: The caller may not read the log.
        """
        async for entry in walk(
            self._caller,
            lambda size, token: calls.list_audit_entries(
                size, token, subject=subject, method=method, start=start, end=end
            ),
            page_size,
        ):
            yield entry
