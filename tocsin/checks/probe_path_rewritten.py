"""A path of a probe that is asked differently than it is written."""

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
        httpGet: {{path: "{path}", port: 8080}}
"""


@check(
    severity=Severity.WARNING,
    fix="Write the path alone, from its first slash on; a host belongs into the header `Host`.",
    bad=Example({"pod.yaml": _POD.format(path="http://shop.example.org/live")}, at="http://shop"),
    good=Example({"pod.yaml": _POD.format(path="/live")}),
)
def probe_path_rewritten(probe: Probe) -> Iterator[Remark]:
    """The kubelet reads it as an address and puts its own scheme and host in place, so another path is asked.

    (Kubernetes: pkg/probe/http/request.go, formatURL: the path is parsed as a URL, then scheme and host are set.)
    """
    path = probe.action.get("path") if probe.handler == "httpGet" else probe.part.get("httpGet", "path", "none")
    text = path.text
    if not isinstance(path.value, str) or not text or PLACEHOLDER.search(text):
        return
    scheme, colon, rest = text.partition("://")
    if colon and scheme.isalpha():
        asked = "/" + rest.partition("/")[2]
        yield at(path, f"of `{text}` only `{asked}` is asked, at the pod itself")
    elif text.startswith("//"):
        asked = "/" + text[2:].partition("/")[2]
        yield at(path, f"`{text}` begins with two slashes, so its first step is taken for a host: `{asked}` is asked")
    elif "#" in text:
        yield at(path, f"of `{text}` nothing from the # on is sent: `{text.partition('#')[0] or '/'}` is asked")
    elif not text.startswith(("/", "?")) and ":" in text.partition("/")[0]:
        told = f"`{text}` begins with what looks like a scheme, and has no host then: every attempt fails"
        yield at(path, told, severity=Severity.ERROR)
