"""Turns: how many drills run at once, and which has the machine to itself; first come, first served."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tocsin.deadline import Stopped


@dataclass(frozen=True, slots=True, eq=False)
class _Ticket:
    """Somebody who waits for a turn."""

    need: int
    alone: bool


class Turns:
    """A gate that lets so many drills through at once, and one that wants to be alone only alone.

    Alone is without those that start or end, too: a stack that comes up takes a core for seconds, and whoever must show
    what one core does has that much less. Stacks that are up and wait for their turn stay; they take next to nothing.
    """

    def __init__(self, most: int, stop: threading.Event) -> None:
        self._most = most
        self._free = most
        self._busy = 0
        """Drills that start or end, which is whatever they do outside of their turns but to wait for them."""
        self._alone = False
        self._waiting: deque[_Ticket] = deque()
        self._changed = threading.Condition()
        self._stop = stop

    @contextmanager
    def present(self) -> Iterator[None]:
        """Be there, from before a drill starts anything until all of it has ended; its turn is within.

        Waits while another has the machine to itself, or could have it at once. Raises Stopped if the run is stopped
        meanwhile.
        """
        with self._changed:
            self._await(lambda: not self._alone and not self._alone_is_next(), "its turn to start")
            self._busy += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    @contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        """Wait for a turn and hold it, as one who is present. Raises Stopped if the run is stopped meanwhile."""
        ticket = _Ticket(self._most if alone else 1, alone)
        with self._changed:
            self._busy -= 1
            self._waiting.append(ticket)
            self._changed.notify_all()
            try:
                self._await(lambda: self._mine(ticket), "its turn")
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
            self._free -= ticket.need
            self._alone = alone
        try:
            yield
        finally:
            with self._changed:
                self._free += ticket.need
                self._alone = False
                self._busy += 1
                self._changed.notify_all()

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        self._changed.wait_for(lambda: self._stop.is_set() or condition())
        if self._stop.is_set():
            raise Stopped(what)

    def _mine(self, ticket: _Ticket) -> bool:
        return self._waiting[0] is ticket and self._free >= ticket.need and not (ticket.alone and self._busy)

    def _alone_is_next(self) -> bool:
        """Whether the first in the queue waits for nothing but those that start or end."""
        return bool(self._waiting) and self._waiting[0].alone and self._free == self._most

    def wake(self) -> None:
        """Let those who wait see that the run was stopped."""
        with self._changed:
            self._changed.notify_all()
