"""Recorded history: a Prometheus that is asked in pieces, one at a time, and left alone when it shows strain."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tocsin.deadline import wait_until
from tocsin.durations import parse_duration
from tocsin.engines.prometheus_api import PrometheusApi
from tocsin.engines.trouble import EngineTrouble, said
from tocsin.simulation.backtest.ticks import Run, Ticks, Window
from tocsin.supervisor import Kind

Labels = tuple[tuple[str, str], ...]
"""Names and values, in the order of the names."""

MOST_TICKS = 10_000
"""In one piece; Prometheus refuses more than 11,000 points (web/api/v1/api.go)."""
MOST_POINTS = 200_000
"""In an answer, as far as the last one of the same expression lets it be foreseen."""
QUICK, SLOW = 0.5, 3.0
"""Seconds for an answer, below which the next piece is larger, and above which it is smaller."""
MOST_FAILURES = 200
"""After so many failed evaluations of one expression the rest of it is not asked any more."""
ALONE = 8
"""After so many ticks in a row that fail each by itself, the end of the stretch that fails is looked for further on."""
MOST_STRAINS = 3
"""After so many answers that tell of strain the server is not asked any more."""
_OK, _BAD_DATA, _UNPROCESSABLE = 200, 400, 422
_STRAINED = frozenset({503, 504})
"""A query that ran into its timeout, by Prometheus (503) or by a proxy before it."""
_OUT_OF_TIME = "context deadline exceeded"
"""How a query whose time is over is told of since 2.53: as bad data (400) or as its own failure (422) too."""
_OVERHEAD = 5.0
"""Seconds for the way there and back, above those that the query may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a server is asked."""

    per_second: float | None
    """Requests a second at most, with as long a rest after each as it took; None: as fast as it answers."""
    ticks: int
    """In the first piece of an expression."""
    seconds: float
    """What a query may take; the server is told, and ends it."""


LIVE = Pace(per_second=5, ticks=50, seconds=30)
"""For a server that others need."""
OURS = Pace(per_second=None, ticks=500, seconds=120)
"""For a server that we started."""


class Refused(Exception):
    """An expression that the server does not take: it cannot be read there, or not be evaluated at any tick."""


class _Narrower(Exception):
    """A piece that could not be evaluated as a whole."""

    def __init__(self, said: str, *, too_much: bool) -> None:
        super().__init__(said)
        self.too_much = too_much
        """Whether it was its size; else there is a tick in it at which the evaluation fails."""


@dataclass(frozen=True, slots=True)
class Answer:
    """At which ticks an expression gave a result."""

    runs: Mapping[Labels, list[Run]]
    """By label set, the metric's name among them."""
    refused: tuple[tuple[Run, str], ...] = ()
    """Ticks at which the evaluation fails, and the server's reason."""
    warnings: tuple[str, ...] = ()
    """What the server said besides, as that a part of the history could not be read."""


@dataclass(slots=True)
class _Asking:
    """One expression on its way through the pieces."""

    expression: str
    ticks: Ticks
    shift: int
    runs: dict[Labels, list[Run]] = field(default_factory=dict)
    refused: list[tuple[Run, str]] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)
    failures: int = 0

    def take(self, result: Iterable[Mapping[str, Any]]) -> int:
        """Add a piece's result; return how many points it has."""
        points = 0
        ticks, first = self.ticks, self.ticks.first - self.shift
        for each in result:
            runs = self.runs.setdefault(tuple(sorted(each["metric"].items())), [])
            times = [pair[0] for pair in each.get("values", ())]
            if each.get("histograms"):
                times = sorted({*times, *(pair[0] for pair in each["histograms"])})
            points += len(times)
            for moment in times:
                number = round((moment * 1000 - first) / ticks.step)
                if runs and runs[-1][1] == number - 1:
                    runs[-1] = (runs[-1][0], number)
                else:
                    runs.append((number, number))
        return points

    def refuse(self, first: int, last: int, reason: str) -> None:
        """Note ticks at which there is no evaluation."""
        before = self.refused[-1] if self.refused else None
        if before is not None and before[0][1] == first - 1 and before[1] == reason:
            self.refused[-1] = ((before[0][0], last), reason)
        else:
            self.refused.append(((first, last), reason))

    def answer(self) -> Answer:
        """Return what was gathered. Raises Refused if nothing could be evaluated."""
        (run, reason), *_ = self.refused or [((0, -1), "")]
        if not self.runs and run == (0, self.ticks.count - 1):
            raise Refused(reason)
        return Answer(self.runs, tuple(self.refused), tuple(self.warnings))


