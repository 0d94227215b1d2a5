"""What a program behind the fence cannot do, and that machines are behind it."""

from __future__ import annotations

import asyncio
import ipaddress
import subprocess
import sys
from pathlib import Path

import pytest
from tests.hosts.kit import Rig
from tests.hosts.test_sandbox import result

from stateward_server.model.limits import HostLimits
from stateward_server.runtime import command, fence

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux keeps it")

TRIES = """
import errno, socket
for family in ("AF_INET", "AF_UNIX", "AF_INET6"):
    try:
        socket.socket(getattr(socket, family)).close()
        print(family, "made")
    except OSError as error:
        print(family, errno.errorcode[error.errno])
"""


def test_a_program_behind_the_fence_makes_no_ipv6_socket() -> None:
    words = [sys.executable, "-I", "-S", fence.__file__, sys.executable, "-c", TRIES]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert told.splitlines() == ["AF_INET made", "AF_UNIX made", "AF_INET6 EAFNOSUPPORT"]


def test_there_is_a_fence_for_each_processor_that_deno_is_made_for() -> None:
    assert len(fence.program("x86_64")) == len(fence.program("aarch64")) == 12 * 8
    with pytest.raises(KeyError):
        fence.program("pdp11")


def test_machines_are_behind_the_fence_unless_they_may_have_ipv6() -> None:
    fenced = command.arguments(Path("/s"), HostLimits())
    assert fence.__file__ in fenced
    free = command.arguments(Path("/s"), HostLimits(ipv6=True))
    assert free == fenced[fenced.index(fence.__file__) + 1 :]


@pytest.mark.parametrize("ipv6", [False, True])
async def test_machines_reach_ipv6_only_where_they_may(ipv6: bool) -> None:
    address = own_address()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret")
        writer.close()

    server = await asyncio.start_server(answer, address, 0)
    port = server.sockets[0].getsockname()[1]
    rig = Rig(HostLimits(ipv6=ipv6))
    try:
        got = await result(rig, f"fetch('http://[{address}]:{port}/').then((r) => r.text())")
        assert (got == "secret") is ipv6
    finally:
        server.close()
        await rig.pool.close()


def own_address() -> str:
    """Return an IPv6 address of this machine that is not loopback: a private one, as far as Deno knows."""
    table = Path("/proc/net/if_inet6")
    lines = table.read_text().splitlines() if table.exists() else []
    found = [ipaddress.IPv6Address(bytes.fromhex(line.split()[0])) for line in lines]
    for each in found:
        if not each.is_loopback and not each.is_link_local:
            return str(each)
    pytest.skip("this machine has no IPv6 address")
