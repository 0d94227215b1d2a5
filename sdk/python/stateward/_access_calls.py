"""The calls about who may do what, as data; see `_calls`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from . import _access_convert as convert
from ._calls import Call, Page, unary
from ._json import encode_event, encode_object
from ._names import child, instance_path
from .access import (
    AccessExplanation,
    AccessToken,
    AuditEntry,
    Identity,
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
from .v1 import access_service_pb2 as access
from .v1 import account_service_pb2 as accounts
from .v1 import audit_service_pb2 as audit
from .v1 import identity_provider_service_pb2 as identity_providers
from .v1 import key_service_pb2 as keys
from .v1 import member_service_pb2 as members
from .v1 import org_service_pb2 as orgs
from .v1 import provider_pb2
from .v1 import token_provider_service_pb2 as token_providers


def who_am_i() -> Call[Identity]:
    return unary(lambda stubs: stubs.accounts.WhoAmI, accounts.WhoAmIRequest(), convert.identity)


def create_org(display_name: str, *, deny_anonymous: bool, request_id: str) -> Call[Org]:
    return unary(
        lambda stubs: stubs.orgs.CreateOrg,
        orgs.CreateOrgRequest(
            display_name=display_name, deny_anonymous=deny_anonymous, request_id=request_id
        ),
        lambda response: convert.org(response.org),
        request_id,
    )


def get_org() -> Call[Org]:
    return unary(
        lambda stubs: stubs.orgs.GetOrg, orgs.GetOrgRequest(), lambda response: convert.org(response.org)
    )


def list_orgs(page_size: int, page_token: str) -> Call[Page[Org]]:
    return unary(
        lambda stubs: stubs.orgs.ListOrgs,
        orgs.ListOrgsRequest(page_size=page_size, page_token=page_token),
        lambda response: Page([convert.org(each) for each in response.orgs], response.next_page_token),
    )


def update_org(display_name: str | None, *, anonymous_access: bool | None, request_id: str) -> Call[Org]:
    return unary(
        lambda stubs: stubs.orgs.UpdateOrg,
        orgs.UpdateOrgRequest(
            display_name=display_name, anonymous_access=anonymous_access, request_id=request_id
        ),
        lambda response: convert.org(response.org),
        request_id,
    )


def list_members(page_size: int, page_token: str) -> Call[Page[Member]]:
    return unary(
        lambda stubs: stubs.members.ListMembers,
        members.ListMembersRequest(page_size=page_size, page_token=page_token),
        lambda response: Page([convert.member(each) for each in response.members], response.next_page_token),
    )


def update_member(member: str, role: Role, *, request_id: str) -> Call[Member]:
    return unary(
        lambda stubs: stubs.members.UpdateMember,
        members.UpdateMemberRequest(
            name=child("members", member, "member"), role=convert.role_number(role), request_id=request_id
        ),
        lambda response: convert.member(response.member),
        request_id,
    )


def delete_member(member: str, *, request_id: str) -> Call[None]:
    return unary(
        lambda stubs: stubs.members.DeleteMember,
        members.DeleteMemberRequest(name=child("members", member, "member"), request_id=request_id),
        lambda _: None,
        request_id,
    )


def create_invitation(role: Role, *, note: str, valid_hours: int, request_id: str) -> Call[NewInvitation]:
    return unary(
        lambda stubs: stubs.members.CreateInvitation,
        members.CreateInvitationRequest(
            role=convert.role_number(role), note=note, valid_hours=valid_hours, request_id=request_id
        ),
        convert.new_invitation,
        request_id,
    )


def list_invitations(page_size: int, page_token: str) -> Call[Page[Invitation]]:
    return unary(
        lambda stubs: stubs.members.ListInvitations,
        members.ListInvitationsRequest(page_size=page_size, page_token=page_token),
        lambda response: Page(
            [convert.invitation(each) for each in response.invitations], response.next_page_token
        ),
    )


def delete_invitation(invitation: str, *, request_id: str) -> Call[None]:
    return unary(
        lambda stubs: stubs.members.DeleteInvitation,
        members.DeleteInvitationRequest(
            name=child("invitations", invitation, "invitation"), request_id=request_id
        ),
        lambda _: None,
        request_id,
    )


def accept_invitation(code: str, *, display_name: str, request_id: str) -> Call[Joined]:
    return unary(
        lambda stubs: stubs.members.AcceptInvitation,
        members.AcceptInvitationRequest(code=code, display_name=display_name, request_id=request_id),
        convert.joined,
        request_id,
    )


def create_key(
    display_name: str, *, use: KeyUse | None, scopes: Sequence[str], request_id: str
) -> Call[NewKey]:
    return unary(
        lambda stubs: stubs.keys.CreateKey,
        keys.CreateKeyRequest(
            display_name=display_name, use=convert.use_number(use), scopes=scopes, request_id=request_id
        ),
        convert.new_key,
        request_id,
    )


def list_keys(page_size: int, page_token: str) -> Call[Page[Key]]:
    return unary(
        lambda stubs: stubs.keys.ListKeys,
        keys.ListKeysRequest(page_size=page_size, page_token=page_token),
        lambda response: Page([convert.key(each) for each in response.keys], response.next_page_token),
    )


def delete_key(key: str, *, request_id: str) -> Call[None]:
    return unary(
        lambda stubs: stubs.keys.DeleteKey,
        keys.DeleteKeyRequest(name=child("keys", key, "key"), request_id=request_id),
        lambda _: None,
        request_id,
    )


def put_identity_provider(settings: ProviderSettings, *, request_id: str) -> Call[IdentityProviderInfo]:
    provider = provider_pb2.IdentityProvider(
        issuer=settings.issuer or "",
        audience=settings.audience or "",
        algorithms=settings.algorithms,
        jwks_url=settings.jwks_url or "",
        key=settings.key or b"",
        mapping_json=encode_object(settings.mapping, "mapping"),
    )
    return unary(
        lambda stubs: stubs.identity_providers.PutIdentityProvider,
        identity_providers.PutIdentityProviderRequest(identity_provider=provider, request_id=request_id),
        lambda response: convert.identity_provider(response.identity_provider),
        request_id,
    )


def list_identity_providers(page_size: int, page_token: str) -> Call[Page[IdentityProviderInfo]]:
    return unary(
        lambda stubs: stubs.identity_providers.ListIdentityProviders,
        identity_providers.ListIdentityProvidersRequest(page_size=page_size, page_token=page_token),
        lambda response: Page(
            [convert.identity_provider(each) for each in response.identity_providers],
            response.next_page_token,
        ),
    )


def delete_identity_provider(provider: str, *, request_id: str) -> Call[None]:
    return unary(
        lambda stubs: stubs.identity_providers.DeleteIdentityProvider,
        identity_providers.DeleteIdentityProviderRequest(
            name=child("identityProviders", provider, "identity provider"), request_id=request_id
        ),
        lambda _: None,
        request_id,
    )


def put_token_provider(
    service: str, key: str, mapping: Mapping[str, object] | None, *, request_id: str
) -> Call[TokenProviderInfo]:
    provider = provider_pb2.TokenProvider(
        name=child("tokenProviders", service, "token provider"),
        key=child("keys", key, "key"),
        mapping_json=encode_object(mapping, "mapping") if mapping is not None else "",
    )
    return unary(
        lambda stubs: stubs.token_providers.PutTokenProvider,
        token_providers.PutTokenProviderRequest(token_provider=provider, request_id=request_id),
        lambda response: convert.token_provider(response.token_provider),
        request_id,
    )


def list_token_providers(page_size: int, page_token: str) -> Call[Page[TokenProviderInfo]]:
    return unary(
        lambda stubs: stubs.token_providers.ListTokenProviders,
        token_providers.ListTokenProvidersRequest(page_size=page_size, page_token=page_token),
        lambda response: Page(
            [convert.token_provider(each) for each in response.token_providers], response.next_page_token
        ),
    )


def delete_token_provider(service: str, *, request_id: str) -> Call[None]:
    return unary(
        lambda stubs: stubs.token_providers.DeleteTokenProvider,
        token_providers.DeleteTokenProviderRequest(
            name=child("tokenProviders", service, "token provider"), request_id=request_id
        ),
        lambda _: None,
        request_id,
    )


def create_access_token(display_name: str, *, request_id: str) -> Call[NewAccessToken]:
    return unary(
        lambda stubs: stubs.accounts.CreateAccessToken,
        accounts.CreateAccessTokenRequest(display_name=display_name, request_id=request_id),
        convert.new_access_token,
        request_id,
    )


def list_access_tokens(page_size: int, page_token: str) -> Call[Page[AccessToken]]:
    return unary(
        lambda stubs: stubs.accounts.ListAccessTokens,
        accounts.ListAccessTokensRequest(page_size=page_size, page_token=page_token),
        lambda response: Page(
            [convert.access_token(each) for each in response.access_tokens], response.next_page_token
        ),
    )


def delete_access_token(token: str, *, request_id: str) -> Call[None]:
    return unary(
        lambda stubs: stubs.accounts.DeleteAccessToken,
        accounts.DeleteAccessTokenRequest(
            name=child("accessTokens", token, "access token"), request_id=request_id
        ),
        lambda _: None,
        request_id,
    )


def list_audit_entries(
    page_size: int,
    page_token: str,
    *,
    subject: str | None,
    method: str | None,
    start: datetime | None,
    end: datetime | None,
) -> Call[Page[AuditEntry]]:
    return unary(
        lambda stubs: stubs.audit.ListAuditEntries,
        audit.ListAuditEntriesRequest(
            subject=subject or "",
            method=method or "",
            start_time=convert.timestamp(start),
            end_time=convert.timestamp(end),
            page_size=page_size,
            page_token=page_token,
        ),
        lambda response: Page(
            [convert.audit_entry(each) for each in response.audit_entries], response.next_page_token
        ),
    )


def explain_access(
    method: str,
    *,
    token: str | None,
    auth_context: Mapping[str, object] | None,
    key: str | None,
    role: Role | None,
    scopes: Sequence[str] | None,
    instance: tuple[str, str] | None,
    event: str | Mapping[str, object] | None,
    context: Mapping[str, object] | None,
) -> Call[AccessExplanation]:
    request = access.ExplainAccessRequest(
        method=method,
        name=instance_path(*instance) if instance else "",
        event_json="" if event is None else encode_event(event),
        context_json="" if context is None else encode_object(context, "the context"),
    )
    if token is not None:
        request.token = token
    else:
        request.assumed.auth_context_json = encode_object(auth_context or {}, "the auth context")
    if key is not None:
        request.assumed.key = child("keys", key, "key")
    if role is not None:
        request.assumed.role = convert.role_number(role)
    if scopes is not None:
        request.assumed.scopes.CopyFrom(access.ScopeSet(scopes=scopes))
    return unary(lambda stubs: stubs.access.ExplainAccess, request, convert.explanation)
