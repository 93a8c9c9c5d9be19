"""Scrapes of one target, and what was done between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.system import Budget

OK = 200
MOST_SHOWN = 12
"""So many lines of a body are shown on the page of a check."""
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Scrape:
    """One scrape, or the attempt; its body is in a file, or is a text that an example has."""

    syntax: Syntax
    start: float
    """In seconds of a clock that only goes forward, the same for all scrapes of a record."""
    end: float
    at: float = 0.0
    """The start, in seconds since 1970; 0 where nobody knows."""
    connection: int = 0
    """Scrapes with the same number came over the same TCP connection."""
    status: int = OK
    """0: there was no answer."""
    problem: str = ""
    """Why there is no whole body."""
    timed_out: bool = False
    file: Path | None = None
    text: bytes = b""

    @property
    def whole(self) -> bool:
        """Whether a server would read the body."""
        return self.status == OK and not self.problem

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start

    def chunks(self) -> Iterator[bytes]:
        """Yield the body, in pieces. Raises OSError if its file cannot be read."""
        if self.file is None:
            yield self.text
            return
        with self.file.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece


@dataclass(frozen=True, slots=True)
class Counter:
    """The series of a metric that have some labels; what is meant is their sum."""

    metric: str
    labels: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        pairs = ",".join(f'{name}="{value}"' for name, value in self.labels.items())
        return f"{self.metric}{{{pairs}}}" if pairs else self.metric


@dataclass(frozen=True, slots=True)
class Watched:
    """Scrapes one after another and several at a time, with nothing special between them."""

    scrapes: tuple[Scrape, ...]
    loaded: bool = False
    """Made while requests went to the target all the time."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A known number of requests between two scrapes."""

    path: str
    requests: int
    """That were answered."""
    counter: Counter
    before: Scrape
    after: Scrape
    alone: bool = True
    """Nobody else sends requests to the target."""


@dataclass(frozen=True, slots=True)
class Grown:
    """Three scrapes with unlike requests between them, as many each time: what the first ones begin is no growth."""

    asked: str
    """What differed, as `GET /no-such-page/{unique}`."""
    inputs: int
    """How many requests there were between two scrapes, of which each was new."""
    before: Scrape
    middle: Scrape
    after: Scrape


@dataclass(frozen=True, slots=True)
class Restarted:
    """The last scrape before all of the target's processes were ended, and the first after they were back."""

    before: Scrape
    after: Scrape
    counters: tuple[Counter, ...] = ()
    """That count what the target itself does."""
    requests: int = 0
    """That were sent between the start and the second scrape."""


@dataclass(frozen=True, slots=True)
class Bereft:
    """Scrapes while something that the target depends on is down."""

    dependency: str
    scrapes: tuple[Scrape, ...]
    up: str = ""
    """The metric that is to be 0 then; empty if none was promised."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Three scrapes in a row, of which the one in the middle asked for another format or encoding."""

    asked: str
    """What the one in the middle asked for, as `OpenMetrics` or `gzip`."""
    before: Scrape
    between: Scrape
    after: Scrape


@dataclass(frozen=True)
class Record:
    """All that was seen of one target."""

    watched: tuple[Watched, ...] = ()
    counted: tuple[Counted, ...] = ()
    grown: tuple[Grown, ...] = ()
    restarted: tuple[Restarted, ...] = ()
    bereft: tuple[Bereft, ...] = ()
    compared: tuple[Compared, ...] = ()
    timeout: float = 10.0
    """Seconds that a scrape may take: `scrape_timeout` of the target's job."""
    budgets: dict[str, Budget] = field(default_factory=dict)
    """By metric."""

    @cached_property
    def every(self) -> tuple[Scrape, ...]:
        """All scrapes and attempts, by their start."""
        found = [scrape for watched in self.watched for scrape in watched.scrapes]
        found += [scrape for bereft in self.bereft for scrape in bereft.scrapes]
        found += [scrape for counted in self.counted for scrape in (counted.before, counted.after)]
        found += [scrape for grown in self.grown for scrape in (grown.before, grown.middle, grown.after)]
        found += [scrape for restarted in self.restarted for scrape in (restarted.before, restarted.after)]
        found += [
            scrape for compared in self.compared for scrape in (compared.before, compared.between, compared.after)
        ]
        return tuple(sorted(found, key=lambda scrape: scrape.start))

    @property
    def files(self) -> dict[str, str]:
        """Return the bodies of an example, as its page shows them: long ones by their beginning."""
        shown = {}
        for number, scrape in enumerate(self.every, 1):
            lines = scrape.text.decode(errors="replace").splitlines(keepends=True)
            more = f"... {len(lines) - MOST_SHOWN} lines more\n" if len(lines) > MOST_SHOWN else ""
            status = "" if scrape.status == OK else f", status {scrape.status}"
            shown[f"/metrics, scrape {number}{status}, {scrape.seconds:g} s"] = "".join(lines[:MOST_SHOWN]) + more
        return shown

    @cached_property
    def series(self) -> tuple[Scrape, ...]:
        """The whole scrapes that were watched, idle and under load, by their start."""
        found = [scrape for watched in self.watched for scrape in watched.scrapes if scrape.whole]
        return tuple(sorted(found, key=lambda scrape: scrape.start))


def told(*texts: str, every: float = 15.0, seconds: float = 0.01, openmetrics: bool = False) -> tuple[Scrape, ...]:
    """Return scrapes with these bodies, one after another, each over a connection of its own."""
    syntax = Syntax.OPENMETRICS if openmetrics else Syntax.TEXT
    return tuple(
        Scrape(syntax, number * every, number * every + seconds, 1.7e9 + number * every, number, text=text.encode())
        for number, text in enumerate(texts)
    )
