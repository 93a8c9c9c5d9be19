"""promtool's unit test files: the series that the owners of rules wrote down, and which alerts each is about."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tocsin.durations import parse_duration
from tocsin.source import Document, Place, Route, Unreadable

DEFAULT_INTERVAL = 60.0
"""Seconds between evaluations where nothing is said (Prometheus, cmd/promtool/unittest.go)."""

_NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_ITEM = re.compile(
    rf"(?P<gap>_)(?:x(?P<gaps>[0-9]+))?|(?P<stale>stale)|(?P<special>[-+]?(?i:inf|nan))"
    rf"|(?P<start>[-+]?{_NUMBER})(?:(?P<step>[-+]{_NUMBER})?x(?P<times>[0-9]+))?"
)
_MOST_DIGITS = 9
"""Of a number of repetitions; a billion samples is more than promtool can hold."""


@dataclass(frozen=True, slots=True)
class Samples:
    """A piece of a series: `count` samples, one a scrape, the first of value `start` and each `step` more."""

    start: float
    step: float
    count: int


@dataclass(frozen=True, slots=True)
class Gap:
    """A piece of a series: so many scrapes that find nothing."""

    count: int


@dataclass(frozen=True, slots=True)
class Stale:
    """A piece of a series: the one scrape that finds it gone."""

    count: int = 1


Piece = Samples | Gap | Stale


def parse_values(text: str) -> tuple[Piece, ...]:
    """Return the pieces of promtool's notation of samples: `0x20 0+1x60 _x3 stale`.

    `1x4` is five samples, as promtool counts (prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules).
    Raises ValueError for anything else, native histograms included.
    """
    pieces = tuple(_piece(item) for item in text.split())
    if not pieces:
        raise ValueError("holds no samples; write them as promtool does: 0x20 0+1x60")
    return pieces


def _piece(item: str) -> Piece:
    found = _ITEM.fullmatch(item)
    if found is None:
        hint = " (native histograms cannot be read here)" if "{{" in item else ""
        raise ValueError(f"{item!r} is no piece of a promtool series{hint}; write 5, 5x9, 0+1x60, _, _x3 or stale")
    times = found["gaps"] or found["times"]
    if times and len(times) > _MOST_DIGITS:
        raise ValueError(f"{item!r} is longer than any series that promtool could hold")
    if found["gap"]:
        return Gap(1 if times is None else int(times))
    if found["stale"]:
        return Stale()
    if found["special"]:
        return Samples(float(found["special"]), 0.0, 1)
    return Samples(float(found["start"]), float(found["step"] or 0), 1 + int(times or 0))


@dataclass(frozen=True, slots=True)
class Series:
    """An input series of a test: name with labels, and values, as written."""

    name: str
    values: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitTest:
    """One group of `tests:`; times in seconds."""

    rule_files: tuple[str, ...]
    """Globs of the rule files that are tested, relative to the system as the test file's own name is."""
    interval_seconds: float
    """Between two samples."""
    evaluation_seconds: float
    until_seconds: float
    """The latest moment that the test asks about."""
    series: tuple[Series, ...]
    alerts: frozenset[str]
    """Names in `alert_rule_test`."""
    expressions: tuple[str, ...]
    """Expressions in `promql_expr_test`; they may ask for an alert by way of ALERTS."""
    place: Place

    def covers(self, rule_file: str) -> bool:
        """Tell whether the test loads that rule file."""
        return any(fnmatchcase(rule_file, pattern) for pattern in self.rule_files)


def read_unit_tests(document: Document) -> tuple[UnitTest, ...]:
    """Return the tests of a file read with raw scalars; raises Unreadable where its shape is not promtool's."""
    value = document.value
    if not isinstance(value, dict) or not isinstance(value.get("tests"), list):
        raise Unreadable(document.place(), "is not a promtool test file: it has no list `tests`")
    folder = os.path.dirname(document.file)  # noqa: PTH120 the name in messages, not a path on disk
    files = tuple(os.path.normpath(os.path.join(folder, str(f))) for f in _list(document, ("rule_files",), value))  # noqa: PTH118
    every = _duration(document, ("evaluation_interval",), value, 0.0) or DEFAULT_INTERVAL
    return tuple(_unit_test(document, ("tests", i), test, files, every) for i, test in enumerate(value["tests"]))


def _unit_test(document: Document, route: Route, test: Any, files: tuple[str, ...], every: float) -> UnitTest:
    if not isinstance(test, dict):
        raise Unreadable(document.place(*route), "is a test that is not a mapping")
    asked = [*_entries(document, route, test, "alert_rule_test"), *_entries(document, route, test, "promql_expr_test")]
    return UnitTest(
        rule_files=files,
        interval_seconds=_duration(document, (*route, "interval"), test, 0.0) or every,
        evaluation_seconds=every,
        until_seconds=max((_duration(document, (*at, "eval_time"), one, 0.0) for at, one in asked), default=0.0),
        series=tuple(_series(document, at, one) for at, one in _entries(document, route, test, "input_series")),
        alerts=frozenset(str(one["alertname"]) for _, one in asked if one.get("alertname")),
        expressions=tuple(str(one["expr"]) for _, one in asked if one.get("expr")),
        place=document.place(*route),
    )


def _series(document: Document, route: Route, value: Mapping[str, Any]) -> Series:
    for key in ("series", "values"):
        if not isinstance(value.get(key), str):
            raise Unreadable(document.place(*route), f"is an input series without `{key}`")
    return Series(value["series"], value["values"], document.place(*route))


def _entries(
    document: Document, route: Route, test: Mapping[str, Any], key: str
) -> Iterator[tuple[Route, Mapping[str, Any]]]:
    for i, entry in enumerate(_list(document, (*route, key), test)):
        if not isinstance(entry, dict):
            raise Unreadable(document.place(*route, key, i), f"is an entry of {key} that is not a mapping")
        yield (*route, key, i), entry


def _list(document: Document, route: Route, value: Mapping[str, Any]) -> list[Any]:
    """Return the list at the last key of `route`; nothing there is no entries."""
    found = value.get(str(route[-1]))
    if found in (None, ""):
        return []
    if not isinstance(found, list):
        raise Unreadable(document.place(*route), f"is a `{route[-1]}` that is not a list")
    return found


def _duration(document: Document, route: Route, value: Mapping[str, Any], default: float) -> float:
    raw = value.get(str(route[-1]))
    if raw in (None, ""):
        return default
    try:
        return parse_duration(str(raw))
    except ValueError as error:
        raise Unreadable(document.place(*route), f"{route[-1]}: {error}") from error


def length(pieces: tuple[Piece, ...]) -> int:
    """Return how many scrapes a series spans."""
    return sum(piece.count for piece in pieces)


def values_text(pieces: tuple[Piece, ...]) -> str:
    """Return pieces in promtool's notation; the inverse of `parse_values`."""
    return " ".join(_written(piece) for piece in pieces)


def _written(piece: Piece) -> str:
    match piece:
        case Gap(count=count):
            return f"_x{count}"
        case Stale():
            return "stale"
        case Samples(start=start, count=1):
            return _number(start)
        case Samples(start=start, step=step, count=count):
            change = ("-" if step < 0 else "+") + _number(abs(step)) if step else ""
            return f"{_number(start)}{change}x{count - 1}"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "-Inf" if value < 0 else "Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
