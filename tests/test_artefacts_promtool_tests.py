"""promtool's unit test files are read as promtool reads them."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin.artefacts.promtool_tests import (
    Gap,
    Samples,
    Stale,
    length,
    parse_values,
    read_unit_tests,
    values_text,
)
from tocsin.source import Unreadable, read_document

VALUES = {
    "5": (Samples(5, 0, 1),),
    "1x4": (Samples(1, 0, 5),),
    "0+1x60": (Samples(0, 1, 61),),
    "10-.5x2 _": (Samples(10, -0.5, 3), Gap(1)),
    "1e3+1e-1x3 _x3 stale": (Samples(1000, 0.1, 4), Gap(3), Stale()),
    "-3 +4 5.": (Samples(-3, 0, 1), Samples(4, 0, 1), Samples(5, 0, 1)),
    "Inf -inf": (Samples(math.inf, 0, 1), Samples(-math.inf, 0, 1)),
    "0x16": (Samples(0, 0, 17),),
}


@pytest.mark.parametrize(("text", "pieces"), VALUES.items())
def test_values_are_read(text: str, pieces: tuple[object, ...]) -> None:
    """Each way of writing samples gives its pieces, repetitions counted as promtool counts them."""
    assert parse_values(text) == pieces


@pytest.mark.parametrize(
    "text",
    [
        *("", "no", "stalex3", "5+1", "NaNx3", "1+Infx2", "STALE", "0x1F", "1_000x2", "1x-1", "1.5x2.5", "--1"),
        *("1--1x2", "{{a}}", "1x9999999999", "1,2", "\u0661"),
    ],
)
def test_what_promtool_refuses_is_refused(text: str) -> None:
    """Every other text is a ValueError that shows the piece."""
    with pytest.raises(ValueError, match=r"write 5, 5x9|write them as promtool does|longer than any"):
        parse_values(text)


NUMBERS = st.floats(-1e9, 1e9).map(lambda value: value + 0.0)
PIECES = st.lists(
    st.builds(Samples, NUMBERS, NUMBERS.filter(bool), st.integers(2, 99))
    | st.builds(Samples, NUMBERS, st.just(0.0), st.integers(1, 99))
    | st.builds(Gap, st.integers(1, 9))
    | st.just(Stale()),
    min_size=1,
).map(tuple)


@given(pieces=PIECES)
@example(pieces=(Samples(math.nan, 0.0, 1), Samples(1e300, -5e-324, 2)))
def test_values_are_written_as_they_are_read(pieces: tuple[Samples | Gap | Stale, ...]) -> None:
    """Pieces written and read again are the same, and as long."""
    again = parse_values(values_text(pieces))
    assert repr(again) == repr(pieces)
    assert length(again) == length(pieces)


FILE = """\
rule_files: [../rules/*.yml, own.yml]
evaluation_interval: 30s
tests:
  - interval: 15s
    input_series:
      - {series: 'up{job="a"}', values: 1x9 0x9}
    alert_rule_test:
      - {eval_time: 5m, alertname: Down, exp_alerts: []}
      - {eval_time: 1m, alertname: Up}
    promql_expr_test:
      - {eval_time: 6m30s, expr: ALERTS, exp_samples: []}
  - {}
"""


def test_a_file_is_read() -> None:
    """Files, intervals, series, alerts and the latest question come out, with the place of each."""
    first, second = read_unit_tests(read_document(FILE, "tests/a/unit.yml", raw=True))
    assert first.rule_files == ("tests/rules/*.yml", "tests/a/own.yml")
    assert (first.interval_seconds, first.evaluation_seconds, first.until_seconds) == (15, 30, 390)
    (series,) = first.series
    assert (series.name, series.values, series.place.line) == ('up{job="a"}', "1x9 0x9", 6)
    assert first.alerts == {"Down", "Up"}
    assert first.expressions == ("ALERTS",)
    assert first.covers("tests/rules/x.yml")
    assert not first.covers("rules/x.yml")
    assert (second.interval_seconds, second.until_seconds, second.series) == (30, 0, ())


BAD = {
    "no tests": ("tests: []", "test: []", "1:1"),
    "files that are no list": ("[../rules/*.yml, own.yml]", "own.yml", "1:13"),
    "an interval without a unit": ("interval: 15s", "interval: 15", "4:15"),
    "an evaluation interval": ("evaluation_interval: 30s", "evaluation_interval: often", "2:22"),
    "a time that is none": ("eval_time: 5m", "eval_time: 5 m", "8:21"),
    "a series without values": (", values: 1x9 0x9", "", "6:9"),
    "series that are no list": ("      - {series: 'up{job=\"a\"}', values: 1x9 0x9}", "      up", "6:7"),
    "a question that is no mapping": ("{eval_time: 1m, alertname: Up}", "Up", "9:9"),
    "a test that is no mapping": ("  - {}", "  - x", "12:5"),
}


@pytest.mark.parametrize(("old", "new", "position"), BAD.values(), ids=BAD)
def test_a_malformed_file_is_told_at_its_place(old: str, new: str, position: str) -> None:
    """Each wrong piece is refused at its line and column."""
    text = FILE.replace(old, new) if old in FILE else FILE.replace("tests:", "test:")
    with pytest.raises(Unreadable) as caught:
        read_unit_tests(read_document(text, "t.yml", raw=True))
    assert str(caught.value.place) == f"t.yml:{position}", caught.value
