"""How many mutants of alerts, drawn from every system of a folder, the tests kill that were made for the alerts.

python bench/mutation.py FOLDER [--rules 200] [--seed 1] [--promtool PATH] [--inputs 10000] [--seconds 60]
python bench/mutation.py FOLDER --owner [--system NAME]

With --owner it is the owner's own promtool tests that are judged, of every system that has some.
An alert that is dead or open has no tests, and no mutants: it is listed apart, and another one is drawn.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random

from tocsin.engines.rule_engines import rule_engine
from tocsin.model import Model
from tocsin.promql.evaluation import Generation
from tocsin.simulation.mutation import (
    Fate,
    Judged,
    MutatedAlert,
    MutationTrial,
    Score,
    Suspect,
    judge,
    judge_owner,
    score,
    scores,
)
from tocsin.simulation.problems import Subject, subjects
from tocsin.synthesis import Solution, synthesise
from tocsin.synthesis.killing import ENOUGH

CHUNK = 20


def main() -> None:
    """Print scores by class of mutants, and every mutant that was not killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rules", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--promtool", type=Path)
    parser.add_argument("--inputs", type=int, default=ENOUGH)
    parser.add_argument("--seconds", type=float, default=60.0, help="of CPU for the search for one mutant")
    parser.add_argument("--equivalent", action="store_true", help="show what is equivalent, with the arguments")
    parser.add_argument("--system", default="", help="a piece of the names of the systems that are looked at")
    parser.add_argument("--owner", action="store_true", help="judge the owner's promtool tests")
    options = parser.parse_args()
    engine = rule_engine(options.promtool)
    started = time.process_time()
    systems = sorted(path for path in options.folder.iterdir() if path.is_dir() and options.system in path.name)
    suspects = drawn(systems, engine.generation, options.seed)
    judged: list[MutatedAlert] = []
    for system in systems if options.owner else ():
        judged += judge_owner(engine, Model.of(system), tell=lambda _: print(".", end="", file=sys.stderr, flush=True))
    while not options.owner and len(judged) < options.rules:
        trials = [
            MutationTrial(suspect, inputs=options.inputs, seconds=options.seconds, seed=options.seed)
            for suspect in islice(suspects, min(CHUNK, options.rules - len(judged)))
        ]
        if not trials:
            break
        judge(engine, trials)
        judged += [trial.result() for trial in trials]
        print(f"{len(judged)} alerts, {time.process_time() - started:.0f} s of CPU", file=sys.stderr, flush=True)
    report(judged, equivalent=options.equivalent)
    print(f"promtool {engine.version}; {time.process_time() - started:.0f} s of CPU in Python")


def drawn(systems: Sequence[Path], generation: Generation, seed: int) -> Iterator[Suspect]:
    """Yield the alerts that have tests, in an order that the seed decides."""
    found: list[tuple[str, Subject]] = []
    for directory in systems:
        found += [(directory.name, each) for each in subjects(Model.of(directory)) if each.alert is not None]
    Random(seed).shuffle(found)  # noqa: S311 no secret hangs on it
    for system, subject in found:
        problem = subject.free(generation)
        outcome = synthesise(problem)
        if isinstance(outcome, Solution):
            yield Suspect(id=f"{system}/{subject.id}", problem=problem, solution=outcome)
        else:
            said = getattr(outcome, "argument", "") or getattr(outcome, "reason", "")
            print(f"no tests: {system}/{subject.id}: {type(outcome).__name__}: {said}")


def report(judged: list[MutatedAlert], *, equivalent: bool) -> None:
    """Print what became of the mutants."""
    for alert in judged:
        if alert.trouble:
            print(f"not judged: {alert.id}: {alert.trouble}")
        for each in alert.judged:
            if each.fate in (Fate.SURVIVED, Fate.PROBABLY) or (equivalent and each.fate is Fate.EQUIVALENT):
                print(f"{each.fate}: {alert.id}: {each.mutant.operator}: {each.mutant.description}: {each.reason}")
                print("\n".join(f"    {line}" for line in each.mutant.diff.splitlines()))
    print(f"{'':22} {'killed':>7} {'survived':>8} {'equiv.':>7} {'prob. eq.':>9}   of all  of different")
    for operator, each in scores(judged).items():
        line(str(operator), each)
    every: list[Judged] = [each for alert in judged for each in alert.judged]
    line("all", score(every))
    if not any(each.found for each in every):
        return
    own = sum(each.fate is Fate.KILLED and not each.found for each in every)
    tests = sum(len(alert.tests) for alert in judged)
    print(f"{len(judged)} alerts; {own} killed by the tests of the synthesis, the rest by {tests} tests found for them")


def line(name: str, each: Score) -> None:
    """Print one line of the table."""
    counts = [each.fates.get(fate, 0) for fate in (Fate.KILLED, Fate.SURVIVED, Fate.EQUIVALENT, Fate.PROBABLY)]
    killed, survived, proven, probably = counts
    print(f"{name:22} {killed:7} {survived:8} {proven:7} {probably:9}  {each.whole:7.1%} {each.of_different:9.1%}")


if __name__ == "__main__":
    main()
