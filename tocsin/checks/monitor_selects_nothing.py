"""A ServiceMonitor or PodMonitor without anything to scrape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tocsin.artefacts.kubernetes import KubernetesObject
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.cluster import Pod
from tocsin.model.selectors import selects
from tocsin.model.services import Service
from tocsin.part import Part
from tocsin.source import offered

_SERVICE = """apiVersion: v1
kind: Service
metadata: {name: shop, namespace: shop, labels: {app: shop}}
spec:
  selector: {app: shop}
  ports: [{name: http, port: 80}]
"""
_MONITOR = """apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {{name: shop, namespace: shop}}
spec:
  selector: {{matchLabels: {{app: shop}}}}
  endpoints:
  - port: {port}
"""


@check(
    severity=Severity.ERROR,
    fix="Select by labels that the Services or pods carry, in their namespace, and name a port that they have.",
    bad=Example({"service.yaml": _SERVICE, "monitor.yaml": _MONITOR.format(port="metrics")}, at="port: metrics"),
    good=Example({"service.yaml": _SERVICE, "monitor.yaml": _MONITOR.format(port="http")}),
    origin="kube-linter dangling-servicemonitor",
)
def monitor_selects_nothing(kubernetes_object: KubernetesObject, model: Model) -> Iterator[Remark]:
    """Nothing is scraped by the job that the operator makes of it, and no `up` tells of that.

    (prometheus-operator.dev/docs/api-reference/api, ServiceMonitorSpec and PodMonitorSpec: `selector`,
    `namespaceSelector`, and `port`, "name of the Service port which this endpoint refers to".)
    """
    if kubernetes_object.kind not in ("ServiceMonitor", "PodMonitor") or model.cluster.patched(kubernetes_object):
        return
    monitor = _Monitor(model, kubernetes_object)
    if monitor.unread:
        return
    if monitor.selected:
        yield from _ports(monitor)
    else:
        yield from _missed(monitor)


Selected = Service | Pod


@dataclass(frozen=True)
class _Monitor:
    model: Model
    object: KubernetesObject

    @property
    def of_pods(self) -> bool:
        return self.object.kind == "PodMonitor"

    @property
    def word(self) -> str:
        return "pods" if self.of_pods else "Services"

    @property
    def all(self) -> tuple[Selected, ...]:
        if self.of_pods:
            return tuple(pod for pod in self.model.cluster.pods if pod.workload is not None)
        return self.model.services.all

    def labels(self, one: Selected) -> dict[str, str]:
        return dict(one.labels) if isinstance(one, Pod) else one.object.part.strings("metadata", "labels")

    @property
    def namespaces(self) -> frozenset[str] | None:
        """Where it looks; None for everywhere, nothing if that is not known."""
        chosen = self.object.part.get("spec", "namespaceSelector")
        if chosen.get("any").value is True:
            return None
        named = frozenset(part.text for part in chosen.list("matchNames"))
        return named or self.model.cluster.namespaces(self.object)

    def within(self, one: Selected) -> bool:
        """Whether it looks where something may be."""
        where = self.namespaces
        return where is None or not where or not one.namespaces or bool(where & one.namespaces)

    @property
    def unread(self) -> bool:
        """Whether something selects by what the files do not say."""
        selector = self.object.part.get("spec", "selector")
        return any(
            self.model.cluster.patched(one.object) or selects(selector, self.labels(one)) is None for one in self.all
        )

    @property
    def selected(self) -> tuple[Selected, ...]:
        selector = self.object.part.get("spec", "selector")
        return tuple(one for one in self.all if self.within(one) and selects(selector, self.labels(one)))


def _ports(monitor: _Monitor) -> Iterator[Remark]:
    """Yield endpoints whose port nothing has that is selected."""
    key = "podMetricsEndpoints" if monitor.of_pods else "endpoints"
    for endpoint in monitor.object.part.list("spec", key):
        port = endpoint.get("port")
        names = {each.name for one in monitor.selected for each in one.ports if each.name}
        sure = all(one.ports for one in monitor.selected)
        if port.text and port.text not in names and sure:
            where = ", ".join(one.subject for one in monitor.selected[:3])
            message = f"no port of {where} is called `{port.text}`; {offered(port.text, sorted(names))}"
            yield _at(monitor, port, message, port.text)


def _missed(monitor: _Monitor) -> Iterator[Remark]:
    """Yield that it passes by what it is surely meant for: what is called as it is, or what is elsewhere."""
    selector = monitor.object.part.get("spec", "selector")
    wanted = monitor.object.part.strings("spec", "selector", "matchLabels")
    if not wanted and not selector.list("matchExpressions"):
        return
    elsewhere = [one for one in monitor.all if selects(selector, monitor.labels(one)) and not monitor.within(one)]
    if elsewhere:
        other = elsewhere[0]
        where = ", ".join(sorted(monitor.namespaces or ()))
        message = f"{other.subject} carries the labels, but it looks for {monitor.word} in {where} only"
        part = monitor.object.part.get("spec", "namespaceSelector")
        yield _at(monitor, part or selector, message, "namespaceSelector", other.object.part)
        return
    sending = [
        one
        for one in monitor.all
        if monitor.within(one)
        and wanted
        and all(_alike(value, monitor.labels(one).get(key, "")) for key, value in wanted.items())
    ] or [
        one
        for one in monitor.all
        if isinstance(one, Service)
        and monitor.within(one)
        and wanted.items() <= {key: part.text for key, part in one.selector.items()}.items()
    ]
    for one in monitor.all:
        has = monitor.labels(one)
        same = monitor.within(one) and (one.object.name == monitor.object.name or [one] == sending)
        for name, value in wanted.items():
            if same and has.get(name) != value and (one.namespaces or [one] == sending):
                shown = f"`{name}: {has[name]}`" if name in has else f"no label `{name}`"
                message = f"no {monitor.word} here carry `{name}: {value}`; {one.subject} has {shown}"
                part = monitor.object.part.get("spec", "selector", "matchLabels", name)
                yield _at(monitor, part, message, name, one.object.part)
                return


def _alike(one: str, other: str) -> bool:
    """Whether two values are the same but for how their words are joined."""
    return bool(other) and re.sub(r"[-_. ]", "", one).lower() == re.sub(r"[-_. ]", "", other).lower()


def _at(monitor: _Monitor, part: Part, message: str, about: str, *related: Part) -> Remark:
    subject = f"{monitor.object.subject}/{about}"
    return at(part, message, subject=subject, related=tuple(each.place for each in related))
