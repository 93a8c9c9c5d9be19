"""Annotations for a scrape that contradict the pod which has them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.artefacts.kubernetes import PLACEHOLDER
from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.workloads import Workload

_POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: shop
  annotations:
    prometheus.io/scrape: "true"
    prometheus.io/port: "{port}"
spec:
  containers:
    - name: shop
      image: shop:1
      ports: [{{containerPort: 8080}}]
"""


@check(
    severity=Severity.WARNING,
    fix="Name a port of the pod, and the scheme that is spoken there.",
    bad=Example({"pod.yaml": _POD.format(port=8088)}, at='prometheus.io/port: "8088"'),
    good=Example({"pod.yaml": _POD.format(port=8080)}),
)
def scrape_annotation_misfit(workload: Workload, model: Model) -> Iterator[Remark]:
    """Whoever scrapes by these annotations is refused, or asks in the wrong language.

    A port need not be declared to be there; one that nothing in the pod names is worth a look.
    (github.com/prometheus/prometheus, documentation/examples/prometheus-kubernetes.yml: prometheus.io/port, path and
    scheme are what its jobs read.)
    """
    annotations = workload.pod.get("metadata", "annotations")
    if annotations.string("prometheus.io/scrape") != "true" or _discovered(workload, model):
        return
    port, scheme = annotations.get("prometheus.io/port"), annotations.get("prometheus.io/scheme")
    number = int(port.text) if port.text.isdecimal() and len(port.text) <= 5 else None
    if number is None:
        if port.text and not PLACEHOLDER.search(port.text):
            told = f"`prometheus.io/port: {port.text}` is no number, and the usual jobs pass over what is none"
            yield at(port, told, subject=workload.subject, severity=Severity.INFO)
        return
    declared = [each.number for container in workload.running for each in container.ports]
    if declared and number not in declared and not _mentioned(workload, number):
        known = ", ".join(str(each) for each in dict.fromkeys(declared))
        told = f"`prometheus.io/port: {number}` is no port that the pod declares; it has {known}"
        yield at(port, told, subject=workload.subject, severity=Severity.INFO)
    spoken = (scheme.text or "http").upper()
    for container in workload.running:
        for probe in container.probes:
            if probe.port_number == number and probe.scheme in ("HTTP", "HTTPS") and probe.scheme != spoken:
                told = (
                    f"it is scraped by {spoken} on port {number}, where its {probe.word} probe speaks {probe.scheme}: "
                    "one of the two always fails"
                )
                yield at(scheme or port, told, subject=workload.subject, related=(probe.part.place,))
                return


def _discovered(workload: Workload, model: Model) -> bool:
    """Tell whether a job of the folder is known to find the pods, so that what it makes of them is judged there."""
    return any(target.pod is not None and target.pod.workload is workload for target in model.targets)


def _mentioned(workload: Workload, number: int) -> bool:
    word = re.compile(rf"(?<!\d){number}(?!\d)")
    texts = [text for container in workload.running for text in container.texts]
    asked = [str(probe.port_number) for container in workload.running for probe in container.probes]
    return any(word.search(text) for text in (*texts, *asked))
