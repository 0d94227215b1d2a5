"""Two questions over HTTP: does the process live, and does it take calls."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator

import pytest

from stateward_server.web.health import HealthServer


class Switch:
    ready = False


@pytest.fixture
def switch() -> Switch:
    return Switch()


@pytest.fixture
async def port(switch: Switch) -> AsyncIterator[int]:
    server = HealthServer("127.0.0.1", 0, lambda: switch.ready)
    running = asyncio.ensure_future(server.run())
    yield server.port
    server.stop()
    await running


async def get(port: int, path: str) -> tuple[int, dict[str, str], bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


async def test_a_live_process_is_healthy_before_it_is_ready(port: int):
    status, _, body = await get(port, "/healthz")
    assert (status, json.loads(body)) == (200, {"alive": True})


async def test_it_is_ready_while_it_takes_calls(port: int, switch: Switch):
    assert (await get(port, "/readyz"))[0] == 503
    switch.ready = True
    status, headers, body = await get(port, "/readyz")
    assert (status, json.loads(body)) == (200, {"ready": True})
    assert headers["content-type"] == "application/json"
    switch.ready = False
    assert (await get(port, "/readyz"))[0] == 503


async def test_there_is_nothing_else(port: int):
    status, headers, _ = await get(port, "/")
    assert status == 404
    assert "server" not in headers


@pytest.mark.filterwarnings("error")
async def test_a_taken_address_is_an_error_at_once(port: int):
    with pytest.raises(OSError, match="in use"):
        HealthServer("127.0.0.1", port, lambda: True)
    gc.collect()


async def test_who_comes_before_it_runs_waits(switch: Switch):
    server = HealthServer("127.0.0.1", 0, lambda: switch.ready)
    _, early = await asyncio.open_connection("127.0.0.1", server.port)
    running = asyncio.ensure_future(server.run())
    assert (await get(server.port, "/healthz"))[0] == 200
    early.close()
    await early.wait_closed()
    server.stop()
    await running
