"""A secret in the headers of a probe."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.artefacts.kubernetes import PLACEHOLDER
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
        httpGet:
          path: /live
          port: 8080
          httpHeaders: [{{name: {name}, value: abc}}]
"""
_SECRET = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token", "api-key", "apikey"}
)


@check(
    severity=Severity.WARNING,
    fix="Let the path answer without a secret, on a port that is not published.",
    bad=Example({"pod.yaml": _POD.format(name="Authorization")}, at="Authorization"),
    good=Example({"pod.yaml": _POD.format(name="Host")}),
)
def probe_header_secret(probe: Probe) -> Iterator[Remark]:
    """Everyone who may read pods reads it, and when it is changed at the server, the probe kills the container.

    (kubernetes.io/docs/reference/kubernetes-api, HTTPGetAction: headers have literal values only.)
    """
    for header in probe.part.list("httpGet", "httpHeaders"):
        name, value = header.get("name"), header.get("value")
        if name.text.lower() in _SECRET and value.text and not PLACEHOLDER.search(value.text):
            yield at(name, f"the {probe.word} probe sends `{name.text}` with a value that stands in the manifest")
