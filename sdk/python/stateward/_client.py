"""The entrance: a client of one server.

Connects lazily, so making a client does no I/O; the first call tells whether the server is there.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from . import _access_calls, _calls
from ._audit import Audit
from ._auth import encode_auth_context
from ._credentials import Anonymous, Exchange, TokenFunction, credentials
from ._feed import OnReconnect
from ._keys import AccessTokens, Keys
from ._machine import Machine
from ._names import checked, texts
from ._orgs import Invitations, Members, Orgs
from ._pages import walk
from ._profile import Profile
from ._providers import IdentityProviders, TokenProviders
from ._retry import RetryPolicy
from ._tls import TLS, read
from ._transport import Caller, Transport
from ._watch_calls import watch_many
from ._watches import Watches
from .access import AccessExplanation, Identity, Role
from .state import Limit, MachineInfo

DEFAULT_TIMEOUT = 120.0
"""Seconds for a call. Longer than a server's settle limit of 90 s, so that the server answers first."""

PROFILE_VARIABLE = "STATEWARD_PROFILE"


class Client:
    """A client of one Stateward server. Make one with `Client.connect` or `Client.from_profile`.

    It is an async context manager that closes itself; `await client` is allowed and returns it. It belongs to
    the event loop that first uses it.
    """

    def __init__(self, caller: Caller, *, session_id: str | None = None, owns_transport: bool = True) -> None:
        self._caller = caller
        self._session_id = session_id
        self._owns_transport = owns_transport

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
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Client:
        """Return a client of the server at `target`; it connects with the first call.

        At most one of `token`, `token_provider`, `exchange` and `anonymous` says who calls. All but `token`
        bring a new token before the old one expires, or when the server refuses it: calls and streams go on.

        Args:
            target: Host and port, such as `"127.0.0.1:7411"`.
            org: The id of the organisation, `org_…`: for an exchange and for anonymous sessions, and for the
                token of a person who belongs to several.
            token: A bearer token.
            token_provider: A function (async or not) that returns a bearer token. It is asked again before
                the token expires, where that is a JWT which says when. What it raises, calls and streams
                raise; let it raise Unavailable for what is worth another attempt.
            exchange: Exchange tokens of an identity provider for tokens of the organisation.
            anonymous: Be a session without an account: True for a new one, an `Anonymous` for a certain one.
            tls: Whether to encrypt the connection; a `TLS` says which server to trust, and what to show it.
            allow_plaintext: Let tokens leave this machine unencrypted.
            retry: How failed calls are repeated.
            timeout: Seconds for a call with all its attempts, where the call itself says nothing else.

        Raises:
            InvalidName: The organisation, or the service of an exchange, is no such name.
            OSError: A file that `tls` names cannot be read.
            TypeError: The token is not text.
            ValueError: More than one says who calls, or the organisation is missing, or a token would leave
                this machine unencrypted.
        """
        session = Anonymous() if anonymous is True else anonymous or None
        given = credentials(
            org=org if org is None else checked(org, "organisation"),
            token=token,
            token_provider=token_provider,
            exchange=exchange,
            anonymous=session,
        )
        transport = Transport(
            target,
            credentials=given,
            org=org,
            tls=read(TLS() if tls is True else tls) if tls else None,
            allow_plaintext=allow_plaintext,
            retry=retry or RetryPolicy(),
            timeout=timeout,
        )
        if (token, token_provider, exchange, session) != (None,) * 4:
            transport.refuse_plaintext("the token")
        return Client(Caller(transport), session_id=session.session_id if session else None)

    @classmethod
    def from_profile(cls, path: str | Path | None = None) -> Client:
        """Return a client of the server that a profile names.

        Args:
            path: A file as `Profile.read` describes it; by default the one that the environment variable
                STATEWARD_PROFILE names.

        Raises:
            OSError: The file, or one that it names, cannot be read.
            ValueError: There is no profile, or it is not one, or its token would travel unencrypted.
        """
        chosen = path or os.environ.get(PROFILE_VARIABLE)
        if not chosen:
            raise ValueError(f"no profile: pass a path or set {PROFILE_VARIABLE}")
        profile = Profile.read(chosen)
        return cls.connect(
            profile.target,
            org=profile.org,
            token=profile.token,
            tls=profile.tls or False,
            allow_plaintext=profile.allow_plaintext,
        )

    @property
    def session_id(self) -> str | None:
        """The id of the anonymous session; None for any other client."""
        return self._session_id

    async def who_am_i(self, *, timeout: float | None = None) -> Identity:
        """Return who the server takes this client for, and what it may do.

        Args:
            timeout: Seconds for the call with all its attempts.

        Raises:
            Unauthenticated: The token is missing or not valid.
        """
        return await self._caller.call(_access_calls.who_am_i(), timeout)

    async def explain_access(
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
        """Say layer by layer what would let a call in or refuse it. Nothing is done. For administrators.

        The caller is whoever has `token`, or somebody with `auth_context` and the rights of one of `key`,
        `role` and `scopes`.

        Args:
            method: Which call, such as `InstanceService.SendEvent`.
            token: A bearer token.
            auth_context: What the machine's allowRead and allowWrite see.
            key: The id of a key.
            role: The role of a member.
            scopes: Scopes by name.
            instance: The names of a machine and of an instance of it, to have those asked as well.
            event: The event of `InstanceService.SendEvent`.
            context: The context of `InstanceService.CreateInstance`.
            timeout: Seconds for the call with all its attempts.

        Raises:
            InvalidArgument: There is no such RPC or scope.
            KeyNotFound: There is no such key.
            ScopeMissing: The client's token may not act for others.
            TypeError: The auth context, event or context is not JSON, or `scopes` is a single text.
            ValueError: Not exactly one of `token`, `key`, `role` and `scopes` is given.
        """
        if sum(given is not None for given in (token, key, role, scopes)) != 1:
            raise ValueError("give one of token, key, role and scopes")
        call = _access_calls.explain_access(
            method,
            token=token,
            auth_context=auth_context,
            key=key,
            role=role,
            scopes=None if scopes is None else texts(scopes, "scopes"),
            instance=instance,
            event=event,
            context=context,
        )
        return await self._caller.call(call, timeout)

    def machine(self, name: str) -> Machine:
        """Return a handle of a machine; no I/O.

        Args:
            name: The machine's name.

        Raises:
            InvalidName: The name is not 1 to 128 letters, digits, '-' or '_'.
        """
        return Machine(self._caller, name)

    async def machines(self, *, page_size: int | None = None) -> AsyncGenerator[MachineInfo, None]:
        """List machines by name.

        Args:
            page_size: How many to fetch at a time.

        Raises:
            ScopeMissing: The token may not read machines.
        """
        async for machine in walk(self._caller, _calls.list_machines, page_size):
            yield machine

    async def limits(self, *, timeout: float | None = None) -> dict[str, Limit]:
        """Return what the server refuses or cuts off, by the limits' names.

        Args:
            timeout: Seconds for the call with all its attempts.
        """
        return await self._caller.call(_calls.get_limits(), timeout)

    @property
    def orgs(self) -> Orgs:
        """The caller's organisations: create, look at and change them."""
        return Orgs(self._caller)

    @property
    def members(self) -> Members:
        """The members of the organisation: list them, change their roles, remove them."""
        return Members(self._caller)

    @property
    def invitations(self) -> Invitations:
        """Invitations to the organisation: make, list, withdraw and accept them."""
        return Invitations(self._caller)

    @property
    def keys(self) -> Keys:
        """The organisation's signing keys: make, list and revoke them."""
        return Keys(self._caller)

    @property
    def identity_providers(self) -> IdentityProviders:
        """Whose word the organisation takes about who somebody is: put, list and delete them."""
        return IdentityProviders(self._caller)

    @property
    def token_providers(self) -> TokenProviders:
        """What tokens the organisation gives to whom it knows: put, list and delete them."""
        return TokenProviders(self._caller)

    @property
    def access_tokens(self) -> AccessTokens:
        """The access tokens of the caller, a person: make, list and revoke them."""
        return AccessTokens(self._caller)

    @property
    def audit(self) -> Audit:
        """The organisation's audit log: who did what, and for whom."""
        return Audit(self._caller)

    def acting_as(self, auth_context: Mapping[str, object] | None) -> Client:
        """Return a client that acts on somebody's behalf, over the same connection.

        Only an administrator's token may do that. Closing the new client leaves the connection open.

        Args:
            auth_context: What the machine's allowRead and allowWrite see; None to act for oneself again.

        Raises:
            TypeError: The auth context is not JSON.
            ValueError: The auth context holds a value that JSON cannot carry.
        """
        caller = replace(self._caller, auth_context=encode_auth_context(auth_context))
        return Client(caller, session_id=self._session_id, owns_transport=False)

    def watch_many(self, *, on_reconnect: OnReconnect | None = None) -> Watches:
        """Watch many instances on one stream; they are added and removed while it runs.

        Args:
            on_reconnect: Called when the connection is lost, and when it is back.
        """
        return Watches(self._caller, watch_many, on_reconnect=on_reconnect)

    async def aclose(self) -> None:
        """Close the connection. Open calls and subscriptions end with a RuntimeError."""
        if self._owns_transport:
            await self._caller.transport.close()

    def __await__(self) -> Generator[None, None, Self]:
        return self._self().__await__()

    async def _self(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<Client {self._caller.transport.target}>"
