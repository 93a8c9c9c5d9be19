"""A command of a probe that leaves something running."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.checks import Example, Remark, at, check
from tocsin.finding import Severity
from tocsin.model.commands import by_shell, script
from tocsin.model.probes import seconds
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
        exec:
          command: [sh, -c, "{script}"]
"""
_LEFT = re.compile(r"\b(?:nohup|setsid|disown)\b|(?<![&>|<\\])&(?![&>|])(?!\d)")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


@check(
    severity=Severity.INFO,
    fix="Let the command do its work in the foreground, and end with the answer.",
    bad=Example({"pod.yaml": _POD.format(script="nohup /check > /tmp/health &")}, at="nohup"),
    good=Example({"pod.yaml": _POD.format(script="/check > /tmp/health")}),
)
def probe_leaves_processes(probe: Probe) -> Iterator[Remark]:
    """The attempt succeeds before its work is done, and what is still running is added to at each one.

    (kubernetes.io/docs/concepts/workloads/pods/probes, exec: the exit code of the command is the answer; whether its
    children are ended with it is up to the container runtime.)
    """
    words = probe.part.list("exec", "command")
    if probe.handler != "exec" or not by_shell(words):
        return
    text = _QUOTED.sub("", script(words))
    found = _LEFT.search(text)
    if found and not re.search(r"\bwait\b", text):
        told = f"`{found[0]}` leaves a process behind every {seconds(probe.timing.period)}"
        yield at(words[2], told)
