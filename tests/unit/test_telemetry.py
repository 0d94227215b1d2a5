"""Log lines: one JSON object each on stderr, whatever is logged, and never a local variable of a crash."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from stateward_server.telemetry.lines import Lines
from stateward_server.telemetry.logs import configure


class Terminal(io.TextIOWrapper):
    """Stands in for stderr while logging is set up; the test says whether it is a terminal."""

    tty = False

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._written = io.BytesIO()
        super().__init__(self._written, "utf-8", write_through=True)
        self._patch = patch

    def isatty(self) -> bool:
        return self.tty

    def configure(self, level: str, form: str) -> None:
        self._patch.setattr(sys, "stderr", self)
        configure(level, form)

    @property
    def text(self) -> str:
        return self._written.getvalue().decode()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    terminal = Terminal(monkeypatch)
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield terminal
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)


# Put together at run time, because a traceback quotes the source.
PASSWORD = "2retnuh"[::-1]


def crash(password: str) -> None:
    locals_of_a_crash = password.upper()
    raise RuntimeError(f"crashed after {len(locals_of_a_crash)}")


def test_a_line_is_a_json_object_with_event_level_and_time(stderr: Terminal):
    stderr.configure("info", "json")
    structlog.get_logger().info("turn_committed", machine="m", revision=3)
    [line] = stderr.lines
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "turn_committed", "level": "info", "machine": "m", "revision": 3}


def test_lines_below_the_level_are_dropped(stderr: Terminal):
    stderr.configure("warning", "json")
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert [line["event"] for line in stderr.lines] == ["loud"]


@pytest.mark.parametrize(
    "value", [b"\xff", "\ud800", 2**70, {1: 2}, {("a",): 1}, {1, 2}, object(), ValueError("x"), float("nan")]
)
def test_whatever_is_logged_becomes_one_line(stderr: Terminal, value: object):
    stderr.configure("info", "json")
    structlog.get_logger().info("odd", value=value)
    [line] = stderr.lines
    assert line["event"] == "odd"


def test_text_with_line_breaks_stays_on_its_line(stderr: Terminal):
    stderr.configure("info", "json")
    structlog.get_logger().info("machine_logged", text='a\n{"event":"forged"}\n')
    assert [line["event"] for line in stderr.lines] == ["machine_logged"]


@pytest.mark.parametrize("form", ["json", "pretty"])
def test_no_text_steers_a_terminal_or_looks_like_another_line(stderr: Terminal, form: str):
    stderr.configure("info", form)
    structlog.get_logger().info("machine_logged", text="a\x1b[2J\x07\r\nforged\u202e\x9b\ud800")
    assert len(stderr.text.splitlines()) == 1
    shown = re.sub(r"\x1b\[[0-9;]*m", "", stderr.text)
    assert shown.strip().isprintable() or form == "json"
    assert "\x1b" not in shown


@pytest.mark.parametrize("form", ["json", "pretty"])
def test_a_crash_is_logged_with_its_traceback_but_no_local_variables(stderr: Terminal, form: str):
    stderr.configure("info", form)
    try:
        crash(PASSWORD)
    except RuntimeError as error:
        structlog.get_logger().error("rpc_crashed", exc_info=error)
    assert "RuntimeError: crashed after 7" in stderr.text
    assert "in crash" in stderr.text
    assert PASSWORD not in stderr.text.lower()


@pytest.mark.parametrize(("tty", "is_json"), [(True, False), (False, True)])
def test_auto_is_pretty_on_a_terminal_only(stderr: Terminal, tty: bool, is_json: bool):
    stderr.tty = tty
    stderr.configure("info", "auto")
    structlog.get_logger().info("hello")
    assert stderr.text.startswith("{") is is_json


def test_lines_of_libraries_go_the_same_way(stderr: Terminal):
    stderr.configure("info", "json")
    logging.getLogger("grpc._cython").warning("lost %s", "peer")
    logging.getLogger("asyncio").info("chatter")
    [line] = stderr.lines
    assert (line["event"], line["level"]) == ("library_logged", "warning")
    assert (line["logger"], line["text"]) == ("grpc._cython", "lost peer")


def test_a_library_line_of_an_unusual_level_is_logged(stderr: Terminal):
    stderr.configure("info", "json")
    logging.getLogger("x").log(35, "odd")
    assert [line["text"] for line in stderr.lines] == ["odd"]


def test_a_library_that_logs_wrongly_does_not_crash_its_caller(
    stderr: Terminal, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(logging, "raiseExceptions", False)
    stderr.configure("info", "json")
    logging.getLogger("x").warning("%d", "not a number")
    assert stderr.lines == []


def test_an_exception_of_a_library_keeps_its_traceback(stderr: Terminal):
    stderr.configure("info", "json")
    try:
        crash(PASSWORD)
    except RuntimeError:
        logging.getLogger("asyncio").exception("task died")
    [line] = stderr.lines
    assert "RuntimeError: crashed after 7" in line["exception"]
    assert PASSWORD not in stderr.text.lower()


def test_a_line_that_another_thread_is_just_adding_is_not_lost() -> None:
    written = io.BytesIO()
    lines = Lines(written)
    adding = lines._waiting.append  # as far as the other thread has come
    lines.drain()
    adding(b"late\n")
    lines.drain()
    assert written.getvalue() == b"late\n"
