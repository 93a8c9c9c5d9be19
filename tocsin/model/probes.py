"""When a probe acts: the fields with the values that they have when left out, and what follows from them.

(Kubernetes: pkg/apis/core/v1/defaults.go, SetDefaults_Probe; pkg/kubelet/prober/worker.go.)
"""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.part import Part

HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
"""What a probe can do; exactly one."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The numbers of a probe as they apply, in seconds and in attempts."""

    delay: float
    """From the container's start on, with a startup probe too."""
    period: float
    timeout: float
    failures: int
    """How many in a row until it acts."""
    successes: int
    """How many in a row until it takes that back."""

    @classmethod
    def of(cls, probe: Part) -> Timing:
        """Return the numbers of a probe; a zero is replaced by the default like a field that is left out."""
        return cls(
            delay=min(max(0.0, probe.number("initialDelaySeconds") or 0.0), _MOST),
            period=_positive(probe, "periodSeconds", 10),
            timeout=_positive(probe, "timeoutSeconds", 1),
            failures=round(_positive(probe, "failureThreshold", 3)),
            successes=round(_positive(probe, "successThreshold", 1)),
        )

    @property
    def spacing(self) -> float:
        """Seconds between the starts of two attempts that both hang: they never overlap."""
        return max(self.period, self.timeout)

    @property
    def soonest(self) -> float:
        """Seconds from the moment that every attempt begins to hang until it acts, if that is just before an attempt.

        What is refused at once makes it act a timeout sooner.
        """
        return (self.failures - 1) * self.spacing + self.timeout

    @property
    def latest(self) -> float:
        """The same if it is just after an attempt."""
        return self.failures * self.spacing + self.timeout

    @property
    def patience(self) -> float:
        """How long it bears attempts that fail at once, at most."""
        return self.failures * self.period

    @property
    def budget(self) -> float:
        """How long from the container's start until it acts, if no attempt ever succeeds."""
        return self.delay + (self.failures - 1) * self.spacing + self.timeout


_MOST = 2.0**31 - 1
"""The API's fields are 32 bits wide; what is more is refused elsewhere."""


def _positive(probe: Part, field: str, default: float) -> float:
    value = probe.number(field)
    return min(value, _MOST) if value is not None and value > 0 else default


def seconds(value: float) -> str:
    """Return a number of seconds for a message: `90 s`, `20 min`."""
    if value >= 600 and value % 60 == 0:
        return f"{value / 60:g} min"
    return f"{value:g} s"
