"""A client in a process of its own, to be frozen or killed: says `watching` once its streams have begun."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from stateward import Client, Instance


async def main(profile: str, machine: str, *names: str) -> None:
    """Watch these instances, each on a stream of its own, for as long as it lives."""
    async with Client.from_profile(Path(profile)) as client:
        begun = asyncio.Semaphore(0)

        async def watch(instance: Instance) -> None:
            async for _ in instance.subscribe(mode="every_transition"):
                begun.release()

        async with asyncio.TaskGroup() as tasks:
            for name in names:
                tasks.create_task(watch(client.machine(machine).instance(name)))
            for _ in names:
                await begun.acquire()
            print("watching", flush=True)  # noqa: T201 - it is what the test waits for


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
