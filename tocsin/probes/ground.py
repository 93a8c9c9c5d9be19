"""What a prediction stands on: a version of the kubelet, and how long what is not in its rules takes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, fields

from tocsin.probes.versions import CURRENT, Version
from tocsin.probes.window import ZERO, Window

Chance = Callable[[str, Window], Window]
"""How long something takes that begins at a moment: the whole window, or one point of it."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """How long the kubelet and its surroundings take, each in seconds, within bounds."""

    seen: Window = ZERO
    """From a container's start, or end, until the pod's status shows it: the runtime is listed once a second."""
    sync: Window = ZERO
    """From a result until the pod is synced for it."""
    resync: Window = ZERO
    """Where no result has the pod synced (startup probes up to 1.20), until the next sync of itself."""
    restarted: Window = ZERO
    """From the end of an instance to the start of the next, where nothing else holds it."""
    ended: Window = ZERO
    """Between what the grace period says and the true end."""
    booted: Window = ZERO
    """From the container's start to that of the process' own clock."""
    truncated: Window = ZERO
    """What is cut off the container's start when it is kept in whole seconds."""
    observed: Window = ZERO
    """By how much an observer's moment may be off."""
    poke_lost: Window = ZERO
    """Beyond 0.5, an attempt out of turn comes too early to find the container."""
    overslept: Window = ZERO
    """The part of a backed off start's lateness that is used, from 0 to 1."""

    def whole(self, name: str, _: Window) -> Window:
        """Return all that is possible."""
        found = getattr(self, name)
        assert isinstance(found, Window)  # noqa: S101 -- every field is one
        return found

    def drawn(self, seed: int) -> Chance:
        """Return a choice of one point of each, by a seed."""

        def draw(name: str, when: Window) -> Window:
            window = self.whole(name, when)
            if window.exact:
                return window
            chosen = random.Random(f"{seed} {name} {when.earliest!r}").uniform(window.earliest, window.latest)  # noqa: S311
            return Window.at(chosen)

        return draw

    @property
    def total(self) -> float:
        """The seconds that all of them may take together."""
        return sum(self.whole(each.name, ZERO).width for each in fields(self))


@dataclass(frozen=True, slots=True)
class Ground:
    """A version and its latencies, and where they are known from."""

    origin: str
    """`source`: read in the kubelet's sources; `real kubelet`: seen with one."""
    version: Version
    latencies: Latencies

    def __str__(self) -> str:
        return f"{self.origin} ({self.version})"


IDEAL = Latencies()
"""A kubelet that needs no time."""
FROM_SOURCE = Latencies(
    seen=Window(0.0, 2.0),
    sync=Window(0.0, 0.5),
    resync=Window(0.0, 90.0),
    restarted=Window(0.0, 2.0),
    ended=Window(0.0, 0.5),
    booted=Window(0.0, 0.5),
    truncated=Window(0.0, 1.0),
    observed=Window(0.0, 1.0),
    poke_lost=Window(0.0, 1.0),
    overslept=Window(0.0, 1.0),
)
"""Listing once a second, sync of an idle kubelet; its sync period is the default, a minute and up to half as much."""
MEASURED = Latencies(
    seen=Window(0.0, 1.2),
    sync=Window(0.0, 0.2),
    resync=Window(0.0, 3.1),
    restarted=Window(0.1, 1.2),
    ended=Window(0.0, 0.1),
    booted=Window(0.0, 0.4),
    truncated=Window(0.0, 1.0),
    observed=Window(-0.15, 0.15),
    overslept=Window(0.0, 1.0),
)
"""Of a kubelet 1.20 with a sync period of 2 s that starts one pod in two seconds; moments by the clock of the machine.

Measured over 60 pods: seen to run up to 1.1 s after the start, synced up to 0.1 s after a liveness result and up to
3.0 s after a startup result, started again 0.15 to 1.2 s after the end. Twelve pods started in one second were seen to
run up to 4.5 s late. By the kubelet's rules a startup result may wait 4 s for a sync: that is seldom, and not covered.
"""


def from_source(version: Version | None = None) -> Ground:
    """Return the ground of what is read in the sources of a version; the newest that is well known by default."""
    return Ground("source", version or CURRENT, FROM_SOURCE)


REAL_1_20 = Ground("real kubelet", Version(20), MEASURED)
