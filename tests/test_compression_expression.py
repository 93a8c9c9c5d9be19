"""Expressions are rewritten for compressed time, and those whose meaning would change are found."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tocsin.compression.ambiguity import Class, classify
from tocsin.compression.expression import Unscalable, number_text, scale_expression
from tocsin.compression.scaling import NONE, RATE, Recorded, power
from tocsin.promql import MatrixSelector, PromQLError, Subquery, VectorSelector, parse, walk


@pytest.mark.parametrize(
    ("text", "scaled"),
    [
        ("up == 0", "up == 0"),
        ("rate(err[5m])/rate(req[5m])>0.05", "rate(err[5s])/rate(req[5s])>0.05"),
        ("max_over_time(rate(a[1m])[10m:1m]) > 1", "max_over_time(rate(a[1s])[10s:1s]) > 1"),
        ("max_over_time(a[1h:])", "max_over_time(a[1m:])"),
        ("a offset 1h - a offset -30s", "a offset 1m - a offset -500ms"),
        ("rate(a[5m] offset 1h @ 1600000000)", "rate(a[5s] offset 1m @ 1600000000)"),
        ('a{b="[5m]"} # [5m]\n > rate(c [ 90s ])', 'a{b="[5m]"} # [5m]\n > rate(c [ 1s500ms ])'),
        ("rate(a[300])", "rate(a[5s])"),
        ("a offset 0s", "a offset 0s"),
        ("sum_over_time(a[10ms])", "sum_over_time(a[1ms])"),
        ('label_replace(a, "x", "5m", "y", "1h")', 'label_replace(a, "x", "5m", "y", "1h")'),
        ("time() - x > 300", "time() - x > 300"),
    ],
)
def test_windows_are_divided_in_place(text: str, scaled: str) -> None:
    """Ranges, steps and offsets are divided by the factor, and not a character else is touched."""
    assert scale_expression(text, 60) == scaled
    assert scale_expression(text, 1) == text


@pytest.mark.parametrize(
    ("text", "scaled"),
    [
        ("time()-last_success>300", "time()-last_success>5"),
        ("time() > last_success + 300", "time() > last_success + 5"),
        ("(time() - x) / 60 > 30", "(time() - x) / 60 > 0.5"),
        ("300 < time() - timestamp(x)", "5 < time() - timestamp(x)"),
        ("time() - x > 5m", "time() - x > 5s"),
        ("vector(time()) - max(x offset 1m) > 60 and y > 60", "vector(time()) - max(x offset 1s) > 1 and y > 60"),
        ("expiry - time() < 86400 * 14", "expiry - time() < ((86400 * 14) / 60)"),
        ("predict_linear(disk[6h], 3600) < 0", "predict_linear(disk[6m], 60) < 0"),
        (
            "predict_linear(disk[6h], 4 * 24 * 3600) < 0 and disk < 0.2",
            "predict_linear(disk[6m], ((4 * 24 * 3600) / 60)) < 0 and disk < 0.2",
        ),
        ("count(time() - x > 120) > 2", "count(time() - x > 2) > 2"),
    ],
)
def test_constants_that_are_durations_are_divided_on_demand(text: str, scaled: str) -> None:
    """With the decision scale_constant, exactly the numbers that are durations are divided too."""
    assert scale_expression(text, 60, scale_constants=True) == scaled
    parse(scaled)


@pytest.mark.parametrize(
    ("text", "threshold", "scaled"),
    [
        ("increase(err[5m])>10", 0.2, "increase(err[5s])>0.2"),
        ("10 <= increase(err[5m])", 3, "3 <= increase(err[5s])"),
        ("increase(err[5m]) > 10 and on() up == 1", 2, "increase(err[5s]) > 2 and on() up == 1"),
        ("increase(err[5m]) > (60 * 10)", 2, "increase(err[5s]) > 2"),
        ("(increase(a[1m]) > 5) unless b > 3", 1e-7, "(increase(a[1s]) > 1e-07) unless b > 3"),
        ("delta(a[5m]) < -5", -0.5, "delta(a[5s]) < -0.5"),
    ],
)
def test_a_threshold_replaces_the_number(text: str, threshold: float, scaled: str) -> None:
    """A decided threshold takes the place of the number of the comparison that needs it."""
    assert scale_expression(text, 60, threshold=threshold) == scaled
    parse(scaled)


@pytest.mark.parametrize(
    ("text", "decision", "said"),
    [
        ("increase(a[5m]) > 10", {"scale_constants": True}, "no number in the expression is a duration"),
        ("a > b", {"threshold": 1}, "exactly one comparison"),
        ("absent(a)", {"threshold": 1}, "exactly one comparison"),
        ("a > 1 and b > 2", {"threshold": 1}, "exactly one comparison"),
        ("increase(a[1m]) > 1 or increase(b[1m]) > 2", {"threshold": 1}, "exactly one comparison"),
    ],
)
def test_a_decision_without_effect_is_refused(text: str, decision: dict[str, Any], said: str) -> None:
    """A decision that would change nothing, or could change several things, is refused and not passed over."""
    with pytest.raises(Unscalable, match=said):
        scale_expression(text, 60, **decision)


def test_a_text_that_is_no_expression_is_refused() -> None:
    """What cannot be parsed cannot be scaled."""
    with pytest.raises(PromQLError):
        scale_expression("rate(a[5m)", 60)


@pytest.mark.parametrize(
    ("value", "text"), [(5.0, "5"), (0.1, "0.1"), (-2, "-2"), (1e20, "1e+20"), (float("inf"), "Inf")]
)
def test_numbers_are_written_as_promql_reads_them(value: float, text: str) -> None:
    """A number is written in the shortest way that PromQL reads back."""
    assert number_text(value) == text
    assert parse(text)


UNAMBIGUOUS = """
up == 0
g > 90
rate(err[5m])/rate(req[5m])>0.05
increase(err[5m]) / increase(req[5m]) > 0.05
rate(req[5m]) < 0.5 * rate(req[5m] offset 10m)
increase(req[5m]) < 0.5 * avg_over_time(increase(req[5m])[1d:5m])
avg_over_time(g[5m]) > 50
histogram_quantile(0.95, sum by (le) (rate(bucket[5m]))) > 2
rate(s_sum[5m]) / rate(s_count[5m]) > 2
increase(err[5m]) > 0
deriv(disk[10m]) < 0
absent(up)
time() > silence_until
expiry - time() < 0
count(up == 0) / count(up) > 0.1
(1 - avg(rate(idle[5m])) / avg(rate(total[5m]))) * 100 > 80
predict_linear(a[5m], 0) < 5
"""

AMBIGUOUS = [
    ("increase(err[5m]) > 10", Class.COUNT, ("same",)),
    ("10 < sum by (job) (increase(err[5m]))", Class.COUNT, ("same",)),
    ("changes(up[1h]) > 3", Class.COUNT, ("same",)),
    ("resets(up[1h]) >= 1", Class.COUNT, ("same",)),
    ("delta(g[5m]) > 5", Class.COUNT, ("same",)),
    ("count_over_time(g[5m]) < 3", Class.COUNT, ("same",)),
    ("increase(err[5m]) > limit", Class.COUNT, ("same",)),
    ("count(increase(err[5m]) > 5) > 2", Class.COUNT, ("same",)),
    ("increase(err[5m]) * 100 / limit > 5", Class.COUNT, ("same",)),
    ("rate(err[5m]) > 0.033", Class.RATE, ("scaled",)),
    ("deriv(disk[10m]) < -5", Class.RATE, ("scaled",)),
    ("max_over_time(rate(err[1m])[10m:1m]) > 1", Class.RATE, ("scaled",)),
    ("rate(err[5m]) * 60 >= bool 5", Class.RATE, ("scaled",)),
    ("rate(err[5m]) > increase(req[5m])", Class.RATE, ("same", "scaled")),
    ("time() - last_success > 300", Class.ELAPSED, ("same", "scaled")),
    ("time() > last_success + 300", Class.ELAPSED, ("same", "scaled")),
    ("max(time() - last_success) / 3600 > 5", Class.ELAPSED, ("same", "scaled")),
    ("time() - last_success > interval_seconds", Class.ELAPSED, ("same", "scaled")),
    ("timestamp(a) - timestamp(b) > 30", Class.ELAPSED, ("same", "scaled")),
    ("predict_linear(disk[10m], 3600) < 0", Class.PREDICTION, ("same", "scaled")),
    ("hour() > 8", Class.CALENDAR, ("same", "scaled")),
    ("up == 0 and on() day_of_week() < 6", Class.CALENDAR, ("same", "scaled")),
    ("time() % 86400 > bool 3600", Class.CALENDAR, ("same", "scaled")),
]


@pytest.mark.parametrize("text", UNAMBIGUOUS.strip().splitlines())
def test_what_keeps_its_meaning_is_not_ambiguous(text: str) -> None:
    """Ratios, quantiles, gauges, and comparisons of a kind or with zero mean the same in compressed time."""
    assert classify(parse(text)) == ()


@pytest.mark.parametrize(("text", "kind", "traffic"), AMBIGUOUS)
def test_what_changes_its_meaning_is_found(text: str, kind: Class, traffic: tuple[str, ...]) -> None:
    """Each class of ambiguity is found at its place, for the traffic under which it matters, with a way out."""
    (found,) = classify(parse(text))
    assert (found.kind, found.traffic) == (kind, traffic)
    assert found.span.text(text) in text
    assert found.reason
    assert "not_drillable" in found.decisions


def test_recording_rules_are_looked_through() -> None:
    """A recorded count, time or hour is as ambiguous as the expression that records it, whatever reads it."""
    recorded = Recorded(
        {
            "job:errors:increase5m": parse("sum by (job) (increase(errors[5m]))"),
            "job:errors:increase5m:max": parse("max(job:errors:increase5m)"),
            "backup:age": parse("time() - backup_last"),
            "office:hours": parse("hour() > bool 8"),
            "loop": parse("loop + 1"),
        }
    )
    kinds = {
        text: [a.kind for a in classify(parse(text), recorded)]
        for text in ("job:errors:increase5m:max > 5", "backup:age > 300", "up == 0 and office:hours == 1", "loop > 1")
    }
    assert list(kinds.values()) == [[Class.COUNT], [Class.ELAPSED], [Class.CALENDAR], []]
    assert scale_expression("backup:age > 300", 60, scale_constants=True, recorded=recorded) == "backup:age > 5"


def test_long_chains_of_recording_rules_end() -> None:
    """Recording rules that read one another a hundred deep, twice each, are followed in linear time."""
    chain = {f"r{i}": parse(f"r{i + 1} + r{i + 1}") for i in range(100)}
    assert power(parse("r0"), Recorded(chain)) == NONE
    assert power(parse("r90"), Recorded(chain | {"r100": parse("rate(a[5m])")})) == RATE


@pytest.mark.skipif("TOCSIN_CORPUS" not in os.environ, reason="TOCSIN_CORPUS names no collection of real systems")
def test_the_corpus_is_scaled_by_span_alone() -> None:
    """In every real rule the rewritten expression differs in its durations only, each a sixtieth."""
    seen = 0
    for file in sorted(Path(os.environ["TOCSIN_CORPUS"]).rglob("*.y*ml")):
        try:
            value = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        except (yaml.YAMLError, UnicodeDecodeError):
            continue
        groups = value.get("groups") if isinstance(value, dict) else None
        for group in groups if isinstance(groups, list) else []:
            for rule in group.get("rules") or []:
                try:
                    before = parse(rule["expr"])
                except (PromQLError, KeyError, TypeError):
                    continue
                after = parse(scale_expression(rule["expr"], 60))
                assert [type(n) for n in walk(before)] == [type(n) for n in walk(after)]
                for old, new in zip(walk(before), walk(after), strict=True):
                    if isinstance(old, VectorSelector) and isinstance(new, VectorSelector):
                        assert (old.metric, old.matchers) == (new.metric, new.matchers)
                    if isinstance(old, MatrixSelector | Subquery) and isinstance(new, MatrixSelector | Subquery):
                        assert new.range.seconds == pytest.approx(old.range.seconds / 60, abs=0.0005)
                seen += 1
    assert seen > 300
