"""A container of a pod, what runs in it, and where: all that its life follows from but chance."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tocsin.probes.application import WELL, Application, life
from tocsin.probes.backoff import ORDINARY, Pace
from tocsin.probes.specification import ORDINARY_POD, ContainerSpec, PodSpec
from tocsin.probes.versions import CURRENT, Version


@dataclass(frozen=True, slots=True)
class Setup:
    """A container of a pod, what runs in it, and where."""

    container: ContainerSpec
    lives: tuple[Application, ...] = (WELL,)
    """Instance by instance; the last one stays."""
    pod: PodSpec = ORDINARY_POD
    version: Version = CURRENT
    pace: Pace = ORDINARY

    @property
    def restart_policy(self) -> str:
        """What happens to the container when it ended."""
        return "Always" if self.container.sidecar else self.pod.restart_policy

    @property
    def may_hang(self) -> bool:
        """Whether an endpoint takes its time over some attempt."""
        return any(answer.seconds != 0.0 for each in self.lives for answer in each.answers)

    def on(self, version: Version) -> Setup:
        """Return the same under another version of the kubelet."""
        return replace(self, version=version)

    def life(self, instance: int) -> Application:
        """Return what runs in an instance."""
        return life(self.lives, instance)
