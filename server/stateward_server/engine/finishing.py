"""Work that is done to its end, also for a caller that goes away meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog

from stateward_server.engine.refusals import no_store
from stateward_server.model.errors import Internal, StatewardError
from stateward_server.ports.store import StoreFault

log = structlog.get_logger()

T = TypeVar("T")


async def finished(spawn: Callable[[Coroutine[Any, Any, None]], None], work: Coroutine[Any, Any, T]) -> T:
    """Do `work` in a task of the engine's own, begun with `spawn`, and return its result.

    Raises what it raises if that is a StatewardError; StoreFault as STORE_UNAVAILABLE, all else as INTERNAL.
    """
    made: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    spawn(_into(made, work))
    return await made


async def _into(made: asyncio.Future[T], work: Coroutine[Any, Any, T]) -> None:
    """Put what comes of the work where the caller looks, if one still does."""
    try:
        result = await work
    except StoreFault:
        error: Exception = no_store()
    except StatewardError as refusal:
        error = refusal
    except Exception:
        log.exception("work_failed")
        error = Internal("INTERNAL", "the server met an error of its own")
    else:
        if not made.done():
            made.set_result(result)
        return
    if not made.done():
        made.set_exception(error)
