"""Times to end that do not fit together."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model.probes import seconds
from tocsin.model.workloads import Container, Workload
from tocsin.part import Part

_POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: shop}}
spec:
  terminationGracePeriodSeconds: 30
  containers:
    - name: shop
      image: shop:1
      lifecycle:
        preStop: {{exec: {{command: [sleep, "{wait}"]}}}}
"""
_LONGEST = 4000
"""Characters of a script that are looked at."""
_LONG = 300.0
"""A container that hangs is seen as hung after a minute or so; nobody means it to hang for five more."""


@check(
    severity=Severity.ERROR,
    fix="Make terminationGracePeriodSeconds longer than preStop and what the server needs after it.",
    bad=Example({"pod.yaml": _POD.format(wait=30)}, at='command: [sleep, "30"]'),
    good=Example({"pod.yaml": _POD.format(wait=5)}),
)
def grace_period_misfit(workload: Workload) -> Iterator[Remark]:
    """The container is killed in the middle of its work, or hangs on long after it was given up.

    (kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle, pod termination: preStop runs within the grace period,
    and what is left then, 2 seconds at least, is the server's; probe-level terminationGracePeriodSeconds.)
    """
    for container in workload.running:
        wait = _pre_stop(container)
        if wait is not None:
            yield from _too_short(workload, container, *wait)
        yield from _server(workload, container, wait[1] if wait is not None else 0.0)
        yield from _longer_than_the_pod(workload, container)
    for container in workload.running if workload.runs_on else ():
        hanging = tuple(_too_long(workload, container))
        if hanging:
            yield from hanging
            return  # one field, one remark


def _too_short(workload: Workload, container: Container, part: Part, wait: float) -> Iterator[Remark]:
    if wait >= workload.grace:
        said = "" if workload.spec.get("terminationGracePeriodSeconds") else " by default"
        told = (
            f"preStop of `{container.name}` waits {seconds(wait)}, and the pod is killed after "
            f"{seconds(workload.grace)}{said}: nothing is left to finish what it has begun"
        )
        yield at(part, told, subject=container.subject)
        return
    for probe in container.probes:
        grace = probe.part.number("terminationGracePeriodSeconds")
        if grace is not None and 0 < grace <= wait:
            told = f"after a failed {probe.word} probe {seconds(grace)} are left, and preStop waits {seconds(wait)}"
            there = probe.part.get("terminationGracePeriodSeconds")
            yield at(there, told, subject=probe.subject, severity=Severity.WARNING)


_SERVER_FLAGS = re.compile(r"--(?:timeout-graceful-shutdown|graceful-timeout)(?:=(\d{1,6}))?")
"""How long uvicorn and gunicorn let requests finish, in seconds."""


def _server(workload: Workload, container: Container, wait: float) -> Iterator[Remark]:
    words = container.command_line
    for i, word in enumerate(words):
        found = _SERVER_FLAGS.fullmatch(word.text)
        value = words[i + 1] if found and found[1] is None and i + 1 < len(words) else word
        text = found[1] or value.text if found else ""
        if not text.isdecimal() or len(text) > 6 or wait >= workload.grace:
            continue
        if wait + float(text) > workload.grace:
            before = f" after {seconds(wait)} of preStop" if wait else ""
            told = (
                f"`{container.name}` lets requests finish for {seconds(float(text))}{before}, and is killed after "
                f"{seconds(workload.grace)}"
            )
            yield at(value, told, subject=container.subject, severity=Severity.WARNING)


def _longer_than_the_pod(workload: Workload, container: Container) -> Iterator[Remark]:
    """Yield probes that give the container longer to end than an ordinary deletion does."""
    for probe in container.probes:
        part = probe.part.get("terminationGracePeriodSeconds")
        grace = part.number()
        if probe.kind != "readinessProbe" and grace is not None and grace > workload.grace:
            told = (
                f"after a failed {probe.word} probe `{container.name}` has {seconds(grace)} to end, longer than the "
                f"{seconds(workload.grace)} that it has when the pod is deleted"
            )
            fix = "Let the probe's terminationGracePeriodSeconds be the shorter one; it is for what hangs."
            yield at(part, told, subject=probe.subject, severity=Severity.INFO, fix=fix)


def _too_long(workload: Workload, container: Container) -> Iterator[Remark]:
    liveness = container.probe("livenessProbe")
    there = workload.spec.get("terminationGracePeriodSeconds")
    if liveness is None or workload.grace <= _LONG or liveness.part.get("terminationGracePeriodSeconds"):
        return
    told = f"a `{container.name}` that hangs is killed only {seconds(workload.grace)} after its liveness has failed"
    fix = "Give the liveness probe a terminationGracePeriodSeconds of its own, short."
    yield at(there, told, subject=container.subject, severity=Severity.WARNING, fix=fix)


def _pre_stop(container: Container) -> tuple[Part, float] | None:
    """Return how long preStop surely waits, and what says so."""
    hook = container.part.get("lifecycle", "preStop")
    sleep = hook.get("sleep", "seconds")
    if sleep.number() is not None:
        return sleep, sleep.number() or 0.0
    words = hook.list("exec", "command")
    texts = [part.text for part in words]
    if len(texts) == 2 and texts[0].rpartition("/")[2] == "sleep":
        wait = _sleep(texts[1])
        return (words[1], wait) if wait is not None else None
    if len(texts) == 3 and texts[1] in ("-c", "-ec", "-exc") and texts[0].rpartition("/")[2] in ("sh", "bash", "ash"):
        waits = [
            _sleep(found) for found in re.findall(r"(?:^|[;&\n])\s*(?:exec\s+)?sleep\s+([\w.]+)", texts[2][:_LONGEST])
        ]
        known = [wait for wait in waits if wait is not None]
        if known and not re.search(r"\b(?:while|until|for|if|case)\b|\|\||&(?!&)", texts[2]):
            return words[2], sum(known)
    return None


def _sleep(text: str) -> float | None:
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhd]?)", text)
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]] if found else None
