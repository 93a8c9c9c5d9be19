"""`tocsin check`: examine the files of a folder, without pytest, for editors, hooks and pipelines."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from tocsin.baseline import read_baseline, write_baseline
from tocsin.checks import checks
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.report.findings import formats, render
from tocsin.source import Place, offered
from tocsin.static import Examination, Request, examine
from tocsin.system import FILE, BadSystem, Problem, load_system
from tocsin.verdict import Outcome

FAILED, BAD_INPUT = 1, 2


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Examines every file of a folder that can be known without running it: Prometheus, rules, Alertmanager, "
        "Kubernetes, dashboards, runbooks, and what must agree between them. Starts nothing. Exit code 0: nothing "
        "at or above --fail-on; 1: something; 2: bad arguments, a bad system.yaml, or nothing to examine."
    )
    parser.add_argument("path", nargs="?", type=Path, default=Path(), metavar="DIR",
                        help="the folder, or one file of it (its findings alone are shown); default: here")  # fmt: skip
    parser.add_argument("--format", choices=formats(), default="text")
    parser.add_argument("--fail-on", choices=["error", "warning", "info", "never"], default="error",
                        help="the least severity that makes the exit code 1; default: error")  # fmt: skip
    parser.add_argument("--check", action="append", metavar="ID", help="ask this check only; may be given again")
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="findings that are known: they do not fail")
    parser.add_argument("--write-baseline", type=Path, metavar="FILE", help="write what is found as a baseline")
    parser.add_argument("--changed", metavar="RANGE",
                        help="show only what is new, or in new lines, since a commit: main, main...HEAD")  # fmt: skip
    parser.add_argument("--live", metavar="ENVIRONMENT",
                        help="ask the running Prometheus of an environment of system.yaml too; reads only")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Examine, print, and return the exit code. Raises BadSystem for bad input."""
    path: Path = options.path
    if not path.exists():
        raise BadSystem((Problem(Place(str(path)), "there is no such folder or file"),))
    directory, only = (path, None) if path.is_dir() else _around(path)
    model = _model(directory)
    for named in options.check or ():
        if named not in checks():
            raise BadSystem((Problem(Place("--check"), f"there is no check {named!r}; {offered(named, checks())}"),))
    request = Request(
        today=datetime.now(UTC).date(),
        fail_on=None if options.fail_on == "never" else Severity(options.fail_on),
        baseline=read_baseline(options.baseline) if options.baseline else None,
        ids=options.check,
        keep=None if only is None else lambda finding: finding.place.file == only,
    )
    examination = _changed(model, request, options.changed) if options.changed else examine(model, request)
    if options.live:
        examination = _live(model, request, options.live, examination)
    if options.write_baseline:
        kept = [j.finding for j in examination.judged if j.verdict.outcome is not Outcome.WAIVED or options.baseline]
        count = write_baseline(options.write_baseline, kept)
        print(f"tocsin: {count} findings written to {options.write_baseline}", file=sys.stderr)
    print(render(examination, options.format))
    return _code(examination, directory)


def _around(file: Path) -> tuple[Path, str]:
    """Return the folder to examine for one file: that of the nearest system.yaml above it, else its own."""
    resolved = file.resolve()
    for folder in resolved.parents:
        if (folder / FILE).is_file():
            return folder, resolved.relative_to(folder).as_posix()
    return resolved.parent, resolved.name


def _model(directory: Path) -> Model:
    return Model.of(directory, load_system(directory) if (directory / FILE).is_file() else None)


def _changed(model: Model, request: Request, commits: str) -> Examination:
    from tocsin.changes import examine_changes  # noqa: PLC0415 starts git, which nobody else needs

    return examine_changes(model, request, commits)


def _live(model: Model, request: Request, environment: str, examination: Examination) -> Examination:
    from tocsin.live import examine_live  # noqa: PLC0415 asks a server, which nobody else does

    return examine_live(model, request, environment, examination)


def _code(examination: Examination, directory: Path) -> int:
    if not any(count for kind, count in examination.artefacts.items() if kind != "runbooks") and not any(
        each.severity == "error" for each in examination.unread
    ):
        templates = sum(each.kind == "template" for each in examination.unread)
        but = f"; {templates} unrendered templates are there: render them, and examine what comes out"
        said = "holds nothing that can be examined: no configuration, rules, manifests or dashboards"
        raise BadSystem((Problem(Place(str(directory)), said + (but if templates else "")),))
    return FAILED if examination.failed else 0
