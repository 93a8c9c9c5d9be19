"""What every experiment is: something that is done on a bench, and leaves an episode behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from tocsin.probes.behaviour.bench import Bench
from tocsin.probes.behaviour.tape import Tape


class Machine(StrEnum):
    """What an experiment needs of the machine."""

    ALONE = "alone"
    """To have it for itself: it measures times that others would change."""
    SHARED = "shared"
    """That none is beside it that puts load on the machine."""
    ANY = "any"
    """Nothing: it waits, mostly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One experiment on one subject."""

    name: str
    """The episode's."""
    kind: str
    """By which it can be asked for: `boot`, for all of `boot-N`."""
    seconds: float
    """How long it will take, about."""
    perform: Callable[[Bench, Tape], Awaitable[None]] | None = None
    """Does it, and writes down what comes of it. Raises Trouble, or ValueError for what cannot be done here."""
    machine: Machine = Machine.ALONE
    begins_well: bool = True
    """Whether the subject must be well when it begins; else it is down."""
    lacking: str = ""
    """Why it cannot be made, and how to mend that."""
