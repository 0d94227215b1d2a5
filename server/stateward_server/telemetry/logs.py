"""structlog set-up: pretty lines on a terminal, JSON otherwise, always on stderr.

Standard-library loggers (asyncio, uvicorn, grpc) go the same way. Payloads and tokens are never logged.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO, cast

import orjson
import structlog

from stateward_server.telemetry.lines import Lines

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(level: str, form: str) -> None:
    """`level` and `form` as in Settings.log_level and Settings.log_format."""
    pretty = form == "pretty" or (form == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer() if not pretty else _unchanged,
    ]
    # Not the default formatter of tracebacks: it shows local variables, and with them tokens and payloads.
    render: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if pretty
        else structlog.processors.JSONRenderer(_dumps)
    )
    factory: Any = (
        structlog.PrintLoggerFactory(sys.stderr)
        if pretty
        else structlog.BytesLoggerFactory(cast(BinaryIO, Lines(sys.stderr.buffer)))
    )
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_Forward()]
    root.setLevel(max(_LEVELS[level], logging.WARNING))


class _Forward(logging.Handler):
    """Hands standard-library records to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            structlog.get_logger().log(
                min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL),
                "library_logged",
                logger=record.name,
                text=record.getMessage(),
                exc_info=record.exc_info,
            )
        except Exception:  # noqa: BLE001 - a line that cannot be written must not hurt who wrote it
            self.handleError(record)


def _dumps(event: Mapping[object, object], **_: object) -> bytes:
    try:
        return orjson.dumps(event, default=str)
    except TypeError:
        # Halves of surrogate pairs, integers over 64 bits, keys that are no text: no reason to fail.
        plain = {str(key): value if isinstance(value, str) else repr(value) for key, value in event.items()}
        return json.dumps(plain).encode()


def _unchanged(_logger: object, _name: str, event: Any) -> Any:
    return event
