"""A probe that asks another address than the pod's."""

from __future__ import annotations

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
      readinessProbe:
        httpGet: {{path: /ready, port: 8080{host}}}
"""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]", "0.0.0.0", "::"})


@check(
    severity=Severity.ERROR,
    fix="Remove `host`; a virtual host is asked for by the header `Host` in httpHeaders.",
    bad=Example({"pod.yaml": _POD.format(host=", host: shop.example.org")}, at="host: shop.example.org"),
    good=Example({"pod.yaml": _POD.format(host="")}),
)
def probe_host_set(probe: Probe) -> Iterator[Remark]:
    """The kubelet asks that host from the node, so something else answers for this container.

    Pod Security refuses it in namespaces of level baseline since Kubernetes 1.34.
    (kubernetes.io/docs/concepts/workloads/pods/probes, HTTP probes; pkg/kubelet/prober/prober.go;
    pod-security-admission, policy/check_hostProbesAndhostLifecycle.go.)
    """
    host = probe.action.get("host")
    if not isinstance(host.value, str) or not host.value or probe.container.workload.host_network:
        return  # on the node's own network, the node's loopback is the pod's
    if host.value.lower() in _LOOPBACK:
        yield at(host, f"the {probe.word} probe asks {host.value}, the node's loopback: the pod is never asked")
    else:
        told = f"the {probe.word} probe asks {host.value} and not the pod that it decides about"
        yield at(host, told)
