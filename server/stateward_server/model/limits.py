"""Every bound of a server, in one frozen value: handed down from `app.py`, served by GetLimits.

Times are milliseconds, sizes are in the unit the name says. `published` is what users are told;
`docs/limits.md` is written from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """Bounds of a call."""

    name_characters: int = 128
    """Length of a machine's or an instance's name; the grammar in `names.py` says the same."""
    request_bytes: int = 4 * 1024 * 1024
    event_bytes: int = 400_000
    wait_ms: int = 90_000
    """The settle limit where that is longer: what waits for it must outlast it."""
    page: int = 1_000
    page_default: int = 50
    client_info_characters: int = 256
    token_bytes: int = 16_384
    auth_context_bytes: int = 16_384
    filter_terms: int = 100
    indexes: int = 16
    """Indexes of one machine."""
    selector_characters: int = 256


@dataclass(frozen=True, slots=True)
class AccessLimits:
    """Bounds of what lets people in."""

    keys: int = 1_000
    invitations: int = 1_000
    providers: int = 100
    """Identity providers of an organisation; token providers likewise."""
    access_tokens: int = 100
    """Access tokens of a person."""
    invitation_hours: int = 720
    display_characters: int = 128


@dataclass(frozen=True, slots=True)
class ModuleLimits:
    """Bounds of an uploaded module, in bytes."""

    gzip_bytes: int = 1_000_000
    text_bytes: int = 10_000_000


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """Bounds of subscriptions."""

    buffer_bytes: int = 4_000_000
    frame_bytes: int = 500_000
    """States that share a frame; a larger one comes alone."""
    progress_ms: int = 15_000
    send_ms: int = 20_000
    """How long a reader may leave a frame unread before its stream is closed."""
    watches: int = 10_000


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Bounds of the engine; counts are per instance unless they say otherwise."""

    settle_ms: int = 90_000
    """Services may run this long after the last external event."""
    mailbox: int = 1024
    """Events waiting at one instance; more are refused with MAILBOX_FULL."""
    batch: int = 64
    """Events of one instance that share a hop to the host and a commit."""
    awake: int = 10_000
    """Instances held in memory by the whole server; idle ones beyond it are put to sleep."""
    timers_near: int = 4096
    """Timers held in memory by the whole server; the rest stay on disk until they are near."""
    ringing: int = 256
    """Instances that the whole server wakes for due timers at once."""
    ringing_each: int = 64
    """Due timers held for one of them, before its actor is asked for all of them."""
    relays: int = 64
    """Pairs of sender and receiver the whole server delivers for at once."""
    owed_near: int = 4096
    """Parcels of the outbox held in memory by the whole server."""
    owed_each: int = 64
    """Parcels held in memory for one pair of sender and receiver."""
    attempts: int = 5
    """How often a timer, a message or a spawn is tried before it becomes a dead letter."""
    backoff_ms: int = 2_000
    """Pause after the first failed attempt; each further pause is four times as long, up to an hour."""
    flush_pace_ms: int = 5
    """Distance that flushes keep while it gathers many commits in each; 0 never holds one back."""
    retry_ms: int = 1_000
    """First pause after trouble of the server's own, which is no attempt; doubles up to a minute."""


@dataclass(frozen=True, slots=True)
class HostLimits:
    """Bounds of the machine hosts. Times are in milliseconds, sizes in the unit the name says."""

    processes: int = 64
    """Processes alive at once, one per machine version in use; the idlest gives way to a new one."""
    spares: int = 1
    """Processes kept ready for the next version."""
    starts: int = 2
    """Processes starting at once."""
    deadline_ms: int = 5_000
    """How long one request may keep a process busy before it is killed."""
    authoriser_ms: int = 5_000
    """How long an authoriser that answers with a promise may take."""
    load_ms: int = 10_000
    """How long a module may take to evaluate."""
    heap_mb: int = 128
    """The JavaScript heap of a process."""
    data_mb: int = 1_024
    """All private memory of a process, mapped or not; an idle one maps about 560 MB."""
    rss_mb: int = 512
    """Memory a process may hold resident before it is killed."""
    context_bytes: int = 400_000
    """The JSON of a context."""
    index_values: int = 100
    """Values that one index finds in one state."""
    index_value_bytes: int = 1_024
    iterations: int = 10_000
    """Microsteps in one step, after which the machine is said to loop."""
    messages: int = 1_000
    """Messages to other instances in one step."""
    log_bytes: int = 16_000
    """One line of a console."""
    log_lines: int = 200
    """Lines of one process in a second."""
    frame_bytes: int = 32_000_000
    """One answer of a process; a longer one ends it."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """How often in a second; 0 is without limit."""

    org_per_second: int = 0
    """Requests of all callers of an organisation."""
    key_per_second: int = 0
    """Requests of all callers with one key."""
    failures_per_second: int = 100
    """Tokens from one address that cannot be verified."""
    open_per_second: int = 100
    """Calls from one address that need no token, such as exchanges of tokens."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Every bound of a server."""

    api: ApiLimits = field(default_factory=ApiLimits)
    modules: ModuleLimits = field(default_factory=ModuleLimits)
    watch: WatchLimits = field(default_factory=WatchLimits)
    engine: EngineLimits = field(default_factory=EngineLimits)
    hosts: HostLimits = field(default_factory=HostLimits)
    rates: RateLimits = field(default_factory=RateLimits)
    access: AccessLimits = field(default_factory=AccessLimits)


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
