"""What a running Prometheus answers when it is asked, gently and without changing anything, about its rules."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tocsin.deadline import wait_until
from tocsin.engines.prometheus_api import PrometheusApi
from tocsin.engines.trouble import EngineTrouble

PER_SECOND = 10.0
"""Requests a second, at most: the server has rules to evaluate."""
LATELY = "1d"
"""How far back a metric is looked for that has no series now."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one evaluation of an expression took of the server."""

    seconds: float
    samples: int
    """Samples that were read, all together."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What was answered; nothing of it is judged yet."""

    groups: tuple[Mapping[str, Any], ...]
    """As in /api/v1/rules."""
    configuration: Mapping[str, Any]
    flags: Mapping[str, str]
    head_series: Mapping[str, int]
    """The metrics with the most series, and how many they have (/api/v1/status/tsdb)."""
    present: Mapping[str, int | None]
    """Of each selector: how many series it has now; 0 if it had some lately; None if it had none."""
    costs: Mapping[str, Cost | str]
    """Of each expression: its cost, or the server's error."""
    seconds: float = field(default=0.0, compare=False)
    """How long the asking took."""


class _Paced:
    """A server that is asked no more often than so many times a second."""

    def __init__(self, api: PrometheusApi) -> None:
        self._api = api
        self._next = time.monotonic()

    def get(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer. Raises EngineTrouble."""
        wait_until(lambda: time.monotonic() >= self._next, seconds=1.0, what="its turn")
        self._next = time.monotonic() + 1 / PER_SECOND
        answer = self._api.json(path, params=parameters)
        if not isinstance(answer, dict) or "data" not in answer:
            raise EngineTrouble("not a Prometheus", self._api.url, f"{path} has no data in its answer")
        return answer["data"]


def ask(api: PrometheusApi, selectors: Iterable[str], expressions: Iterable[str]) -> Answers:
    """Ask a server everything. Raises EngineTrouble where it does not answer; a query that it refuses is an answer."""
    began = time.monotonic()
    server = _Paced(api)
    groups = server.get("/api/v1/rules")["groups"]
    configuration = api.configuration()
    flags = api.flags()
    status = server.get("/api/v1/status/tsdb")
    series = {each["name"]: int(each["value"]) for each in status.get("seriesCountByMetricName") or ()}
    present = {selector: _present(server, selector) for selector in dict.fromkeys(selectors)}
    costs = {expression: _cost(server, expression) for expression in dict.fromkeys(expressions)}
    seconds = time.monotonic() - began
    return Answers(tuple(groups), configuration, flags, series, present, costs, seconds)


def _present(server: _Paced, selector: str) -> int | None:
    now = server.get("/api/v1/query", query=f"count({selector})")["result"]
    if now:
        return int(float(now[0]["value"][1]))
    lately = server.get("/api/v1/query", query=f"count(present_over_time({selector}[{LATELY}]))")["result"]
    return 0 if lately else None


def _cost(server: _Paced, expression: str) -> Cost | str:
    try:
        stats = server.get("/api/v1/query", query=expression, stats="all").get("stats") or {}
    except EngineTrouble as error:
        return error.detail
    timings, samples = stats.get("timings") or {}, stats.get("samples") or {}
    return Cost(float(timings.get("evalTotalTime") or 0), int(samples.get("totalQueryableSamples") or 0))
