"""The twins that do not await of what administrators of an organisation use; see `blocking`."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from datetime import datetime

from . import _audit, _client, _keys, _orgs, _providers
from ._portal import Portal
from .access import (
    AccessToken,
    AuditEntry,
    IdentityProviderInfo,
    Invitation,
    Joined,
    Key,
    KeyUse,
    Member,
    NewAccessToken,
    NewInvitation,
    NewKey,
    Org,
    Role,
    TokenProviderInfo,
)
from .providers import ProviderSettings


class Administered:
    """The part of a client that is about who may do what."""

    _portal: Portal
    _client: _client.Client

    @property
    def orgs(self) -> Orgs:
        """The caller's organisations: create, look at and change them."""
        return Orgs(self._portal, self._client.orgs)

    @property
    def members(self) -> Members:
        """The members of the organisation: list them, change their roles, remove them."""
        return Members(self._portal, self._client.members)

    @property
    def invitations(self) -> Invitations:
        """Invitations to the organisation: make, list, withdraw and accept them."""
        return Invitations(self._portal, self._client.invitations)

    @property
    def keys(self) -> Keys:
        """The organisation's signing keys: make, list and revoke them."""
        return Keys(self._portal, self._client.keys)

    @property
    def audit(self) -> Audit:
        """The organisation's audit log: who did what, and for whom."""
        return Audit(self._portal, self._client.audit)

    @property
    def identity_providers(self) -> IdentityProviders:
        """Whose word the organisation takes about who somebody is: put, list and delete them."""
        return IdentityProviders(self._portal, self._client.identity_providers)

    @property
    def token_providers(self) -> TokenProviders:
        """What tokens the organisation gives to whom it knows: put, list and delete them."""
        return TokenProviders(self._portal, self._client.token_providers)

    @property
    def access_tokens(self) -> AccessTokens:
        """The access tokens of the caller, a person: make, list and revoke them."""
        return AccessTokens(self._portal, self._client.access_tokens)


