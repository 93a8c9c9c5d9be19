"""A run from plan to reports: what the command line and the pytest plugin share."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from tocsin.atomic import write_json
from tocsin.case import CaseResult
from tocsin.drill.checking import check_plans
from tocsin.drill.judge import DrillResult, judge_folder
from tocsin.drill.planning import PlannedDrill
from tocsin.drill.runs import begin_run, drill_folders
from tocsin.drill.schedule import DrillRun, expected_seconds
from tocsin.drill.sites import sites
from tocsin.engines.lock import machine_lock
from tocsin.plan import alerts, drill_key, read
from tocsin.report.console import print_drills
from tocsin.report.live import LiveView
from tocsin.report.results import AlertFacts, Results
from tocsin.report.whole import rendered
from tocsin.system import BadSystem, System
from tocsin.verdict import RANK, Outcome
from tocsin.waivers import drill_waiver_verdict, waived

RUN = "run.json"
"""What the scheduler knows of a run and no drill's evidence holds."""
LOCK_SECONDS = 3600.0
"""How long a run waits for another one on the machine."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Drills to perform in one environment of one system, and where the run is kept."""

    system: System
    environment: str
    plans: tuple[PlannedDrill, ...]
    folder: Path
    started: float
    """Unix time, in seconds."""
    attempts: int = 2
    """How often a drill on a stack of ours is performed at most: what is repeated until it passes proves nothing."""

    @property
    def today(self) -> date:
        """The day on which waivers are looked at: that of the start, in UTC."""
        return datetime.fromtimestamp(self.started, UTC).date()


def print_plan(console: Console, request: RunRequest) -> None:
    """Say what will be done before anything is, and what will not be: raises BadSystem if any of it is refused."""
    plans = request.plans
    drills = "1 drill" if len(plans) == 1 else f"{len(plans)} drills"
    console.print(
        f"{drills} of {request.system.name} in {request.environment}: at most "
        f"{_long(expected_seconds(plans))} one after the other; evidence in {_shown(request.folder)}",
        highlight=False,
    )
    for plan in plans:
        alone = ", alone" if plan.exclusive else ""
        most = _long(expected_seconds([plan]))
        said = f"  {plan.name} [{plan.marker}{alone}], at most {most}: {_told(plan.drill.stimulus)}{_besides(plan)}"
        console.print(said, highlight=False, markup=False, soft_wrap=True)
    checked = check_plans(request.system, request.environment, plans)
    for word, problems in (("will fail", checked.foreseen), ("refused", checked.refused)):
        for problem in problems:
            console.print(f"  {word}: {problem}", highlight=False, markup=False, soft_wrap=True)
    if checked.refused:
        raise BadSystem(checked.refused)


def perform_run(console: Console, request: RunRequest) -> None:
    """Perform drills under the machine's lock, showing them live.

    Raises Trouble and BadSystem before the run has begun, and has a folder. A KeyboardInterrupt goes through; if the
    run had begun, all that was started has ended then, and every drill has evidence of how far it came.
    """

    def wait(said: str) -> None:
        console.print(said, highlight=False, markup=False, soft_wrap=True)

    places = sites(request.system, request.environment, request.plans)
    with (
        machine_lock(seconds=LOCK_SECONDS, on_wait=wait),
        LiveView(request.plans, console, request.started) as view,
    ):
        begin_run(request.folder)
        places.write(request.folder)
        run = DrillRun(
            plans=request.plans,
            folder=request.folder,
            open_site=lambda plan, recording: places.open(plan, recording, run.stop),
            tell=view.tell,
            origin=request.started,
            active=places.active,
            warming=places.warming,
            attempts=request.attempts,
        )
        try:
            run.perform()
        finally:
            write_json(request.folder / RUN, {"seed": run.seed, "resources": dict(run.resources.written())})


def judge_run(folder: Path) -> list[DrillResult]:
    """Judge every drill whose evidence is in a run's folder."""
    return [judge_folder(path) for path in drill_folders(folder)]


