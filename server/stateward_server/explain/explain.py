"""Asks layer by layer what lets a call in or refuses it: token, organisation, scope, instance, authoriser.

Says more than the caller would learn, so it is for administrators, and about their own organisation only:
what is of another is explained as what is not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from stateward_server.auth.authenticator import UNKNOWN_KEY, UNKNOWN_TOKEN, Authenticator, BadToken
from stateward_server.auth.scopes import BY_METHOD, BY_ROLE, Door
from stateward_server.catalog.catalog import Machines
from stateward_server.engine.examiner import Examination, Examiner
from stateward_server.model.errors import FailedPrecondition, NotFound, PermissionDenied
from stateward_server.model.ledger import InstanceKey
from stateward_server.model.names import OrgId
from stateward_server.model.org import Role
from stateward_server.model.principal import Principal
from stateward_server.model.step import Denied, Failed
from stateward_server.orgs.keys import Keys

_PREFIX = "/stateward.v1."
_READING = frozenset(
    {
        "InstanceService.GetInstance",
        "SubscriptionService.WatchInstance",
        "SubscriptionService.WatchInstances",
    }
)
_SENDING = "InstanceService.SendEvent"
_CREATING = "InstanceService.CreateInstance"
METHODS = frozenset(method.removeprefix(_PREFIX).replace("/", ".") for method in BY_METHOD)
"""All that can be explained."""


class Layer(Enum):
    """What lets a call in."""

    TOKEN = "token"  # noqa: S105 - a name
    ORGANIZATION = "organization"
    SCOPE = "scope"
    INSTANCE = "instance"
    AUTHORIZER = "authorizer"


class Verdict(Enum):
    """What a layer says."""

    PASSED = "passed"
    REFUSED = "refused"
    FAILED = "failed"
    """It threw, or did not answer."""
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one layer says, and why."""

    layer: Layer
    verdict: Verdict
    detail: str
    reason: str = ""
    """Of the refusal that the caller would get."""


@dataclass(frozen=True, slots=True)
class Assumed:
    """A caller that is not there."""

    auth_json: str
    rights: str | Role | frozenset[str]
    """The id of a key, a member's role, or scopes."""


