"""The data directory: the server key, and on first start one organisation with an administrator.

`admin.json` (mode 0600) is a profile the CLI can use; its addresses are written anew at each start. Whoever
can read this directory is the administrator: if admin.json is missing, spoilt or of another store, a new
credential is made. The server key is never replaced, as every secret derives from it.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from stateward_server.auth.anonymous import Anonymous
from stateward_server.auth.scopes import PRODUCTION
from stateward_server.auth.seal import ProviderKeys
from stateward_server.auth.secrets import Secrets, token_digest
from stateward_server.model.names import OrgId, mint
from stateward_server.model.org import AccessToken, Key, Member, Org, Role, User
from stateward_server.ports.access import Access, Newcomer
from stateward_server.ports.clock import Clock, Entropy

_KEY_FILE = "server.key"
ADMIN_FILE = "admin.json"
_KEY_BYTES = 32
_CALLED = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - nothing listens because of this


def prepare(data: Path, entropy: Entropy) -> Secrets:
    """Create the directory (0700) and the server key if need be. Raises OSError.

    Called by the owner of the directory only: two at once would each make a key.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data / _KEY_FILE
    if not path.exists():
        _write_private(path, entropy.token_bytes(_KEY_BYTES))
    key = path.read_bytes()
    if len(key) < _KEY_BYTES:
        raise OSError(f"{path} is damaged: put it back from a backup")
    return Secrets(key)


@dataclass(frozen=True, slots=True)
class Administrator:
    """The contents of admin.json, without addresses."""

    org: str
    token: str
    key_id: str
    key_secret: str


async def ensure_administrator(
    data: Path, access: Access, secrets: Secrets, clock: Clock, entropy: Entropy
) -> Administrator:
    """Return the administrator of this directory, making organisation and credential when there is none."""
    known = await _known_administrator(_profile(data / ADMIN_FILE), access, secrets)
    if known is not None:
        return known
    orgs = await access.list_orgs("", 1)
    now = clock.now_ms()
    user = User(mint("usr", entropy.token_bytes(16)), "Administrator", now)
    org = orgs[0] if orgs else Org(OrgId(mint("org", entropy.token_bytes(16))), "default", now)
    if not orgs:
        anonymous = Anonymous(ProviderKeys(secrets, entropy), entropy)
        await access.create_org(org, user, anonymous.access(org.id, now), None)
    token = AccessToken(mint("sat", entropy.token_bytes(16)), user.id, ADMIN_FILE, now)
    secret = secrets.access_token(token.id)
    owner = Member(org.id, user, Role.OWNER, now)
    await access.put_newcomer(Newcomer(user, token, token_digest(secret)), owner)
    key = Key(mint("sbk", entropy.token_bytes(16)), org.id, ADMIN_FILE, tuple(sorted(PRODUCTION)), now)
    await access.create_key(key, sys.maxsize, None)
    return Administrator(org.id, secret, key.id, secrets.signing_secret(key.id))


@dataclass(frozen=True, slots=True)
class WayIn:
    """How a client on this machine reaches the server. Addresses are HOST:PORT, as they are listened on."""

    grpc: str
    http: str
    ca: Path | None = None
    """The certificate that the server shows, which a client has to trust; None without TLS."""
    server_name: str = ""
    """What that certificate calls the server."""
    allow_plaintext: bool = False


def write_profile(data: Path, administrator: Administrator, way_in: WayIn) -> None:
    """Write admin.json whole, never half."""
    profile: dict[str, object] = {
        "grpc": _reachable(way_in.grpc),
        "http": _reachable(way_in.http),
        "org": administrator.org,
        "token": administrator.token,
        "key_id": administrator.key_id,
        "key_secret": administrator.key_secret,
    }
    if way_in.ca is not None:
        profile["tls"] = {"ca": str(way_in.ca), "server_name": way_in.server_name}
    if way_in.allow_plaintext:
        profile["allow_plaintext"] = True
    _write_private(data / ADMIN_FILE, json.dumps(profile, indent=2).encode() + b"\n")


def _reachable(address: str) -> str:
    """Replace "all addresses of this machine" by one that can be called."""
    host, _, port = address.rpartition(":")
    return f"{_CALLED.get(host, host)}:{port}"


def _profile(path: Path) -> tuple[str, str] | None:
    """Return the token and the key id in admin.json, if it has them."""
    try:
        profile = json.loads(path.read_bytes())
        token, key_id = str(profile["token"]), str(profile["key_id"])
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
    return (token, key_id) if token.isascii() and key_id.isascii() else None


async def _known_administrator(
    profile: tuple[str, str] | None, access: Access, secrets: Secrets
) -> Administrator | None:
    """Return who the profile names, if this store knows them."""
    if profile is None:
        return None
    token, key_id = profile
    found = await access.find_token(token_digest(token))
    key = await access.get_key(key_id)
    if found is None or key is None:
        return None
    member = await access.get_member(key.org, found[1].id)
    if member is None or member.role is not Role.OWNER:
        return None
    return Administrator(key.org, token, key_id, secrets.signing_secret(key_id))


def _write_private(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    # The new name must be as durable as what a store beside it will come to depend on.
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
