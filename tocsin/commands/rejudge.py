"""`tocsin rejudge`: what this Tocsin makes of old evidence."""

from __future__ import annotations

import argparse
from pathlib import Path

from tocsin.commands import exit_code
from tocsin.report.console import print_drills, run_console
from tocsin.runner import judge_run
from tocsin.source import Place
from tocsin.system import BadSystem, Problem


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Judges the evidence of an old run again and prints what this Tocsin makes of it. Writes nothing: "
        "the run's own results.json and report stay what was said then. Knows no system.yaml but the evidence, so "
        "nothing is waived. (For new reports, waivers included: pytest --system DIR --evidence RUN.)"
    )
    parser.add_argument("folder", type=Path, help="a run's folder, or that of one drill's evidence")


def run(options: argparse.Namespace) -> int:
    """Judge, print, and return the exit code. Raises BadSystem if there is no evidence."""
    folder: Path = options.folder
    if not folder.is_dir():
        raise BadSystem((Problem(Place(str(folder)), "is not a folder of evidence"),))
    # A drill that was cut off at once has left no file but its place: it is evidence of having proven nothing.
    known = (folder / "evidence").is_dir() or folder.resolve().parent.name == "evidence" or any(folder.glob("*.json*"))
    drills = judge_run(folder) if known else []
    if not drills:
        raise BadSystem((Problem(Place(str(folder)), "holds no evidence of any drill"),))
    print_drills(run_console(), drills, str(folder))
    return exit_code(drill.verdict for drill in drills)
