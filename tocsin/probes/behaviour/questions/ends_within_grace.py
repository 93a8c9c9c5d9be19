"""Containers that do not end when they are told to, or are ready until they are gone."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from tocsin.finding import Severity
from tocsin.probes.behaviour.questions import Remark, Seen, question
from tocsin.probes.specification import ProbeKind

_ENDS = (0, 128 + signal.SIGTERM, -signal.SIGTERM)
_LOOKED = 0.2
"""Seconds: a drain that is shorter is over before anybody asks."""


@question(
    severity=Severity.ERROR,
    fix="On SIGTERM let readiness fail, finish what was begun, and end before `terminationGracePeriodSeconds` is over.",
)
def ends_within_grace(seen: Seen) -> Iterator[Remark]:
    """A process that is killed in the middle of its work loses it; one that is ready to the end is sent more of it.

    (kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle, Pod termination.)
    """
    drain = seen.episode("drain")
    told, grace = drain.action("SIGTERM"), seen.subject.pod.grace
    if drain.action("SIGKILL") is not None:
        yield Remark(f"it does not end within {grace:g} s of grace, and is killed", episode="drain")
        return
    if drain.exit_code is not None and drain.exit_code not in _ENDS:
        yield Remark(f"it ends with {drain.exit_code} when it is told to", None, Severity.WARNING, episode="drain")
    if told is None or drain.exited is None or drain.exited - told < _LOOKED:
        return
    draining = [each for each in drain.of(ProbeKind.READINESS) if told + 0.1 < each.started < drain.exited - 0.05]
    if draining and all(each.outcome.healthy for each in draining):
        said = f"readiness succeeds until it ends, {drain.exited - told:.2f} s after SIGTERM"
        yield Remark(said, ProbeKind.READINESS, Severity.WARNING, episode="drain")
