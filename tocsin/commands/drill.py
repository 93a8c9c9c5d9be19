"""`tocsin drill`: perform drills and judge them, without pytest."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tocsin.commands import exit_code
from tocsin.drill.planning import PlannedDrill, plan_drills
from tocsin.drill.runs import has_begun, run_folder
from tocsin.report.console import run_console
from tocsin.runner import RunRequest, cases_of_run, conclude_run, perform_run, print_plan
from tocsin.source import offered
from tocsin.system import BadSystem, Problem, System, load_system

INTERRUPTED = 130


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("system", type=Path, help="folder of the system.yaml")
    parser.add_argument("names", nargs="*", metavar="DRILL", help="drills to perform; default: all")
    parser.add_argument("--environment", help="one of the system's environments")
    parser.add_argument("--reports", type=Path, default=Path("reports"), help="where runs are kept; default: reports/")
    parser.add_argument(
        "--attempts", type=int, choices=(1, 2), default=2, help="1: do not perform a drill again that proved nothing"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the plan, and stop")


def run(options: argparse.Namespace) -> int:
    """Perform the drills, judge them, and return the exit code. Raises BadSystem and Trouble before anything began."""
    console = run_console()
    system = load_system(options.system)
    environment, _ = system.environment(options.environment)
    plans = _chosen(system, plan_drills(system, environment), options.names)
    started, reports = time.time(), options.reports.resolve()
    folder = reports if options.dry_run else run_folder(reports, started)
    request = RunRequest(system, environment, plans, folder, started, options.attempts)
    print_plan(console, request)
    if options.dry_run:
        return 0
    interrupted = False
    try:
        perform_run(console, request)
    except KeyboardInterrupt:
        if not has_begun(folder):
            raise
        interrupted = True
    results = conclude_run(console, request, cases_of_run(request), time.time())
    if interrupted:
        print("interrupted; everything that was started has ended", file=sys.stderr)
        return INTERRUPTED
    return exit_code(case.verdict for case in results.cases)


def _chosen(system: System, plans: tuple[PlannedDrill, ...], names: Sequence[str]) -> tuple[PlannedDrill, ...]:
    known = {plan.name: plan for plan in plans}
    for name in names:
        if name not in known:
            said = f"there is no drill {name!r}; {offered(name, known)}"
            raise BadSystem((Problem(system.place("drills"), said),))
    chosen = tuple(known[name] for name in names) if names else plans
    if not chosen:
        raise BadSystem((Problem(system.place("drills"), "the system declares no drills: there is nothing to do"),))
    return chosen
