"""Hangs that nobody notices, or not in the time that the numbers promise."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.finding import Severity
from tocsin.probes.behaviour.episode import Episode
from tocsin.probes.behaviour.questions import Remark, Seen, question
from tocsin.probes.figures import Figure, noticed, restarted
from tocsin.probes.marks import MarkKind
from tocsin.probes.specification import ProbeKind

_SLACK = 1.0
"""Seconds that the kubelet of ours, and this machine, may be late."""


@question(
    severity=Severity.ERROR,
    fix="Give it a liveness probe that the process itself answers, and a readiness probe; lower period and threshold.",
)
def hang_noticed(seen: Seen) -> Iterator[Remark]:
    """A process that hangs serves nothing until it is restarted, and loses requests as long as it is ready.

    (kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes, Liveness probe.)
    """
    hang = seen.episode("hang")
    frozen = hang.action("SIGSTOP") or 0.0
    readiness = seen.probe(ProbeKind.READINESS)
    if readiness is None:
        yield Remark("no readiness probe takes it out of its Service while it hangs", None, Severity.WARNING)
    else:
        at = _after(hang, MarkKind.READINESS, 2, frozen)
        yield from _judged("not ready", at, noticed(readiness, seen.ground), ProbeKind.READINESS)
    if seen.probe(ProbeKind.LIVENESS) is None:
        yield Remark("no liveness probe restarts it when it hangs", None, Severity.INFO)
    else:
        at = _after(hang, MarkKind.RESTART, 1, frozen)
        yield from _judged("restarted", at, restarted(seen.setup, seen.ground), ProbeKind.LIVENESS)


def _after(hang: Episode, kind: MarkKind, number: int, frozen: float) -> float | None:
    found = [each.at - frozen for each in hang.marks if each.kind is kind and each.number == number]
    return next((each for each in found if each >= 0), None)


def _judged(what: str, at: float | None, figure: Figure, kind: ProbeKind) -> Iterator[Remark]:
    if at is None:
        yield Remark(f"it hung and was never {what}; foreseen was {figure}", kind, episode="hang")
    elif not figure.least - _SLACK <= at <= figure.most + _SLACK:
        yield Remark(f"it was {what} {at:.1f} s after it hung; foreseen was {figure}", kind, episode="hang")
