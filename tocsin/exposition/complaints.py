"""Complaints as they are gathered: a check that finds the same everywhere tells it some times, and counts the rest."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from tocsin.exposition.judgement import Complaint
from tocsin.exposition.sense.vocabulary.quoting import discreet
from tocsin.finding import Severity

MOST_OF_A_CHECK = 20
"""So many complaints of one check are told; the others are counted."""


class Complaints:
    """What was found so far."""

    def __init__(self) -> None:
        self.kept: list[Complaint] = []
        self.counts: Counter[str] = Counter()

    def add(
        self,
        check: str,
        severity: Severity,
        line: int,
        series: str,
        message: str,
        *,
        why: str,
        fix: str,
        column: int = 1,
    ) -> None:
        """Take one more."""
        self.counts[check] += 1
        if self.counts[check] <= MOST_OF_A_CHECK:
            column = column if line else 0
            told = discreet(series), discreet(message)  # no secret of a label or a HELP gets into a report
            self.kept.append(Complaint(check, severity, line, column, *told, why, fix))

    def full(self, check: str) -> bool:
        """Tell whether a check has said all that is told of it."""
        return self.counts[check] >= MOST_OF_A_CHECK

    def by_line(self) -> tuple[Complaint, ...]:
        """Return them by line; the last one of a check that found more than are told says how many."""
        last = {one.check: index for index, one in enumerate(self.kept)}
        told = list(self.kept)
        for check, index in last.items():
            more = self.counts[check] - MOST_OF_A_CHECK
            if more > 0:
                told[index] = replace(told[index], message=f"{told[index].message}; and {more:,} more like it")
        return tuple(sorted(told, key=lambda one: (one.line, one.column, one.check)))
