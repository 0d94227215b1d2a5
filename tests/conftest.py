"""What all tests share: property tests that try the same examples in every run, and logs of real servers."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from tests import servers

settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    max_examples=60,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Show what servers logged beside the failure of a test."""
    report = yield
    if report.failed:
        for server in servers.running:
            report.sections.append((f"log of the server {server.data}", server.last_log_lines()))
    return report


def pytest_sessionfinish() -> None:
    """Leave no server behind, whatever has happened to its fixture."""
    for server in tuple(servers.running):
        server.close()
