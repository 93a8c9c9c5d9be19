"""What of a folder's alerts is proven by tests made from the rules, and what that costs.

    python bench/simulation.py FOLDER [--promtool PATH] [--only WORDS] [--budget 2] [--list]
    python bench/simulation.py FOLDER --wall 3 [--system WORDS]

FOLDER holds systems (one a folder). Every alert is given free input; promtool has the word on each claim. CPU is of
this process and of promtool's, in milliseconds a rule; temporary files are in memory where there is /dev/shm.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from tocsin.engines.binaries import Engine, find_engine
from tocsin.model import Model
from tocsin.promql.evaluation import Generation, generation_of
from tocsin.simulation.problems import Subject, subjects
from tocsin.supervisor import run_once
from tocsin.synthesis import Dead, Emitted, Open, Outcome, Problem, Property, Solution, emit, failed, synthesise

BATCH = 40
BASE = (Property.FIRES, Property.INACTIVE, Property.BLIP, Property.RESOLVES)


@dataclass
class Judged:
    """An alert with what was found and what the engine said of it."""

    system: str
    subject: Subject
    problem: Problem
    outcome: Outcome
    seconds: float
    emitted: Emitted | None = None
    refused: tuple[str, ...] = ()
    said: str = ""
    proven: set[str] = field(default_factory=set)

    def has(self, wanted: Property) -> bool:
        """Tell whether every claim of a property stands, and there is one."""
        if not isinstance(self.outcome, Solution):
            return False
        claims = [claim for claim in self.outcome.claims if claim.split(":")[0] == wanted]
        if wanted in self.outcome.impossible or (wanted is Property.BLIP and not self.problem.alert.hold_seconds):
            return True
        if self.always and wanted is not Property.FIRES:
            return True
        return bool(claims) and all(claim in self.proven for claim in claims)

    @property
    def always(self) -> bool:
        """Whether the alert has no other side."""
        return isinstance(self.outcome, Solution) and self.outcome.always


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--promtool", type=Path, default=None)
    parser.add_argument("--only", default="", help="alerts whose name holds this")
    parser.add_argument("--system", default="", help="systems whose name holds this")
    parser.add_argument("--budget", type=float, default=2.0)
    parser.add_argument("--wall", type=int, default=0, metavar="N", help="so many turns of one worker beside two")
    parser.add_argument("--list", action="store_true", help="every alert that is not proven in all four properties")
    options = parser.parse_args()
    if options.wall:
        for folder in sorted(
            path for path in options.folder.iterdir() if path.is_dir() and options.system in path.name
        ):
            _wall(folder, options.wall)
        return
    promtool = options.promtool or find_engine(Engine.PROMTOOL)
    generation = _generation(promtool)
    found: list[Judged] = []
    for folder in sorted(path for path in options.folder.iterdir() if path.is_dir() and options.system in path.name):
        for subject in subjects(Model.of(folder)):
            if subject.alert is not None and options.only in subject.alert.name:
                found.append(_solved(folder.name, subject, generation, options.budget))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.process_time()
    memory = Path("/dev/shm")  # noqa: S108 a folder that is made there, with a name of its own
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as place:
        _judge(found, promtool, Path(place))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    engine = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    _report(found, engine, time.process_time() - begun, listed=options.list)


def _wall(folder: Path, turns: int) -> None:
    """Print what two workers take of the time of one that has one core."""
    core = min(os.sched_getaffinity(0))
    taken: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(turns):
        for workers, prefix in ((1, ["taskset", "-c", str(core)]), (2, [])):
            flags = ["--free", "--no-cache", "--quiet", "--json", "--workers", str(workers)]
            command = [*prefix, sys.executable, "-m", "tocsin.cli", "prove", str(folder), *flags]
            begun = time.monotonic()
            done = run_once(command, cwd=Path(), env=None, seconds=3600)
            taken[workers].append(time.monotonic() - begun)
            if not done.stdout:
                print(done.stderr.strip())
                return
            alerts = len(json.loads(done.stdout)["alerts"])
    one, two = median(taken[1]), median(taken[2])
    ratios = ", ".join(f"{b / a:.2f}" for a, b in zip(taken[1], taken[2], strict=True))
    print(f"{folder.name}: {alerts} alerts, one worker {one:.1f} s, two {two:.1f} s: {two / one:.2f} ({ratios})")


def _generation(promtool: Path) -> Generation:
    said = run_once([promtool, "--version"], cwd=Path("/"), env=None, seconds=20)
    match = re.search(r"version (\d+\.\d+\.\d+)", said.stdout + said.stderr)
    return generation_of(match[1] if match else "2.42.0")


def _solved(system: str, subject: Subject, generation: Generation, budget: float) -> Judged:
    begun = time.process_time()
    problem = replace(subject.free(generation), budget_seconds=budget)
    outcome = synthesise(problem)
    return Judged(system, subject, problem, outcome, time.process_time() - begun)


def _judge(found: Sequence[Judged], promtool: Path, place: Path) -> None:
    written: list[tuple[Judged, str]] = []
    for number, each in enumerate(found):
        if isinstance(each.outcome, Solution):
            name = f"t{number:05}.yml"
            each.emitted = emit(each.problem, each.outcome, rules_file=f"r{number:05}.yml")
            (place / f"r{number:05}.yml").write_text(each.emitted.rules)
            (place / name).write_text(each.emitted.tests)
            written.append((each, name))
    for i in range(0, len(written), BATCH):
        batch = written[i : i + BATCH]
        done = run_once([promtool, "test", "rules", *(n for _, n in batch)], cwd=place, env=None, seconds=600)
        for each, name in batch:
            claims = set(each.outcome.claims) if isinstance(each.outcome, Solution) else set()
            alone = run_once([promtool, "test", "rules", name], cwd=place, env=None, seconds=600) if done.code else done
            if alone.code == 0:
                each.proven = claims
                continue
            each.said = (alone.stdout + alone.stderr)[:3000]
            wrong = failed(each.emitted, each.said) if each.emitted is not None else ()
            each.refused = tuple(dict.fromkeys(a.claim for a in wrong)) or ("everything",)
            each.proven = claims - set(each.refused) if wrong else set()


def _report(found: Sequence[Judged], engine: float, judging: float, *, listed: bool) -> None:
    systems = dict.fromkeys(each.system for each in found)
    print(f"{'system':42} {'rules':>6} {'dead':>5} {'open':>5} {'fires':>6} " + " ".join(f"{p:>9}" for p in BASE[1:])
          + f" {'all four':>9} {'refused':>8}")  # fmt: skip
    for system in (*systems, "all"):
        own = [each for each in found if system in (each.system, "all")]
        _row(system, own)
    for each in found:
        if isinstance(each.outcome, Dead):
            print(f"dead  {_where(each)} [{each.outcome.cause}] {each.outcome.argument}\n        {_expression(each)}")
    for each in found:
        if isinstance(each.outcome, Open):
            print(f"open  {_where(each)} {each.outcome.reason}\n        {_expression(each)}")
    for each in found if listed else ():
        if isinstance(each.outcome, Solution) and not all(each.has(p) for p in BASE):
            missing = {str(p): text for p, text in each.outcome.missing.items()}
            print(f"part  {_where(each)} {missing} refused: {each.refused}\n        {_expression(each)}")
        elif each.refused:
            print(f"refused  {_where(each)} {each.refused}\n        {_expression(each)}")
    python = sum(each.seconds for each in found) + judging
    count = max(1, len(found))
    print(f"{python * 1000 / count:.1f} ms of Python and {engine * 1000 / count:.1f} ms of promtool a rule")
    slowest = sorted(found, key=lambda each: -each.seconds)[:5]
    print("slowest: " + ", ".join(f"{each.subject.rule.name} {each.seconds * 1000:.0f} ms" for each in slowest))
    notes = Counter(note for each in found if isinstance(each.outcome, Solution) for note in each.outcome.notes)
    for note, times in notes.items():
        print(f"{times} times: {note}")


def _row(system: str, own: Sequence[Judged]) -> None:
    dead = sum(isinstance(each.outcome, Dead) for each in own)
    alive = max(1, len(own) - dead)
    counts = [sum(each.has(p) for each in own) for p in BASE]
    whole = sum(all(each.has(p) for p in BASE) for each in own)
    print(f"{system:42} {len(own):6} {dead:5} {sum(isinstance(e.outcome, Open) for e in own):5} "
          + " ".join(f"{100 * c / alive:{6 if n == 0 else 8}.1f}%" for n, c in enumerate(counts))
          + f" {100 * whole / alive:8.1f}% {sum(bool(e.refused) for e in own):8}")  # fmt: skip


def _where(each: Judged) -> str:
    rule = each.subject.rule
    return f"{rule.name} {each.system}/{rule.file}:{rule.place.line}"


def _expression(each: Judged) -> str:
    return " ".join(each.subject.rule.expression.split()) + f" for {each.problem.alert.hold_seconds:g}"


if __name__ == "__main__":
    main()
