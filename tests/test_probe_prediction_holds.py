"""Whatever the phases and latencies, what comes about lies within what was foreseen, and what is certain comes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.probe_generator import phases, setups
from tocsin.probes.ground import REAL_1_20, Ground, from_source
from tocsin.probes.prediction import Prediction, predict
from tocsin.probes.setup import Setup
from tocsin.probes.simulator import simulate
from tocsin.probes.versions import Version

HORIZON = 30.0
STATES = 3_000
"""How many are followed: where that is too few, a prediction ends sooner, and holds as far as it goes."""
LIVES = 25
"""How many lives are drawn for each container."""


def misses(setup: Setup, prediction: Prediction, seed: int) -> list[str]:
    """Return what came about otherwise in one life."""
    ground = prediction.ground
    setup = setup.on(ground.version)
    chance = ground.latencies.drawn(seed)
    found = simulate(setup, prediction.horizon, origins=phases(setup, seed), chance=chance, trace=True)
    wrong = []
    for mark, windows in found.marks.items():
        (when,) = windows
        expected = prediction.at(mark)
        if when.latest <= prediction.horizon and (expected is None or not expected.holds(when)):
            wrong.append(f"{mark} came at {when.earliest:.3f}, foreseen: {expected}")
    missing = [each for each in prediction.expected if each.certain and each.mark not in found.marks]
    return [*wrong, *(f"{each} did not come" for each in missing)]


@pytest.mark.parametrize("ground", [REAL_1_20, *(from_source(Version(minor)) for minor in (21, 34, 36))], ids=str)
@given(setup=setups(), seed=st.integers(0, 2**32))
@settings(max_examples=10, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_it_comes_as_foreseen(ground: Ground, setup: Setup, seed: int) -> None:
    prediction = predict(setup, ground, HORIZON, cell=1.0, most=STATES)
    assert [miss for number in range(LIVES) for miss in misses(setup, prediction, seed + number)] == []
