"""A case: one question to a system, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from tocsin.finding import Severity
from tocsin.source import Place
from tocsin.verdict import Verdict


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The answer to one case."""

    id: str
    suite: str
    """The marker of its suite: static, load, faults, ..."""
    subject: str
    place: Place
    verdict: Verdict
    severity: Severity = Severity.ERROR
    seconds: float = 0.0
    picture: str = ""
    """A file of SVG that shows why, under the run's folder; empty if there is none."""
