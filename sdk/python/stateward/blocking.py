"""The same API for code that does not await: scripts, notebooks, command lines.

    with Client.connect("127.0.0.1:7411", token="…") as client:
        instance = client.machine("toggle").instance("session-123")
        reply = instance.send("toggle")
        for update in instance.subscribe():
            print(update.state.value)

Every method is the async one of the same name, run in one background thread per client; its arguments, result
and errors are documented there. What is an async iterator there is a generator here, and closing it ends the
stream. Clients and handles may be shared between threads.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from . import _client, _machine
from ._blocking_access import Administered
from ._blocking_instance import Instance
from ._blocking_streams import Listener, Watches
from ._credentials import Anonymous, Exchange, TokenFunction
from ._feed import OnReconnect
from ._portal import Portal
from ._retry import RetryPolicy
from ._tls import TLS
from .access import AccessExplanation, Identity, Role
from .state import (
    Comparison,
    DeadLetter,
    IndexCondition,
    IndexEntry,
    InstanceInfo,
    Language,
    Limit,
    MachineEvent,
    MachineInfo,
    MachineVersion,
)

__all__ = ["Client", "Instance", "Listener", "Machine", "Watches"]


class Client(Administered):
    """A client of one Stateward server, like `stateward.Client`. A context manager that closes itself."""

    def __init__(self, portal: Portal, client: _client.Client, *, owns_portal: bool = True) -> None:
        self._portal = portal
        self._client = client
        self._owns_portal = owns_portal

    @classmethod
    def connect(
        cls,
        target: str,
        *,
        org: str | None = None,
        token: str | None = None,
        token_provider: TokenFunction | None = None,
        exchange: Exchange | None = None,
        anonymous: Anonymous | bool = False,
        tls: TLS | bool = False,
        allow_plaintext: bool = False,
        retry: RetryPolicy | None = None,
        timeout: float = _client.DEFAULT_TIMEOUT,
    ) -> Client:
        """Return a client of the server at `target`. See `stateward.Client.connect`."""
        client = _client.Client.connect(
            target,
            org=org,
            token=token,
            token_provider=token_provider,
            exchange=exchange,
            anonymous=anonymous,
            tls=tls,
            allow_plaintext=allow_plaintext,
            retry=retry,
            timeout=timeout,
        )
        return cls(Portal(), client)

    @classmethod
    def from_profile(cls, path: str | Path | None = None) -> Client:
        """Return a client of the server that a profile names. See `stateward.Client.from_profile`."""
        client = _client.Client.from_profile(path)
        return cls(Portal(), client)

    @property
    def session_id(self) -> str | None:
        """The id of the anonymous session. See `stateward.Client.session_id`."""
        return self._client.session_id

    def who_am_i(self, *, timeout: float | None = None) -> Identity:
        """Return who the server takes this client for. See `stateward.Client.who_am_i`."""
        return self._portal.run(self._client.who_am_i(timeout=timeout))

    def explain_access(
        self,
        method: str,
        *,
        token: str | None = None,
        auth_context: Mapping[str, object] | None = None,
        key: str | None = None,
        role: Role | None = None,
        scopes: Iterable[str] | None = None,
        instance: tuple[str, str] | None = None,
        event: str | Mapping[str, object] | None = None,
        context: Mapping[str, object] | None = None,
        timeout: float | None = None,
    ) -> AccessExplanation:
        """Say what would let a call in or refuse it. See `stateward.Client.explain_access`."""
        return self._portal.run(
            self._client.explain_access(
                method,
                token=token,
                auth_context=auth_context,
                key=key,
                role=role,
                scopes=scopes,
                instance=instance,
                event=event,
                context=context,
                timeout=timeout,
            )
        )

    def machine(self, name: str) -> Machine:
        """Return a handle of a machine; no I/O. See `stateward.Client.machine`."""
        return Machine(self._portal, self._client.machine(name))

    def machines(self, *, page_size: int | None = None) -> Generator[MachineInfo, None, None]:
        """List machines by name. See `stateward.Client.machines`."""
        return self._portal.iterate(self._client.machines(page_size=page_size))

    def limits(self, *, timeout: float | None = None) -> dict[str, Limit]:
        """Return what the server refuses or cuts off. See `stateward.Client.limits`."""
        return self._portal.run(self._client.limits(timeout=timeout))

    def watch_many(self, *, on_reconnect: OnReconnect | None = None) -> Watches:
        """Watch many instances on one stream. See `stateward.Client.watch_many`."""
        return Watches(self._portal, self._client.watch_many(on_reconnect=on_reconnect))

    def acting_as(self, auth_context: Mapping[str, object] | None) -> Client:
        """Return a client that acts on somebody's behalf. See `stateward.Client.acting_as`."""
        return Client(self._portal, self._client.acting_as(auth_context), owns_portal=False)

    def close(self) -> None:
        """Close the connection and end the thread. See `stateward.Client.aclose`."""
        if self._owns_portal:
            self._portal.close(self._client.aclose)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._client)


