"""A host process from the inside: what becomes of frames for one that has just ended."""

from __future__ import annotations

import asyncio

from stateward_server.model.limits import HostLimits
from stateward_server.runtime.process import HostProcess


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
