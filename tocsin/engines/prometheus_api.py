"""What Prometheus is asked: queries through prometheus-api-client, the endpoints that it lacks directly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import yaml
from prometheus_api_client import PrometheusConnect

from tocsin.engines.http_api import TIMEOUT_SECONDS, HttpApi, no_retry
from tocsin.engines.trouble import EngineTrouble, translated


class Sample(NamedTuple):
    """A value and its unix time in seconds, exact to the millisecond as Prometheus stores it."""

    time: float
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """A labelled series; a scalar result has no labels. Samples of native histograms are left out."""

    labels: Mapping[str, str]
    samples: tuple[Sample, ...]


class PrometheusApi(HttpApi):
    """A Prometheus, ours or another's. Every method raises EngineTrouble."""

    def __init__(
        self,
        url: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        headers: Mapping[str, str] | None = None,
        verify: bool | str = True,
    ) -> None:
        super().__init__("Prometheus", url, timeout=timeout, headers=headers, verify=verify)
        # its defaults (three retries with growing pauses, no timeout) make 1 s of timeout 10 s, and a hang endless
        self.connect = PrometheusConnect(url=self.url, session=self.session, retry=no_retry(), timeout=timeout)

    def query(self, expression: str, *, at: float | None = None) -> list[Series]:
        """Return the value of an instant query at a unix time (None: now).

        Of a range selector, as in `up[60s]`, it gives the raw samples with their own times. Stale markers are not
        among them: see promtool.tsdb_dump.
        """
        parameters = {} if at is None else {"time": repr(at)}
        with translated(f"Prometheus did not answer the query {expression}", self.url):
            return _series(self.connect.custom_query(expression, params=parameters))

    def query_range(self, expression: str, *, start: float, end: float, step: float) -> list[Series]:
        """Return the values from start to end (unix times) at every step (seconds).

        A step that gives more than 11,000 points is refused by Prometheus: ask in pieces.
        """
        # the client rounds its times to whole seconds; given again as parameters they stay exact
        exact = {"start": repr(start), "end": repr(end)}
        first, last = datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)
        with translated(f"Prometheus did not answer the range query {expression}", self.url):
            return _series(self.connect.custom_query_range(expression, first, last, repr(step), params=exact))

    def raw_samples(self, selector: str, *, start: float, end: float) -> list[Series]:
        """Return the raw samples of a selector in (start, end], in unix seconds."""
        milliseconds = max(1, round((end - start) * 1000))
        return self.query(f"{selector}[{milliseconds}ms]", at=end)

    def targets(self) -> list[dict[str, Any]]:
        """Return the active targets, as in /api/v1/targets: labels, scrapeUrl, health, lastError."""
        with translated("Prometheus did not tell its targets", self.url):
            return list(self.connect.get_targets(state="active")["activeTargets"])

    def rule_groups(self) -> list[dict[str, Any]]:
        """Return the rule groups, as in /api/v1/rules."""
        return list(self._data("/api/v1/rules")["groups"])

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that are pending or firing, as in /api/v1/alerts."""
        return list(self._data("/api/v1/alerts")["alerts"])

    def alertmanagers(self) -> list[str]:
        """Return the URLs of the Alertmanagers that it sends to now."""
        return [each["url"] for each in self._data("/api/v1/alertmanagers")["activeAlertmanagers"]]

    def configuration(self) -> dict[str, Any]:
        """Return the configuration that it runs with."""
        return dict(yaml.safe_load(self._data("/api/v1/status/config")["yaml"]) or {})

    def flags(self) -> dict[str, str]:
        """Return its command-line flags."""
        return dict(self._data("/api/v1/status/flags"))

    def version(self) -> str:
        """Return its version."""
        return str(self._data("/api/v1/status/buildinfo")["version"])

    def metrics(self) -> str:
        """Return its own exposition."""
        return self.text("/metrics")

    def reload(self) -> None:
        """Make it read its files again; raises EngineTrouble with its reason if it will not.

        For seconds after it no Alertmanager is known, and alerts that fire are dropped: wait for
        readiness.await_alertmanagers. Needs --web.enable-lifecycle.
        """
        self.text("/-/reload", method="POST")

    def _data(self, path: str) -> Any:
        answer = self.json(path)
        if not isinstance(answer, dict) or "data" not in answer:
            raise EngineTrouble("not a Prometheus", self.url, f"{path} has no data in its answer")
        return answer["data"]


def _series(result: Any) -> list[Series]:
    if result and not isinstance(result[0], dict):  # a scalar or a string: one pair of time and value
        return [Series({}, (_sample(result),))]
    return [
        Series(
            labels=each["metric"],
            samples=tuple(_sample(pair) for pair in each.get("values") or ([each["value"]] if "value" in each else [])),
        )
        for each in result
    ]


def _sample(pair: Any) -> Sample:
    return Sample(float(pair[0]), float(pair[1]))
