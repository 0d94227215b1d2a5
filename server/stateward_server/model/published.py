"""What users are told of the limits: served by GetLimits, and written into `docs/limits.md`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from stateward_server.model.limits import Limits


class Unit(Enum):
    """What a limit counts."""

    COUNT = "count"
    BYTES = "bytes"
    MILLISECONDS = "ms"
    CHARACTERS = "characters"


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit as users see it; `beyond` says what happens, `reason` is that of a refusal."""

    name: str
    value: int
    unit: Unit
    description: str
    beyond: str
    reason: str = ""


def published(limits: Limits) -> tuple[Limit, ...]:
    """Return what users are told, in the order of docs/limits.md."""
    api, modules, watch, engine, hosts, rates, access = (
        limits.api,
        limits.modules,
        limits.watch,
        limits.engine,
        limits.hosts,
        limits.rates,
        limits.access,
    )
    count, size, ms, characters = Unit.COUNT, Unit.BYTES, Unit.MILLISECONDS, Unit.CHARACTERS
    killed = "the process is killed"
    unchanged = "the event changes nothing"
    return (
        Limit(
            "name_characters",
            api.name_characters,
            characters,
            "Name of a machine or an instance: letters, digits, `-`, `_`",
            "",
            "INVALID_NAME",
        ),
        Limit("request_bytes", api.request_bytes, size, "One request", "", "REQUEST_TOO_LARGE"),
        Limit("event_bytes", api.event_bytes, size, "An event, as JSON", "", "REQUEST_TOO_LARGE"),
        Limit("module_gzip_bytes", modules.gzip_bytes, size, "A module, gzipped", "", "MODULE_TOO_LARGE"),
        Limit("module_text_bytes", modules.text_bytes, size, "A module, as text", "", "MODULE_TOO_LARGE"),
        Limit(
            "module_checks",
            modules.checks,
            count,
            "Modules of one organisation that are checked at once",
            "others wait",
        ),
        Limit(
            "module_checks_asked",
            modules.checks_asked,
            count,
            "Modules of one organisation that are checked or wait for it",
            "",
            "RATE_LIMITED",
        ),
        Limit("module_load_ms", hosts.load_ms, ms, "Time to load a module", "", "MODULE_TIMED_OUT"),
        Limit(
            "client_info_characters",
            api.client_info_characters,
            characters,
            "Note with a version (`client_info`)",
            "",
            "INVALID_FIELD",
        ),
        Limit(
            "context_bytes", hosts.context_bytes, size, "A context, as JSON", unchanged, "CONTEXT_TOO_LARGE"
        ),
        Limit("indexes", api.indexes, count, "Indexes of one machine", "", "INVALID_FIELD"),
        Limit(
            "selector_characters",
            api.selector_characters,
            characters,
            "Selector of an index",
            "",
            "INVALID_FIELD",
        ),
        Limit(
            "index_values",
            hosts.index_values,
            count,
            "Values that one index finds in one state",
            unchanged,
            "INDEX_TOO_LARGE",
        ),
        Limit(
            "index_value_bytes",
            hosts.index_value_bytes,
            size,
            "A value in an index",
            unchanged,
            "INDEX_TOO_LARGE",
        ),
        Limit("step_ms", hosts.deadline_ms, ms, "Time to compute one step", killed, "MACHINE_TIMED_OUT"),
        Limit(
            "step_iterations",
            hosts.iterations,
            count,
            "Transitions without an event in one step",
            unchanged,
            "MACHINE_LOOPED",
        ),
        Limit(
            "step_messages",
            hosts.messages,
            count,
            "Messages to other instances in one step",
            unchanged,
            "MESSAGE_INVALID",
        ),
        Limit(
            "heap_bytes",
            hosts.heap_mb * 1_048_576,
            size,
            "JavaScript heap of a machine's process",
            killed,
            "MACHINE_OUT_OF_MEMORY",
        ),
        Limit(
            "resident_bytes",
            hosts.rss_mb * 1_048_576,
            size,
            "All memory of a machine's process",
            killed,
            "MACHINE_OUT_OF_MEMORY",
        ),
        Limit(
            "host_processes",
            hosts.processes,
            count,
            "Machine processes at once (setting `host_processes`)",
            "the idlest gives way",
        ),
        Limit(
            "settle_ms",
            engine.settle_ms,
            ms,
            "Time for services after the last external event (setting `settle_seconds`)",
            "services are stopped, the machine gets their error events",
        ),
        Limit(
            "wait_ms",
            api.wait_ms,
            ms,
            "`wait` of a call, or the settle limit where that is longer",
            "the reply has the newest state and `condition_met` false",
        ),
        Limit("mailbox", engine.mailbox, count, "Events waiting at one instance", "", "MAILBOX_FULL"),
        Limit(
            "attempts",
            engine.attempts,
            count,
            "Attempts at a timer, a message, a child's creation",
            "it becomes a dead letter",
        ),
        Limit(
            "backoff_ms",
            engine.backoff_ms,
            ms,
            "Pause after the first failed attempt",
            "each further pause is four times as long, up to an hour",
        ),
        Limit(
            "page", api.page, count, f"Page of a list, {api.page_default} by default", "larger sizes are cut"
        ),
        Limit(
            "watches",
            watch.watches,
            count,
            "Instances watched on one `WatchInstances` stream",
            "",
            "TOO_MANY_WATCHES",
        ),
        Limit(
            "watch_buffer_bytes",
            watch.buffer_bytes,
            size,
            "Unread states of one `EVERY_TRANSITION` stream",
            "the SDK resumes",
            "SUBSCRIBER_TOO_SLOW",
        ),
        Limit(
            "watch_send_ms",
            watch.send_ms,
            ms,
            "Time to take a frame of a stream (setting `send_seconds`)",
            "the SDK resumes",
            "SUBSCRIBER_TOO_SLOW",
        ),
        Limit("watch_progress_ms", watch.progress_ms, ms, "Silence on a stream", "a `progress` frame comes"),
        Limit(
            "filter_terms",
            api.filter_terms,
            count,
            "States, tags, or conditions on indexes, in one filter",
            "",
            "INVALID_FIELD",
        ),
        Limit(
            "org_requests_per_second",
            rates.org_per_second,
            count,
            "Requests of an organisation in a second, twice as many at once (setting); 0 is no limit",
            "the SDK waits",
            "RATE_LIMITED",
        ),
        Limit(
            "key_requests_per_second",
            rates.key_per_second,
            count,
            "Requests with one key in a second, twice as many at once (setting); 0 is no limit",
            "the SDK waits",
            "RATE_LIMITED",
        ),
        Limit(
            "failed_tokens_per_second",
            rates.failures_per_second,
            count,
            "Invalid tokens from one address in a second, ten times as many at once (setting); 0 is no limit",
            "from there only tokens known to be good are let in",
            "RATE_LIMITED",
        ),
        Limit(
            "open_requests_per_second",
            rates.open_per_second,
            count,
            "Requests without a token (`ExchangeToken`, `AcceptInvitation`) from one address in a second, "
            "ten times as many at once (setting); 0 is no limit",
            "the SDK waits",
            "RATE_LIMITED",
        ),
        Limit("token_bytes", api.token_bytes, size, "A bearer token", "", "TOKEN_INVALID"),
        Limit(
            "auth_context_bytes",
            api.auth_context_bytes,
            size,
            "Claims to act for (`auth_context`)",
            "",
            "INVALID_JSON",
        ),
        Limit("keys", access.keys, count, "Keys of an organisation", "", "ACCESS_FULL"),
        Limit("invitations", access.invitations, count, "Open invitations", "", "ACCESS_FULL"),
        Limit(
            "providers",
            access.providers,
            count,
            "Identity providers of an organisation; token providers likewise",
            "",
            "ACCESS_FULL",
        ),
        Limit("access_tokens", access.access_tokens, count, "Access tokens of a person", "", "ACCESS_FULL"),
        Limit(
            "invitation_ms",
            access.invitation_hours * 3_600_000,
            ms,
            "Time in which an invitation can be taken up",
            "",
            "INVALID_FIELD",
        ),
    )
