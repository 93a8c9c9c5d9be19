"""A saved body is read as it was written, and a text that is none is not taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from tocsin.artefacts.exposition import is_exposition, read_exposition

VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=4, unique=True), st.booleans())
def test_what_the_client_writes_is_read(values: list[str], openmetrics: bool) -> None:
    """Names, types, labels and their values, whatever is in them; a label without a value is none."""
    registry = CollectorRegistry()
    counter = Counter("a_b", "x\ny", ["l"], registry=registry)
    for value in values:
        counter.labels(value).inc()
    Gauge("c", "x", registry=registry).set(float("nan"))
    Histogram("d_seconds", "x", ["m"], registry=registry, buckets=(0.5, 1)).labels("v").observe(0.7)
    body = (generate_openmetrics if openmetrics else generate_latest)(registry).decode()

    found = read_exposition(body)

    assert found.series["a_b_total"].labels.get("l", set()) == set(values) - {""}
    assert found.series["a_b_total"].type == "counter"
    assert found.series["c"].type == "gauge"
    assert found.series["d_seconds_bucket"].labels == {"m": {"v"}, "le": {"0.5", "1.0", "+Inf"}}
    assert {found.series[f"d_seconds_{part}"].type for part in ("bucket", "sum", "count")} == {"histogram"}
    assert is_exposition(body)


@given(st.text(max_size=200))
def test_nothing_is_too_strange_to_read(text: str) -> None:
    """It never raises, and names no series that the text has not."""
    for name, series in read_exposition(text).series.items():
        assert name in text
        assert 1 <= series.line <= len(text.split("\n"))


@pytest.mark.parametrize(
    ("line", "name", "labels"),
    [
        ("a 1", "a", {}),
        ("a{} 1", "a", {}),
        ('a{b="c",} 1 1700000000000', "a", {"b": {"c"}}),
        ('a{b="}"} 1', "a", {"b": {"}"}}),
        (r'a{b="\"\\\n"} 1', "a", {"b": {'"\\\n'}}),
        ('a{b=""} 1', "a", {}),
        ('{"a.b", c="d"} 1', "a.b", {"c": {"d"}}),
        ('a_total{b="c"} 1 # {trace_id="x"} 0.5', "a_total", {"b": {"c"}}),
    ],
)
def test_samples(line: str, name: str, labels: dict[str, set[str]]) -> None:
    """Each way of writing a sample."""
    (series,) = read_exposition(line).series.values()

    assert (series.name, series.labels) == (name, labels)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# A title\n\nSome words about it.\n",
        "name = value\n",
        "requests==2.32\n",
        "# TYPE a gauge\nnot a sample at all\n",
    ],
)
def test_other_texts_are_none(text: str) -> None:
    """Prose, settings, lists of packages."""
    assert not is_exposition(text)


def test_families_without_samples_are_known() -> None:
    """A counter with labels that was never counted shows its type alone."""
    assert read_exposition("# HELP a_total x\n# TYPE a_total counter\n").families == {"a_total": "counter"}