@dataclass(frozen=True, slots=True)
class Call:
    """What the caller would call."""

    method: str
    """One of METHODS."""
    key: InstanceKey | None
    event_json: str | None
    context_json: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What all layers say, in the order a call meets them."""

    findings: tuple[Finding, ...]
    auth_json: str
    """What authorisers get as authContext; blank for a token that is not valid."""
    revision: int
    """Of the state that was asked about; 0 where there is none."""

    @property
    def allowed(self) -> bool:
        return all(finding.verdict is Verdict.PASSED for finding in self.findings)


class Explainer:
    """Explains calls to the administrators of one organisation at a time."""

    def __init__(
        self, authenticator: Authenticator, keys: Keys, machines: Machines, examiner: Examiner
    ) -> None:
        self._authenticator = authenticator
        self._keys = keys
        self._machines = machines
        self._examiner = examiner

    async def explain(self, org: OrgId, caller: str | Assumed, call: Call) -> Explanation:
        """Explain a call that would come with a token, or from somebody assumed.

        Raises NotFound (KEY_NOT_FOUND), Unavailable.
        """
        if isinstance(caller, str):
            who, findings = await self._look_at(org, caller)
        else:
            who, findings = await self._assume(org, caller)
        if who is not None:
            findings.append(_scope(who, call.method))
        machine, revision = await self._ask_machine(org, who, call)
        return Explanation((*findings, *machine), who.auth_json if who else "", revision)

    async def _look_at(self, org: OrgId, token: str) -> tuple[Principal | None, list[Finding]]:
        try:
            who = await self._authenticator.authenticate(token, org)
        except BadToken as bad:
            foreign = bad.claimed is not None and bad.claimed.org != org
            cause = _unknown(token) if foreign else bad.cause
            return None, [Finding(Layer.TOKEN, Verdict.REFUSED, cause, bad.reason)]
        except PermissionDenied:
            return None, [Finding(Layer.TOKEN, Verdict.REFUSED, _unknown(token), "TOKEN_INVALID")]
        if who.role:
            kind, place = f"an access token of {who.subject}", f"a member: {who.role.value}"
        else:
            kind, place = f"signed with {who.subject}", "the key is the organisation's"
        return who, [
            Finding(Layer.TOKEN, Verdict.PASSED, kind),
            Finding(Layer.ORGANIZATION, Verdict.PASSED, place),
        ]

    async def _assume(self, org: OrgId, caller: Assumed) -> tuple[Principal, list[Finding]]:
        rights = caller.rights
        if isinstance(rights, Role):
            who = Principal(org, BY_ROLE[rights], caller.auth_json, "", role=rights)
            place = f"a member: {rights.value}"
        elif isinstance(rights, str):
            key = await self._keys.get(org, rights)
            who = Principal(org, frozenset(key.scopes), caller.auth_json, key.id)
            place = f"{key.id} is a key of the organisation"
        else:
            who = Principal(org, rights, caller.auth_json, "")
            place = "assumed"
        return who, [Finding(Layer.ORGANIZATION, Verdict.PASSED, place)]

    async def _ask_machine(self, org: OrgId, who: Principal | None, call: Call) -> tuple[list[Finding], int]:
        if call.method not in (*_READING, _SENDING, _CREATING):
            return [], 0
        if who is None:
            return _not_asked("nobody knows who calls"), 0
        if call.key is None:
            return _not_asked("name an instance to have it asked"), 0
        if call.method == _SENDING and call.event_json is None:
            return _not_asked("give the event to have it asked"), 0
        examination = await self._examine(org, who, call, call.key)
        if isinstance(examination, Finding):
            return [examination, *_not_asked("there is no machine to ask", instance=False)], 0
        return _machine(examination, call), examination.revision

    async def _examine(
        self, org: OrgId, who: Principal, call: Call, key: InstanceKey
    ) -> Examination | Finding:
        if call.method in _READING:
            return await self._examiner.read(key, who.auth_json)
        if call.method == _SENDING:
            return await self._examiner.send(key, call.event_json or "", who.auth_json)
        try:
            version = await self._machines.to_start(org, key.machine, None)
        except (NotFound, FailedPrecondition) as refusal:
            return Finding(Layer.INSTANCE, Verdict.REFUSED, refusal.message, refusal.reason)
        return await self._examiner.create(key, version, call.context_json, who.auth_json)


def _unknown(token: str) -> str:
    return UNKNOWN_KEY if token.count(".") == 2 else UNKNOWN_TOKEN


def _scope(who: Principal, method: str) -> Finding:
    need = BY_METHOD[_PREFIX + method.replace(".", "/")]
    if need is Door.PERSON and who.role is None:
        detail = "the call is for people, and a key speaks for none"
        return Finding(Layer.SCOPE, Verdict.REFUSED, detail, "PERSON_REQUIRED")
    if isinstance(need, Door):
        return Finding(Layer.SCOPE, Verdict.PASSED, "the call needs none")
    if need in who.scopes:
        return Finding(Layer.SCOPE, Verdict.PASSED, f"the call needs {need!r}, which is held")
    held = ", ".join(sorted(who.scopes)) or "none"
    return Finding(
        Layer.SCOPE, Verdict.REFUSED, f"the call needs {need!r}; held are: {held}", "SCOPE_MISSING"
    )


def _machine(examination: Examination, call: Call) -> list[Finding]:
    obstacle, verdict = examination.obstacle, examination.verdict
    if obstacle is not None:
        instance = Finding(Layer.INSTANCE, Verdict.REFUSED, obstacle.message, obstacle.reason)
    elif call.method == _CREATING:
        instance = Finding(Layer.INSTANCE, Verdict.PASSED, "there is none of this name yet")
    else:
        instance = Finding(Layer.INSTANCE, Verdict.PASSED, f"it is at revision {examination.revision}")
    if not examination.asked:
        return [instance, *_not_asked("there is no state to ask about", instance=False)]
    return [instance, _authorizer(verdict, "allowRead" if call.method in _READING else "allowWrite")]


def _authorizer(verdict: Denied | Failed | None, name: str) -> Finding:
    rejected = "REJECTED_BY_MACHINE_AUTHORIZER"
    match verdict:
        case None:
            return Finding(Layer.AUTHORIZER, Verdict.PASSED, f"{name} allows it")
        case Denied(""):
            return Finding(Layer.AUTHORIZER, Verdict.REFUSED, f"{name} does not allow it", rejected)
        case Denied(detail):
            return Finding(Layer.AUTHORIZER, Verdict.FAILED, detail, rejected)
        case Failed(reason, message):
            kind = Verdict.REFUSED if reason == "EVENT_RESERVED" else Verdict.FAILED
            return Finding(Layer.AUTHORIZER, kind, message, reason)


def _not_asked(why: str, *, instance: bool = True) -> list[Finding]:
    layers = (Layer.INSTANCE, Layer.AUTHORIZER) if instance else (Layer.AUTHORIZER,)
    return [Finding(layer, Verdict.NOT_ASKED, why) for layer in layers]
