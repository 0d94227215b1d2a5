"""The rows of docs/xstate.md that run as on XState itself, each played here and there."""

from __future__ import annotations

import asyncio

import pytest
from tests.machines import features_actions, features_actors, features_charts
from tests.machines.features import FEATURES, Feature
from tests.machines.kit import trace
from tests.machines.native import Native

from stateward_server.testing.lab import Lab

MODULES = (features_actions, features_actors, features_charts)
COMPARED = {feature.row for feature in FEATURES}


@pytest.mark.parametrize("feature", FEATURES, ids=lambda one: one.id)
async def test_a_row_runs_as_on_xstate_itself(feature: Feature, native: Native) -> None:
    async with Lab.open() as lab:
        one = await (await lab.machine(feature.source, dialect=feature.dialect)).create("one")
        for kind, what in feature.acts[1:]:
            await (one.send(what) if kind == "send" else lab.advance(what))
        ours = trace(one)
        assert (one.value, one.public) == (feature.value, feature.public)
    assert ours == await asyncio.to_thread(native.play, feature.source, feature.acts)
