"""How a host process is started: the sandbox flags, the empty environment, the limits of the kernel.

The process is the wall between tenants: it may read and write nothing but its socket (and gives that up once
connected), run nothing, import nothing, and reach no private address. Nor any of IPv6, of which Deno can
deny no ranges, unless an operator says so.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from deno import find_deno_bin  # type: ignore[import-untyped]  # the package has no stubs

from stateward_server.model.limits import HostLimits

_FENCE = Path(__file__).with_name("fence.py")
BUNDLE = Path(__file__).with_name("xstate") / "dist" / "host.js"

# A name is resolved before the address is checked, so a public name of a private address is refused too.
_PRIVATE = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "[::]",
    "[::1]",
)
# Where certificates are found; an operator's choice must reach the process that fetches.
_PASSED_ON = ("DENO_CERT", "DENO_TLS_CA_STORE", "SSL_CERT_FILE", "SSL_CERT_DIR")


def arguments(socket: Path, limits: HostLimits) -> list[str]:
    """Return the command line of a process that will connect to `socket`."""
    return [
        *_fence(limits),
        find_deno_bin(),
        "run",
        "--quiet",
        "--no-prompt",
        "--cached-only",
        "--no-config",
        "--no-lock",
        "--no-npm",
        "--no-remote",
        "--no-check",
        "--no-code-cache",
        f"--v8-flags=--max-old-space-size={limits.heap_mb},--max-semi-space-size=4",
        f"--allow-read={socket}",
        f"--allow-write={socket}",
        "--allow-net",
        f"--deny-net={','.join(_PRIVATE)}",
        str(BUNDLE),
        str(socket),
    ]


def _fence(limits: HostLimits) -> list[str]:
    if limits.ipv6 or sys.platform != "linux":
        return []
    # Without site packages and what the environment says, an interpreter starts in half the time.
    return [sys.executable, "-I", "-S", "-B", str(_FENCE)]


def environment() -> dict[str, str]:
    # Deno keeps localStorage and caches under DENO_DIR without asking anyone: it must be nowhere.
    env = {"DENO_DIR": "/dev/null/nowhere", "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}
    return env | {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


def restrain(pid: int, limits: HostLimits) -> None:
    """Set the kernel's limits from outside; forking with a hook is not safe in a process with threads."""
    if sys.platform != "linux":
        return  # elsewhere only the heap limit and the deadline hold
    data = limits.data_mb * 1024 * 1024
    for kind, value in ((resource.RLIMIT_DATA, data), (resource.RLIMIT_FSIZE, 0)):
        resource.prlimit(pid, kind, (value, value))
    # One byte is not enough for a core, and keeps it from programs that collect them, too: see core(5).
    core = 1 if resource.prlimit(pid, resource.RLIMIT_CORE)[1] else 0
    resource.prlimit(pid, resource.RLIMIT_CORE, (core, core))


def allow_cpu(pid: int, seconds: int) -> float:
    """Let the process use that much more processor time: without a server that renews it, it ends.

    Return the seconds it has used so far, 0 where that cannot be told.
    """
    if sys.platform != "linux":
        return 0.0
    used = _cpu_seconds(pid)
    resource.prlimit(pid, resource.RLIMIT_CPU, (int(used) + seconds, resource.RLIM_INFINITY))
    return used


def resident_bytes(pid: int) -> int:
    """Return how much memory a process holds, 0 where that cannot be told."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * resource.getpagesize()


def _cpu_seconds(pid: int) -> float:
    # The name of the process, in brackets, may hold spaces: count the fields behind it.
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
