"""What a check of a target's HTTP is: one function in one file of this package, with its reason and its two examples.

    @behaviour(
        severity=Severity.ERROR,
        fix="Answer 200.",
        bad=Exchange(lambda visit: Reply(status=204)),
        good=Exchange(lambda visit: Reply()),
    )
    def status_not_200(asked: Asked) -> Iterator[Note]:
        '''What follows from it.

        (Source of the rule.)
        '''

The id is the function's name with dashes, which is the module's name too. A check reads what was asked and answered,
and asks nothing itself. Modules are discovered; importing one changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tocsin.artefacts.exposition.syntax import Generation
from tocsin.catalogue import catalogue, described
from tocsin.exposition.asked import Asked
from tocsin.exposition.judgement import Complaint
from tocsin.exposition.scrape import ACCEPTS
from tocsin.finding import Severity

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
BODY = b"""\
# HELP shop_orders_total Orders that were paid.
# TYPE shop_orders_total counter
shop_orders_total 3
"""
MOST_SHOWN = 12
"""So many lines of a body are shown on the page of a check."""
OPENMETRICS_BODY = b"""\
# HELP shop_orders Orders that were paid.
# TYPE shop_orders counter
shop_orders_total 3
# EOF
"""


@dataclass(frozen=True, slots=True)
class Note:
    """What a check has to say."""

    message: str
    """What is wrong, with the values; what is so for every finding of the check is its reason."""
    series: str = ""
    """A metric's name, where one is meant."""
    severity: Severity | None = None
    """Where it differs from the check's."""
    fix: str = ""
    """Where it can be said better than by the check's cure."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request, as an example's server sees it."""

    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def gzip(self) -> bool:
        """Whether gzip is accepted."""
        return "gzip" in self.headers.get("Accept-Encoding", "")

    def accepts(self, word: str) -> bool:
        """Tell whether something is among what is accepted."""
        return word in self.headers.get("Accept", "")


@dataclass(frozen=True, slots=True)
class Reply:
    """An example's answer."""

    body: bytes = BODY
    type: str | None = TEXT
    """None: there is no Content-Type."""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None
    """What Content-Length says, where that is not the truth."""
    hangs: bool = False
    """The last byte never comes."""
    waits: float = 0.0
    """Seconds before the answer."""

    @property
    def shown(self) -> str:
        """It as a text, its body cut if it is long."""
        named = {name.lower() for name, _ in self.headers}
        length = len(self.body) if self.length is None else self.length
        lines = [f"HTTP/1.1 {self.status}"]
        lines += [f"Content-Type: {self.type}"] if self.type is not None else []
        lines += [] if "content-length" in named else [f"Content-Length: {length}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines += [f"(after {self.waits:g} s)"] if self.waits else []
        body = self.body.decode(errors="replace") if self.body.isascii() else f"({len(self.body)} bytes)"
        lines += ["", *body.splitlines()[:MOST_SHOWN]] if body else []
        lines += ["..."] if body.count("\n") > MOST_SHOWN else []
        lines += ["(the last byte never comes)"] if self.hangs else []
        return "\n".join(lines)


def healthy(visit: Visit) -> Reply:
    """Answer as an official client does: OpenMetrics to whom it is said, text to everybody else."""
    if visit.method not in ("GET", "HEAD"):
        return Reply(b"", status=405)
    if visit.accepts("openmetrics") and not visit.accepts("1.0.0;q=0,") and not visit.accepts("1.0.0;q=0.1,"):
        return Reply(OPENMETRICS_BODY, OPENMETRICS)
    return Reply()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A small server, and the scrape job that asks it."""

    reply: Callable[[Visit], Reply] = field(default=healthy, repr=False)
    job: Mapping[str, Any] = field(default_factory=dict)
    """What of `Settings` differs; besides, `port` that is asked, `most_bytes` of a body, and `shown`, its address."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """The limits of the job."""
    methods: bool = False
    """Whether other methods than GET are sent."""

    @property
    def files(self) -> dict[str, str]:
        """The answers that differ, by who gets them, with what the job says: what the page of a check shows."""
        told = {**self.job, **self.limits}
        shown = {"scrape job.yaml": "".join(f"{name}: {value}\n" for name, value in told.items())} if told else {}
        answers: dict[Reply, list[str]] = {}
        for name, visit in self._visits():
            answers.setdefault(self.reply(visit), []).append(name)
        for reply, names in answers.items():
            shown["every answer" if len(answers) == 1 else f"answer to: {', '.join(names)}"] = reply.shown
        return shown

    def _visits(self) -> Iterator[tuple[str, Visit]]:
        secret = {"Authorization": self.job["authorization"]} if "authorization" in self.job else {}
        scrape = {**secret, "Accept-Encoding": "gzip"}
        for generation in (Generation.V3_5, Generation.V2_42):
            yield str(generation), Visit("GET", "/metrics", {**scrape, "Accept": ACCEPTS[generation]})
        for name, accept in (("OpenMetrics", "application/openmetrics-text"), ("text", "text/plain;version=0.0.4")):
            yield f"{name} wanted", Visit("GET", "/metrics", {**scrape, "Accept": accept})
        yield "curl", Visit("GET", "/metrics", {**secret, "Accept": "*/*"})
        if secret:
            yield "a stranger", Visit("GET", "/metrics", {"Accept": "*/*"})
        if self.methods:
            yield "HEAD", Visit("HEAD", "/metrics", scrape)
        filtered = Visit("GET", "/metrics?name%5B%5D=up", {**scrape, "Accept": ACCEPTS[Generation.V3_5]})
        yield "?name[]=up", filtered
        yield "another path", Visit("GET", "/no-such-path", {**scrape, "Accept": "*/*"})


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A check of how a target answers, with all that is known of it."""

    id: str
    severity: Severity
    title: str
    """The first paragraph of its reason."""
    why: str
    fix: str
    bad: Exchange = field(repr=False)
    good: Exchange = field(repr=False)
    function: Callable[[Asked], Iterable[Note]] = field(repr=False, compare=False)
    subject: str = "target's answers"
    """What it looks at."""
    origin: str = ""
    """The check of another tool that finds the same; there is none."""

    def complaints(self, asked: Asked) -> Iterator[Complaint]:
        """Yield what is wrong with what was answered."""
        for note in self.function(asked):
            yield Complaint(
                check=self.id,
                severity=note.severity or self.severity,
                line=0,
                column=0,
                series=note.series,
                message=note.message,
                why=self.title,
                fix=note.fix or self.fix,
            )


def behaviour(
    *, severity: Severity, fix: str, bad: Exchange, good: Exchange
) -> Callable[[Callable[[Asked], Iterable[Note]]], Behaviour]:
    """Make a check of a function. Raises TypeError if it lacks a reason."""

    def made(function: Callable[[Asked], Iterable[Note]]) -> Behaviour:
        said = described(function)
        return Behaviour(
            id=said.id,
            severity=severity,
            title=said.title,
            why=said.why,
            fix=fix,
            bad=bad,
            good=good,
            function=function,
        )

    return made


@cache
def behaviours() -> Mapping[str, Behaviour]:
    """Return every check by its id, in order."""
    return catalogue(__name__, __path__, Behaviour)


def complaints(asked: Asked) -> Iterator[Complaint]:
    """Yield all that is wrong with how an endpoint answered; of one that was not asked, nothing."""
    if asked.answers:
        for one in behaviours().values():
            yield from one.complaints(asked)
