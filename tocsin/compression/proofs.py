"""Which rules can be shown to be the same in a drill's time, on which series, and what comes of showing it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tocsin.artefacts.promtool_tests import UnitTest, length, parse_values
from tocsin.artefacts.rules import Rule
from tocsin.compression.invariance import NotJudged, RunPromtool, Samples, Trial, prove
from tocsin.compression.rules import HandledRule
from tocsin.compression.samples import InputSeries, NotKnown, going_stale, in_drill
from tocsin.compression.scaling import Recorded, Traffic
from tocsin.compression.written import yaml_text
from tocsin.durations import format_duration
from tocsin.promql import PromQLError, parse, selectors
from tocsin.source import Place
from tocsin.system import ProofSeries

FINEST_SECONDS = 0.001
"""Prometheus keeps milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Series that somebody wrote for an alert, as production has them; times in seconds."""

    place: Place
    series: tuple[InputSeries, ...]
    scrape_seconds: float
    evaluation_seconds: float
    seconds: float
    drill: tuple[InputSeries, ...] | None = None
    """What a drill's scrapes find, where its owner says so."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a rule does the same in both times on one set of series."""

    rule: HandledRule
    source: Source


def questions(
    rules: Iterable[HandledRule], written: Mapping[str, Source], tests: Iterable[UnitTest]
) -> Iterator[Question]:
    """Yield what can be asked of the alerts that are ambiguous, or were until their owner decided.

    Series that are `written` for a rule, by case id, take the place of those in `tests`.
    """
    known = tuple(tests)
    for one in rules:
        if one.candidate is None or not one.rule.alerting or not (one.ambiguities or one.decision):
            continue
        own = written.get(one.case)
        for source in (own,) if own else _of_tests(known, one.rule):
            yield Question(one, source)


def source_written(declared: ProofSeries, place: Place, evaluation_seconds: float) -> Source:
    """Return the series under a decision; evaluation goes on to the last sample."""
    series = tuple((one.series, one.values) for one in declared.input)
    scrapes = max(length(parse_values(values)) for _, values in series)
    return Source(
        place=place,
        series=series,
        scrape_seconds=declared.interval,
        evaluation_seconds=evaluation_seconds,
        seconds=(scrapes - 1) * declared.interval,
        drill=tuple((one.series, one.values) for one in declared.drill) if declared.drill else None,
    )


def _of_tests(tests: Iterable[UnitTest], rule: Rule) -> Iterator[Source]:
    for test in tests:
        if test.series and test.covers(rule.file) and _names(test, rule.name):
            yield Source(
                place=test.place,
                series=tuple((one.name, one.values) for one in test.series),
                scrape_seconds=test.interval_seconds,
                evaluation_seconds=test.evaluation_seconds,
                seconds=test.until_seconds,
            )


def _names(test: UnitTest, alert: str) -> bool:
    return alert in test.alerts or any(alert_matches(text, alert) for text in test.expressions)


def alert_matches(expression: str, alert: str) -> bool:
    """Tell whether an expression asks for an alert by way of `ALERTS{alertname=...}`."""
    try:
        found = [s for s in selectors(parse(expression)) if s.name == "ALERTS"]
        return any(
            m.value == alert if m.op == "=" else re.fullmatch(m.value, alert) is not None
            for s in found
            for m in s.matchers
            if m.name == "alertname" and m.op in ("=", "=~")
        )
    except (PromQLError, re.error):
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Prover:
    """Asks promtool. It knows the recording rules that alerts may read, as they are handled."""

    factor: float
    traffic: Traffic
    recorded: Recorded
    recordings: Mapping[str, tuple[HandledRule, ...]]

    def answer(self, question: Question, run_promtool: RunPromtool) -> Trial:
        """Return what was found; what promtool will not judge, or no drill can be told of, is found as a sentence."""
        one, source = question.rule, question.source
        try:
            found = prove(
                self._rule_file(one, compressed=False),
                self._rule_file(one, compressed=True),
                one.rule.name,
                samples=self._samples(one, source),
                factor=self.factor,
                run_promtool=run_promtool,
            )
        except (NotKnown, NotJudged, ValueError) as error:
            return Trial(source.place, str(error))
        return Trial(source.place, found)

    def _samples(self, one: HandledRule, source: Source) -> Samples:
        expr = parse(one.rule.expression)
        drill = source.drill or in_drill(source.series, expr, self.recorded, self.factor, self.traffic)
        return Samples(
            series=going_stale(source.series, source.scrape_seconds),
            compressed_series=going_stale(drill, source.scrape_seconds),
            scrape_seconds=self._in_step(source.scrape_seconds),
            evaluation_seconds=self._in_step(source.evaluation_seconds),
            seconds=source.seconds,
        )

    def _in_step(self, seconds: float) -> float:
        """Return the interval that, divided by the factor, is of whole milliseconds: both times then keep in step."""
        return max(FINEST_SECONDS, round(seconds / self.factor, 3)) * self.factor

    def _rule_file(self, one: HandledRule, *, compressed: bool) -> str:
        """Return a rule file of one alert and the recording rules that it reads, each after those it reads itself."""
        names = self.recorded.read_by(parse(one.rule.expression))
        rules = [self._rule(r, compressed=compressed) for name in names for r in self.recordings.get(name, ())]
        return yaml_text({"groups": [{"name": "proof", "rules": [*rules, self._rule(one, compressed=compressed)]}]})

    def _rule(self, one: HandledRule, *, compressed: bool) -> dict[str, Any]:
        rule, factor = one.rule, self.factor if compressed else 1
        if compressed and one.candidate is None:
            raise NotKnown(f"it reads {rule.name}, which is left out")
        written: dict[str, Any] = {"alert" if rule.alerting else "record": rule.name}
        written["expr"] = one.candidate if compressed else rule.expression
        if rule.hold_seconds:
            written["for"] = format_duration(rule.hold_seconds / factor)
        if rule.keep_firing_seconds:
            written["keep_firing_for"] = format_duration(rule.keep_firing_seconds / factor)
        return written | ({"labels": dict(rule.labels)} if rule.labels else {})
