"""A monitor of the Prometheus operator that the operator leaves out of the configuration."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.checks import Example, Remark, at, check
from tocsin.durations import parse_duration
from tocsin.finding import Severity
from tocsin.part import Part

_MONITOR = """apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {{name: shop}}
spec:
  selector: {{matchLabels: {{app: shop}}}}
  endpoints:
  - port: http
    interval: 30s
    scrapeTimeout: {timeout}
"""
_ENDPOINTS = {"ServiceMonitor": "endpoints", "PodMonitor": "podMetricsEndpoints"}


@check(
    severity=Severity.ERROR,
    fix="Make the timeout at most as long as the interval.",
    bad=Example({"monitor.yaml": _MONITOR.format(timeout="60s")}, at="scrapeTimeout: 60s"),
    good=Example({"monitor.yaml": _MONITOR.format(timeout="10s")}),
)
def monitor_refused(kubernetes_object: KubernetesObject) -> Iterator[Remark]:
    """The operator skips the whole monitor and says so in its own log only, so nothing is scraped by it.

    (prometheus-operator, pkg/prometheus/resource_selector.go, validateScrapeIntervalAndTimeout: a scrapeTimeout greater
    than the interval is an error, and a monitor with an error is not selected.)
    """
    spec = kubernetes_object.part.get("spec")
    endpoints: tuple[Part, ...] = ()
    if kubernetes_object.kind in _ENDPOINTS:
        endpoints = spec.list(_ENDPOINTS[kubernetes_object.kind])
    elif kubernetes_object.kind in ("Probe", "ScrapeConfig"):
        endpoints = (spec,)
    if kubernetes_object.group != "monitoring.coreos.com":
        return
    for endpoint in endpoints:
        interval = endpoint.get("interval") or endpoint.get("scrapeInterval")
        timeout = endpoint.get("scrapeTimeout")
        seconds = [_seconds(interval), _seconds(timeout)]
        if seconds[0] and seconds[1] and seconds[1] > seconds[0]:
            message = f"`scrapeTimeout: {timeout.text}` is longer than the interval, which is {interval.text}"
            yield at(timeout, message, subject=f"{kubernetes_object.subject}/{endpoint.key}")


def _seconds(part: Part) -> float | None:
    try:
        return parse_duration(part.text) if part.text else None
    except ValueError:
        return None
