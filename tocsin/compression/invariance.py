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

from tocsin.compression.samples import InputSeries
from tocsin.compression.written import yaml_text
from tocsin.durations import format_duration, parse_duration
from tocsin.promql.printing import quoted
from tocsin.source import Place

RunPromtool = Callable[[Mapping[str, str], Sequence[str]], tuple[int, str, str]]
"""Runs `promtool test rules` on some of these files, in a folder of theirs; returns exit code, stdout and stderr."""

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

    @property
    def disproven(self) -> bool:
        """Whether they did not do the same."""
        return self.production != self.compressed

    def __str__(self) -> str:
        counts = f"production {self.production}, compressed {self.compressed}"
        if self.proven:
            return f"proven invariant: {counts}"
        return f"not the same: {counts}" if self.disproven else f"nothing proven, it never fired: {counts}"


@dataclass(frozen=True, slots=True)
class Trial:
    """What was found on one set of samples: counts, or why there are none."""

    place: Place
    """Where the samples are written."""
    found: Invariance | str

    @property
    def proven(self) -> bool:
        """Whether the rule did the same in both times, and fired."""
        return isinstance(self.found, Invariance) and self.found.proven

    @property
    def disproven(self) -> bool:
        """Whether the rule did not do the same in both times."""
        return isinstance(self.found, Invariance) and self.found.disproven

    def __str__(self) -> str:
        if isinstance(self.found, Invariance):
            return f"{self.found} (evaluations pending/firing on the series of {self.place})"
        return f"nothing proven by the series of {self.place}: {self.found}"


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found of a rule on all the samples that there are for it."""

    trials: tuple[Trial, ...]

    @property
    def proven(self) -> bool:
        """Whether the rule fired, and nowhere did anything else than in production."""
        return any(trial.proven for trial in self.trials) and not self.disproven

    @property
    def disproven(self) -> bool:
        """Whether the rule anywhere did something else than in production."""
        return any(trial.disproven for trial in self.trials)

    def __str__(self) -> str:
        telling = [t for t in self.trials if t.disproven] or [t for t in self.trials if t.proven] or self.trials
        return str(telling[0])


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
    files = {
        "production.yml": production,
        "compressed.yml": compressed,
        "production_test.yml": yaml_text({"rule_files": ["production.yml"], **before}),
        "compressed_test.yml": yaml_text({"rule_files": ["compressed.yml"], **after}),
    }
    code, stdout, stderr = run_promtool(files, ["production_test.yml", "compressed_test.yml"])
    got = [round(float(value)) for value in _GOT.findall(f"{stdout}\n{stderr}")]
    if len(got) != 4:
        raise NotJudged(f"promtool test rules (exit code {code}) gave no counts: {(stderr or stdout).strip()}")
    return Invariance(production=Evaluations(*got[:2]), compressed=Evaluations(*got[2:]))


def _test(
    series: Sequence[InputSeries], scrape: str, evaluation: str, steps: int, matchers: Mapping[str, str]
) -> dict[str, Any]:
    end = format_duration(parse_duration(evaluation) * steps)
    shown = [{"series": name, "values": values} for name, values in series]
    asked = [_question({**matchers, "alertstate": state}, end) for state in ("pending", "firing")]
    return {
        "evaluation_interval": evaluation,
        "tests": [{"interval": scrape, "input_series": shown, "promql_expr_test": asked}],
    }


def _interval(seconds: float) -> str:
    if seconds < 0.001:
        raise ValueError(f"an interval of {seconds} s is shorter than the millisecond that Prometheus can keep")
    return format_duration(seconds)


def _question(matchers: Mapping[str, str], end: str) -> dict[str, Any]:
    selector = ",".join(f"{name}={quoted(value)}" for name, value in matchers.items())
    # The range is longer than the whole test, so that its open or closed left end makes no difference.
    window = format_duration(parse_duration(end) + 1)
    return {
        "expr": f"sum(count_over_time(ALERTS{{{selector}}}[{window}])) or vector(0)",
        "eval_time": end,
        "exp_samples": [{"labels": "{}", "value": _IMPOSSIBLE}],
    }
