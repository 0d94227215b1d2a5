"""Differential: every scenario's machine goes through the same states here as on XState itself.

The script a scenario leaves (events, and the time between them) is played by `native.ts` on an actor of the
library with a clock that is told, and the two sequences of states are compared: value, tags, public context,
status, one for each transition.
"""

from __future__ import annotations

import asyncio

import pytest
from tests.machines.kit import WORKFLOWS, Scenario, Scene
from tests.machines.native import Native
from tests.machines.scenes import SCENARIOS


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.id)
async def test_the_same_states_as_on_xstate_itself(scenario: Scenario, native: Native) -> None:
    async with Scene.of(scenario.file) as scene:
        await scenario.play(scene)
        ours = scene.trace()
    theirs = await asyncio.to_thread(native.play, (WORKFLOWS / scenario.file).read_text(), scene.script)

    assert ours == theirs
    assert len(ours) > 1 or len(scene.script) == 1
