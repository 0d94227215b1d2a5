"""How organisations, keys and providers are written; see `shapes`. Secrets are only where one is made."""

from __future__ import annotations

from stateward import (
    AccessExplanation,
    AccessLayer,
    AccessToken,
    AuditEntry,
    Identity,
    IdentityProviderInfo,
    Invitation,
    Key,
    LayerVerdict,
    Member,
    Org,
    TokenProviderInfo,
)
from stateward_server.cli.output import Listing
from stateward_server.cli.shapes import Document, Facts, compact, second, timestamp

LAYER_COLUMNS = ("LAYER", "VERDICT", "REASON", "WHY")


def identity(me: Identity) -> Document:
    return {
        "subject": me.subject,
        "display_name": me.display_name or None,
        "org": me.org,
        "role": me.role.value if me.role else None,
        "scopes": list(me.scopes),
        "auth_context": me.auth_context,
        "expire_time": timestamp(me.expire_time) if me.expire_time else None,
    }


def identity_facts(me: Identity) -> Facts:
    return [
        ("subject", me.subject),
        ("name", me.display_name or "-"),
        ("org", me.org or "-"),
        ("role", me.role.value if me.role else "-"),
        ("scopes", ", ".join(me.scopes) or "-"),
        ("auth context", compact(me.auth_context)),
        ("expires", second(me.expire_time) if me.expire_time else "never"),
    ]


def org(seen: Org) -> Document:
    return {
        "org": seen.id,
        "display_name": seen.display_name,
        "anonymous_access": seen.anonymous_access,
        "role": seen.role.value if seen.role else None,
        "create_time": timestamp(seen.create_time),
    }


def org_row(seen: Org) -> tuple[str, ...]:
    role = seen.role.value if seen.role else "-"
    return seen.id, seen.display_name, role, _allowed(seen), second(seen.create_time)


def org_facts(seen: Org) -> Facts:
    names = ("org", "name", "role", "anonymous", "created")
    return list(zip(names, org_row(seen), strict=True))


def member(seen: Member) -> Document:
    return {
        "member": seen.id,
        "display_name": seen.display_name,
        "role": seen.role.value,
        "create_time": timestamp(seen.create_time),
    }


def member_row(seen: Member) -> tuple[str, ...]:
    return seen.id, seen.display_name or "-", seen.role.value, second(seen.create_time)


def invitation(seen: Invitation) -> Document:
    return {
        "invitation": seen.id,
        "role": seen.role.value,
        "note": seen.note,
        "create_time": timestamp(seen.create_time),
        "expire_time": timestamp(seen.expire_time),
    }


def invitation_row(seen: Invitation) -> tuple[str, ...]:
    return seen.id, seen.role.value, seen.note or "-", second(seen.create_time), second(seen.expire_time)


def key(seen: Key) -> Document:
    return {
        "key": seen.id,
        "display_name": seen.display_name,
        "scopes": list(seen.scopes),
        "create_time": timestamp(seen.create_time),
    }


def key_row(seen: Key) -> tuple[str, ...]:
    return seen.id, seen.display_name or "-", ", ".join(seen.scopes), second(seen.create_time)


def identity_provider(seen: IdentityProviderInfo) -> Document:
    return {
        "identity_provider": seen.id,
        "issuer": seen.issuer,
        "audience": seen.audience,
        "algorithms": list(seen.algorithms),
        "jwks_url": seen.jwks_url,
        "mapping": seen.mapping,
        "create_time": timestamp(seen.create_time),
    }


def identity_provider_row(seen: IdentityProviderInfo) -> tuple[str, ...]:
    return (
        seen.id,
        seen.issuer or "any",
        seen.audience or "any",
        ", ".join(seen.algorithms),
        seen.jwks_url or "given",
        second(seen.create_time),
    )


def token_provider(seen: TokenProviderInfo) -> Document:
    return {
        "token_provider": seen.service,
        "key": seen.key,
        "mapping": seen.mapping,
        "create_time": timestamp(seen.create_time),
    }


