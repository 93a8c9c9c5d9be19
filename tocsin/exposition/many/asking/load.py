"""Requests that go on while something else is done."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle

from tocsin.deadline import wait_until
from tocsin.exposition.many.asking.requests import Requests

BEGIN_SECONDS = 10.0
"""Within which each must have sent its first request."""


@contextmanager
def load(requests: Requests, paths: Sequence[str], users: int) -> Iterator[None]:
    """Have some users ask for paths without a pause, from when each has begun until the end of the block.

    Raises DeadlineExceeded if they do not get that far.
    """
    over = threading.Event()
    begun = [threading.Event() for _ in range(users)]

    def ask(number: int) -> None:
        for path in cycle([*paths[number % len(paths) :], *paths[: number % len(paths)]]):
            if over.is_set():
                return
            begun[number].set()
            requests.get(path)

    threads = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(users)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: all(one.is_set() for one in begun), seconds=BEGIN_SECONDS, what="load on the target")
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(requests.seconds + 1)