class Machine:
    """One machine, like `stateward.Machine`. Get one from `Client.machine`."""

    def __init__(self, portal: Portal, machine: _machine.Machine) -> None:
        self._portal = portal
        self._machine = machine
        self.name = machine.name

    def instance(self, name: str, *, auth_context: Mapping[str, object] | None = None) -> Instance:
        """Return a handle of an instance; no I/O. See `stateward.Machine.instance`."""
        return Instance(self._portal, self._machine.instance(name, auth_context=auth_context))

    def create(
        self,
        *,
        indexes: Iterable[str] = (),
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> MachineInfo:
        """Create the machine. See `stateward.Machine.create`."""
        return self._portal.run(self._machine.create(indexes=indexes, request_id=request_id, timeout=timeout))

    def get(self, *, timeout: float | None = None) -> MachineInfo:
        """Return what is known of the machine. See `stateward.Machine.get`."""
        return self._portal.run(self._machine.get(timeout=timeout))

    def delete(self, *, request_id: str | None = None, timeout: float | None = None) -> None:
        """Delete the machine and its versions. See `stateward.Machine.delete`."""
        self._portal.run(self._machine.delete(request_id=request_id, timeout=timeout))

    def upload(
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
        """Upload a module as a new version. See `stateward.Machine.upload`."""
        return self._portal.run(
            self._machine.upload(
                source,
                language=language,
                make_current=make_current,
                client_info=client_info,
                index_selectors=index_selectors,
                request_id=request_id,
                timeout=timeout,
            )
        )

    def set_current_version(
        self,
        version: str | MachineVersion,
        *,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> MachineInfo:
        """Choose the version that new instances start with. See `stateward.Machine.set_current_version`."""
        return self._portal.run(
            self._machine.set_current_version(version, request_id=request_id, timeout=timeout)
        )

    def watch(
        self,
        *,
        states: Iterable[str] = (),
        tags: Iterable[str] = (),
        indexes: Iterable[IndexCondition] = (),
        resume_token: str | None = None,
        on_reconnect: OnReconnect | None = None,
    ) -> Generator[MachineEvent, None, None]:
        """Watch the machine's instances. See `stateward.Machine.watch`."""
        events = self._machine.watch(
            states=states,
            tags=tags,
            indexes=indexes,
            resume_token=resume_token,
            on_reconnect=on_reconnect,
        )
        return self._portal.iterate(events, close=events.aclose)

    def versions(self, *, page_size: int | None = None) -> Generator[MachineVersion, None, None]:
        """List the machine's versions, oldest first. See `stateward.Machine.versions`."""
        return self._portal.iterate(self._machine.versions(page_size=page_size))

    def instances(self, *, page_size: int | None = None) -> Generator[InstanceInfo, None, None]:
        """List the machine's instances, oldest first. See `stateward.Machine.instances`."""
        return self._portal.iterate(self._machine.instances(page_size=page_size))

    def query(
        self,
        index: str,
        comparison: Comparison | None = None,
        value: str = "",
        *,
        descending: bool = False,
        page_size: int | None = None,
    ) -> Generator[IndexEntry, None, None]:
        """List instances by their values in an index. See `stateward.Machine.query`."""
        entries = self._machine.query(index, comparison, value, descending=descending, page_size=page_size)
        return self._portal.iterate(entries)

    def dead_letters(self, *, page_size: int | None = None) -> Generator[DeadLetter, None, None]:
        """List what could not be delivered, oldest first. See `stateward.Machine.dead_letters`."""
        return self._portal.iterate(self._machine.dead_letters(page_size=page_size))

    def retry_dead_letter(
        self, letter: DeadLetter, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Put a dead letter back. See `stateward.Machine.retry_dead_letter`."""
        self._portal.run(self._machine.retry_dead_letter(letter, request_id=request_id, timeout=timeout))

    def discard_dead_letter(
        self, letter: DeadLetter, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Delete a dead letter for good. See `stateward.Machine.discard_dead_letter`."""
        self._portal.run(self._machine.discard_dead_letter(letter, request_id=request_id, timeout=timeout))

    def __repr__(self) -> str:
        return repr(self._machine)