def token_provider_row(seen: TokenProviderInfo) -> tuple[str, ...]:
    mapping = "all" if seen.mapping is None else compact(seen.mapping)
    return seen.service, seen.key, mapping, second(seen.create_time)


def access_token(seen: AccessToken) -> Document:
    return {
        "access_token": seen.id,
        "display_name": seen.display_name,
        "create_time": timestamp(seen.create_time),
        "current": seen.current,
    }


def access_token_row(seen: AccessToken) -> tuple[str, ...]:
    return seen.id, seen.display_name or "-", second(seen.create_time), "*" if seen.current else ""


def _allowed(seen: Org) -> str:
    return "allowed" if seen.anonymous_access else "denied"


def audit_entry(seen: AuditEntry) -> Document:
    return {
        "audit_entry": seen.id,
        "create_time": timestamp(seen.create_time),
        "subject": seen.subject,
        "method": seen.method,
        "resource": seen.resource,
        "acting": seen.acting,
        "sub": seen.sub,
        "sid": seen.sid,
        "peer": seen.peer,
        "outcome": seen.outcome,
    }


def audit_row(seen: AuditEntry) -> tuple[str, ...]:
    whom = (seen.sub or seen.sid or "somebody") if seen.acting else "-"
    return (
        *(second(seen.create_time), seen.subject or "-", seen.method, seen.resource or "-"),
        *(whom, seen.peer, seen.outcome or "unfinished"),
    )


def explanation(seen: AccessExplanation) -> Document:
    return {
        "allowed": seen.allowed,
        "layers": [
            {
                "layer": each.layer,
                "verdict": each.verdict.name.lower(),
                "reason": each.reason,
                "detail": each.detail,
            }
            for each in seen.layers
        ],
        "auth_context": seen.auth_context,
        "revision": seen.revision,
    }


def layer_row(seen: AccessLayer) -> tuple[str, ...]:
    return (seen.layer, seen.verdict.value, seen.reason or "-", seen.detail)


def conclusion(seen: AccessExplanation) -> str:
    if seen.allowed:
        return "The call would be let in."
    refusing = (LayerVerdict.REFUSED, LayerVerdict.FAILED)
    first = next((each for each in seen.layers if each.verdict in refusing), None)
    if first is None:
        return "Nothing refuses the call, but not every layer could be asked."
    return f"The call would be refused by the layer {first.layer!r} with {first.reason}."


ACCESS_TOKENS = Listing(
    "access_tokens", ("TOKEN", "NAME", "CREATED", "CURRENT"), access_token, access_token_row
)
AUDIT_ENTRIES = Listing(
    "audit_entries",
    ("TIME", "SUBJECT", "METHOD", "RESOURCE", "FOR", "PEER", "OUTCOME"),
    audit_entry,
    audit_row,
)
IDENTITY_PROVIDERS = Listing(
    "identity_providers",
    ("PROVIDER", "ISSUER", "AUDIENCE", "ALGORITHMS", "KEYS", "CREATED"),
    identity_provider,
    identity_provider_row,
)
INVITATIONS = Listing(
    "invitations", ("INVITATION", "ROLE", "NOTE", "CREATED", "EXPIRES"), invitation, invitation_row
)
KEYS = Listing("keys", ("KEY", "NAME", "SCOPES", "CREATED"), key, key_row)
MEMBERS = Listing("members", ("MEMBER", "NAME", "ROLE", "JOINED"), member, member_row)
TOKEN_PROVIDERS = Listing(
    "token_providers", ("SERVICE", "KEY", "MAPPING", "CREATED"), token_provider, token_provider_row
)


def orgs(current: str | None) -> Listing[Org]:
    """Return how organisations are listed of which `current` is the one that is worked in."""
    return Listing(
        "orgs",
        ("ORG", "NAME", "ROLE", "ANONYMOUS", "CREATED", "CURRENT"),
        lambda seen: {**org(seen), "current": seen.id == current},
        lambda seen: (*org_row(seen), "*" if seen.id == current else ""),
    )