def case_of_drill(result: DrillResult, request: RunRequest) -> CaseResult:
    """Return a drill's judgement as a case: what failed may be waived."""
    manifest = result.evidence.manifest
    seconds = (manifest.moments.ended or 0.0) - manifest.moments.started if manifest else 0.0
    plan = next(plan for plan in request.plans if plan.name == result.name)
    verdict = _with_waiver(result, request).verdict
    return CaseResult(
        f"{plan.name}@{plan.place.file}", plan.marker, plan.name, plan.place, verdict, seconds=max(seconds, 0.0)
    )


def case_of_waiver(result: DrillResult, request: RunRequest) -> CaseResult | None:
    """Return whether the waiver of a drill is needed, as a case of its own; None if the drill has no waiver."""
    for index, waiver in enumerate(request.system.declaration.waivers):
        if waiver.finding == drill_key(result.name):
            plan = next(plan for plan in request.plans if plan.name == result.name)
            verdict = drill_waiver_verdict(waiver, result.verdict, request.today)
            place = request.system.place("waivers", index)
            return CaseResult(f"waiver-is-needed@{waiver.finding}", plan.marker, waiver.finding, place, verdict)
    return None


def cases_of_run(request: RunRequest) -> list[CaseResult]:
    """Return the cases of every drill that a run performed, and of their waivers."""
    found = [(case_of_drill(d, request), case_of_waiver(d, request)) for d in judge_run(request.folder)]
    return [case for pair in found for case in pair if case is not None]


def _with_waiver(result: DrillResult, request: RunRequest) -> DrillResult:
    waivers = request.system.declaration.waivers
    return replace(result, verdict=waived(result.verdict, [drill_key(result.name)], waivers, request.today))


def conclude_run(
    console: Console, request: RunRequest, cases: Sequence[CaseResult], now: float, reasons: Container[Outcome] = RANK
) -> Results:
    """Write the reports of a run that ends at `now` (Unix time); print what it found, and the reasons of `reasons`.

    Return the results as they were written: what could not be shown has become inconclusive.
    """
    asked = {plan.name for plan in request.plans}
    drills = [_with_waiver(drill, request) for drill in judge_run(request.folder) if drill.name in asked]
    results = Results(
        system=request.system.name,
        path=str(request.system.directory),
        environment=request.environment,
        engines=_engines(drills),
        started=request.started,
        seconds=now - request.started,
        cases=cases,
        alerts=[AlertFacts(*facts) for facts in alerts(read(request.system))],
        drills=drills,
        resources=_resources(request.folder),
    )
    whole = rendered(request.folder, results)
    whole.write(request.folder)
    if drills:
        print_drills(console, whole.results.drills, _shown(request.folder / "report.html"), reasons)
    return whole.results


def _resources(folder: Path) -> dict[str, float]:
    """Return what the run used, as the scheduler wrote it down; nothing if no drill was performed."""
    path = folder / RUN
    return dict(json.loads(path.read_text())["resources"]) if path.is_file() else {}


def _engines(drills: Sequence[DrillResult]) -> dict[str, str]:
    found: dict[str, str] = {}
    for drill in drills:
        if drill.evidence.manifest:
            found |= drill.evidence.manifest.engines
    return found


def _shown(path: Path) -> str:
    """Return a path as the reader would type it here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _told(stimulus: Mapping[str, Any]) -> str:
    """Return a stimulus as its owner wrote it: `kill backend`, `load profile=browse target=backend`."""
    return ", ".join(f"{name} {_flat(value)}".strip() for name, value in stimulus.items())


def _besides(plan: PlannedDrill) -> str:
    """Return what the monitoring suffers besides, and when: `; when firing, kill alertmanager-2`."""
    declared = plan.drill.disturbance
    if declared is None:
        return ""
    when = "before it" if declared.when == "before" else "when firing"
    return f"; {when}, {_told(declared.stimulus)}"


def _flat(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return " ".join(f"{k}={_flat(v)}" for k, v in value.items()) if isinstance(value, Mapping) else str(value)


def _long(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"
