"""Every bound of a server, in one frozen value: handed down from `app.py`, served by GetLimits.

Times are milliseconds, sizes are in the unit the name says. What users are told of it is in `published.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field


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
    """Bounds of uploaded modules; counts are per organisation."""

    gzip_bytes: int = 1_000_000
    text_bytes: int = 10_000_000
    checks: int = 2
    """Modules that are checked at once."""
    checks_asked: int = 16
    """Modules that are checked or wait for it: each is held in memory."""


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
    inspections: int = 4
    """Modules that are checked at once, each in a process beside those in use."""
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
    ipv6: bool = False
    """Whether machines reach IPv6 addresses: private ones too, as only all of them can be denied."""
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
