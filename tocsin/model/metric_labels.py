"""Which labels the series of a metric can have: those that its exporter gives them, and those of the target."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tocsin.artefacts.prometheus import ScrapeJob
from tocsin.exporters import exported
from tocsin.model.metrics import Metric
from tocsin.promql.regex import alternatives, matches

if TYPE_CHECKING:
    from tocsin.model import Model
    from tocsin.model.lineage import Use

OF_EVERY_TARGET = frozenset({"job", "instance", "__name__"})
OF_OPERATOR = frozenset({"namespace", "service", "pod", "container", "endpoint", "node", "prometheus"})
"""What the Prometheus operator adds to the targets of its monitors (prometheus-operator, pkg/prometheus/promcfg.go)."""
_USUAL_WORDS = """
app application availability_zone az chart cloud cluster cluster_id cluster_name component container container_name
customer datacenter dc domain endpoint env environment group heritage host hostname installation ip kind
kubernetes_io_hostname location machine monitor name namespace node node_name nodename ns organization organisation
owner pid pod pod_name pod_template_hash prefix product project prometheus prometheus_replica provider receive
region release replica role server service service_name shard site source squad stack stage system target task team
tenant tenant_id tier type version workload zone
"""
_USUAL = frozenset(_USUAL_WORDS.split())
"""Labels that a target may be given anywhere; where no file tells which it has, nothing is made of them."""
_FREE = ("exported_", "label_", "annotation_", "__", "kubernetes_", "app_", "k8s_", "meta_", "tmp_")
_MESSAGES = ("http_sd_configs", "file_sd_configs")
"""Discoveries whose answers may hold any label."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels that the series of a selector can have."""

    own: frozenset[str]
    """Those of the metric."""
    target: frozenset[str]
    """Those of the target."""
    sure: bool
    """Whether there can be no others; else there may be any that targets are usually given."""
    metrics: tuple[Metric, ...]
    """Who says it."""

    def lacks(self, label: str) -> bool:
        """Tell whether no series can have a label."""
        if label in self.own or label in self.target or label.startswith(_FREE):
            return False
        return self.sure or label not in _USUAL


class MetricLabels:
    """The labels of a system's metrics."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def of(self, use: Use) -> Labels | None:
        """Return the labels that the series of a selector can have; None if that is not known."""
        told = self.told(use)
        if not told or not all(metric.complete and metric.origin in ("application", "saved") for metric in told):
            return None
        if any(not metric.complete for metric in exported().get(use.name, ())):
            return None
        own = frozenset().union(*(metric.labels for metric in told))
        target, sure = self._of_targets(use.job)
        if any(metric.origin == "application" for metric in told):
            own |= {"pid"}  # of gauges of several workers (prometheus_client, multiprocess mode)
        bodies = {body.job: body for body in self._model.metrics.bodies}
        given = frozenset(name for metric in told if metric.by in bodies for name in bodies[metric.by].labels)
        return Labels(own, target | given, sure, told)

    def told(self, use: Use) -> tuple[Metric, ...]:
        """Return what is known of the metric of a selector: of the job that it asks for, if that is told apart."""
        found = self._model.metrics.own(use.name)
        if not use.job:
            return found
        nearer = tuple(m for m in found if m.by == use.job or use.job in m.place.file.split("/")[:-1])
        return nearer or found

    def values(self, use: Use, label: str) -> tuple[frozenset[str], Metric] | None:
        """Return every value that a label of a metric can have, and who says so; None if that is not known."""
        told = self.told(use) or self._model.metrics.named(use.name)
        if not told or not all(label in metric.values for metric in told):
            return None
        return frozenset().union(*(metric.values[label] for metric in told)), told[0]

    def _of_targets(self, job: str) -> tuple[frozenset[str], bool]:
        if job not in self._targets:
            self._targets[job] = self._read_targets(job)
        return self._targets[job]

    @cached_property
    def _targets(self) -> dict[str, tuple[frozenset[str], bool]]:
        return {}

    def _read_targets(self, job: str) -> tuple[frozenset[str], bool]:
        jobs = [each for stack in self._model.stacks for each in stack.jobs]
        asked = [each for each in jobs if not job or each.name == job]
        monitors = self._model.objects_of("ServiceMonitor", "PodMonitor", "Probe", "ScrapeConfig")
        found = set(OF_EVERY_TARGET)
        sure = bool(asked) and not monitors and all(stack.fragments_known for stack in self._model.stacks)
        for each in asked or jobs:
            sure = _labels_of_job(each, found) and sure
        for monitor in monitors:
            found |= OF_OPERATOR
            for part in monitor.part.get("spec").walk():
                listed = part.route[-2:-1] in (("targetLabels",), ("podTargetLabels",))
                if (listed or part.key == "targetLabel") and part.text:
                    found.add(part.text)
        return frozenset(found), sure


def _labels_of_job(job: ScrapeJob, found: set[str]) -> bool:
    """Add the labels that a job gives its targets and samples; tell whether there can be no others."""
    sure = True
    for step in (*job.relabelling, *job.metric_relabelling):
        action = step.string("action").lower() or "replace"
        target = step.string("target_label")
        if action == "labelmap" or "$" in target:
            sure = False
        elif target:
            found.add(target)
    for key, part in job.part.items():
        if key == "static_configs":
            found.update(name for group in part.list() for name in group.strings("labels"))
        elif key in _MESSAGES:
            sure = False
    return sure


def cannot_match(op: str, value: str, known: frozenset[str]) -> tuple[str, ...]:
    """Return what of a matcher's value is none of the known values: all of it, or some of its alternatives."""
    if op in ("=", "!="):
        return (value,) if value and value not in known else ()
    listed = alternatives(value)
    if listed is not None:
        return tuple(sorted(each for each in listed if each and each not in known))
    return (value,) if all(matches(value, each) is False for each in (*known, "")) else ()
