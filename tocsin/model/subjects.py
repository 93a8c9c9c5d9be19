"""What checks can look at: the name of a check's first argument, and what there is of it in a model.

Each has a `subject`, the name path by which findings know it, which holds no line number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tocsin.artefacts.alertmanager import ReceiverPart, RoutePart
from tocsin.model import Model


def _receivers(model: Model) -> Iterator[ReceiverPart]:
    return (receiver for config in model.alertmanager_configs for receiver in config.receivers)


def _routes(model: Model) -> Iterator[RoutePart]:
    return (route for config in model.alertmanager_configs for route in config.routes)


SUBJECTS: Mapping[str, Callable[[Model], Iterable[Any]]] = {
    "model": lambda model: (model,),
    "file": lambda model: model.files(),
    "group": lambda model: model.rule_groups,
    "rule": lambda model: model.rules,
    "alert": lambda model: model.alerts,
    "recording_rule": lambda model: model.recording_rules,
    "promtool_test": lambda model: model.promtool_tests,
    "prometheus": lambda model: model.prometheus_configs,
    "scrape_job": lambda model: (job for config in model.prometheus_configs for job in config.jobs),
    "stack": lambda model: model.stacks,
    "alertmanager": lambda model: model.alertmanager_configs,
    "route": _routes,
    "receiver": _receivers,
    "kubernetes_object": lambda model: model.objects,
    "workload": lambda model: model.workloads,
    "container": lambda model: (c for workload in model.workloads for c in workload.containers),
    "probe": lambda model: (p for w in model.workloads for c in w.containers for p in c.probes),
    "dashboard": lambda model: model.dashboards,
    "panel": lambda model: (panel for dashboard in model.dashboards for panel in dashboard.panels),
    "query": lambda model: (q for d in model.dashboards for panel in d.panels for q in panel.queries),
    "compose_file": lambda model: model.compose_files,
    "runbook": lambda model: model.runbooks,
}
