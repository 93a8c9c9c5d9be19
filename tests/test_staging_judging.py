"""What the judge grants and asks on a system that runs already, where a stack of ours is judged strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drill_worlds import ROUTING, World
from tocsin.drill.judge import judge
from tocsin.evidence import ALERTMANAGER, Recording, Target, read_evidence
from tocsin.verdict import Outcome

LOADED = (Target(job="backend", instance="127.0.0.1:1", drilled=True),)


def judged(folder: Path, rang: dict[str, str], *, ours: bool) -> str:
    """Judge a drill whose alert was told of 4 s after it fired, where another alert rang before."""
    late = World(notified={"pager": 25.3}, manifest={"ours": ours, "targets": LOADED}).write(folder)
    assert late.verdict.outcome is Outcome.FAILED, "without an earlier alert that is too late everywhere"
    Recording(folder).append(ALERTMANAGER, {"time": -60.0, "event": "rang", "alert": "Down", "labels": rang})
    return str(judge(read_evidence(folder)).verdict.outcome)


@pytest.mark.parametrize(
    ("labels", "ours", "outcome"),
    [
        ({"alertname": "Down", "severity": "critical", "instance": "other"}, False, "passed"),
        ({"alertname": "Down", "severity": "critical"}, True, "failed"),
        ({"alertname": "Slow", "severity": "critical"}, False, "failed"),
        ({"alertname": "Down", "severity": "warning"}, False, "failed"),
    ],
    ids=["same group", "a stack of ours", "another group", "another route"],
)
def test_what_joins_a_group_may_wait_for_its_interval(
    labels: dict[str, str], *, ours: bool, outcome: str, tmp_path: Path
) -> None:
    """Elsewhere, and only in the same group of the same route, `group_interval` takes the place of `group_wait`."""
    assert judged(tmp_path, labels, ours=ours) == outcome


@pytest.mark.parametrize(
    ("routed", "outcome"), [(["pager"], Outcome.PASSED), (["pager", "log"], Outcome.PASSED), (["log"], Outcome.FAILED)]
)
def test_unseen_notifications_are_judged_by_their_route(routed: list[str], outcome: Outcome, tmp_path: Path) -> None:
    """Where nobody shows what was sent, Alertmanager's API still tells to whom it would be."""
    world = World(
        notified={},
        resolution={},
        manifest={"ours": False, "not_observable": ("notified", "resolution_notified"), "targets": LOADED},
        routing=ROUTING,
    )
    world.write(tmp_path)
    path = tmp_path / ALERTMANAGER
    names = ", ".join(f'{{"name": "{name}"}}' for name in routed)
    path.write_text(path.read_text().replace('"status":', f'"receivers": [{names}], "status":'))
    verdict = judge(read_evidence(tmp_path)).verdict
    assert verdict.outcome is outcome, verdict.reason
    assert outcome is Outcome.PASSED or "routes it to log, and not to pager" in verdict.reason
