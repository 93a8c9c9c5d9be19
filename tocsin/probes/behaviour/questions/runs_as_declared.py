"""Probes in a cluster that are not those of the manifests."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.finding import Severity
from tocsin.probes.behaviour.questions import Remark, Seen, question
from tocsin.probes.specification import ProbeKind


@question(
    severity=Severity.ERROR,
    fix="Apply the manifests, or take over into them what was changed by hand, by an operator or by an overlay.",
)
def runs_as_declared(seen: Seen) -> Iterator[Remark]:
    """What was proven of the manifests says nothing of what runs, and the next rollout changes it.

    (kubernetes.io/docs/concepts/overview/working-with-objects: spec is what was asked for last, by whomever.)
    """
    for said in seen.in_cluster("watch").differences or ():
        kind = next((each for each in ProbeKind if said.startswith(f"{each.value}:")), None)
        yield Remark(said, kind, episode="watch")
