"""A command that tells success whatever the answer is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.part import Part

_POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: shop}}
spec:
  containers:
    - name: shop
      image: shop:1
      readinessProbe:
        exec:
          command: [curl, {flag}, "http://localhost:8080/ready"]
"""
_ALWAYS = re.compile(r"(?:\|\||;)\s*(?:true|exit 0|:)\s*$")
_JUDGED = re.compile(r"http_code|response_code|\||&&|-w\b|--write-out|\btest\b|\[|grep|jq|\$\(|`|if\b")


@check(
    severity=Severity.WARNING,
    fix="Let the command fail when the answer is bad: `curl --fail`, and no `|| true`.",
    bad=Example({"pod.yaml": _POD.format(flag="-s")}, at="[curl, -s"),
    good=Example({"pod.yaml": _POD.format(flag="-fs")}),
)
def probe_cannot_fail(model: Model) -> Iterator[Remark]:
    """An error of the server counts as health, so it gets requests and is never restarted.

    (curl.se/docs/manpage.html, --fail: without it a status of 400 and above is no error; an exec probe succeeds when
    its command exits with 0, kubernetes.io/docs/concepts/workloads/pods/probes.)
    """
    for workload in model.workloads:
        for container in workload.containers:
            for probe in container.probes:
                if probe.handler == "exec":
                    who = f"the {probe.word} probe of `{container.name}`"
                    yield from _command(probe.part.list("exec", "command"), who, probe.subject)
    for compose in model.compose_files:
        for service in compose.services.values():
            test = service.healthcheck.get("test")
            words = test.list()[1:] if test.list() else ((test,) if test.text else ())
            yield from _command(words, f"the health check of `{service.name}`", f"{service.subject}/healthcheck")


def _command(words: tuple[Part, ...], who: str, subject: str) -> Iterator[Remark]:
    line = " ".join(part.text for part in words).strip()
    if not words or len(line) > 4000:
        return
    last = words[-1]
    if _ALWAYS.search(line):
        yield at(last, f"{who} ends in success whatever happens before: `{line[-30:].strip()}`", subject=subject)
        return
    script = re.sub(r"(?:\|\||;)\s*(?:exit 1|false|exit \d+)\s*$", "", line)
    script = re.sub(r"^(?:\S*/)?(?:sh|bash|ash)\s+-\w*c\s+", "", script)
    asks = re.match(r"(?:\S*/)?curl\s", script) and re.search(r"https?://|localhost", script)
    if not asks or _JUDGED.search(script):
        return
    try:
        flags = shlex.split(script)[1:]
    except ValueError:
        return
    if not any(_fails(flag) for flag in flags):
        part = next((part for part in words if "curl" in part.text), last)
        yield at(part, f"{who} asks by curl without --fail, so a status of 500 is success", subject=subject)


def _fails(flag: str) -> bool:
    if flag.startswith("--"):
        return flag in ("--fail", "--fail-with-body", "--config")
    return flag.startswith("-") and ("f" in flag or "K" in flag)
