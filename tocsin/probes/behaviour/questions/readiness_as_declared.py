"""Readiness that does not follow a dependency as its owner wants."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.finding import Severity
from tocsin.probes.behaviour.episode import Episode
from tocsin.probes.behaviour.questions import NotAsked, Remark, Seen, failed, question
from tocsin.probes.specification import ProbeKind, ProbeSpec


@question(
    severity=Severity.ERROR,
    fix="Have readiness fail exactly where requests cannot be answered, and declare it: `readiness: fails` or `stays`.",
)
def readiness_as_declared(seen: Seen) -> Iterator[Remark]:
    """Requests go to pods that cannot answer them, or the last pods leave their Service for nothing.

    (kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes, Readiness probe.)
    """
    probe = seen.probe(ProbeKind.READINESS)
    if probe is None:
        raise NotAsked("it has no readiness probe")
    outages = seen.many("without-")
    if not outages:
        raise NotAsked("it depends on no process that this environment has")
    for outage in outages:
        name, _, how = outage.name.removeprefix("without-").rpartition("-")
        declared = seen.subject.declared.dependencies.get(name)
        found = _readiness(outage, probe)
        if found is None:
            yield Remark(f"readiness flaps while {name} is {how}", probe.kind, episode=outage.name)
        elif declared is None:
            said = f"readiness {found} while {name} is {how}, and system.yaml does not say whether it should"
            yield Remark(said, probe.kind, Severity.INFO, episode=outage.name)
        elif declared.readiness != found:
            said = f"readiness {found} while {name} is {how}, and is declared so that it {declared.readiness}"
            yield Remark(said, probe.kind, episode=outage.name)


def _readiness(outage: Episode, probe: ProbeSpec) -> str | None:
    """Return what became of readiness: it `fails` or `stays`; None if it does now this and now that."""
    made = outage.of(probe.kind)
    wrong = failed(made)
    if not wrong:
        return "stays"
    last = made[-min(probe.failures, len(made)) :]
    return "fails" if len(failed(last)) == len(last) else None
