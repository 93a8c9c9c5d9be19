"""What promtool makes of expressions: it prints the samples that it got where others were expected."""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.promql_generator import SCRAPE, Written
from tocsin.promql.evaluation import Store
from tocsin.supervisor import Completed, run_once

Answer = dict[tuple[tuple[str, str], ...], float] | str
"""The samples by their labels, or the engine's error."""

EVALUATION = 60_000
"""Milliseconds between two evaluations."""
_BLOCK = re.compile(r'expr: "(?P<expr>.*?) # (?P<n>\d+)", time: [^,]+,\s*(?P<rest>.*?)(?=\n\s*expr: "|\Z)', re.DOTALL)
_PAIRS = r'\{(?:[^{}"]|"(?:[^"\\]|\\.)*")*\}'
_SAMPLE = re.compile(
    rf"(?P<labels>(?:[a-zA-Z_:][\w:]*)?{_PAIRS}|[a-zA-Z_:][\w:]*) (?P<value>[-+]?(?:Inf|NaN|[0-9.]+(?:E[-+]?\d+)?))"
)
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')


def ask(promtool: Path, asked: Sequence[tuple[list[Written], Sequence[tuple[str, int]]]]) -> list[list[Answer]]:
    """Return what an engine says of expressions at times (seconds), for each group of series; in one process."""
    numbers = iter(range(sum(len(expressions) for _, expressions in asked)))
    tests = [_test(series, [(next(numbers), *each) for each in expressions]) for series, expressions in asked]
    with tempfile.TemporaryDirectory() as place:
        text = json.dumps({"evaluation_interval": f"{EVALUATION}ms", "tests": tests})
        (Path(place) / "tests.yml").write_text(text, encoding="utf-8")
        seconds = 120 + 10 * len(asked)
        done = run_once([promtool, "test", "rules", "tests.yml"], cwd=Path(place), env=None, seconds=seconds)
    answers = iter(_read(done, sum(len(expressions) for _, expressions in asked)))
    return [[next(answers) for _ in expressions] for _, expressions in asked]


def stored(series: Sequence[Written]) -> Store:
    """Return series in the order in which promtool comes to know them, where that is sure.

    It loads samples as far as each evaluation, and a series is known with its first one (cmd/promtool/unittest.go).
    Within one step the order is up to chance, and so is what hangs on it: the last digit of a sum, a choice of equals.
    """
    known = [each.series for each in series if each.series.times]
    return Store(sorted(known, key=lambda each: -(-each.times[0] // EVALUATION)))


def _test(series: Sequence[Written], numbered: Sequence[tuple[int, str, int]]) -> dict[str, object]:
    """Return a test group; what no expression gives is expected of each, so that the engine tells what it has."""
    return {
        "interval": f"{SCRAPE}s",
        "input_series": [{"series": each.selector, "values": each.values} for each in series],
        "promql_expr_test": [
            {
                "expr": f"{expression} # {number}",
                "eval_time": f"{time}s",
                "exp_samples": [{"labels": '{never="there"}', "value": 12345}],
            }
            for number, expression, time in numbered
        ],
    }


def _read(done: Completed, count: int) -> list[Answer]:
    text = f"{done.stdout}\n{done.stderr}"
    found: dict[int, Answer] = {}
    for match in _BLOCK.finditer(text):
        n, rest = int(match["n"]), match["rest"]
        if "got:" in rest:
            got = rest.partition("got:")[2]
            found[n] = {} if got.strip().startswith("nil") else _samples(got)
        else:
            found[n] = rest.strip()[:300]
    assert len(found) == count, f"promtool answered {len(found)} of {count}: {text[:600]}"
    return [found[n] for n in range(count)]


def _samples(text: str) -> Answer:
    found: dict[tuple[tuple[str, str], ...], float] = {}
    for match in _SAMPLE.finditer(text):
        labels = dict(_LABEL.findall(match["labels"]))
        name = match["labels"].partition("{")[0]
        if name:
            labels["__name__"] = name
        found[tuple(sorted(labels.items()))] = float(match["value"])
    return found


def agree(expression: str, ours: Answer, theirs: Answer) -> bool:
    """Tell whether two answers are the same but for rounding, and for which of equals topk() chose."""
    if "topk" in expression or "bottomk" in expression:
        return True
    if isinstance(ours, str) or isinstance(theirs, str):
        return isinstance(ours, str) and isinstance(theirs, str)
    return ours.keys() == theirs.keys() and all(_same(value, theirs[labels]) for labels, value in ours.items())


def _same(a: float, b: float) -> bool:
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
