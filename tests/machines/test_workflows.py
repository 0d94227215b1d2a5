"""The example workflows in virtual time: as it is, and put out of memory before each act."""

from __future__ import annotations

import pytest
from tests.machines.kit import FORGETFUL, WORKFLOWS, Scenario, Scene
from tests.machines.scenes import SCENARIOS


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.id)
async def test_scenario(scenario: Scenario) -> None:
    async with Scene.of(scenario.file) as scene:
        await scenario.play(scene)
        remembered = scene.trace()
        scene.mode = FORGETFUL
        await scenario.play(scene)
        assert scene.trace() == remembered


def test_every_example_is_played() -> None:
    assert {one.file for one in SCENARIOS} == {path.name for path in WORKFLOWS.glob("*.ts")}
