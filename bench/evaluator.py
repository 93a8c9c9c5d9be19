"""Whether our evaluation of PromQL says what an engine says, on expressions by chance.

    python -m bench.evaluator [--promtool PATH] [--count 100000] [--seed 1] [--most 20] [--only NUMBER]

Expressions and series come from the generator of the tests, a hundred expressions for one set of series; promtool is
asked for many sets in one process. Prints how many were compared, and how many differ in what way; of each way some.
Exits 1 if anything differs by more than rounding.
"""

from __future__ import annotations

import argparse
import math
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from tests.promql_engine import Answer, ask, stored
from tests.promql_generator import Generator, Written
from tocsin.engines.binaries import Engine, find_engine, version
from tocsin.promql import PromQLError, parse
from tocsin.promql.evaluation import EvaluationError, Generation, Store, compile_expression, generation_of

TOGETHER = 100
"""Expressions for one set of series."""
SETS = 20
"""Sets of series for one process of promtool, which takes longer to start than to answer."""
TIMES = (0, 30, 60, 300, 600, 615, 630, 900, 1200, 1230, 1500)
LAST_DIGITS = 8
"""Units in the last place within which two floats are the same but for the order of a sum."""
ROUNDING = 1e-9
"""As a part of the greater value: what is left of sums whose terms cancel out."""


class Compared(StrEnum):
    """How two answers compare."""

    SAME = "the same, to the last bit"
    BOTH_REFUSE = "both are an error"
    NOT_EVALUATED = "not evaluated here"
    LAST_DIGIT = "differs in the last digits of a float"
    ROUNDED = "differs by rounding that cancellation enlarged"
    WAVERING = "differs, as the engine's own answers do from run to run"
    TIE = "differs in which of equals topk() or bottomk() took"
    ONE_REFUSES = "differs: one is an error"
    LABELS = "differs: other series"
    VALUES = "differs: other values"


QUIET = (Compared.SAME, Compared.BOTH_REFUSE, Compared.NOT_EVALUATED)
"""What is counted only."""
TOLERATED = (
    *QUIET,
    Compared.LAST_DIGIT,
    Compared.ROUNDED,
    Compared.WAVERING,
    Compared.TIE,
)
"""What is no defect of ours.

promtool loads the series of a test in no certain order, so the order of a sum, and which of equals topk() takes, is up
to chance: what differs is asked again, and wavers if the engine ever says something else than before.
"""
AGAIN = 60
"""How often it is asked again, at most: of two orders the rarer one may have a share of an eighth."""


@dataclass(frozen=True, slots=True)
class Question:
    """An expression, a moment in seconds, and the seed of its series."""

    expression: str
    at: int
    seed: int


