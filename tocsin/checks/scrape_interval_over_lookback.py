"""Scrapes so rare that series are gone in between."""

from collections.abc import Iterator

from tocsin.artefacts.prometheus import ScrapeJob
from tocsin.checks import Example, Remark, at, check
from tocsin.durations import format_duration, parse_duration
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.part import Part
from tocsin.promql import Expr, MatrixSelector, VectorSelector, children

_PROMETHEUS = """global:
  scrape_interval: {}
scrape_configs:
- job_name: api
  static_configs: [{{targets: ['api:80']}}]
"""
_MONITORS = {
    "ServiceMonitor": ("endpoints", "interval"),
    "PodMonitor": ("podMetricsEndpoints", "interval"),
    "Probe": ("", "interval"),
    "ScrapeConfig": ("", "scrapeInterval"),
    "Prometheus": ("", "scrapeInterval"),
    "PrometheusAgent": ("", "scrapeInterval"),
}
"""Objects of the Prometheus operator that set an interval, and where in their `spec`."""


@check(
    severity=Severity.ERROR,
    fix="Scrape at least every two minutes, or raise --query.lookback-delta above the interval.",
    bad=Example({"prometheus.yml": _PROMETHEUS.format("10m")}, at="scrape_interval: 10m"),
    good=Example({"prometheus.yml": _PROMETHEUS.format("2m")}),
    origin="promtool",
)
def scrape_interval_over_lookback(model: Model) -> Iterator[Remark]:
    """Between two scrapes every series is gone for a while: alerts on it end and begin again, and graphs have gaps.

    (Prometheus, --query.lookback-delta: a sample counts as present for 5 minutes; promtool's lint
    too-long-scrape-interval.)
    """
    for config in model.prometheus_configs:
        everywhere = config.part.get("global", "scrape_interval")
        jobs = [job for job in config.jobs if job.part.get("scrape_interval")]
        inherits = len(jobs) < len(config.jobs)
        if inherits:
            yield from _too_long(everywhere, f"{config.file}/global", model, Severity.ERROR)
        for job in jobs:
            severity = Severity.ERROR if _read_by_rules(job, model) else Severity.WARNING
            yield from _too_long(job.part.get("scrape_interval"), f"{config.file}/{job.name}", model, severity)
    for each in model.objects_of(*_MONITORS):
        if not each.part.string("apiVersion").startswith("monitoring.coreos.com/"):
            continue
        items, key = _MONITORS[each.kind]
        for part in each.part.list("spec", items) if items else (each.part.get("spec"),):
            severity = Severity.ERROR if each.kind == "Prometheus" else Severity.WARNING
            yield from _too_long(part.get(key), each.subject, model, severity)


def _read_by_rules(job: ScrapeJob, model: Model) -> bool:
    """Whether a rule reads the present value of a series of that job, as it surely is about."""
    rules = (rule for stack in model.stacks if stack.prometheus is job.config for rule in stack.rules)
    for tree in map(model.tree, rules):
        for selector in _instant(tree) if tree is not None else ():
            if any(m.name == "job" and m.op == "=" and m.value == job.name for m in selector.matchers):
                return True
    return False


def _instant(tree: Expr) -> Iterator[VectorSelector]:
    """Yield the selectors that read a present value; a range finds older samples too."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, VectorSelector):
            yield node
        elif not isinstance(node, MatrixSelector):
            waiting.extend(children(node))


def _too_long(part: Part, subject: str, model: Model, severity: Severity) -> Iterator[Remark]:
    try:
        seconds = parse_duration(part.text) if part.text else 0.0
    except ValueError:
        return
    lookback = model.timing.lookback
    if seconds < lookback:
        return
    present = format_duration(lookback)
    if seconds == lookback:
        said = f"a sample counts as present for {present}, and the next one comes {present} later: a late one is missed"
    else:
        gone = format_duration(seconds - lookback)
        said = f"a sample counts as present for {present}, and the next one comes after {part.text}: "
        said += f"in between there is nothing for {gone}"
    yield at(part, said, subject=subject, severity=Severity.WARNING if seconds == lookback else severity)
