"""`tocsin report`: put reports together that were made apart, on several machines or in several processes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tocsin.atomic import write_json
from tocsin.report.console import run_console
from tocsin.report.proofs.text import print_report
from tocsin.simulation.merging import merged
from tocsin.source import Place
from tocsin.system import BadSystem, Problem

FAILED, INCONCLUSIVE = 1, 10


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Makes one report of those that `tocsin prove --shard I/N --json` printed. Exit code 0: all proven; 1: an "
        "alert never fires; 10: something stayed open; 2: a file is no such report."
    )
    parser.add_argument("--merge", nargs="+", type=Path, required=True, metavar="FILE", help="the reports")
    parser.add_argument("--json", action="store_true", help="print the whole as JSON")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the whole as JSON")
    parser.add_argument("--all", action="store_true", help="list every alert, however many there are")


def run(options: argparse.Namespace) -> int:
    """Merge, print, and return the exit code. Raises BadSystem for bad input."""
    try:
        report = merged([_read(path) for path in options.merge])
    except (ValueError, KeyError) as error:
        raise BadSystem((Problem(Place("--merge"), f"the reports cannot be put together: {error}"),)) from error
    if options.output is not None:
        write_json(options.output, report)
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        print_report(run_console(), report, whole=options.all)
    verdicts = {each["verdict"] for each in report["alerts"]}
    return FAILED if "failed" in verdicts else INCONCLUSIVE if "inconclusive" in verdicts else 0


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSystem((Problem(Place(str(path)), f"cannot be read: {error.strerror}"),)) from error
    except ValueError as error:
        raise BadSystem((Problem(Place(str(path)), f"is no JSON: {error}"),)) from error
    if not isinstance(found, dict):
        raise BadSystem((Problem(Place(str(path)), "is no report of `tocsin prove --json`"),))
    return found
