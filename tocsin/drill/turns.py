"""Turns: how many drills run at once, and which runs alone; first come, first served."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from tocsin.deadline import Stopped


class Turns:
    """A gate that lets so many drills through at once, and one that wants to be alone only alone."""

    def __init__(self, most: int, stop: threading.Event) -> None:
        self._most = most
        self._free = most
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()
        self._stop = stop

    @contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        """Wait for a turn and hold it. Raises Stopped if the run is stopped meanwhile."""
        need = self._most if alone else 1
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(lambda: self._stop.is_set() or self._mine(ticket, need))
                if self._stop.is_set():
                    raise Stopped("its turn")
                self._free -= need
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += need
                self._changed.notify_all()

    def _mine(self, ticket: object, need: int) -> bool:
        return self._waiting[0] is ticket and self._free >= need

    def wake(self) -> None:
        """Let those who wait see that the run was stopped."""
        with self._changed:
            self._changed.notify_all()
