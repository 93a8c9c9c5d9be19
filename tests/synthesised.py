"""Synthesised tests put before promtool, many in one process."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tocsin.supervisor import run_once
from tocsin.synthesis import Emitted, Problem, Solution, emit, failed


@dataclass(frozen=True)
class Heard:
    """What an engine said of a solution."""

    emitted: Emitted
    passed: bool
    refused: frozenset[str]
    """The claims that it did not confirm."""
    said: str


def heard(promtool: Path, asked: Sequence[tuple[Problem, Solution]]) -> list[Heard]:
    """Return what an engine says of solutions, each judged by its own problem's rules."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        emitted = [emit(problem, solution, rules_file=f"r{i}.yml") for i, (problem, solution) in enumerate(asked)]
        for i, each in enumerate(emitted):
            (place / f"r{i}.yml").write_text(each.rules)
            (place / f"t{i}.yml").write_text(each.tests)
        names = [f"t{i}.yml" for i in range(len(emitted))]
        together = run_once([promtool, "test", "rules", *names], cwd=place, env=None, seconds=300)
        found = []
        for name, each in zip(names, emitted, strict=True):
            done = together
            if together.code:
                done = run_once([promtool, "test", "rules", name], cwd=place, env=None, seconds=60)
            said = done.stdout + done.stderr
            refused = frozenset(assertion.claim for assertion in failed(each, said)) if done.code else frozenset()
            found.append(Heard(each, done.code == 0, refused, said))
        return found
