"""What is known about a child process: that it started, how it exited, what it used."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum


class ProcessEventKind(StrEnum):
    """What happened to a process."""

    STARTED = "started"
    SIGNALLED = "signalled"
    EXITED = "exited"
    SUPERVISOR_LOST = "supervisor_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceUse:
    """What a process and those of its children that it waited for have used, from wait4(2)."""

    cpu_seconds: float
    max_rss_bytes: int
    """Largest resident set; not below that of the supervisor (some 10 MB), from which the child was forked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessExit:
    """How a process ended; code and signal are both None if its supervisor was lost, for then nobody saw it."""

    time: float
    """Unix time, seconds."""
    code: int | None
    signal: int | None
    expected: bool
    """Whether it came after a signal of ours that is meant to end a process, or the process was meant to end."""
    usage: ResourceUse | None

    def __str__(self) -> str:
        if self.signal is not None:
            return f"was ended by {signal_name(self.signal)}"
        if self.code is not None:
            return f"exited with code {self.code}"
        return "was lost with its supervisor"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessEvent:
    """One line of the story of a run's processes."""

    time: float
    """Unix time, seconds."""
    kind: ProcessEventKind
    process: str
    pid: int
    code: int | None = None
    signal: int | None = None
    expected: bool = True
    usage: ResourceUse | None = None


def signal_name(number: int) -> str:
    """Return SIGKILL for 9, and a plain number for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
