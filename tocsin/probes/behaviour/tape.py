"""What happens in an experiment, written down as it happens; its moments are seconds since it began."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from tocsin.probes.behaviour.episode import Action, Asked, Attempted, Episode, Foreseen, Marked, PodSeen
from tocsin.probes.handlers import ExplainedAttempt
from tocsin.probes.marks import MarkKind
from tocsin.probes.specification import ProbeKind
from tocsin.supervisor import ProcessExit

_DIGITS = 6
_LONGEST_MESSAGE = 400


@dataclass(slots=True)
class Tape:
    """What an episode is made of. It begins when it is made."""

    name: str
    subject: str
    began: float = field(default_factory=time.time)
    """Unix time."""
    origin: float = field(default_factory=time.monotonic)
    """The same moment of the loops' clock."""
    attempts: list[Attempted] = field(default_factory=list)
    marks: list[Marked] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    foreseen: tuple[Foreseen, ...] = ()
    sent: int = 0
    answered: int = 0
    lost: list[tuple[float, str]] = field(default_factory=list)
    unasked: Mapping[ProbeKind, str] = field(default_factory=dict)
    cpu_seconds: float | None = None
    exit_code: int | None = None
    exited: float | None = None
    pods: list[PodSeen] = field(default_factory=list)
    differences: tuple[str, ...] | None = None
    kubernetes: str = ""

    @property
    def now(self) -> float:
        """Seconds since it began."""
        return round(time.monotonic() - self.origin, _DIGITS)

    def of_loop(self, moment: float) -> float:
        """Return a moment of the loop's clock."""
        return round(moment - self.origin, _DIGITS)

    def of_unix(self, moment: float) -> float:
        """Return a moment of the machine's clock."""
        return round(moment - self.began, _DIGITS)

    def did(self, what: str, at: float | None = None) -> float:
        """Write down what was done, or happened, now or then; return when."""
        at = self.now if at is None else at
        self.actions.append(Action(at, what))
        return at

    def marked(self, kind: MarkKind, number: int, because: str, *, at: float | None = None) -> None:
        """Write down what followed, now or then."""
        self.marks.append(Marked(kind, number, self.now if at is None else at, because))

    def attempted(
        self, kind: ProbeKind, made: ExplainedAttempt, *, due: float, started: float, instance: int = 0
    ) -> Attempted:
        """Write down an attempt; its moments are of the loop's clock."""
        found = Attempted(
            kind=kind,
            instance=instance,
            due=self.of_loop(due),
            started=self.of_loop(started),
            seconds=round(made.seconds, _DIGITS),
            outcome=made.outcome,
            reason=made.reason,
            message="" if made.outcome.healthy else made.message[:_LONGEST_MESSAGE],
        )
        self.attempts.append(found)
        return found

    def ended(self, exited: ProcessExit) -> None:
        """Write down how the process ended."""
        self.exited = self.did(str(exited), self.of_unix(exited.time))
        self.exit_code = -exited.signal if exited.signal is not None else exited.code

    def episode(self) -> Episode:
        """Return what was seen, up to now."""
        return Episode(
            name=self.name,
            subject=self.subject,
            began=self.began,
            lasted=self.now,
            attempts=tuple(sorted(self.attempts, key=lambda each: each.started)),
            marks=tuple(self.marks),
            actions=tuple(sorted(self.actions, key=lambda each: each.at)),
            asked=Asked(self.sent, self.answered, tuple(sorted(self.lost))),
            cpu_seconds=self.cpu_seconds,
            exit_code=self.exit_code,
            exited=self.exited,
            unasked=dict(self.unasked),
            foreseen=self.foreseen,
            pods=tuple(self.pods),
            differences=self.differences,
            kubernetes=self.kubernetes,
        )
