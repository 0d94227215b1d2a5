"""The data directory: the server key, and on first start one organisation with an administrator.

`admin.json` (mode 0600) is a profile the CLI can use; its addresses are written anew at each start. Whoever
can read this directory is the administrator: if admin.json is missing, a new credential is made.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from stateward_server.auth.scopes import PRODUCTION
from stateward_server.auth.secrets import Secrets, credential_digest
from stateward_server.model.names import OrgId, mint
from stateward_server.ports.clock import Clock, Entropy
from stateward_server.ports.store import Access

_KEY_FILE = "server.key"
_ADMIN_FILE = "admin.json"


def prepare(data: Path, entropy: Entropy) -> Secrets:
    """Create the directory (0700) and the server key if need be. Raises OSError."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data / _KEY_FILE
    if not path.exists():
        _write_private(path, entropy.token_bytes(32))
    return Secrets(path.read_bytes())


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
    path = data / _ADMIN_FILE
    orgs = await access.list_orgs()
    if orgs and path.exists():
        profile = json.loads(path.read_text())
        return Administrator(profile["org"], profile["token"], profile["key_id"], profile["key_secret"])
    now = clock.now_ms()
    org = orgs[0] if orgs else OrgId(mint("org", entropy.token_bytes(16)))
    if not orgs:
        await access.create_org(org, now)
    token = mint("sba", entropy.token_bytes(32))
    key_id = mint("sbk", entropy.token_bytes(16))
    await access.put_credential(credential_digest(token), org, now)
    await access.put_key(key_id, org, sorted(PRODUCTION), now)
    return Administrator(org, token, key_id, secrets.signing_secret(key_id))


def write_profile(data: Path, administrator: Administrator, grpc: str, http: str) -> None:
    """Write admin.json whole, never half."""
    profile = {
        "grpc": grpc,
        "http": http,
        "org": administrator.org,
        "token": administrator.token,
        "key_id": administrator.key_id,
        "key_secret": administrator.key_secret,
    }
    _write_private(data / _ADMIN_FILE, json.dumps(profile, indent=2).encode() + b"\n")


def _write_private(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