def main() -> int:
    """Print the figures; 1 if something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--promtool", type=Path)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=20, help="differences of one way that are printed")
    parser.add_argument("--only", type=int, help="the seed of one set of series")
    options = parser.parse_args()
    promtool = options.promtool or find_engine(Engine.PROMTOOL)
    sets = max(1, options.count // TOGETHER)
    seeds = [options.only] if options.only is not None else [options.seed * 1_000_000 + n for n in range(sets)]
    found: Counter[Compared] = Counter()
    for start in range(0, len(seeds), SETS):
        for each in _judged(promtool, seeds[start : start + SETS]):
            found[each.how] += 1
            if each.how not in QUIET and found[each.how] <= options.most:
                print(each.told, flush=True)
        if start // SETS % 10 == 0:
            print(f"{found.total()} compared", file=sys.stderr, flush=True)
    return _report(found, version(promtool))


@dataclass(frozen=True, slots=True)
class Judged:
    """A question with both answers, and how they compare."""

    question: Question
    ours: Answer | None
    theirs: Answer
    how: Compared

    @property
    def told(self) -> str:
        """The two answers, for a reader."""
        asked = self.question
        return (f"{self.how}: seed {asked.seed}, at {asked.at} s: {asked.expression}\n"
                f"    ours   {_shown(self.ours)}\n    theirs {_shown(self.theirs)}")  # fmt: skip


def _judged(promtool: Path, seeds: list[int]) -> Iterator[Judged]:
    """Yield how both answer every expression of some seeds."""
    generation = generation_of(version(promtool))
    sets = [_set(seed, generation) for seed in seeds]
    doubtful: list[tuple[list[Written], list[Judged]]] = []
    for (series, asked), theirs in zip(sets, _asked(promtool, sets), strict=True):
        store = stored(series)
        wrong = []
        for question, answer in zip(asked, theirs, strict=True):
            own = ours(question, generation, store)
            judged = Judged(question, own, answer, compared(own, answer))
            if judged.how in QUIET:
                yield judged
            else:
                wrong.append(judged)
        if wrong:
            doubtful.append((series, wrong))
    yield from _asked_again(promtool, doubtful)


def _asked_again(promtool: Path, doubtful: list[tuple[list[Written], list[Judged]]]) -> Iterator[Judged]:
    """Yield what differs as it is, or as wavering if the engine contradicts itself."""
    for _ in range(AGAIN):
        if not doubtful:
            return
        answers = _asked(promtool, [(series, [each.question for each in wrong]) for series, wrong in doubtful])
        left = []
        for (series, wrong), said in zip(doubtful, answers, strict=True):
            kept = []
            for each, answer in zip(wrong, said, strict=True):
                if compared(each.theirs, answer) in QUIET:
                    kept.append(each)
                else:
                    yield replace(each, how=Compared.WAVERING)
            left += [(series, kept)] if kept else []
        doubtful = left
    yield from (_tie(each) for _, wrong in doubtful for each in wrong)


def _tie(judged: Judged) -> Judged:
    chosen = any(word in judged.question.expression for word in ("topk", "bottomk"))
    return replace(judged, how=Compared.TIE) if chosen and judged.how in (Compared.LABELS, Compared.VALUES) else judged


def _asked(promtool: Path, sets: Sequence[tuple[list[Written], list[Question]]]) -> list[list[Answer]]:
    return ask(promtool, [(series, [(each.expression, each.at) for each in asked]) for series, asked in sets])


def _set(seed: int, generation: Generation) -> tuple[list[Written], list[Question]]:
    generator, times = Generator(seed, generation), random.Random(seed)  # noqa: S311 no secret hangs on it
    series = generator.series()
    return series, [Question(generator.expression(), times.choice(TIMES), seed) for _ in range(TOGETHER)]


def ours(question: Question, generation: Generation, store: Store) -> Answer | None:
    """Return what the evaluator says; None where it says that it does not know."""
    try:
        return dict(compile_expression(parse(question.expression), generation).at(store, question.at * 1000))
    except EvaluationError as error:
        return None if "not evaluated here" in str(error) else str(error)
    except PromQLError as error:
        return str(error)


def compared(mine: Answer | None, theirs: Answer) -> Compared:
    """Return how two answers compare."""
    if mine is None:
        return Compared.NOT_EVALUATED
    if isinstance(mine, str) or isinstance(theirs, str):
        return Compared.BOTH_REFUSE if isinstance(mine, str) and isinstance(theirs, str) else Compared.ONE_REFUSES
    if mine.keys() != theirs.keys():
        return Compared.LABELS
    return max((_values(value, theirs[labels]) for labels, value in mine.items()), key=_ORDER.index, default=_ORDER[0])


_ORDER = (Compared.SAME, Compared.LAST_DIGIT, Compared.ROUNDED, Compared.VALUES)


def _values(one: float, other: float) -> Compared:
    if one == other or (math.isnan(one) and math.isnan(other)):
        return Compared.SAME
    if not math.isfinite(one) or not math.isfinite(other):
        return Compared.VALUES
    if abs(one - other) <= LAST_DIGITS * math.ulp(max(abs(one), abs(other))):
        return Compared.LAST_DIGIT
    return Compared.ROUNDED if math.isclose(one, other, rel_tol=ROUNDING, abs_tol=ROUNDING) else Compared.VALUES


def _shown(answer: Answer | None) -> str:
    if not isinstance(answer, dict):
        return str(answer)
    series = [", ".join(f"{name}={value}" for name, value in labels) for labels in answer]
    pairs = sorted(zip(series, answer.values(), strict=True), key=lambda pair: pair[0])
    return "; ".join(f"{{{name}}} {value!r}" for name, value in pairs)[:1500] or "nothing"


def _report(found: Counter[Compared], of: str) -> int:
    wrong = sum(count for how, count in found.items() if how not in TOLERATED)
    print(f"promtool {of}: {found.total()} compared, {wrong} differ")
    for how in Compared:
        print(f"{found[how]:8}  {how}")
    engine = resource.getrusage(resource.RUSAGE_CHILDREN)
    children = engine.ru_utime + engine.ru_stime
    print(f"CPU: {time.process_time():.0f} s of Python, {children:.0f} s of promtool")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