class Orgs:
    """The organisations of the caller. See `stateward.Orgs`."""

    def __init__(self, portal: Portal, handle: _orgs.Orgs) -> None:
        self._portal = portal
        self._handle = handle

    def create(
        self,
        display_name: str,
        *,
        deny_anonymous: bool = False,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Org:
        """Create an organisation with the caller, a person, as its owner. See `stateward.Orgs.create`."""
        return self._portal.run(
            self._handle.create(
                display_name, deny_anonymous=deny_anonymous, request_id=request_id, timeout=timeout
            )
        )

    def get(self, *, timeout: float | None = None) -> Org:
        """Return the client's organisation. See `stateward.Orgs.get`."""
        return self._portal.run(self._handle.get(timeout=timeout))

    def list(self, *, page_size: int | None = None) -> Generator[Org, None, None]:
        """List the organisations that the caller, a person, belongs to, by id. See `stateward.Orgs.list`."""
        return self._portal.iterate(self._handle.list(page_size=page_size))

    def update(
        self,
        *,
        display_name: str | None = None,
        anonymous_access: bool | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Org:
        """Rename the organisation, or open or close it to anonymous sessions. See `stateward.Orgs.update`."""
        return self._portal.run(
            self._handle.update(
                display_name=display_name,
                anonymous_access=anonymous_access,
                request_id=request_id,
                timeout=timeout,
            )
        )


class Members:
    """The members of the client's organisation. See `stateward.Members`."""

    def __init__(self, portal: Portal, handle: _orgs.Members) -> None:
        self._portal = portal
        self._handle = handle

    def list(self, *, page_size: int | None = None) -> Generator[Member, None, None]:
        """List the members by their ids. See `stateward.Members.list`."""
        return self._portal.iterate(self._handle.list(page_size=page_size))

    def set_role(
        self, member: str | Member, role: Role, *, request_id: str | None = None, timeout: float | None = None
    ) -> Member:
        """Give a member another role. See `stateward.Members.set_role`."""
        return self._portal.run(self._handle.set_role(member, role, request_id=request_id, timeout=timeout))

    def remove(
        self, member: str | Member, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Take a member out of the organisation, or leave it. See `stateward.Members.remove`."""
        self._portal.run(self._handle.remove(member, request_id=request_id, timeout=timeout))


class Invitations:
    """Invitations to the client's organisation. See `stateward.Invitations`."""

    def __init__(self, portal: Portal, handle: _orgs.Invitations) -> None:
        self._portal = portal
        self._handle = handle

    def create(
        self,
        role: Role,
        *,
        note: str = "",
        valid_hours: int | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> NewInvitation:
        """Make an invitation. See `stateward.Invitations.create`."""
        return self._portal.run(
            self._handle.create(
                role, note=note, valid_hours=valid_hours, request_id=request_id, timeout=timeout
            )
        )

    def list(self, *, page_size: int | None = None) -> Generator[Invitation, None, None]:
        """List the invitations that nobody has taken up, by id. See `stateward.Invitations.list`."""
        return self._portal.iterate(self._handle.list(page_size=page_size))

    def delete(
        self, invitation: str | Invitation, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Withdraw an invitation. See `stateward.Invitations.delete`."""
        self._portal.run(self._handle.delete(invitation, request_id=request_id, timeout=timeout))

    def accept(
        self,
        code: str,
        *,
        display_name: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Joined:
        """Take up an invitation. See `stateward.Invitations.accept`."""
        return self._portal.run(
            self._handle.accept(code, display_name=display_name, request_id=request_id, timeout=timeout)
        )


class Audit:
    """Who did what to the client's organisation. See `stateward.Audit`."""

    def __init__(self, portal: Portal, handle: _audit.Audit) -> None:
        self._portal = portal
        self._handle = handle

    def list(
        self,
        *,
        subject: str | None = None,
        method: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        page_size: int | None = None,
    ) -> Generator[AuditEntry, None, None]:
        """List entries of the audit log, newest first. See `stateward.Audit.list`."""
        return self._portal.iterate(
            self._handle.list(subject=subject, method=method, start=start, end=end, page_size=page_size)
        )


class Keys:
    """Signing keys of the client's organisation. See `stateward.Keys`."""

    def __init__(self, portal: Portal, handle: _keys.Keys) -> None:
        self._portal = portal
        self._handle = handle

    def create(
        self,
        display_name: str = "",
        *,
        use: KeyUse | None = None,
        scopes: Iterable[str] = (),
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> NewKey:
        """Make a key. See `stateward.Keys.create`."""
        return self._portal.run(
            self._handle.create(display_name, use=use, scopes=scopes, request_id=request_id, timeout=timeout)
        )

    def list(self, *, page_size: int | None = None) -> Generator[Key, None, None]:
        """List the keys by their ids, without their secrets. See `stateward.Keys.list`."""
        return self._portal.iterate(self._handle.list(page_size=page_size))

    def delete(self, key: str | Key, *, request_id: str | None = None, timeout: float | None = None) -> None:
        """Revoke a key and all tokens that it signed. See `stateward.Keys.delete`."""
        self._portal.run(self._handle.delete(key, request_id=request_id, timeout=timeout))


class AccessTokens:
    """Access tokens of the caller, a person. See `stateward.AccessTokens`."""

    def __init__(self, portal: Portal, handle: _keys.AccessTokens) -> None:
        self._portal = portal
        self._handle = handle

    def create(
        self, display_name: str = "", *, request_id: str | None = None, timeout: float | None = None
    ) -> NewAccessToken:
        """Make another access token for oneself. See `stateward.AccessTokens.create`."""
        return self._portal.run(self._handle.create(display_name, request_id=request_id, timeout=timeout))

    def list(self, *, page_size: int | None = None) -> Generator[AccessToken, None, None]:
        """List one's access tokens by their ids, without their secrets. See `stateward.AccessTokens.list`."""
        return self._portal.iterate(self._handle.list(page_size=page_size))

    def delete(
        self, token: str | AccessToken, *, request_id: str | None = None, timeout: float | None = None
    ) -> None:
        """Revoke an access token. See `stateward.AccessTokens.delete`."""
        self._portal.run(self._handle.delete(token, request_id=request_id, timeout=timeout))


class IdentityProviders:
    """Whose word the client's organisation takes about who somebody is. See `stateward.IdentityProviders`."""

    def __init__(self, portal: Portal, handle: _providers.IdentityProviders) -> None:
        self._portal = portal
        self._handle = handle

    def put(
        self, settings: ProviderSettings, *, request_id: str | None = None, timeout: float | None = None
    ) -> IdentityProviderInfo:
        """Put an identity provider here. See `stateward.IdentityProviders.put`."""
        return self._portal.run(self._handle.put(settings, request_id=request_id, timeout=timeout))

    def list(self, *, page_size: int | None = None) -> Generator[IdentityProviderInfo, None, None]:
        """List the identity providers by their ids. See `stateward.IdentityProviders.list`."""
        return self._portal.iterate(self._handle.list(page_size=page_size))

    def delete(
        self,
        provider: str | IdentityProviderInfo,
        *,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """Delete an identity provider. See `stateward.IdentityProviders.delete`."""
        self._portal.run(self._handle.delete(provider, request_id=request_id, timeout=timeout))


class TokenProviders:
    """What tokens the client's organisation gives to whom it knows. See `stateward.TokenProviders`."""

    def __init__(self, portal: Portal, handle: _providers.TokenProviders) -> None:
        self._portal = portal
        self._handle = handle

    def put(
        self,
        service: str,
        *,
        key: str | Key,
        mapping: Mapping[str, object] | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> TokenProviderInfo:
        """Put a token provider here. See `stateward.TokenProviders.put`."""
        return self._portal.run(
            self._handle.put(service, key=key, mapping=mapping, request_id=request_id, timeout=timeout)
        )

    def list(self, *, page_size: int | None = None) -> Generator[TokenProviderInfo, None, None]:
        """List the token providers by their names. See `stateward.TokenProviders.list`."""
        return self._portal.iterate(self._handle.list(page_size=page_size))

    def delete(
        self,
        provider: str | TokenProviderInfo,
        *,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """Delete a token provider. See `stateward.TokenProviders.delete`."""
        self._portal.run(self._handle.delete(provider, request_id=request_id, timeout=timeout))
