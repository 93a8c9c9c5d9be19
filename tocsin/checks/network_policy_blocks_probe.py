"""A NetworkPolicy that keeps the command of a probe from what it asks."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.model.cluster import Pod
from tocsin.model.commands import Asked, asked
from tocsin.model.network import DNS, Denial
from tocsin.model.workloads import Probe

_MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: shop, namespace: shop}}
spec:
  selector: {{matchLabels: {{app: shop}}}}
  template:
    metadata: {{labels: {{app: shop}}}}
    spec:
      containers:
        - name: shop
          image: shop:1
          readinessProbe:
            exec: {{command: [pg_isready, -h, db]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db, namespace: shop}}
spec:
  selector: {{matchLabels: {{app: db}}}}
  template:
    metadata: {{labels: {{app: db}}}}
    spec:
      containers:
        - {{name: db, image: "postgres:17", ports: [{{containerPort: 5432}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: db, namespace: shop}}
spec:
  selector: {{app: db}}
  ports: [{{port: 5432}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: shop, namespace: shop}}
spec:
  podSelector: {{matchLabels: {{app: shop}}}}
  policyTypes: [Egress]
  egress:
    - ports: [{{port: 53, protocol: UDP}}]
    - to: [{{podSelector: {{matchLabels: {{app: db}}}}}}]
      ports: [{{port: {port}}}]
"""


@check(
    severity=Severity.ERROR,
    fix="Allow the way in the policy, or let the probe ask the pod itself.",
    bad=Example({"shop.yaml": _MANIFEST.format(port=5433)}, at="pg_isready, -h, db"),
    good=Example({"shop.yaml": _MANIFEST.format(port=5432)}),
)
def network_policy_blocks_probe(model: Model) -> Iterator[Remark]:
    """Every attempt fails, so the container is never ready, or restarted for ever.

    What the kubelet asks comes from the node and is let through; what a command in the container asks is traffic of the
    pod like any other.
    (kubernetes.io/docs/concepts/services-networking/network-policies: traffic to and from the node of a pod is always
    allowed; kubernetes.io/docs/concepts/workloads/pods/probes, exec.)
    """
    for pod in model.cluster.pods if model.network.policies else ():
        for container in pod.containers:
            for probe in container.probes:
                if probe.handler == "exec":
                    yield from _probe(model, pod, probe)


def _probe(model: Model, pod: Pod, probe: Probe) -> Iterator[Remark]:
    for end in asked(probe.part.list("exec", "command")):
        if model.services.address(end.host, pod.namespaces) is None:
            continue
        found, asks = _denied(model, pod, end), f"asks {end.host}, port {end.port}"
        if found is None:
            found, asks = _nameless(model, pod), f"asks for the address of {end.host}"
        if found is not None:
            names = " and ".join(dict.fromkeys(policy.object.name for policy in found.policies))
            way = "out of" if found.direction == "Egress" else "into"
            told = (
                f"the {probe.word} probe of `{probe.container.name}` {asks}, and {names} lets no such traffic {way} "
                f"{found.pod.object.kind} {found.pod.object.name}"
            )
            # One that lists nothing at all is there to be added to, perhaps by policies that are not in the folder.
            listed = any(policy.rules(found.direction) for policy in found.policies)
            severity = Severity.ERROR if listed else Severity.WARNING
            yield at(end.part, told, subject=probe.subject, severity=severity, related=(found.part.place,))
            return


def _nameless(model: Model, pod: Pod) -> Denial | None:
    """Return why a pod may surely not ask for the address of a name."""
    denial = model.network.denial(pod, DNS, 53, "UDP")
    return denial if denial is not None and model.network.surely_nameless(pod) else None


def _denied(model: Model, pod: Pod, end: Asked) -> Denial | None:
    """Return why a pod may surely reach none of the pods behind a Service of the folder."""
    address = model.services.address(end.host, pod.namespaces)
    found: list[Denial | None] = []
    for service in address.services if address is not None else ():
        for target in service.pods:
            named = (target.port(one.target) for one in service.ports if one.number == end.port)
            number = end.port if service.headless else next(named, None)
            if number is None or target is pod:
                return None
            found.append(model.network.denial(pod, target, number))
    denials = [denial for denial in found if denial is not None]
    return denials[0] if denials and len(denials) == len(found) else None
