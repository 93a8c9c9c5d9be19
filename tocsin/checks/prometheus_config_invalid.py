"""A configuration that Prometheus refuses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tocsin.artefacts.prometheus import PrometheusConfig
from tocsin.checks import Example, Remark, at, at_key, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.prometheus_refusals import Refusal, agent_refusals, job_refusals, refusals
from tocsin.part import Part

_CONFIG = """global:
  scrape_interval: 15s
scrape_configs:
- job_name: shop
  scrape_timeout: {timeout}
  static_configs: [{{targets: ["shop:80"]}}]
"""


@check(
    severity=Severity.ERROR,
    fix="Write what the configuration's reference allows; promtool check config then accepts it.",
    bad=Example({"prometheus.yml": _CONFIG.format(timeout="30s")}, at="scrape_timeout: 30s"),
    good=Example({"prometheus.yml": _CONFIG.format(timeout="10s")}),
    origin="promtool",
)
def prometheus_config_invalid(prometheus: PrometheusConfig, model: Model) -> Iterator[Remark]:
    """Prometheus does not start with the file, or goes on with the configuration that it had.

    (prometheus/prometheus, config/config.go and cmd/prometheus/main.go, reloadConfig;
    prometheus.io/docs/prometheus/latest/configuration/configuration.)
    """
    part = prometheus.part
    if not isinstance(part.value, dict):
        return
    main = [s.prometheus for s in model.stacks if any(each is prometheus for each in s.fragments)]
    found: Iterable[Refusal] = refusals(part)
    if main and prometheus.fragment:
        found = (each for job in part.list("scrape_configs") for each in job_refusals(job, main[0].part.get("global")))
    agents = [p for s in model.stacks if s.prometheus is prometheus for p in s.processes]
    if agents and all(process.agent for process in agents):
        found = (*found, *agent_refusals(part))
    major = _major(model, prometheus)
    for each in found:
        show = at_key if each.key else at
        severity = Severity.ERROR if not each.before or major else Severity.WARNING
        if not each.before or major < each.before:
            yield show(each.part, each.message, subject=_subject(each.part), severity=severity)


def _major(model: Model, prometheus: PrometheusConfig) -> int:
    """Return the lowest major version that runs with a configuration; 0 if that is not said."""
    tags = [
        re.match(r"v?(\d+)\.", process.part.string("image").rpartition(":")[2])
        for stack in model.stacks
        for process in stack.processes
        if stack.prometheus is prometheus
    ]
    return min((int(tag[1]) for tag in tags), default=0) if tags and all(tags) else 0  # type: ignore[index]


def _subject(part: Part) -> str:
    """Return a name path without indices: a job is named by its name."""
    steps: list[str] = []
    whole = Part.whole(part.document)
    for depth, step in enumerate(part.route, 1):
        inside = whole.get(*part.route[:depth])
        steps.append(inside.string("job_name") or inside.string("name") or str(step) if isinstance(step, int) else step)
    return "/".join(steps) or "prometheus"
