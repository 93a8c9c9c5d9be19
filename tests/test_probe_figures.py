"""What probes come to in seconds, beside lives that are followed: no life lies outside a figure."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.probe_scenarios import FAILING, LIVENESS, READINESS, STARTUP, live, ready, startup
from tocsin.probes.application import Application
from tocsin.probes.attempt import HANGS, OK, REFUSED, Behaviour
from tocsin.probes.figures import (
    Figure,
    errors_served,
    noticed,
    out_of_service,
    restarted,
    startup_budget,
    storm,
    when_ready,
)
from tocsin.probes.ground import REAL_1_20, Ground, Latencies, from_source
from tocsin.probes.marks import Mark, MarkKind
from tocsin.probes.setup import Setup
from tocsin.probes.simulator import simulate
from tocsin.probes.specification import ContainerSpec, PodSpec, ProbeSpec, probe_spec
from tocsin.probes.versions import Version
from tocsin.probes.window import Window

AT_ONCE = Ground("source", Version(36), Latencies())
OLD = Ground("source", Version(20), Latencies())
"""The same without attempts out of turn, which tie the ticks of readiness to the container's start."""
NEW = from_source(Version(36))


def of(*probes: ProbeSpec, grace: float = 30.0, policy: str = "Always", **given: object) -> Setup:
    """Return a container."""
    pod = PodSpec(restart_policy=policy, grace=grace)
    return Setup(ContainerSpec(probes=probes), (Application(**given),), pod)  # type: ignore[arg-type]


def bounds(figure: Figure) -> tuple[float, float]:
    """Return a figure's bounds."""
    return figure.least, figure.most


def test_noticed() -> None:
    """Three attempts ten seconds apart, from just before a tick to just after one."""
    assert bounds(noticed(live(), AT_ONCE)) == (21, 31)
    assert bounds(noticed(live(), AT_ONCE, hangs=False)) == (20, 30)
    assert bounds(noticed(live(period=5, timeout=10), AT_ONCE)) == (30, 40)
    assert bounds(noticed(startup(), REAL_1_20)) == (21, 31 + REAL_1_20.latencies.resync.latest)
    assert "3 attempts" in str(noticed(live(), AT_ONCE))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.floats(0, 1), st.floats(0, 30))
@settings(max_examples=60, deadline=None)
def test_no_life_lies_outside(period: int, timeout: int, failures: int, phase: float, breaks: float) -> None:
    """Whenever a container hangs, its probe acts within what was said."""
    spec = probe_spec(LIVENESS, period=period, timeout=timeout, failures=failures)
    broken = Behaviour.of((0, OK), (breaks, HANGS))
    made = Setup(ContainerSpec(probes=(spec,)), (Application(liveness=broken),))
    found = simulate(made, 200, origins={LIVENESS: Window.at(phase * period)}, trace=True)
    (kill,) = found.marks[Mark(MarkKind.KILL, 1)]
    figure = noticed(spec, AT_ONCE)
    # Broken from the start on, the first attempt may come as late as one just after a tick.
    assert figure.least - 1e-6 <= kill.earliest - breaks <= figure.most + 1e-6


def test_when_ready() -> None:
    """When the last container is; a pod with one that never is, is not."""
    quick, slow = of(ready(period=5)), of(ready(delay=20))
    found = when_ready([quick, slow], OLD)
    assert found.least == pytest.approx(20, abs=0.2)
    assert found.most == pytest.approx(30, abs=0.4)
    assert "app" in found.because
    assert bounds(when_ready([slow], AT_ONCE)) == (20, 20)  # a tick of its own fell on its start
    never = when_ready([quick, of(ready(), readiness=FAILING)], AT_ONCE, horizon=60)
    assert math.isinf(never.least)
    assert str(never) == "never: app is not ready within 60 s"
    assert bounds(when_ready([of()], AT_ONCE)) == (0, 0)


def test_restarted() -> None:
    """A hanging process does not hear SIGTERM: the grace is waited out, which the probe's own may shorten."""
    assert bounds(restarted(of(live()), AT_ONCE)) == (51, 61)
    assert bounds(restarted(of(live(grace=5)), AT_ONCE)) == (26, 36)
    assert bounds(restarted(of(live()), AT_ONCE, stops=True)) == (21, 31)
    assert math.isinf(restarted(of(ready()), AT_ONCE).least)
    assert "Never" in restarted(of(live(), policy="Never"), AT_ONCE).because


def test_traffic() -> None:
    """It is lost until readiness takes the container out, or else until liveness has replaced it."""
    assert bounds(errors_served(of(ready(failures=1, period=5)), AT_ONCE)) == (1, 6)
    assert bounds(errors_served(of(live()), AT_ONCE)) == (51, 61)
    assert math.isinf(errors_served(of(), AT_ONCE).least)
    out = out_of_service(of(live(), ready(period=5)), OLD, boots=12)
    assert out.least == pytest.approx(51 + 12, abs=0.5)
    assert out.most == pytest.approx(61 + 17, abs=0.8)
    assert math.isinf(out_of_service(of(ready()), AT_ONCE).least)


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from((0, 5, 12)), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_startup_budget_holds(period: int, failures: int, delay: int, phase: float) -> None:
    """What starts within the least is not ended, and what does not by the most is."""
    made = of(startup(period=period, failures=failures, delay=delay))
    budget = startup_budget(made, AT_ONCE)
    origins = {STARTUP: Window.at(phase * period)}
    for boots, ended in ((budget.least, False), (budget.most + 0.01, True)):
        booting = Application(startup=Behaviour.of((boots, OK)))
        found = simulate(Setup(made.container, (booting,)), budget.most + 0.001, origins=origins, trace=True)
        assert (Mark(MarkKind.KILL, 1) in found.marks) is ended


def test_startup_budget_is_a_period_less_than_it_looks() -> None:
    budget = startup_budget(of(startup(failures=30)), AT_ONCE)
    assert bounds(budget) == (290, 301)
    assert "29 times 10 s" in budget.because
    assert "no startup probe" in startup_budget(of(live()), AT_ONCE).because
    assert math.isinf(startup_budget(of(ready()), AT_ONCE).least)


def test_storm() -> None:
    """A loop of short lives is backed off, one of five minutes never is, and what no probe ends has none."""
    quick = storm(of(live(), grace=2), NEW)
    assert quick.backed_off_after is not None
    assert 10 < quick.restarts.least <= quick.restarts.most < 60
    slow = storm(of(live(delay=300, failures=1)), NEW)
    assert slow.backed_off_after is None
    assert "never shows" in slow.restarts.because
    assert storm(of(ready()), NEW).restarts.most == 0


def test_a_wrong_figure_would_be_seen() -> None:
    """The probes do tell: the product of threshold and period is outside."""
    made = of(live(), liveness=Behaviour.always(REFUSED))
    found = simulate(made, 60, origins={LIVENESS: Window.at(0)}, trace=True)
    (kill,) = found.marks[Mark(MarkKind.KILL, 1)]
    assert kill.latest < 3 * 10
    assert READINESS.value == "readiness"
