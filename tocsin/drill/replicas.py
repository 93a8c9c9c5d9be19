"""Replicas of the engines: what a drill may take from the monitoring itself, and never the last of a kind; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tocsin.stimuli import Stimulus
from tocsin.system import Drill, Environment, Replicas

_ENGINE = re.compile(r"(prometheus|alertmanager)(-\d+)?")
"""How the processes of the engines are called: by their kind if there is one, else numbered."""


def unfit(drill: Drill, stimuli: Sequence[Stimulus], environment: Environment) -> Iterator[str]:
    """Yield what a drill takes from its monitoring that is not there, or that leaves nobody to tell of anything."""
    replicas = drill.replicas or Replicas()
    lost = {process for each in stimuli for process in each.processes}
    for name in sorted(lost - set(replicas.several) - environment.processes.keys()):
        if found := _ENGINE.fullmatch(name):
            yield (
                f"there is no {name} that could be lost; it has {', '.join(_all(replicas))}, and only one of several"
                f" can be killed: `replicas: {{{found[1]}: 2}}`, `kill: {found[1]}-2`"
            )
    killed = drill.disturbance.kill if drill.disturbance else None
    if killed is not None and _ENGINE.fullmatch(killed) is None:
        yield f"its disturbance kills {killed!r}, which is no replica of an engine; it has {', '.join(_all(replicas))}"
    for engine in ("prometheus", "alertmanager"):
        names = replicas.names(engine)
        if len(names) > 1 and set(names) <= lost:
            yield f"kills {' and '.join(names)}, so that no {engine} is left to tell of anything"
    yield from _ill_cut(drill, replicas)


def _all(replicas: Replicas) -> tuple[str, ...]:
    return (*replicas.names("prometheus"), *replicas.names("alertmanager"))


def _ill_cut(drill: Drill, replicas: Replicas) -> Iterator[str]:
    """Yield the partitions that are not of all Alertmanagers: gossip goes through one relay, which ends for all."""
    have = replicas.names("alertmanager")
    cuts = [drill.stimulus_argument] if drill.stimulus_name == "partition" else []
    if drill.disturbance is not None and drill.disturbance.partition is not None:
        cuts.append(drill.disturbance.partition)
    for cut in cuts:
        if len(have) < 2:
            yield "cuts Alertmanagers off from each other and has one; add `replicas: {alertmanager: 2}`"
        elif isinstance(cut, (list, tuple)) and set(cut) != set(have):
            yield f"a partition cuts all Alertmanagers off from each other: `partition: [{', '.join(have)}]`"
