"""What a check across scrapes is: one function in one file of this package, with its reason and its two examples.

    @across(
        severity=Severity.ERROR,
        fix="...",
        bad=Record(watched=(Watched(told("a_total 3", "a_total 2")),)),
        good=Record(...),
    )
    def counter_falls(watched: Watched, reading: Reading) -> Iterator[Remark]:
        '''What follows from it.

        (Source of the rule of the field.)
        '''

The id is the function's name with dashes, which is the module's name too. The first argument's name says what it looks
at: each of the record's `watched`, `counted`, `grown`, `restarted`, `bereft` and `compared`, or the whole `record`;
further arguments are the `reading` of scrapes and the `record`. `explains` names the checks whose findings are mere
consequences of this one's: they stay as notes. Modules are discovered; importing one changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from tocsin.catalogue import catalogue, described
from tocsin.exposition.judgement import Complaint
from tocsin.exposition.many.record.consequences import OF_ONE_SCRAPE
from tocsin.exposition.many.record.reading import Reading
from tocsin.exposition.many.record.scrapes import Record
from tocsin.exposition.sense.vocabulary.quoting import discreet
from tocsin.finding import Severity

SUBJECTS = ("watched", "counted", "grown", "restarted", "bereft", "compared", "record")
"""What a check can look at."""
MOST_REMARKS = 20
"""So many findings of one check are told; the others are counted."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What a check has to say; it is about no line, for each scrape is another text."""

    series: str
    """A metric's name, or a selector; nothing that has to be kept secret."""
    message: str
    severity: Severity | None = None
    """Where it differs from the check's."""
    fix: str = ""
    """Where it can be said better than by the check's cure."""


@dataclass(frozen=True, slots=True)
class Across:
    """A check across scrapes, with all that is known of it."""

    id: str
    subject: str
    """What it looks at: one of SUBJECTS."""
    severity: Severity
    title: str
    """The first line of its reason."""
    why: str
    fix: str
    bad: Record = field(repr=False)
    good: Record = field(repr=False)
    function: Callable[..., Iterable[Remark]] = field(repr=False, compare=False)
    arguments: tuple[str, ...] = ()
    explains: tuple[str, ...] = ()
    """Checks whose findings follow from this one's."""
    origin: str = ""
    """The check of another tool that finds the same; there is none."""

    def complaints(self, record: Record, reading: Reading) -> Iterator[Complaint]:
        """Yield what is wrong across the scrapes of a record."""
        told = 0
        for remark in self._remarks(record, reading):
            told += 1
            if told <= MOST_REMARKS:
                yield self._complaint(remark)
        if told > MOST_REMARKS:
            yield self._complaint(Remark("", f"{told - MOST_REMARKS} more of the same in these scrapes"))

    def _remarks(self, record: Record, reading: Reading) -> Iterator[Remark]:
        subjects = (record,) if self.subject == "record" else getattr(record, self.subject)
        known = {"reading": reading, "record": record}
        for subject in subjects:
            yield from self.function(subject, *(known[name] for name in self.arguments[1:]))

    def _complaint(self, remark: Remark) -> Complaint:
        return Complaint(
            check=self.id,
            severity=remark.severity or self.severity,
            line=0,
            column=0,
            series=discreet(remark.series),
            message=discreet(remark.message),
            why=self.title,
            fix=remark.fix or self.fix,
        )


def across(
    *, severity: Severity, fix: str, bad: Record, good: Record, explains: tuple[str, ...] = ()
) -> Callable[[Callable[..., Iterable[Remark]]], Across]:
    """Make a check of a function. Raises TypeError if it lacks a reason, or looks at what there is none of."""

    def made(function: Callable[..., Iterable[Remark]]) -> Across:
        said = described(function, SUBJECTS, ("reading", "record"))
        return Across(
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
            explains=explains,
        )

    return made


@cache
def checks() -> Mapping[str, Across]:
    """Return every check by its id, in order; what they share (`record`, `asking`) is none."""
    return catalogue(__name__, __path__, Across, others=("asking", "record"))


def complaints(record: Record, reading: Reading | None = None) -> tuple[Complaint, ...]:
    """Return all that is wrong across the scrapes of a record, consequences as notes.

    Raises OSError if the file of a scrape cannot be read.
    """
    known = reading or Reading()
    return without_consequences([found for one in checks().values() for found in one.complaints(record, known)])


def without_consequences(found: Iterable[Complaint]) -> tuple[Complaint, ...]:
    """Return complaints about one target, of all judges, with those that follow from others turned into notes."""
    every = list(found)
    causes: dict[str, str] = {}
    for one in every:
        if one.severity is not Severity.INFO:
            known = checks()[one.check].explains if one.check in checks() else OF_ONE_SCRAPE.get(one.check, ())
            causes.update(dict.fromkeys(known, one.check))
    return tuple(
        replace(one, severity=Severity.INFO, message=f"{one.message} (may follow from {causes[one.check]})")
        if one.check in causes and one.severity is not Severity.INFO
        else one
        for one in every
    )
