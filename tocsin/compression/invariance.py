"""Proves with promtool that a rewritten rule is the same rule: it is pending and firing as often on the same samples.

promtool can only compare with an expectation. So each count is asked for with an expectation that cannot be met, and
read from what promtool says it got.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tocsin.compression.written import yaml_text
from tocsin.durations import format_duration, parse_duration

RunPromtool = Callable[[Mapping[str, str], Sequence[str]], tuple[int, str, str]]
"""Runs promtool with these arguments in a directory with these files; returns exit code, stdout and stderr."""

InputSeries = tuple[str, str]
"""A series (`errors{job="api"}`) and its samples, one a scrape, in promtool's notation (`0+1x100`)."""

_IMPOSSIBLE = -1
_GOT = re.compile(r"got:\s*\{\}\s+(\S+)")


class NotJudged(Exception):
    """promtool gave no counts; the message holds what it said instead."""


@dataclass(frozen=True, slots=True)
class Evaluations:
    """How many evaluations of an alert were pending, and how many firing, over all its series."""

    pending: int
    firing: int

    def __str__(self) -> str:
        return f"{self.pending}/{self.firing}"


@dataclass(frozen=True, slots=True)
class Invariance:
    """What an alert did on the same samples in production's time and in a drill's."""

    production: Evaluations
    compressed: Evaluations

    @property
    def proven(self) -> bool:
        """Whether both did the same and did fire; that neither ever fired proves nothing."""
        return self.production == self.compressed and self.production.firing > 0

    def __str__(self) -> str:
        if self.proven:
            return f"same in both times (pending/firing {self.production})"
        if self.production.firing == 0 and self.compressed.firing == 0:
            return f"nothing proven: it fired in neither time (pending/firing {self.production}, {self.compressed})"
        return f"not the same: pending/firing {self.production} in production, {self.compressed} compressed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """What both rules are shown, as production has it: the series, and the times in seconds.

    `seconds` is how long evaluation goes on. `compressed_series` are what a drill's scrapes find where that is not
    the same: leave it out for traffic scaled by the factor, so that each scrape sees the same samples.
    """

    series: tuple[InputSeries, ...]
    scrape_seconds: float
    evaluation_seconds: float
    seconds: float
    compressed_series: tuple[InputSeries, ...] | None = None


def prove(
    production: str,
    compressed: str,
    alert: str,
    *,
    samples: Samples,
    factor: float,
    run_promtool: RunPromtool,
    labels: Mapping[str, str] | None = None,
) -> Invariance:
    """Count an alert's evaluations under two rule files, as they are written, on the same samples.

    `labels` tells apart alerts of one name. Raises NotJudged where promtool refuses a file or says nothing readable,
    and ValueError where the factor makes an interval shorter than a millisecond.
    """
    steps = math.floor(samples.seconds / samples.evaluation_seconds)
    scrape, evaluation = samples.scrape_seconds, samples.evaluation_seconds
    shown = samples.series if samples.compressed_series is None else samples.compressed_series
    matchers = {"alertname": alert, **(labels or {})}
    before = _test(samples.series, _interval(scrape), _interval(evaluation), steps, matchers)
    after = _test(shown, _interval(scrape / factor), _interval(evaluation / factor), steps, matchers)
    return Invariance(
        production=_evaluations(production, before, run_promtool),
        compressed=_evaluations(compressed, after, run_promtool),
    )


def _test(
    series: Sequence[InputSeries], scrape: str, evaluation: str, steps: int, matchers: Mapping[str, str]
) -> dict[str, Any]:
    end = format_duration(parse_duration(evaluation) * steps)
    shown = [{"series": name, "values": values} for name, values in series]
    asked = [_question({**matchers, "alertstate": state}, end) for state in ("pending", "firing")]
    return {
        "rule_files": ["rules.yml"],
        "evaluation_interval": evaluation,
        "tests": [{"interval": scrape, "input_series": shown, "promql_expr_test": asked}],
    }


def _evaluations(rules: str, test: Mapping[str, Any], run_promtool: RunPromtool) -> Evaluations:
    files = {"rules.yml": rules, "test.yml": yaml_text(test)}
    code, stdout, stderr = run_promtool(files, ["test", "rules", "test.yml"])
    got = _GOT.findall(f"{stdout}\n{stderr}")
    if len(got) != 2:
        raise NotJudged(f"promtool test rules (exit code {code}) gave no counts: {(stderr or stdout).strip()}")
    pending, firing = (round(float(value)) for value in got)
    return Evaluations(pending, firing)


def _interval(seconds: float) -> str:
    if seconds < 0.001:
        raise ValueError(f"an interval of {seconds} s is shorter than the millisecond that Prometheus can keep")
    return format_duration(seconds)


def _question(matchers: Mapping[str, str], end: str) -> dict[str, Any]:
    selector = ",".join(f"{name}={_quoted(value)}" for name, value in matchers.items())
    # The range is longer than the whole test, so that its open or closed left end makes no difference.
    window = format_duration(parse_duration(end) + 1)
    return {
        "expr": f"sum(count_over_time(ALERTS{{{selector}}}[{window}])) or vector(0)",
        "eval_time": end,
        "exp_samples": [{"labels": "{}", "value": _IMPOSSIBLE}],
    }


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
