"""Turns the SDK's errors into failures of the command, each with the next step to take.

A server that answered is a refusal (exit code 1); one that never did cannot be reached (exit code 3).
"""

from __future__ import annotations

from collections import defaultdict

from stateward import errors
from stateward_server.cli.failure import REFUSED, UNREACHABLE, Failure

_AGAIN = "nothing changed; run the command again"
_LOG_IN = (
    "log in: stateward login; on the server's own machine its data directory holds a profile as admin.json"
)
_CHOOSE = "choose one: stateward orgs list, then stateward orgs use ORG"
_HINTS = {
    "MODULE_EXPORT_MISSING": "a module exports a machine as default, and functions allowRead and allowWrite",
    "MODULE_XSTATE_UNSUPPORTED": "leave xstate an import, as --node does, and the server brings its own copy",
    "TOKEN_INVALID": _LOG_IN,
    "TOKEN_EXPIRED": _LOG_IN,
    "SCOPE_MISSING": "see who you are and what you may do: stateward whoami",
    "ORG_NOT_CHOSEN": _CHOOSE,
    "ORG_NOT_FOUND": _CHOOSE,
    "PERSON_REQUIRED": "use a person's profile: stateward login",
    "INVITATION_INVALID": "ask for a new one: stateward invitations create --role ROLE",
    "INVITATION_NOT_FOUND": "see the invitations: stateward invitations list",
    "MEMBER_NOT_FOUND": "see the members: stateward members list",
    "LAST_OWNER": "make somebody else an owner first: stateward members set-role MEMBER --role owner",
    "KEY_NOT_FOUND": "see the keys: stateward keys list",
    "IDENTITY_PROVIDER_NOT_FOUND": "see the identity providers: stateward identity-providers list",
    "TOKEN_PROVIDER_NOT_FOUND": "see the token providers: stateward token-providers list",
    "ACCESS_TOKEN_NOT_FOUND": "see your access tokens: stateward access-tokens list",
    "ACCESS_FULL": "list them, and delete those that are not needed",
    "SUBJECT_TOKEN_REJECTED": "bring a fresh token of one of the organisation's identity providers",
    "IDENTITY_PROVIDER_UNAVAILABLE": "run the command again; the server's log says why (key_set_unreadable)",
    "MACHINE_NOT_FOUND": (
        "see the machines: stateward machines list; "
        "or create it: stateward machines create {machine} --node FILE"
    ),
    "VERSION_NOT_FOUND": "see the versions: stateward machine-versions list --machine {machine}",
    "INSTANCE_NOT_FOUND": (
        "see the instances: stateward instances list --machine {machine}; "
        "or create it: stateward instances create --machine {machine} --instance {instance}"
    ),
    "MACHINE_EXISTS": "upload to it: stateward machine-versions create --machine {machine} --node FILE",
    "INSTANCE_EXISTS": "look at it: stateward instances get --machine {machine} --instance {instance}",
    "NO_CURRENT_VERSION": (
        "upload one: stateward machine-versions create --machine {machine} --node FILE --make-current"
    ),
    "MACHINE_HAS_INSTANCES": "delete them first: stateward instances list --machine {machine}",
    "INSTANCE_ENDED": "start another instance",
    "INSTANCE_PAUSED": "resume it: stateward instances resume --machine {machine} --instance {instance}",
    "INDEX_NOT_FOUND": "see its indexes: stateward machines get {machine}",
    "TIMER_NOT_FOUND": "see the timers: stateward instances timers --machine NAME --instance NAME",
    "DEAD_LETTER_NOT_FOUND": "see the dead letters: stateward dead-letters list --machine NAME",
    "DEAD_LETTER_NOT_RETRYABLE": "throw it away: stateward dead-letters discard --id {dead_letter} …",
    "REVISION_MISMATCH": "look again with stateward instances get, and send with the revision it shows",
    "STORE_CONFLICT": _AGAIN,
    "RESUME_TOKEN_EXPIRED": "watch again without the token",
    "RESUME_TOKEN_DIVERGED": "watch again without the token",
    "MAILBOX_FULL": "wait a little, then run the command again",
    "RATE_LIMITED": "wait a little, then run the command again",
    "SUBSCRIBER_TOO_SLOW": "read faster, or watch without --every-transition",
    "DRAINING": "the server is stopping: run the command again when it is back",
    "HOST_UNAVAILABLE": _AGAIN,
    "STORE_UNAVAILABLE": f"{_AGAIN}; if it stays so, the server's log says why (commit_failed)",
    "INTERNAL": "this is a bug; error id {error_id} finds it in the server's log",
}


def failure_of(error: errors.StatewardError, *, server: str, acting: bool) -> Failure:
    """Say what an error of the SDK means to the user.

    `server` is the address that was called; `acting` tells whether the user has said for whom it was.
    """
    if isinstance(error, errors.Unavailable | errors.DeadlineExceeded) and not error.reason:
        why = error.message.removeprefix(f"{server} is not available: ")
        return Failure(
            f"cannot reach the server at {server}: {why}",
            reason=error.code.value,
            hint="start one with: stateward serve --data DIR; or name another profile with --profile",
            exit_code=UNREACHABLE,
        )
    return Failure(
        error.message,
        reason=error.reason or error.code.value,
        hint=_hint(error, acting=acting),
        exit_code=REFUSED,
        details=error.metadata,
    )


def _hint(error: errors.StatewardError, *, acting: bool) -> str:
    match error.reason:
        case "REJECTED_BY_MACHINE_AUTHORIZER" if not acting:
            return 'say for whom you act: --auth-context \'{"sub": "…"}\''
        case "REJECTED_BY_MACHINE_AUTHORIZER":
            hint = (
                "ask why: stateward access explain send --event EVENT --role owner "
                "--machine {machine} --instance {instance} --auth-context JSON"
            )
        case "MODULE_LOAD_FAILED" if "import" in error.metadata:
            return "only xstate may stay an import: --node bundles the rest, --file does not"
        case reason:
            hint = _HINTS.get(reason, "")
    return hint.format_map(defaultdict(lambda: "NAME", error.metadata))
