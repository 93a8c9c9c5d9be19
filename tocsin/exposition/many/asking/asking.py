"""Scrape a target often, beside itself and under load, and with requests between; write it all down.

A scrape is made by whatever is given as `Scraper`: it writes the body, and tells how it went.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import BinaryIO, Protocol

from tocsin.artefacts.exposition.syntax import Generation
from tocsin.deadline import DeadlineExceeded, Unmet, wait_until
from tocsin.exposition.asked import guessed, last_bytes
from tocsin.exposition.content_type import reading as read_as
from tocsin.exposition.many.asking.load import load
from tocsin.exposition.many.asking.requests import Requests
from tocsin.exposition.many.record.reading import Reading
from tocsin.exposition.many.record.scrapes import Bereft, Compared, Counted, Counter, Grown, Restarted, Scrape, Watched
from tocsin.exposition.scraped import Ending, Scraped
from tocsin.system import AskedOf, KnownRequests
from tocsin.system import Growth as UnlikeRequests

SETTLE_SECONDS = 3.0
"""Within which what was answered must be counted: some count when the answer is on its way."""


class Scraper(Protocol):
    """Makes one scrape over a TCP connection of its own: two of one connection always meet the same worker."""

    def __call__(self, into: BinaryIO, /) -> Scraped:
        """Write the decoded body, and tell how it went; nothing that the target does raises."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How often is asked."""

    alone: int = 10
    """Scrapes one after another; of two workers that answer evenly, one stays unseen once in 512 times."""
    together: int = 8
    """At the same time ..."""
    rounds: int = 4
    """... and so often."""
    between: int = 2
    """Requests between two scrapes; one more every other time."""
    users: int = 4
    """That ask without a pause under load."""


@dataclass(slots=True)
class Asking:
    """Asks one target; the bodies go into a folder, which is there."""

    scraper: Scraper
    folder: Path
    requests: Requests | None = None
    """None: the target may be asked for nothing but its metrics."""
    amount: Amount = field(default_factory=Amount)
    clock: Callable[[], float] = time.monotonic
    _numbers: count[int] = field(default_factory=count)

    @property
    def declared(self) -> AskedOf:
        """What may be asked for besides the metrics."""
        return self.requests.declared if self.requests is not None else AskedOf()

    def scrape(self, scraper: Scraper | None = None) -> Scrape:
        """Make one scrape."""
        number = next(self._numbers)
        path = self.folder / f"{number:04}.body"
        with path.open("w+b") as file:
            start = self.clock()
            found = (scraper or self.scraper)(file)
            end = self.clock()
        parser = read_as(found.header("Content-Type"), Generation.V3_5).parser
        syntax = (parser.syntax if parser else None) or guessed(last_bytes(path))
        whole = found.ending is Ending.WHOLE
        return Scrape(
            syntax,
            start,
            end,
            found.started,
            number,
            found.status,
            "" if whole else found.problem or str(found.ending),
            timed_out=found.ending is Ending.TIMED_OUT,
            file=path,
        )

    def watch(self) -> Watched:
        """Scrape one after another, with requests between where they are declared, and then several at a time."""
        scrapes = []
        for number in range(self.amount.alone):
            scrapes.append(self.scrape())
            self._send(number)
        for number in range(self.amount.rounds):
            scrapes += self._together()
            self._send(number)
        return Watched(tuple(scrapes))

    def watch_under_load(self) -> Watched:
        """Scrape while requests go on, alone and several at a time. Raises DeadlineExceeded if there is no load."""
        with load(self._sending, self.declared.traffic, self.amount.users):
            scrapes = [self.scrape() for _ in range(self.amount.alone)]
            for _ in range(self.amount.rounds):
                scrapes += self._together()
            return Watched(tuple(scrapes), loaded=True)

    def count(self, known: KnownRequests, *, alone: bool = True) -> Counted:
        """Send a known number of requests, and scrape when they must have been counted."""
        counter = Counter(known.counter, dict(known.labels))
        reading = Reading()
        before = self.scrape()
        base = (reading.sum(before, counter) or 0.0) if before.whole else 0.0
        answered = sum(1 for _ in range(known.requests) if self._sending.get(known.path))
        seen: list[tuple[Scrape, float | None]] = []

        def settled() -> Scrape | Unmet:
            scrape = self.scrape()
            seen.append((scrape, reading.sum(scrape, counter) if scrape.whole else None))
            now, last = seen[-1][1], seen[-2][1] if len(seen) > 1 else None
            enough = now is not None and now == last and now - base >= answered
            return scrape if enough else Unmet(f"{counter} is {now}")

        try:
            after = wait_until(settled, seconds=SETTLE_SECONDS, what=f"{counter} to stand still", every=0.05)
        except DeadlineExceeded:
            after = seen[-1][0]
        return Counted(known.path, answered, counter, before, after, alone)

    def grow(self, growth: UnlikeRequests) -> Grown:
        """Send unlike requests twice, and scrape before, between and after."""
        asked = f"GET {growth.path}" + (f" by {growth.user_agent}" if growth.user_agent else "")
        scrapes = [self.scrape()]
        for _ in range(2):
            for _ in range(growth.inputs):
                self._sending.get(growth.path, unique=uuid.uuid4().hex, user_agent=growth.user_agent)
            scrapes.append(self.scrape())
        return Grown(asked, growth.inputs, *scrapes)

    def compare(self, asked: str, other: Scraper) -> Compared:
        """Scrape as usual, as `other` does, which asks for another format or encoding, and as usual again."""
        return Compared(asked, self.scrape(), self.scrape(other), self.scrape())

    def bereave(self, dependency: str, stop: Callable[[], object], start: Callable[[], object], up: str = "") -> Bereft:
        """Scrape while a dependency is down; `start` is called whatever happens."""
        try:
            stop()
            return Bereft(dependency, tuple(self.scrape() for _ in range(3)), up)
        finally:
            start()

    def restart(self, restart: Callable[[], object], counters: Sequence[Counter] = ()) -> Restarted:
        """Scrape, have the target restarted (`restart` returns when it is ready), and scrape again."""
        before = self.scrape()
        restart()
        return Restarted(before, self.scrape(), tuple(counters))

    @property
    def _sending(self) -> Requests:
        if self.requests is None:
            raise ValueError("the target may be asked for nothing but its metrics")
        return self.requests

    def _send(self, number: int) -> None:
        """Send what comes after a scrape: one request more every other time, not to fall in step with a balancer.

        Who asks in threes meets the same of three workers for ever, if they take turns.
        """
        paths, wanted = self.declared.traffic, self.amount.between
        if paths and wanted:
            first = number * wanted + number // 2
            for place in range(first, first + wanted + number % 2):
                self._sending.get(paths[place % len(paths)])

    def _together(self) -> list[Scrape]:
        with ThreadPoolExecutor(self.amount.together) as pool:
            return list(pool.map(lambda _: self.scrape(), range(self.amount.together)))
