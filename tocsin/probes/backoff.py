"""How long a container that ended waits for its restart: CrashLoopBackOff.

(Kubernetes: pkg/kubelet/kuberuntime/kuberuntime_manager.go, doBackOff; client-go/util/flowcontrol/backoff.go.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tocsin.probes.versions import BACKOFF_CAP_CONFIGURABLE, BACKOFF_DECAY_REDUCED, BACKOFF_WAKES_AT_EXPIRY, Version
from tocsin.probes.window import ZERO, Window

FORGOTTEN_AFTER = 600.0
"""Seconds after the last start that lengthened the wait; then it is forgotten, however the container fared."""
RESYNC = 60.0
"""Seconds between two syncs of a pod to which nothing happens."""
LATE_BY = 0.5
"""A wait may be longer by this part of it."""
RETRIED_WITHIN = 15.0
"""Seconds; before the wake-up at expiry a sync that failed was tried again after 10 to 15 s."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The waits: the first, and the longest. Each is twice the one before."""

    first: float = 10.0
    longest: float = 300.0

    @classmethod
    def of(cls, version: Version, longest: float | None = None) -> Pace:
        """Return the waits of a version; `longest` is `maxContainerRestartPeriod` in seconds, where it is set.

        Raises ValueError if the version does not know that setting, or if it is not from 1 to 300.
        """
        reduced = version.has(BACKOFF_DECAY_REDUCED)
        pace = cls(1.0, 60.0) if reduced else cls()
        if longest is None:
            return pace
        if not version.has(BACKOFF_CAP_CONFIGURABLE):
            raise ValueError(f"Kubernetes {version} knows no maxContainerRestartPeriod; it came with 1.35")
        if not 1 <= longest <= 300:
            raise ValueError(f"maxContainerRestartPeriod must be from 1 s to 300 s, not {longest:g} s")
        return cls(min(pace.first, longest), longest)


ORDINARY = Pace()
"""The waits of every version, where nothing was set."""


class Backoff(NamedTuple):
    """What the kubelet remembers of a container's restarts. Another image or other resources begin anew."""

    pace: Pace = ORDINARY
    delay: float | None = None
    """Seconds; None as long as there is no entry."""
    moved: Window = ZERO
    """When the delay was last set."""

    def forgets(self, now: Window) -> tuple[bool, ...]:
        """Tell whether the entry is too old at a moment; both answers if that is not certain."""
        if self.delay is None:
            return (True,)
        return answers(now - self.moved, FORGOTTEN_AFTER)

    def holds(self, now: Window, finished: Window) -> tuple[bool, ...]:
        """Tell whether a start must wait; `finished` is when the newest instance known to have ended did so."""
        if self.delay is None:
            return (False,)
        if not any(outcome is False for outcome in answers(finished - self.moved, FORGOTTEN_AFTER)):
            return (False,)
        waits = tuple(not over for over in answers(now - finished, self.delay, inclusive=True))
        return waits if not self._forgotten(finished) else (False, *waits)

    def _forgotten(self, finished: Window) -> bool:
        return True in answers(finished - self.moved, FORGOTTEN_AFTER)

    def started(self, now: Window, finished: Window) -> tuple[Backoff, ...]:
        """Return what is remembered after a start; two where it is not certain whether the entry was forgotten."""
        if self.delay is None:
            return (self._replace(delay=self.pace.first, moved=now),)
        doubled = min(2 * self.delay, self.pace.longest)
        forgotten = answers(finished - self.moved, FORGOTTEN_AFTER)
        return tuple(self._replace(delay=self.pace.first if each else doubled, moved=now) for each in forgotten)


def answers(length: Window, limit: float, *, inclusive: bool = False) -> tuple[bool, ...]:
    """Tell whether a length of time exceeds a limit (or reaches it): one answer, or both if it may be either."""
    low = length.earliest >= limit if inclusive else length.earliest > limit
    high = length.latest >= limit if inclusive else length.latest > limit
    return (low,) if low is high else (True, False)


def overshoot(delay: float, version: Version) -> float:
    """Return by how many seconds, at most, a start comes after its wait is over."""
    if version.has(BACKOFF_WAKES_AT_EXPIRY):
        return LATE_BY * min(delay, RESYNC)
    return RETRIED_WITHIN


def waits(number: int, pace: Pace | None = None) -> tuple[float, ...]:
    """Return how long a container that ends at once waits before each of its first restarts, in seconds."""
    pace = pace or ORDINARY
    made = [0.0]
    delay = pace.first
    while len(made) < number:
        made.append(delay)
        delay = min(2 * delay, pace.longest)
    return tuple(made[:number])
