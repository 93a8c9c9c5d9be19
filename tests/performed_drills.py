"""Drills that a test performs for real, without the command around them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from tocsin.drill.judge import DrillResult, judge
from tocsin.drill.planning import plan_drills
from tocsin.drill.schedule import DrillRun, evidence_folder
from tocsin.drill.sites import sites
from tocsin.evidence import read_evidence
from tocsin.system import System


def performed(loaded: System, names: Sequence[str], folder: Path, *, attempts: int = 1) -> dict[str, DrillResult]:
    """Perform drills of a system's environment `local` into a folder, a few at a time, and judge them.

    What proves nothing is performed so often at most.
    """
    plans = tuple(plan for plan in plan_drills(loaded, "local") if plan.name in names)
    assert len(plans) == len(names)
    places = sites(loaded, "local", plans)
    run = DrillRun(
        plans=plans,
        folder=folder,
        open_site=lambda plan, recording: places.open(plan, recording, run.stop),
        tell=lambda _: None,
        origin=time.time(),
        attempts=attempts,
    )
    run.perform()
    return {name: judge(read_evidence(evidence_folder(folder, name))) for name in names}
