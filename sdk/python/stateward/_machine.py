"""The handle of one machine: publish it, choose its version, reach its instances.

Making a handle does no I/O. Arguments are checked before anything is sent.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from . import _calls
from ._auth import encode_auth_context
from ._feed import OnReconnect
from ._instance import Instance
from ._machine_watch import MachineWatch
from ._names import checked, texts
from ._pages import walk
from ._transport import Caller
from ._watch_calls import watch_machine
from .state import (
    Comparison,
    DeadLetter,
    IndexCondition,
    IndexEntry,
    InstanceInfo,
    Language,
    MachineInfo,
    MachineVersion,
)

_BY_SUFFIX: dict[str, Language] = {
    ".js": "javascript",
    ".mjs": "javascript",
    ".ts": "typescript",
    ".mts": "typescript",
}


class Machine:
    """One machine, which may or may not exist yet.

    Get one from `Client.machine`. Every method raises `StatewardError`s; see `stateward.errors`.

    Attributes:
        name: The machine's name.
    """

    def __init__(self, caller: Caller, name: str) -> None:
        self._caller = caller
        self.name = checked(name, "machine")

    def __repr__(self) -> str:
        return f"<Machine {self.name}>"

    def instance(self, name: str, *, auth_context: Mapping[str, object] | None = None) -> Instance:
        """Return a handle of an instance; no I/O.

        Args:
            name: The instance's name.
            auth_context: On whose behalf to act: what the machine's allowRead and allowWrite see. Only an
                administrator's token may set it.

        Raises:
            InvalidName: The name is not 1 to 128 letters, digits, '-' or '_'.
            TypeError: The auth context is not JSON.
            ValueError: The auth context holds a value that JSON cannot carry.
        """
        caller = self._caller
        if auth_context is not None:
            caller = replace(caller, auth_context=encode_auth_context(auth_context))
        return Instance(caller, self.name, name)

    async def create(
        self,
        *,
        indexes: Iterable[str] = (),
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> MachineInfo:
        """Create the machine; it has no version yet.

        Args:
            indexes: Names under which its instances shall be found by values of their contexts; each version
                says with `index_selectors` which values those are. They cannot be changed later.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            TypeError: `indexes` is a single text.
            MachineExists: The name is taken.
            ScopeMissing: The token may not write machines.
        """
        names = texts(indexes, "indexes")
        call = _calls.create_machine(self.name, indexes=names, request_id=request_id or str(uuid.uuid4()))
        return await self._caller.call(call, timeout)

    async def get(self, *, timeout: float | None = None) -> MachineInfo:
        """Return what is known of the machine.

        Args:
            timeout: Seconds for the call with all its attempts.

        Raises:
            MachineNotFound: There is no such machine.
        """
        return await self._caller.call(_calls.get_machine(self.name), timeout)

    async def delete(self, *, request_id: str | None = None, timeout: float | None = None) -> None:
        """Delete the machine and its versions.

        Args:
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            MachineNotFound: There is no such machine.
            MachineHasInstances: It still has instances.
        """
        call = _calls.delete_machine(self.name, request_id=request_id or str(uuid.uuid4()))
        await self._caller.call(call, timeout)

    async def upload(
        self,
        source: str | Path,
        *,
        language: Language | None = None,
        make_current: bool = True,
        client_info: str = "",
        index_selectors: Mapping[str, str] | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> MachineVersion:
        """Upload a module as a new version. The server loads and checks it first.

        Args:
            source: The module's text, or the path of its file. It is one self-contained module that
                default-exports an XState machine and exports `allowRead` and `allowWrite`.
            language: What the text is written in. By default the file's suffix tells; a text is JavaScript.
            make_current: Let new instances start with it.
            client_info: A note of yours, such as a commit hash; at most 256 characters.
            index_selectors: Where in the context each index of the machine finds its values, such as
                `{"owner": "$.public.owner"}`. What is left out is as in the current version.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            MachineNotFound: Create the machine first.
            IndexNotFound: A selector is for an index that the machine does not have.
            ModuleRejected: The module is not a usable machine; `reason` and `metadata` say why and where.
            OSError: The file cannot be read.
            ValueError: The file's suffix tells no language.
        """
        chosen = language or _language_of(source)
        text = await asyncio.to_thread(source.read_text, "utf-8") if isinstance(source, Path) else source
        call = _calls.upload(
            self.name,
            text,
            chosen,
            client_info=client_info,
            make_current=make_current,
            index_selectors=index_selectors or {},
            request_id=request_id or str(uuid.uuid4()),
        )
        return await self._caller.call(call, timeout)

    async def set_current_version(
        self,
        version: str | MachineVersion,
        *,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> MachineInfo:
        """Choose the version that new instances start with. Existing ones keep theirs.

        Args:
            version: The version or its id.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            MachineNotFound: There is no such machine.
            VersionNotFound: The machine has no such version.
        """
        chosen = version.id if isinstance(version, MachineVersion) else version
        call = _calls.set_current_version(self.name, chosen, request_id=request_id or str(uuid.uuid4()))
        return await self._caller.call(call, timeout)

    def watch(
        self,
        *,
        states: Iterable[str] = (),
        tags: Iterable[str] = (),
        indexes: Iterable[IndexCondition] = (),
        resume_token: str | None = None,
        on_reconnect: OnReconnect | None = None,
    ) -> MachineWatch:
        """Watch the machine's instances: those that match first, then what enters, changes and leaves.

        Only what the machine's allowRead permits is seen. Reconnects by itself and goes on where it was.
        Leaving the loop ends the stream.

        Args:
            states: At least one of these states is active, given as dotted paths; all instances by default.
            tags: At least one of these tags is active; all instances by default.
            indexes: Each of these holds for a value of the instance, such as
                `IndexCondition("owner", "=", "ann")`. The token needs the scope `indexes.read` for that.
            resume_token: Go on right after the event that carried it, without a first snapshot. The filter
                must be the same.
            on_reconnect: Called when the connection is lost, and when it is back.

        Raises:
            TypeError: `states` or `tags` is a single text. All else is raised while iterating.
            MachineNotFound: There is no such machine.
            IndexNotFound: The machine has no such index.
            ResumeTokenExpired: The history after the given token is gone.
            ResumeTokenDiverged: The server's history is not the one that the token was made for.
        """
        watch = watch_machine(self.name, states, tags, indexes)
        return MachineWatch(self._caller, watch, resume_token=resume_token, on_reconnect=on_reconnect)

    async def versions(self, *, page_size: int | None = None) -> AsyncGenerator[MachineVersion, None]:
        """List the machine's versions, oldest first.

        Args:
            page_size: How many to fetch at a time.

        Raises:
            MachineNotFound: There is no such machine.
        """
        async for version in walk(
            self._caller, lambda size, token: _calls.list_versions(self.name, size, token), page_size
        ):
            yield version

    async def instances(self, *, page_size: int | None = None) -> AsyncGenerator[InstanceInfo, None]:
        """List the machine's instances, oldest first.

        Args:
            page_size: How many to fetch at a time.

        Raises:
            MachineNotFound: There is no such machine.
        """
        async for instance in walk(
            self._caller, lambda size, token: _calls.list_instances(self.name, size, token), page_size
        ):
            yield instance

    async def query(
        self,
        index: str,
        comparison: Comparison | None = None,
        value: str = "",
        *,
        descending: bool = False,
        page_size: int | None = None,
    ) -> AsyncGenerator[IndexEntry, None]:
        """List instances by their values in an index, in the order of the values.

        Args:
            index: The index's name.
            comparison: Only values that compare like this with `value`; all by default.
            value: What values are compared with.
            descending: From the last value to the first.
            page_size: How many to fetch at a time.

        Raises:
            MachineNotFound: There is no such machine.
            IndexNotFound: The machine has no such index.
            ScopeMissing: The token may not read indexes (`indexes.read`).
            ValueError: There is no such comparison.
        """

        def call(size: int, token: str) -> _calls.Call[_calls.Page[IndexEntry]]:
            return _calls.query_index(
                self.name,
                index,
                comparison,
                value,
                descending=descending,
                page_size=size,
                page_token=token,
            )

        async for entry in walk(self._caller, call, page_size):
            yield entry

    async def dead_letters(self, *, page_size: int | None = None) -> AsyncGenerator[DeadLetter, None]:
        """List what the machine's instances could not deliver or take, oldest first. For administrators.

        Args:
            page_size: How many to fetch at a time.

        Raises:
            MachineNotFound: There is no such machine.
            ScopeMissing: The token may not administer instances.
        """
        async for letter in walk(
            self._caller, lambda size, token: _calls.list_letters(self.name, None, size, token), page_size
        ):
            yield letter

    async def retry_dead_letter(
        self, letter: DeadLetter, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Put a dead letter back, to be attempted anew. For administrators.

        Args:
            letter: One of `dead_letters`.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            DeadLetterNotFound: It was retried or discarded.
            DeadLetterNotRetryable: What it needs is gone.
        """
        await self.instance(letter.instance).retry_dead_letter(letter, request_id=request_id, timeout=timeout)

    async def discard_dead_letter(
        self, letter: DeadLetter, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Delete a dead letter for good. For administrators.

        Args:
            letter: One of `dead_letters`.
            request_id: A UUID that makes repeating this very call return the stored outcome; made up if
                absent.
            timeout: Seconds for the call with all its attempts.

        Raises:
            DeadLetterNotFound: It was retried or discarded.
        """
        await self.instance(letter.instance).discard_dead_letter(
            letter, request_id=request_id, timeout=timeout
        )


def _language_of(source: str | Path) -> Language:
    """A text without a single space is a path that somebody forgot to wrap."""
    if isinstance(source, Path):
        if source.suffix not in _BY_SUFFIX:
            raise ValueError(f"the suffix of {source.name!r} tells no language: pass language=…")
        return _BY_SUFFIX[source.suffix]
    if source.endswith(tuple(_BY_SUFFIX)) and not any(char.isspace() for char in source):
        raise ValueError(f"{source!r} looks like a path: pass Path({source!r})")
    return "javascript"
