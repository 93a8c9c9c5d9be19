"""What a check has to say, where, how bad it is and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tocsin.source import Place


class Severity(StrEnum):
    """How much a finding matters; `error`: an alert cannot fire, arrive or be scraped, or a probe does harm."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding of one check about one subject."""

    check: str
    subject: str
    place: Place
    message: str
    severity: Severity = Severity.ERROR
    width: int = 1
    """How many characters from the place on are meant."""
    why: str = ""
    """What follows from it."""
    fix: str = ""
    """How to mend it."""
    related: tuple[Place, ...] = ()
    """Where else to look: the other side of a disagreement."""

    @property
    def key(self) -> str:
        """The name by which waivers and history know it: no line number, date or hash."""
        return f"{self.check}@{self.place.file}#{self.subject}"
