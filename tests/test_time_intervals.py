"""Of a time interval it is said that it is always, or never, only where every minute agrees."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.artefacts.time_intervals import DAY, WEEKDAYS, never, problems, uncovered
from tocsin.compression.written import yaml_text
from tocsin.part import Part
from tocsin.source import read_documents


def specs(value: Any) -> tuple[Part, ...]:
    return Part.whole(read_documents(yaml_text({"x": value}), "a.yml")[0]).list("x")


CLOCK = ("00:00", "06:30", "12:00", "23:59", "24:00")
times = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 4)).filter(lambda two: two[0] < two[1]), min_size=1, max_size=3
)
days = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda two: two[0] <= two[1]), min_size=1, max_size=3
)
intervals = st.lists(st.fixed_dictionaries({}, optional={"times": times, "weekdays": days}), min_size=1, max_size=4)


def as_written(spec: dict[str, Any]) -> dict[str, Any]:
    names = list(WEEKDAYS)
    found: dict[str, Any] = {}
    if "times" in spec:
        found["times"] = [{"start_time": CLOCK[a], "end_time": CLOCK[b]} for a, b in spec["times"]]
    if "weekdays" in spec:
        found["weekdays"] = [f"{names[a]}:{names[b]}" for a, b in spec["weekdays"]]
    return found


def contains(spec: dict[str, Any], day: int, minute: int) -> bool:
    """Tell whether a minute of the week lies in a specification, as Alertmanager asks it."""
    clock = (0, 390, 720, 1439, 1440)
    in_times = "times" not in spec or any(clock[a] <= minute < clock[b] for a, b in spec["times"])
    return in_times and ("weekdays" not in spec or any(a <= day <= b for a, b in spec["weekdays"]))


@given(intervals)
@settings(max_examples=60, deadline=None)
def test_the_minutes_that_are_left_are_counted(found: list[dict[str, Any]]) -> None:
    left = sum(not any(contains(s, day, m) for s in found) for day in range(7) for m in range(DAY))
    assert uncovered(specs([as_written(spec) or {"weekdays": ["sunday:saturday"]} for spec in found])) == left


@pytest.mark.parametrize(
    ("spec", "left"),
    [
        ({"days_of_month": ["1:31"]}, 0),
        ({"days_of_month": ["1:-1"], "months": ["1:12"]}, 0),
        ({"days_of_month": ["1:30"]}, 7 * DAY),
        ({"months": ["january:november"]}, 7 * DAY),
        ({"years": ["2020:2030"]}, 7 * DAY),
        ({"times": []}, 7 * DAY),
    ],
)
def test_what_leaves_out_days_of_the_year_is_not_always(spec: dict[str, Any], left: int) -> None:
    assert uncovered(specs([spec])) in (left, 0 if left == 0 else 7 * DAY)


@pytest.mark.parametrize(
    ("spec", "is_never"),
    [
        ({"months": ["february"], "days_of_month": ["30"]}, True),
        ({"months": ["february"], "days_of_month": ["29:31"]}, False),
        ({"months": ["4", "june"], "days_of_month": ["31"]}, True),
        ({"months": ["4", "july"], "days_of_month": ["31"]}, False),
        ({"weekdays": []}, True),
        ({"weekdays": ["sunday"]}, False),
        ({}, False),
    ],
)
def test_what_can_never_be(spec: dict[str, Any], is_never: bool) -> None:
    assert bool(never(specs([spec or {"months": ["1:12"]}])[0])) is is_never


WRONG = {
    "times": [[{"start_time": "4:00", "end_time": "05:00"}], [{"start_time": "22:00", "end_time": "06:00"}], [{}]],
    "weekdays": [["sonntag"], ["friday:monday"], ["1:5"]],
    "days_of_month": [["0"], ["32"], ["5:1"], ["-1:1"], ["-1:-5"], ["first"]],
    "months": [["13x"], ["december:january"]],
    "years": [["2025:2020"], ["soon"]],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_what_is_wrong_is_told(key: str, value: Any) -> None:
    found = list(problems(specs([{key: value}])[0]))
    assert len(found) == 1


KEYS = st.sampled_from(["times", "weekdays", "months", "days_of_month", "years", "location", "start_time"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inside: st.lists(inside) | st.dictionaries(KEYS, inside),
    max_leaves=12,
)


@given(anything)
@settings(max_examples=200, deadline=None)
def test_no_shape_makes_it_stumble(value: Any) -> None:
    part = Part.whole(read_documents(yaml_text({"x": [value]}), "a.yml")[0]).list("x")
    list(problems(part[0]))
    never(part[0])
    uncovered(part)
