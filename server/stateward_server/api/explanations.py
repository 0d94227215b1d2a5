"""AccessService: why a caller may or may not do something."""

from __future__ import annotations

from stateward.v1 import access_service_pb2 as pb
from stateward.v1 import access_service_pb2_grpc as rpc
from stateward_server.api import convert, convert_access
from stateward_server.api.caller import Context, caller
from stateward_server.api.paths import parse_id, parse_instance
from stateward_server.auth.authenticator import auth_context
from stateward_server.auth.scopes import ALL
from stateward_server.explain.explain import METHODS, Assumed, Call, Explainer, Finding, Layer, Verdict
from stateward_server.model.errors import InvalidArgument
from stateward_server.model.org import Role

_LAYER = {
    Layer.TOKEN: pb.LAYER_TOKEN,
    Layer.ORGANIZATION: pb.LAYER_ORGANIZATION,
    Layer.SCOPE: pb.LAYER_SCOPE,
    Layer.INSTANCE: pb.LAYER_INSTANCE,
    Layer.AUTHORIZER: pb.LAYER_AUTHORIZER,
}
_VERDICT = {
    Verdict.PASSED: pb.ACCESS_VERDICT_PASSED,
    Verdict.REFUSED: pb.ACCESS_VERDICT_REFUSED,
    Verdict.FAILED: pb.ACCESS_VERDICT_FAILED,
    Verdict.NOT_ASKED: pb.ACCESS_VERDICT_NOT_ASKED,
}


class AccessServicer(rpc.AccessServiceServicer):
    """Converts, calls one room, converts back."""

    def __init__(self, explainer: Explainer) -> None:
        self._explainer = explainer

    async def ExplainAccess(
        self, request: pb.ExplainAccessRequest, _context: Context
    ) -> pb.ExplainAccessResponse:
        org = caller.get().org
        if request.method not in METHODS:
            raise InvalidArgument(
                "INVALID_FIELD",
                f"there is no RPC {request.method[:80]!r}: name one such as 'InstanceService.SendEvent'",
                field="method",
            )
        call = Call(
            request.method,
            parse_instance(request.name, "name", org) if request.name else None,
            convert.event(request.event_json) if request.event_json else None,
            convert.context(request.context_json),
        )
        match request.WhichOneof("caller"):
            case "token":
                who: str | Assumed = request.token
            case "assumed":
                who = _assumed(request.assumed)
            case _:
                raise InvalidArgument("INVALID_FIELD", "say who calls: a token, or assumed", field="caller")
        found = await self._explainer.explain(org, who, call)
        return pb.ExplainAccessResponse(
            allowed=found.allowed,
            layers=map(_layer, found.findings),
            auth_context_json=found.auth_json,
            revision=found.revision,
        )


def _assumed(message: pb.AssumedCaller) -> Assumed:
    return Assumed(auth_context(message.auth_context_json.encode() or b"{}"), _rights(message))


def _rights(message: pb.AssumedCaller) -> str | Role | frozenset[str]:
    match message.WhichOneof("rights"):
        case "key":
            return parse_id(message.key, "key", "keys")
        case "role":
            return convert_access.role(message.role)
        case "scopes":
            scopes = frozenset(message.scopes.scopes)
            for unknown in sorted(scopes - ALL):
                raise InvalidArgument("INVALID_FIELD", f"there is no scope {unknown[:80]!r}", field="scopes")
            return scopes
        case _:
            raise InvalidArgument(
                "INVALID_FIELD", "say where the scopes come from: a key, a role, or a list", field="rights"
            )


def _layer(finding: Finding) -> pb.AccessLayer:
    return pb.AccessLayer(
        layer=_LAYER[finding.layer],
        verdict=_VERDICT[finding.verdict],
        reason=finding.reason,
        detail=finding.detail,
    )
