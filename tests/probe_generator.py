"""Containers, phases and latencies drawn at random, for what must hold of all of them."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

from hypothesis import strategies as st

from tocsin.probes.application import Application
from tocsin.probes.attempt import BODY_HANGS, BROKEN, HANGS, OK, REFUSED, WARNED, Answer, Behaviour, Outcome
from tocsin.probes.setup import Setup
from tocsin.probes.specification import ContainerSpec, PodSpec, ProbeKind, ProbeSpec, probe_spec
from tocsin.probes.versions import JITTER_ALWAYS
from tocsin.probes.window import Window

ANSWERS = (OK, WARNED, REFUSED, HANGS, BODY_HANGS, BROKEN, Answer(Outcome.SUCCESS, 0.7), Answer(Outcome.SUCCESS, 1.5))


@st.composite
def behaviours(draw: st.DrawFn) -> Behaviour:
    """Draw what an endpoint does."""
    if draw(st.integers(0, 5)) == 0:
        return Behaviour.in_turn(*draw(st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=5)))
    moments = sorted(draw(st.sets(st.integers(0, 40), max_size=3)))
    chosen = [(float(each), draw(st.sampled_from(ANSWERS))) for each in moments]
    return Behaviour.of((0.0, draw(st.sampled_from(ANSWERS))), *chosen)


@st.composite
def probes(draw: st.DrawFn, kind: ProbeKind) -> ProbeSpec:
    """Draw a probe."""
    return probe_spec(
        kind,
        delay=draw(st.sampled_from((0, 0, 0, 1, 3, 7))),
        period=draw(st.integers(1, 5)),
        timeout=draw(st.integers(1, 2)),
        failures=draw(st.integers(1, 4)),
        successes=draw(st.integers(1, 3)) if kind is ProbeKind.READINESS else 1,
        grace=draw(st.sampled_from((None, 3.0))) if kind is not ProbeKind.READINESS else None,
    )


@st.composite
def applications(draw: st.DrawFn) -> Application:
    """Draw one life of a process."""
    one, other = draw(behaviours()), draw(behaviours())
    return Application(
        startup=draw(st.sampled_from((one, Behaviour.of((draw(st.integers(0, 9)), OK))))),
        liveness=one,
        readiness=other,
        exits=draw(st.sampled_from((None, None, None, 4.0, 17.0))),
        exit_code=draw(st.sampled_from((0, 1))),
        stops_in=draw(st.sampled_from((0.0, 1.0, None))),
    )


@st.composite
def setups(draw: st.DrawFn) -> Setup:
    """Draw a container."""
    kinds = draw(st.sets(st.sampled_from(ProbeKind), min_size=1))
    container = ContainerSpec(probes=tuple(draw(probes(kind)) for kind in sorted(kinds)))
    lives = tuple(draw(st.lists(applications(), min_size=1, max_size=2)))
    policy = draw(st.sampled_from(("Always", "Always", "Always", "OnFailure", "Never")))
    return Setup(container, lives, PodSpec(restart_policy=policy, grace=4.0))


def phases(setup: Setup, seed: int) -> Mapping[ProbeKind, Window]:
    """Draw a tick of each worker, at or before the start: of its own up to 1.20, and else all at one moment."""
    chance = random.Random(seed)
    probes = setup.container.probes
    if setup.version.has(JITTER_ALWAYS):
        return {each.kind: Window.at(chance.uniform(-each.period, 0)) for each in probes}
    common = -chance.uniform(0, math.lcm(*(int(each.period) for each in probes)))
    return {each.kind: Window.at(common + each.period * math.floor(-common / each.period)) for each in probes}
