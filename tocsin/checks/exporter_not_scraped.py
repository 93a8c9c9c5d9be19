"""An exporter that runs beside a Prometheus, whose metrics rules ask for, and that no job scrapes."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.compose import ComposeService
from tocsin.checks import Example, Remark, at_key, check
from tocsin.exporters import owner
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.stacks import Stack
from tocsin.relabelling import with_port

_COMPOSE = """\
services:
  prometheus:
    image: prom/prometheus
    volumes: ["./prometheus.yml:/etc/prometheus/prometheus.yml", "./rules.yml:/etc/prometheus/rules.yml"]
  node:
    image: prom/node-exporter
"""
_CONFIG = """\
global: {{}}
rule_files: [rules.yml]
scrape_configs:
- job_name: node
  static_configs: [{{targets: ['{host}']}}]
"""
_RULES = "groups:\n- name: a\n  rules:\n  - {alert: Full, expr: node_filesystem_avail_bytes < 1e9}\n"
_FILES = {"compose.yml": _COMPOSE, "rules.yml": _RULES}
_EXPORTERS = {
    "node-exporter": ("node_exporter", 9100),
    "node_exporter": ("node_exporter", 9100),
    "cadvisor": ("cadvisor", 8080),
    "alertmanager": ("alertmanager", 9093),
    "pushgateway": ("pushgateway", 9091),
    "blackbox-exporter": ("blackbox_exporter", 9115),
    "kube-state-metrics": ("kube-state-metrics", 8080),
}
"""By the name of an image: the exporter, as the snapshots call it, and its port."""


@check(
    severity=Severity.ERROR,
    fix="Add a scrape job for it.",
    bad=Example({**_FILES, "prometheus.yml": _CONFIG.format(host="localhost:9090")}, at="node:"),
    good=Example({**_FILES, "prometheus.yml": _CONFIG.format(host="node:9100")}),
)
def exporter_not_scraped(model: Model) -> Iterator[Remark]:
    """The rules that ask for its metrics find nothing, and none of their alerts can ring.

    (prometheus.io/docs/prometheus/latest/configuration/configuration, scrape_config: what no job names is not scraped.)
    """
    for stack in model.stacks:
        if not stack.composed or not _all_known(stack):
            continue
        own = next(process for process in stack.processes if process.workload is None)
        hosts, ports = _asked(model, stack)
        for compose in model.compose_files:
            if compose.part.file != own.file:
                continue
            for service in compose.services.values():
                exporter, port = _EXPORTERS.get(service.image_name.removeprefix("prometheus-"), ("", 0))
                if not exporter or hosts & {name.lower() for name in service.names} or port in ports:
                    continue
                yield from _missed(model, stack, service, exporter)


def _all_known(stack: Stack) -> bool:
    """Whether every target of a Prometheus is named in its configuration."""
    mechanisms = {each.mechanism for job in stack.jobs for each in job.discoveries if not each.static}
    received = stack.prometheus.remote_reads or stack.prometheus.part.get("otlp")
    federated = any("federate" in job.metrics_path for job in stack.jobs)
    return bool(stack.jobs) and stack.fragments_known and not mechanisms and not received and not federated


def _asked(model: Model, stack: Stack) -> tuple[set[str], set[int]]:
    hosts: set[str] = set()
    ports: set[int] = set()
    for target in model.targets:
        if target.stack is stack:
            for address in (target.address, target.discovered.get("__address__", "")):
                host, _, port = with_port(address, target.scheme).rpartition(":")
                hosts.add(host.lower())
                if port.isdecimal():
                    ports.add(int(port[:6]))
    return hosts, ports


def _missed(model: Model, stack: Stack, service: ComposeService, exporter: str) -> Iterator[Remark]:
    """Yield that rules ask for what an exporter alone tells."""
    uses = [
        use
        for use in model.lineage.uses
        if use.rule is not None
        and stack.loads(use.rule)
        and (snapshot := owner(use.name)) is not None
        and snapshot.exporter == exporter
        and not model.metrics.own(use.name)
    ]
    names = sorted({use.rule.name for use in uses if use.rule is not None})
    if names:
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        message = (
            f"no job of {stack.prometheus.file} scrapes `{service.name}`, whose {uses[0].name} is asked for: {shown}"
        )
        yield at_key(
            service.part, message, subject=service.subject, related=(uses[0].rule.place,) if uses[0].rule else ()
        )