class History:
    """What a Prometheus recorded."""

    def __init__(self, api: PrometheusApi, pace: Pace, *, begins: int | None = None) -> None:
        self._api = api
        self._pace = pace
        self.begins = begins
        """The time of its first sample, if that is known: before it no rule was evaluated."""
        self._next = time.monotonic()
        self._strains = 0
        self.requests = 0
        """How many were made."""

    @property
    def where(self) -> str:
        """Where it is."""
        return self._api.url

    def evaluated(self, expression: str, ticks: Ticks, *, shift: int = 0) -> Answer:
        """Evaluate an expression at every tick, or so many milliseconds before each.

        A piece that is refused as a whole is asked in smaller ones, down to a single tick. Raises Refused, and
        EngineTrouble as soon as the server shows that it is in need itself.
        """
        asking = _Asking(expression, ticks, shift)
        at, size, most, alone = 0, self._pace.ticks, MOST_TICKS, 0
        while at < ticks.count:
            last = min(at + size, ticks.count) - 1
            began = time.monotonic()
            try:
                points = self._piece(asking, at, last)
            except _Narrower as error:
                asking.failures += 1
                if asking.failures > MOST_FAILURES:
                    asking.refuse(at, ticks.count - 1, str(error))
                    break
                if last > at:
                    size = (last - at + 1) // 2
                    most = size if error.too_much else most
                    continue
                alone += 1
                last = at if alone < ALONE else self._end_of_failing(asking, at)
                asking.refuse(at, last, str(error))
            else:
                alone = 0
                size = min(most, _next_size(last - at + 1, time.monotonic() - began, points))
            at = last + 1
        return asking.answer()

    def _end_of_failing(self, asking: _Asking, at: int) -> int:
        """Return the last tick of the stretch that fails from a tick on, as far as single ticks further on tell."""
        fails, reach, end = at, ALONE, asking.ticks.count
        while fails + 1 < end:
            probe = min(fails + reach, end - 1)
            if not self._fails(asking, probe):
                end = probe
                break
            fails, reach = probe, reach * 2
        while fails + 1 < end:
            middle = (fails + end) // 2
            if self._fails(asking, middle):
                fails = middle
            else:
                end = middle
        return fails

    def _fails(self, asking: _Asking, number: int) -> bool:
        try:
            self._piece(_Asking(asking.expression, asking.ticks, asking.shift), number, number)
        except _Narrower:
            asking.failures += 1
            return True
        return False

    def _piece(self, asking: _Asking, first: int, last: int) -> int:
        ticks = asking.ticks
        given = {
            "query": asking.expression,
            "start": _seconds(ticks.time(first) - asking.shift),
            "end": _seconds(ticks.time(last) - asking.shift),
            "step": _seconds(ticks.step),
            "timeout": f"{self._pace.seconds:.6f}",
        }
        body = self._asked("POST", "/api/v1/query_range", data=given)
        data = body.get("data")
        if not isinstance(data, dict) or data.get("resultType") != "matrix":
            raise EngineTrouble("not a Prometheus", self.where, "a range query has no matrix in its answer")
        asking.warnings.update(dict.fromkeys(map(str, body.get("warnings") or ())))
        return asking.take(data["result"])

    def names(self, window: Window, selector: str | None = None) -> tuple[str, ...]:
        """Return the names of the metrics, those that a selector finds, in blocks that reach into a window.

        Only indices are read for it. Raises EngineTrouble, and Refused.
        """
        given = {"start": _seconds(window.begin), "end": _seconds(window.end)}
        if selector is not None:
            given["match[]"] = selector
        try:
            return tuple(self._asked("GET", "/api/v1/label/__name__/values", params=given).get("data") or ())
        except _Narrower as error:
            raise Refused(str(error)) from error

    def evaluation_interval(self) -> float | None:
        """Return the seconds between evaluations by its own configuration; None if it does not tell."""
        try:
            written = (self._api.configuration().get("global") or {}).get("evaluation_interval")
        except EngineTrouble:
            return None
        try:
            return parse_duration(str(written)) if written else None
        except ValueError:
            return None

    def _asked(self, method: str, path: str, **given: Any) -> Mapping[str, Any]:
        self._await_turn()
        self.requests += 1
        began = time.monotonic()
        try:
            response = self._api.request(method, path, timeout=self._pace.seconds + _OVERHEAD, **given)
        except EngineTrouble as trouble:
            if trouble.kind is not Kind.TIMED_OUT:
                raise
            raise self._strained(trouble.detail) from trouble
        finally:
            self._rest(time.monotonic() - began)
        status = response.status_code
        told = "" if status == _OK else said(response)
        if status in _STRAINED or _OUT_OF_TIME in told:
            raise self._strained(told)
        if status == _UNPROCESSABLE:
            raise _Narrower(told, too_much="too many samples" in told or "limit" in told)
        if status == _BAD_DATA:
            raise Refused(told)
        if status != _OK:
            what = f"Prometheus answered {method} {path} with an error, so it was not asked any more"
            raise EngineTrouble(what, self.where, told, Kind.ANSWERED)
        try:
            body = response.json()
        except ValueError as error:
            raise EngineTrouble("not a Prometheus", self.where, f"{path} answered no JSON") from error
        if not isinstance(body, dict):
            raise EngineTrouble("not a Prometheus", self.where, f"{path} answered no JSON object")
        return body

    def _strained(self, detail: str) -> Exception:
        """Return what to raise when an answer tells of strain: a smaller piece first, soon nothing more."""
        self._strains += 1
        if self._strains < MOST_STRAINS:
            return _Narrower(detail, too_much=True)
        what = f"{MOST_STRAINS} queries were too much for Prometheus, so it was not asked any more"
        return EngineTrouble(what, self.where, detail, Kind.TIMED_OUT)

    def _await_turn(self) -> None:
        if self._pace.per_second is not None:
            rest = max(1.0, 2 * (self._next - time.monotonic()))
            wait_until(lambda: time.monotonic() >= self._next, seconds=rest, what="its turn")

    def _rest(self, took: float) -> None:
        if self._pace.per_second is not None:
            self._next = time.monotonic() + max(1 / self._pace.per_second - took, took)


def _next_size(size: int, took: float, points: int) -> int:
    """Return how many ticks to ask for after a piece of so many, that took so many seconds and had so many points."""
    wanted = size // 2 if took > SLOW else size * 4 if took < QUICK else size
    room = MOST_POINTS * size // points if points else MOST_TICKS
    return max(1, min(wanted, room, MOST_TICKS))


def _seconds(time: int) -> str:
    return f"{time / 1000:.3f}"
