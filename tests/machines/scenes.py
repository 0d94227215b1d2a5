"""All scenarios: importing a module of scenes puts its scenarios on the list."""

from __future__ import annotations

from tests.machines import scenes_parallel, scenes_waiting, scenes_working
from tests.machines.kit import SCENARIOS

__all__ = ["MODULES", "SCENARIOS"]

MODULES = (scenes_parallel, scenes_waiting, scenes_working)
