"""One attempt of a probe, and what an endpoint answers as time goes by.

An attempt has one of three ends. A success (with or without a warning) and a failure count; an error is discarded: it
neither counts nor resets a count (Kubernetes: pkg/kubelet/prober/worker.go, doProbe; pkg/kubelet/prober/prober.go).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

TRIES = 3
"""How often one attempt is tried as long as it ends in an error (pkg/kubelet/prober/prober.go, maxProbeRetries)."""


class Outcome(StrEnum):
    """How one attempt ended."""

    SUCCESS = "success"
    WARNING = "warning"
    """A success that the kubelet remarks on, such as a redirect that it did not follow."""
    FAILURE = "failure"
    ERROR = "error"
    """Nothing that the kubelet can judge: the attempt is discarded."""

    @property
    def healthy(self) -> bool:
        """Whether it counts as a success."""
        return self in (Outcome.SUCCESS, Outcome.WARNING)

    @property
    def counts(self) -> bool:
        """Whether it counts at all."""
        return self is not Outcome.ERROR


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one attempt, with all its tries."""

    outcome: Outcome
    message: str
    """What the kubelet's event would say, in our words."""
    seconds: float
    """From its start to its end."""


def first_that_counts(tries: Sequence[Attempt]) -> Attempt:
    """Return what the kubelet makes of up to three tries: the first that is no error, else the last error.

    Raises ValueError for none or for more than three.
    """
    if not 1 <= len(tries) <= TRIES:
        raise ValueError(f"an attempt has 1 to {TRIES} tries, not {len(tries)}")
    made: list[Attempt] = []
    for each in tries:
        made.append(each)
        if each.outcome.counts:
            break
    return Attempt(made[-1].outcome, made[-1].message, sum(each.seconds for each in made))


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint does with one try."""

    outcome: Outcome
    seconds: float | None = 0.0
    """How long it takes; None if it never ends by itself, so that the probe's timeout ends it."""

    def within(self, timeout: float) -> Answer:
        """Return what a probe with this timeout, in seconds, makes of it, with all its tries.

        What is late before the headers is a failure; what is late, or broken, while the body is read is an error.
        """
        late = self.seconds is None or self.seconds >= timeout
        seconds = timeout if late or self.seconds is None else self.seconds
        if self.outcome is Outcome.ERROR:
            return Answer(Outcome.ERROR, TRIES * seconds)
        return Answer(Outcome.FAILURE if late else self.outcome, seconds)


OK = Answer(Outcome.SUCCESS)
WARNED = Answer(Outcome.WARNING)
REFUSED = Answer(Outcome.FAILURE)
"""It fails at once: nothing listens, or an answer says so."""
HANGS = Answer(Outcome.FAILURE, None)
"""It takes the connection and says nothing."""
BODY_HANGS = Answer(Outcome.ERROR, None)
"""It sends headers and then nothing: an error, three times."""
BROKEN = Answer(Outcome.ERROR)
"""It ends in an error at once, three times: a port name that is not declared, a program that is not there."""


@dataclass(frozen=True, slots=True)
class Phase:
    """What an endpoint answers from a moment on."""

    since: float
    """Seconds since the container's process began."""
    answer: Answer


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What an endpoint answers, by the time since its process began, or attempt by attempt."""

    phases: tuple[Phase, ...] = (Phase(0.0, OK),)
    """In the order of time; before the first, connections are refused."""
    attempts: tuple[Answer, ...] = ()
    """Where given, the answers to the first attempts of a process, in place of the phases; the last one stays."""

    @classmethod
    def always(cls, answer: Answer) -> Behaviour:
        """Return one that never changes."""
        return cls((Phase(0.0, answer),))

    @classmethod
    def of(cls, *phases: tuple[float, Answer]) -> Behaviour:
        """Return one that changes at the given seconds."""
        return cls(tuple(Phase(since, answer) for since, answer in phases))

    @classmethod
    def in_turn(cls, *answers: Answer) -> Behaviour:
        """Return one that answers attempt by attempt."""
        return cls(attempts=answers)

    def at(self, age: float, attempt: int = 0) -> Answer:
        """Return the answer at an age in seconds, to the attempt of that number, counted from 0."""
        if self.attempts:
            return self.attempts[min(attempt, len(self.attempts) - 1)]
        return next((each.answer for each in reversed(self.phases) if each.since <= age), REFUSED)

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Every answer that it ever gives."""
        return self.attempts or tuple(each.answer for each in self.phases)

    @property
    def changes(self) -> tuple[float, ...]:
        """The ages at which it changes."""
        return () if self.attempts else tuple(each.since for each in self.phases)


HEALTHY = Behaviour()
"""It is well from the first moment on."""
