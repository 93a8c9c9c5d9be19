"""What a real kubelet did with sixty probed pods, compared again with what is predicted; it takes no cluster.

tests/parity/kubelet-1.20.json.gz is a recording of a real kubelet v1.20.2 (sync period 2 s, containerd 1.6, two cores,
twelve pods at a time), made on 26 November 2026 by tests/test_parity.py with --parity-record.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from tests.parity.comparison import LEAST_MISSED, MISREADINGS, Compared, allowed, compare, marks_of, may_hang, table
from tests.parity.generator import COUNT, scenarios
from tests.parity.page import PAGE, RECORDING, page
from tests.parity.recording import Recorded, Run, read
from tests.parity.scenario import Scenario
from tocsin.probes.marks import MarkKind
from tocsin.probes.observation import Snapshot

pytestmark = pytest.mark.xdist_group("parity-recorded")  # one worker compares them, once
MOST_BYTES = 300 * 1024


@cache
def recording() -> Run:
    """Return the recording."""
    return read(RECORDING)


@cache
def as_predicted(name: str) -> Compared:
    """Return one scenario of it beside the prediction."""
    return compare(of(name))


def of(name: str) -> Recorded:
    """Return one scenario of the recording."""
    return next(each for each in recording().recorded if each.scenario.name == name)


NAMES = [each.scenario.name for each in recording().recorded]


def test_the_recording_is_of_a_real_kubelet() -> None:
    """It says which and when, holds the scenarios that the generator makes today, and is small."""
    assert (recording().kubelet, recording().date) == ("v1.20.2", "2026-11-26")
    assert [each.scenario for each in recording().recorded] == sorted(scenarios(), key=lambda each: each.name)
    assert len(NAMES) == COUNT
    assert RECORDING.stat().st_size < MOST_BYTES


def test_the_page_shows_the_recordings() -> None:
    """docs/parity.md is what `python -m tests.parity.page` makes of them."""
    assert PAGE.read_text(encoding="utf-8") == page(recording(), [as_predicted(name) for name in NAMES])


@pytest.mark.parametrize("name", NAMES)
def test_every_change_came_as_predicted(name: str) -> None:
    """Each change lies in its interval, none is missing or was not told, and no interval is too wide."""
    found = as_predicted(name)
    assert found.right, f"\n{table([found])}"


@pytest.mark.parametrize("belief", MISREADINGS)
def test_a_wrong_belief_shows(belief: str) -> None:
    """Who believes what is wrong of probes gets at least ten of the sixty wrong."""
    reading = MISREADINGS[belief]
    read_otherwise = [each for each in recording().recorded if reading(each.scenario) != each.scenario]
    wrong = 0
    for each in sorted(read_otherwise, key=lambda each: len(each.scenario.probes)):
        wrong += not compare(each, reading=reading).hit
        if wrong == LEAST_MISSED:
            return
    pytest.fail(f"only {wrong} of {len(read_otherwise)} that are read otherwise came out wrong")


FLIPPING = "readiness-flips-00"


def told(snapshots: tuple[Snapshot, ...]) -> list[str]:
    """Return the verdicts on a scenario that flips, with other snapshots than those that were received."""
    return [row.verdict for row in compare(replace(of(FLIPPING), snapshots=snapshots)).rows]


def ready(snapshot: Snapshot) -> bool:
    """Return whether a snapshot's pod is ready."""
    conditions = snapshot.pod["status"]["conditions"]
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def test_what_comes_late_or_not_at_all_or_unasked_shows() -> None:
    """The comparison can fail: a change too late is a miss, one left out is missing, one too many is an extra."""
    snapshots = of(FLIPPING).snapshots
    assert set(told(snapshots)) == {"hit"}
    first = next(number for number, each in enumerate(snapshots) if ready(each))
    late = tuple(Snapshot(each.at + 6 * (number >= first), each.pod) for number, each in enumerate(snapshots))
    assert "miss" in told(late)
    assert "missing" in told(snapshots[:first])
    conditions = next(each for each in reversed(snapshots) if not ready(each)).pod["status"]["conditions"]
    last = snapshots[-1]
    again = {**last.pod, "status": {**last.pod["status"], "conditions": conditions}}
    assert "extra" in told((*snapshots, Snapshot(last.at + 1, again)))


def test_the_allowed_width_counts_hangs_and_restarts() -> None:
    """One period, the timeout where an attempt may hang, 4 s, and 1 s for each restart before."""
    recorded = of("startup-fails-00")
    observed = marks_of(recorded)
    last = max(observed.values())
    assert sum(mark.kind is MarkKind.RESTART for mark in observed) == 2
    assert allowed(recorded.scenario, 0.0, observed) == 3 + may_hang(recorded.scenario) + 4
    assert allowed(recorded.scenario, last + 1, observed) == allowed(recorded.scenario, 0.0, observed) + 2


def test_a_scenario_is_read_again_as_it_was() -> None:
    """What is recorded of a scenario gives the same scenario."""
    assert [Scenario.from_json(each.to_json()) for each in scenarios()] == list(scenarios())
