"""A header of a probe that does something else than it seems to."""

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
      livenessProbe:
        httpGet:
          path: /live
          port: 8080
          httpHeaders: [{{name: {name}, value: gzip}}]
"""


@check(
    severity=Severity.INFO,
    fix="Leave the header out, or write it once.",
    bad=Example({"pod.yaml": _POD.format(name="Accept-Encoding")}, at="Accept-Encoding"),
    good=Example({"pod.yaml": _POD.format(name="X-Probe")}),
)
def probe_header_unexpected(probe: Probe) -> Iterator[Remark]:
    """The server is asked for something that the kubelet does not read, or for two things at once.

    (Kubernetes: pkg/probe/http/http.go and request.go: headers are sent as often as they stand there, the first `Host`
    counts, and an answer is never decompressed.)
    """
    seen: dict[str, str] = {}
    for header in probe.part.list("httpGet", "httpHeaders"):
        name, value = header.get("name"), header.string("value")
        key = name.text.lower()
        if not key:
            continue
        if key in seen:
            which = "only the first counts" if key == "host" else f'with "{seen[key]}" and "{value}"'
            yield at(name, f"the {probe.word} probe sends `{name.text}` twice, {which}")
        elif key == "accept-encoding" and value not in ("", "identity"):
            told = f"the {probe.word} probe asks for an answer in {value}, which the kubelet does not decompress"
            yield at(name, told)
        seen.setdefault(key, value)
