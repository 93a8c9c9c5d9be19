"""The owner's own promtool tests, run as they are."""

from __future__ import annotations

import os
from pathlib import Path

from tocsin.case import CaseResult
from tocsin.engines.rule_engines import RuleEngine, scratch
from tocsin.engines.trouble import EngineTrouble
from tocsin.model import Model
from tocsin.simulation.partial_tests import partial_case, partial_test_files
from tocsin.source import Place
from tocsin.supervisor import Trouble, run_once
from tocsin.verdict import PASSED, Verdict, failed, inconclusive

SECONDS = 600.0
"""What one file may take."""


def test_files(model: Model) -> tuple[str, ...]:
    """Return the names of a system's test files: those for promtool, and those that match in part."""
    return tuple(dict.fromkeys([*(part.file for part in model.promtool_tests), *partial_test_files(model)]))


def owners_case(engine: RuleEngine, model: Model, file: str) -> CaseResult:
    """Return what an engine says of a test file, as a case."""
    if file in partial_test_files(model):
        return partial_case(engine, model, file)
    verdict = run_owners_test(engine, model.folder.directory / file)
    return CaseResult(f"owners-tests@{file}", "simulation", file, Place(file), verdict)


def run_owners_test(engine: RuleEngine, file: Path) -> Verdict:
    """Return the verdict of a test file where it stands."""
    with scratch() as folder:
        environment = {**os.environ, "TMPDIR": str(folder)}
        command: list[str | Path] = [engine.path, "test", "rules", file.name]
        try:
            done = run_once(command, cwd=file.parent, env=environment, seconds=SECONDS)
        except EngineTrouble:
            raise
        except Trouble as trouble:
            return inconclusive(f"{file.name}: {trouble.detail}")
    if done.code == 0:
        return PASSED
    lines = [line for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    return failed("\n".join(lines[:60]))
