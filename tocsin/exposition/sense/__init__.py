"""What a check of a scrape's sense is: one function in one file of this package, with its reason and its two examples.

    @sense(
        severity=Severity.WARNING,
        fix="Call it `x_total`.",
        bad=Body("...", at="TYPE x"),
        good=Body("..."),
    )
    def counter_without_total(family: FamilyDigest) -> Iterator[Remark]:
        '''What follows from it.

        (Source of the rule of the field.)
        '''

The id is the function's name with dashes, which is the module's name too. The first argument's name says what it looks
at: each `family` of a scrape, or the `scrape`; further arguments are the `scrape`, `now` in seconds since 1970, and
whether its series were `collected` from other targets.
Checks read a digest and not the body, so that what they cost does not grow with the number of samples. Modules are
discovered; importing one changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from tocsin.catalogue import catalogue, described
from tocsin.exposition.digest import Digest, FamilyDigest
from tocsin.exposition.judgement import Complaint
from tocsin.exposition.sense.vocabulary.metrics import Label, column_of, exporter_of, is_collected
from tocsin.exposition.sense.vocabulary.quoting import discreet, selector
from tocsin.finding import Severity

SUBJECTS = ("family", "scrape")
"""What a check can look at."""
MOST_REMARKS = 100
"""So many findings of one check are told; the others are counted."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What a check has to say of one thing in a scrape."""

    line: int
    """Where it stands, from 1; 0 for the scrape as a whole."""
    series: str
    """A metric's name, or a selector; nothing that has to be kept secret."""
    message: str
    """What is wrong, with the values; what is so for every finding of the check is its reason."""
    column: int = 1
    severity: Severity | None = None
    """Where it differs from the check's."""
    fix: str = ""
    """Where it can be said better than by the check's cure."""


def of_family(family: FamilyDigest, message: str, **more: Any) -> Remark:
    """Return a remark about a family, at the name in its TYPE, or where it is met first."""
    place = {"line": family.type_line, "column": 8} if family.type_line else {"line": family.line}
    return Remark(series=family.name, message=message, **(place | more))


def of_label(label: Label, message: str, **more: Any) -> Remark:
    """Return a remark about a label, where it is met first."""
    _, line = label.first
    column = column_of(label.name, line, f"{label.label}=")
    return Remark(series=label.name.name, message=message, **({"line": line, "column": column} | more))


def of_value(label: Label, value: str, message: str, **more: Any) -> Remark:
    """Return a remark about a value of a label, where it is met first."""
    line = label.digest.values[value]
    return Remark(
        line=line,
        series=selector(label.name.name, label.label, value),
        message=message,
        column=column_of(label.name, line, f"{label.label}="),
        **more,
    )


@dataclass(frozen=True, slots=True)
class Body:
    """A small scrape; `at` is a piece of the line that the finding must be on, or empty for the scrape as a whole."""

    text: str
    at: str = ""
    openmetrics: bool = False

    @property
    def files(self) -> Mapping[str, str]:
        """The text, as what a page of a check shows."""
        return {"/metrics": self.text}


@dataclass(frozen=True, slots=True)
class Sense:
    """A check of a scrape's sense, with all that is known of it."""

    id: str
    subject: str
    """What it looks at: one of SUBJECTS."""
    severity: Severity
    title: str
    """The first line of its reason."""
    why: str
    fix: str
    bad: Body = field(repr=False)
    good: Body = field(repr=False)
    function: Callable[..., Iterable[Remark]] = field(repr=False, compare=False)
    arguments: tuple[str, ...] = ()
    origin: str = ""
    """The check of another tool that finds the same."""
    of_names: bool = False
    """Whether only the authors of an exporter can mend it, so that in a known exporter it is worth a note at most."""

    def complaints(self, digest: Digest, *, now: float | None = None) -> Iterator[Complaint]:
        """Yield what makes no sense in a scrape that ended at `now`, in seconds since 1970 (None: nobody knows)."""
        told = 0
        of_others: dict[str, list[Remark]] = {}
        for remark, exporter in self._remarks(digest, now):
            if exporter is not None:
                of_others.setdefault(exporter, []).append(remark)
                continue
            told += 1
            if told <= MOST_REMARKS:
                yield self._complaint(remark)
        if told > MOST_REMARKS:
            yield self._complaint(Remark(0, "", f"{told - MOST_REMARKS} more of the same in this scrape"))
        for exporter, remarks in of_others.items():
            yield self._complaint(_of_exporter(remarks, exporter))

    def _remarks(self, digest: Digest, now: float | None) -> Iterator[tuple[Remark, str | None]]:
        """Yield each remark, and the exporter whose authors alone could mend it."""
        known = {"scrape": digest, "now": now, "collected": "collected" in self.arguments and is_collected(digest)}
        if self.subject == "scrape":
            yield from ((remark, None) for remark in self.function(*(known[name] for name in self.arguments)))
            return
        for family in digest.families.values():
            for remark in self.function(family, *(known[name] for name in self.arguments[1:])):
                yield remark, exporter_of(family) if self.of_names else None

    def _complaint(self, remark: Remark) -> Complaint:
        return Complaint(
            check=self.id,
            severity=remark.severity or self.severity,
            line=remark.line,
            column=remark.column if remark.line else 0,
            series=discreet(remark.series),
            message=discreet(remark.message),
            why=self.title,
            fix=remark.fix or self.fix,
        )


def _of_exporter(remarks: list[Remark], exporter: str) -> Remark:
    """Return one note for all that only the authors of an exporter can mend."""
    first, more = remarks[0], len(remarks) - 1
    return replace(
        first,
        message=f"{first.message}{f', and {more} more' if more else ''}; a metric of {exporter}",
        severity=Severity.INFO,
        fix=f"Nothing here: only the authors of {exporter} can change it.",
    )


def sense(
    *, severity: Severity, fix: str, bad: Body, good: Body, origin: str = "", of_names: bool = False
) -> Callable[[Callable[..., Iterable[Remark]]], Sense]:
    """Make a check of a function. Raises TypeError if it lacks a reason, or looks at what there is none of."""

    def made(function: Callable[..., Iterable[Remark]]) -> Sense:
        said = described(function, SUBJECTS, ("scrape", "now", "collected"))
        return Sense(
            id=said.id,
            subject=said.arguments[0],
            severity=severity,
            title=said.title,
            why=said.why,
            fix=fix,
            bad=bad,
            good=good,
            function=function,
            arguments=said.arguments,
            origin=origin,
            of_names=of_names,
        )

    return made


@cache
def senses() -> Mapping[str, Sense]:
    """Return every check by its id, in order. What the checks know of the field (`vocabulary`) is none."""
    return catalogue(__name__, __path__, Sense, others=("vocabulary",))


def complaints(digest: Digest, *, now: float | None = None) -> Iterator[Complaint]:
    """Yield all that makes no sense in one scrape, which ended at `now`, in seconds since 1970 (None: unknown)."""
    for one in senses().values():
        yield from one.complaints(digest, now=now)
