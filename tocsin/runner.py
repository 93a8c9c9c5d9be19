"""A run from plan to reports: what the command line and the pytest plugin share."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tocsin.case import CaseResult
from tocsin.drill.judge import DrillResult, judge
from tocsin.drill.planning import PlannedDrill
from tocsin.drill.preparation import Prepared, prepare
from tocsin.drill.runs import drill_folders
from tocsin.drill.schedule import DrillRun, expected_seconds
from tocsin.drill.site import Site
from tocsin.drill.stack import FreshStack
from tocsin.engines.lock import machine_lock
from tocsin.evidence import Recording, read_evidence, write_json
from tocsin.plan import alerts, read
from tocsin.report.console import print_drills
from tocsin.report.html import write_report
from tocsin.report.live import LiveView
from tocsin.report.results import AlertFacts, Results, write_results
from tocsin.system import System

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


def print_plan(console: Console, request: RunRequest) -> None:
    """Say what will be done before anything is."""
    plans = request.plans
    most = expected_seconds(plans)
    console.print(
        f"{len(plans)} drills of {request.system.name} in {request.environment}: at most {most / 60:.0f} minutes "
        f"one after the other; evidence in {_shown(request.folder)}",
        highlight=False,
    )
    for plan in plans:
        alone = ", alone" if plan.exclusive else ""
        console.print(f"  {plan.name} [{plan.marker}{alone}]: {plan.drill.stimulus}", highlight=False, markup=False)


def perform_run(console: Console, request: RunRequest) -> None:
    """Perform drills under the machine's lock, showing them live. Raises Trouble and BadSystem."""
    prepared = prepare(request.system, request.environment)
    with (
        machine_lock(seconds=LOCK_SECONDS, on_wait=console.print),
        LiveView(request.plans, console, request.started) as view,
    ):
        run = DrillRun(
            plans=request.plans,
            folder=request.folder,
            open_site=lambda plan, recording: _site(prepared, plan, recording, run),
            tell=view.tell,
            origin=request.started,
        )
        run.perform()
    write_json(request.folder / RUN, {"seed": run.seed, "resources": dict(run.resources.written())})


def _site(prepared: Prepared, plan: PlannedDrill, recording: Recording, run: DrillRun) -> Site:
    return FreshStack(prepared, recording, name=plan.name, stop=run.stop)


def judge_run(folder: Path) -> list[DrillResult]:
    """Judge every drill whose evidence is in a run's folder."""
    return [judge(read_evidence(path)) for path in drill_folders(folder)]


def conclude_run(console: Console, request: RunRequest, cases: Sequence[CaseResult]) -> Results:
    """Write the reports of a run and print what it found."""
    drills = judge_run(request.folder)
    results = Results(
        system=request.system.name,
        path=str(request.system.directory),
        environment=request.environment,
        engines=_engines(drills),
        started=request.started,
        seconds=time.time() - request.started,
        cases=cases,
        alerts=[AlertFacts(*facts) for facts in alerts(read(request.system))],
        drills=drills,
        resources=_resources(request.folder),
    )
    write_results(request.folder, results)
    write_report(request.folder, results)
    if drills:
        print_drills(console, drills, _shown(request.folder / "report.html"))
    return results


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
