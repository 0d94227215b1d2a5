"""What tests of machines share: silence, and XState itself to compare with."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog
from tests.machines.native import Native


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """The engine's own log lines are for operators; here they would only cost time."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def native() -> Iterator[Native]:
    process = Native()
    yield process
    process.close()
