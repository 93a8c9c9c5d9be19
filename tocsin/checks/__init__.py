"""What a check is: one function in one file of this package, with its reason, its cure and its two examples.

    @check(
        severity=Severity.ERROR,
        fix="Lower the threshold below 1.",
        bad=Example({"rules.yml": "..."}, at="up > 1"),
        good=Example({"rules.yml": "..."}),
    )
    def threshold_out_of_range(alert: Rule, model: Model) -> Iterator[Remark]:
        '''`up` is 0 or 1, so the alert can never fire.

        (Source of the rule of the field.)
        '''

The id is the function's name with dashes, which is the module's name too. The name of the first argument says what it
looks at: a key of `tocsin.model.subjects.SUBJECTS`. Modules are discovered; importing one changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tocsin.catalogue import catalogue, described
from tocsin.finding import Finding, Severity
from tocsin.model import Model
from tocsin.model.subjects import SUBJECTS
from tocsin.part import Part
from tocsin.source import Place


@dataclass(frozen=True, slots=True)
class Remark:
    """What a check has to say of one thing."""

    place: Place
    message: str
    """What is wrong, with the values; what is so for every finding of the check is its reason."""
    width: int = 1
    """How many characters from the place on are meant."""
    subject: str = ""
    """The name path of what it is about; that of the check's argument if left out."""
    severity: Severity | None = None
    """Where it differs from the check's."""
    fix: str = ""
    """Where it can be said better than by the check's cure."""
    related: tuple[Place, ...] = ()
    """Where else to look."""


def at(part: Part, message: str, **more: Any) -> Remark:
    """Return a remark about a value, underlined as far as it stands on one line."""
    return Remark(part.place, message, **({"width": max(1, len(part.text.split("\n")[0]))} | more))


def at_key(part: Part, message: str, **more: Any) -> Remark:
    """Return a remark about a key and what stands under it."""
    return Remark(part.key_place, message, **({"width": max(1, len(part.key))} | more))


@dataclass(frozen=True, slots=True)
class Example:
    """A small system: texts by file name; `at` is a piece of the line that the finding must be on."""

    files: Mapping[str, str]
    at: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A check, with all that is known of it."""

    id: str
    subject: str
    """What it looks at: a key of SUBJECTS."""
    severity: Severity
    title: str
    """The first line of its reason."""
    why: str
    fix: str
    bad: Example = field(repr=False)
    good: Example = field(repr=False)
    function: Callable[..., Iterable[Remark]] = field(repr=False, compare=False)
    origin: str = ""
    """The check of another tool that finds the same: `pint promql/rate`, `promtool`; for suppressions that name it."""

    def findings(self, model: Model) -> Iterator[Finding]:
        """Yield what is wrong with a model."""
        takes_model = self.function.__code__.co_argcount > 1
        for subject in SUBJECTS[self.subject](model):
            for remark in self.function(subject, model) if takes_model else self.function(subject):
                yield Finding(
                    check=self.id,
                    subject=remark.subject or getattr(subject, "subject", ""),
                    place=remark.place,
                    message=remark.message,
                    severity=remark.severity or self.severity,
                    width=remark.width,
                    why=self.title,
                    fix=remark.fix or self.fix,
                    related=remark.related,
                )


def check(
    *, severity: Severity, fix: str, bad: Example, good: Example, origin: str = ""
) -> Callable[[Callable[..., Iterable[Remark]]], Check]:
    """Make a check of a function. Raises TypeError if it lacks a reason, or looks at what there is none of."""

    def made(function: Callable[..., Iterable[Remark]]) -> Check:
        said = described(function, SUBJECTS)
        return Check(
            id=said.id,
            subject=said.arguments[0],
            severity=severity,
            title=said.title,
            why=said.why,
            fix=fix,
            bad=bad,
            good=good,
            function=function,
            origin=origin,
        )

    return made


@cache
def checks() -> Mapping[str, Check]:
    """Return every check by its id, in order."""
    return catalogue(__name__, __path__, Check)
