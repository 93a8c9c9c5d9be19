"""The `tocsin` command. Exit codes: 0 well, 1 something failed, 2 bad input or nothing to do, 10 inconclusive."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from tocsin import __version__
from tocsin.deadline import DeadlineExceeded, Stopped
from tocsin.drill.planning import PlannedDrill, plan_drills
from tocsin.drill.runs import has_begun, run_folder
from tocsin.report.console import print_drills, run_console
from tocsin.runner import RunRequest, cases_of_run, conclude_run, judge_run, perform_run, print_plan
from tocsin.source import Place, offered
from tocsin.supervisor import Trouble
from tocsin.system import BadSystem, Problem, System, load_system
from tocsin.up import PORT_BASE, UpRequest, stay_up
from tocsin.verdict import Outcome, Verdict, worst

FAILED, BAD_INPUT, INCONCLUSIVE, INTERRUPTED = 1, 2, 10, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and ("names" not in options or any(word.startswith("-") for word in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:  # argparse takes names of drills only before the options
        options.names += rest
    console = run_console()
    try:
        code: int = options.run(options, console)
    except (BadSystem, Trouble, DeadlineExceeded) as error:
        Console(stderr=True).print(f"tocsin: {error}", highlight=False, markup=False, soft_wrap=True)
        return BAD_INPUT
    except (KeyboardInterrupt, Stopped):
        Console(stderr=True).print("tocsin: stopped; everything that was started has ended", highlight=False)
        return INTERRUPTED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tocsin", description="Proves that a system's monitoring works.")
    parser.add_argument("--version", action="version", version=f"tocsin {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    drill = commands.add_parser("drill", help="perform the drills of a system and judge them")
    drill.add_argument("system", type=Path, help="folder of the system.yaml")
    drill.add_argument("names", nargs="*", metavar="DRILL", help="drills to perform; default: all")
    drill.add_argument("--environment", help="one of the system's environments")
    drill.add_argument("--reports", type=Path, default=Path("reports"), help="where runs are kept; default: reports/")
    drill.add_argument("--dry-run", action="store_true", help="print the plan, and stop")
    drill.set_defaults(run=_drill)
    up = commands.add_parser("up", help="start a system on fixed ports of this machine, until Ctrl-C")
    up.add_argument("system", type=Path, help="folder of the system.yaml")
    up.add_argument("--environment", help="one of the system's environments that have processes")
    up.add_argument("--factor", type=float, help="times faster than production; default: as the environment says")
    up.add_argument("--port-base", type=int, default=PORT_BASE, help=f"Prometheus's port; default: {PORT_BASE}")
    up.set_defaults(run=_up)
    rejudge = commands.add_parser(
        "rejudge",
        help="judge the evidence of an old run again",
        description="Judges the evidence of an old run again and prints what this Tocsin makes of it. Writes nothing: "
        "the run's own results.json and report stay what was said then. Knows no system.yaml but the evidence, so "
        "nothing is waived. (For new reports, waivers included: pytest --system DIR --evidence RUN.)",
    )
    rejudge.add_argument("folder", type=Path, help="a run's folder, or that of one drill's evidence")
    rejudge.set_defaults(run=_rejudge)
    return parser


def _drill(options: argparse.Namespace, console: Console) -> int:
    system = load_system(options.system)
    environment, _ = system.environment(options.environment)
    plans = _chosen(system, plan_drills(system, environment), options.names)
    started, reports = time.time(), options.reports.resolve()
    folder = reports if options.dry_run else run_folder(reports, started)
    request = RunRequest(system, environment, plans, folder, started)
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
    return _code(case.verdict for case in results.cases)


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


def _up(options: argparse.Namespace, console: Console) -> int:
    if options.factor is not None and options.factor < 1:
        raise BadSystem((Problem(Place("--factor"), "must be 1 or more: how many times faster than production"),))
    stay_up(console, UpRequest(load_system(options.system), options.environment, options.factor, options.port_base))
    return 0


def _rejudge(options: argparse.Namespace, console: Console) -> int:
    folder: Path = options.folder
    if not folder.is_dir():
        raise BadSystem((Problem(Place(str(folder)), "is not a folder of evidence"),))
    # A drill that was cut off at once has left no file but its place: it is evidence of having proven nothing.
    known = (folder / "evidence").is_dir() or folder.resolve().parent.name == "evidence" or any(folder.glob("*.json*"))
    drills = judge_run(folder) if known else []
    if not drills:
        raise BadSystem((Problem(Place(str(folder)), "holds no evidence of any drill"),))
    print_drills(console, drills, str(folder))
    return _code(drill.verdict for drill in drills)


def _code(verdicts: Iterable[Verdict]) -> int:
    match worst(verdicts).outcome:
        case Outcome.FAILED:
            return FAILED
        case Outcome.INCONCLUSIVE:
            return INCONCLUSIVE
        case _:
            return 0


if __name__ == "__main__":
    sys.exit(main())
