"""A probe that asks for more than an answer: all metrics, or a stream that does not end."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model.workloads import Probe

_POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: shop}}
spec:
  containers:
    - name: shop
      image: shop:1
      livenessProbe:
        httpGet: {{path: {path}, port: 8080}}
"""
_METRICS = re.compile(r"metrics|prometheus")
_ENDLESS = re.compile(r"events|stream|sse|ws|websocket|subscribe|eventstream|event-stream|longpoll")


@check(
    severity=Severity.WARNING,
    fix="Ask for a path that is made for it, and answers at once.",
    bad=Example({"pod.yaml": _POD.format(path="/metrics")}, at="/metrics"),
    good=Example({"pod.yaml": _POD.format(path="/live")}),
)
def probe_path_costly(probe: Probe) -> Iterator[Remark]:
    """The answer takes long when the system is busy, and an answer that stalls midway counts neither way.

    (Kubernetes: pkg/probe/http/http.go: the body is read to 10 KiB before the status counts, and an error while reading
    it is discarded; kubernetes.io/docs/concepts/workloads/pods/probes: probes are to be light.)
    """
    path = probe.action.get("path")
    if probe.handler != "httpGet" or not probe.steps:
        return
    if probe.kind == "livenessProbe" and _METRICS.fullmatch(probe.steps[-1]):
        timing = probe.timing
        told = f"liveness gathers all metrics every {timing.period:g} s, and has {timing.timeout:g} s for it"
        yield at(path, told)
    elif _ENDLESS.fullmatch(probe.steps[-1]):
        told = f"`{path.text}` is a stream by its name: one that sends less than 10 KiB in time never counts"
        yield at(path, told)
