"""What the judge of a body says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tocsin.artefacts.exposition.syntax import Generation, Ingest
from tocsin.exposition.digest import Digest
from tocsin.finding import Severity

CHECKS_OF_INGEST = ("not-ingested", "server-crash")
"""Complaints that tell why a server drops the scrape."""
CHECK_OF_SPECIFICATION = "not-to-the-letter"
"""Complaints that tell where a body leaves its format's specification."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One finding of the judge."""

    check: str
    """In kebab case, the name of the function that found it."""
    severity: Severity
    line: int
    """From 1; 0: the scrape as a whole."""
    column: int
    """From 1, in characters; 0 where `line` is 0."""
    series: str
    """A selector, as `http_requests_total{code="200"}`; a family's name; or empty."""
    message: str
    why: str
    """What follows from it."""
    fix: str
    """How to mend it."""

    @property
    def subject(self) -> str:
        """What a waiver names: the series, or the check where the whole scrape is meant."""
        return self.series or self.check


@dataclass(frozen=True, slots=True)
class Judgement:
    """The three verdicts on a body, what was found, and what is kept of it."""

    ingest: Mapping[Generation, Ingest]
    specification: bool
    """To the letter of its format."""
    samples: int
    """That the newest server which keeps the scrape takes from it; 0 where none does."""
    complaints: tuple[Complaint, ...]
    """By line."""
    digest: Digest

    @property
    def sense(self) -> str:
        """`findings` if a finding of sense is an error or a warning, else `clean`."""
        others = (*CHECKS_OF_INGEST, CHECK_OF_SPECIFICATION)
        found = any(one.check not in others and one.severity is not Severity.INFO for one in self.complaints)
        return "findings" if found else "clean"
