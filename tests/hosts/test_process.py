"""A host process from the inside: what becomes of frames for one that has just ended."""

from __future__ import annotations

import asyncio

import pytest

from stateward_server.model.limits import HostLimits
from stateward_server.runtime.frames import encode
from stateward_server.runtime.process import HostProcess, Verdict


class Wire(asyncio.Transport):
    """Refuses to write once it is closed, as uvloop's does."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: object) -> None:
        if self.closed:
            raise RuntimeError("the handler is closed")
        assert isinstance(data, bytes)
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.closed


class Owner:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.inboxes: list[int] = []
        self.lines: list[tuple[int | None, str, str]] = []

    def inbox(self, uid: int) -> None:
        self.inboxes.append(uid)

    def logged(self, uid: int | None, level: str, text: str) -> None:
        self.lines.append((uid, level, text))

    def ended(self, process: HostProcess) -> None:
        """Nobody asks."""


def owned(limits: HostLimits | None = None) -> tuple[HostProcess, Owner]:
    process, owner = HostProcess(limits or HostLimits()), Owner()
    process.owner = owner
    process.connection_made(Wire())
    process.uids.add(7)
    return process, owner


async def test_an_inbox_is_announced_once_until_it_is_asked_for() -> None:
    process, owner = owned()
    process.data_received(encode([0, "inbox", 7]) * 500)
    assert owner.inboxes == [7]
    process.announced.discard(7)
    process.data_received(encode([0, "inbox", 7]))
    assert owner.inboxes == [7, 7]
    assert process.alive


@pytest.mark.parametrize("frame", [[0, "log", None, "info", "x"], [0, "inbox", 8], [0, "what", None]])
async def test_a_process_that_floods_the_server_is_ended(frame: list[object]) -> None:
    process, owner = owned(HostLimits(log_lines=10))
    process.data_received(encode(frame) * 5_000)
    assert not process.alive
    # The second may have turned meanwhile.
    assert len(owner.lines) <= 2 * 1_020


async def test_a_line_of_a_console_is_what_the_host_would_have_made_of_it() -> None:
    process, owner = owned(HostLimits(log_bytes=10))
    process.data_received(encode([0, "log", 8, "x" * 1000, "y" * 1000]))
    assert owner.lines == [(None, "info", "y" * 11)]


async def test_a_promised_answer_has_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    process, _ = owned(HostLimits(deadline_ms=10, authoriser_ms=10))
    process.request("step", 7)
    process.data_received(encode([0, "later", 1]))
    ended = loop.create_future()
    monkeypatch.setattr(process, "kill", ended.set_result)
    async with asyncio.timeout(20):
        verdict = await ended
    assert verdict == Verdict("TIMED_OUT", "it never gave an answer that it had promised")


async def test_nothing_is_written_to_a_process_whose_connection_has_closed_meanwhile() -> None:
    troubles: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
    process, wire = HostProcess(HostLimits()), Wire()
    process.connection_made(wire)
    process.post("stop", 1)
    await asyncio.sleep(0)
    process.post("stop", 2)
    wire.closed = True
    await asyncio.sleep(0)
    assert (len(wire.written), troubles) == (1, [])
