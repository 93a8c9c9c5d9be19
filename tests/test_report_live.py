"""The live view: a log gets a line for each new stage, a terminal a table that does not jump."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from tocsin.drill.perform import AGAIN, Progress
from tocsin.drill.planning import PlannedDrill, plan_drills
from tocsin.report.live import LiveView
from tocsin.system import load_system

REFERENCE = Path(__file__).parents[1] / "fixtures" / "systems" / "dharmamind"
NOISY = (
    ("warming up", 10.0, None),
    ("waiting for alerts", 11.0, 31.0),
    ("BackendDown pending", 12.0, None),
    ("waiting for alerts", 12.5, 31.0),
    ("BackendDown pending", 12.6, None),
    ("BackendDown firing", 13.0, None),
    ("BackendDown firing", 13.5, None),
    ("waiting for what else rings", 14.0, None),
    ("done", 20.0, None),
)


@pytest.fixture(scope="module")
def plans() -> tuple[PlannedDrill, ...]:
    """Give one planned drill."""
    every = plan_drills(load_system(REFERENCE), "local")
    return tuple(plan for plan in every if plan.name == "backend-down")


def test_a_log_gets_each_stage_once(plans: tuple[PlannedDrill, ...]) -> None:
    """What comes again, and the waiting between, is not news; each line has its own moment."""
    out = io.StringIO()
    with LiveView(plans, Console(file=out, width=140), 0.0) as view:
        for stage, time, until in NOISY:
            view.tell(Progress("backend-down", stage, time, until))

    lines = [line.split(maxsplit=3) for line in out.getvalue().splitlines()]
    assert [(float(line[0]), line[3]) for line in lines] == [
        (10.0, "warming up"),
        (12.0, "BackendDown pending"),
        (13.0, "BackendDown firing"),
        (20.0, "done"),
    ]


def test_a_second_attempt_is_news_once_more(plans: tuple[PlannedDrill, ...]) -> None:
    """A drill that is performed again goes through its stages again, and a log says so."""
    out = io.StringIO()
    with LiveView(plans, Console(file=out, width=140), 0.0) as view:
        for time, stage in enumerate(["starting", "done", AGAIN, "starting", "starting", "done"]):
            view.tell(Progress("backend-down", stage, float(time)))

    lines = [line.split(maxsplit=3) for line in out.getvalue().splitlines()]
    told = [(float(line[0]), line[3]) for line in lines]
    assert told == [(0.0, "starting"), (1.0, "done"), (2.0, AGAIN), (3.0, "starting"), (5.0, "done")]


def test_a_terminal_keeps_the_budget_while_an_alert_changes(plans: tuple[PlannedDrill, ...]) -> None:
    """An alert that fires does not end the wait that it is part of: the bar stays."""
    console = Console(file=io.StringIO(), force_terminal=True, width=140)
    view = LiveView(plans, console, 0.0)
    bars = []
    for stage, time, until in NOISY[:6]:
        view.tell(Progress("backend-down", stage, time, until))
        with console.capture() as shown:
            console.print(view._table())
        bars.append("━" in shown.get())

    assert bars == [False, True, True, True, True, True]
