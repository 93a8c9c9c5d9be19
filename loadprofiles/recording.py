"""What a load profile did, as it says itself: JSON lines appended to the file that TOCSIN_LOAD_LOG names.

    {"time": 1795631210.95, "event": "first_request"}     when the first request was sent
    {"time": ..., "event": "interval", "seconds": 0.5, "users": 10, "requests": 120, "failures": 3,
     "status": {"200": 117, "500": 3}, "p50": 0.004, "p95": 0.021}
    {"time": ..., "event": "stopped"}

Times are seconds since the Unix epoch; p50 and p95 are seconds, null in an interval without a request. A request
belongs to the interval in which it ended. Status 0 is a request that got no answer. Nothing is written if
TOCSIN_LOAD_LOG is not set, nor by the master of a distributed run (its workers write, each for itself).

Each profile calls `attach(events)`; importing this module changes nothing, and does not import locust.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from locust.env import Environment
    from locust.event import EventHook, Events

INTERVAL_SECONDS = 0.5


def quantile(ordered: list[float], q: float) -> float | None:
    """Return the q-quantile of values in ascending order, by nearest rank; of nothing, None."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


@dataclass(slots=True)
class Interval:
    """The requests that ended since the last line."""

    begun: float
    durations: list[float] = field(default_factory=list)
    status: Counter[str] = field(default_factory=Counter)
    failures: int = 0

    def add(self, seconds: float, status: int, *, failed: bool) -> None:
        """Take one request in."""
        self.durations.append(seconds)
        self.status[str(status)] += 1
        self.failures += failed

    def line(self, now: float, users: int) -> dict[str, Any]:
        """Return the interval as it is written at `now`."""
        ordered = sorted(self.durations)
        return {
            "time": now,
            "event": "interval",
            "seconds": round(now - self.begun, 6),
            "users": users,
            "requests": len(ordered),
            "failures": self.failures,
            "status": dict(sorted(self.status.items())),
            "p50": quantile(ordered, 0.50),
            "p95": quantile(ordered, 0.95),
        }


class Recorder:
    """Appends the lines; each is one write, so that several workers may share the file."""

    def __init__(self, path: Path, now: float) -> None:
        self._path = path
        self._interval = Interval(now)
        self._first: float | None = None

    def request_ended(self, sent: float, seconds: float, status: int, *, failed: bool) -> None:
        """Take in a request that was sent at `sent` (Unix time) and took `seconds`."""
        if self._first is None:
            self._first = sent
            self._write({"time": sent, "event": "first_request"})
        self._interval.add(seconds, status, failed=failed)

    def interval_ended(self, now: float, users: int) -> None:
        """Write the interval, and begin the next one."""
        ended, self._interval = self._interval, Interval(now)
        self._write(ended.line(now, users))

    def stopped(self, now: float) -> None:
        """Write what is left, and the last line."""
        self.interval_ended(now, 0)
        self._write({"time": now, "event": "stopped"})

    def _write(self, line: dict[str, Any]) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, json.dumps(line).encode() + b"\n")
        finally:
            os.close(descriptor)


def attach(events: Events) -> None:
    """Record every request of the run whose `events` these are, if TOCSIN_LOAD_LOG is set."""
    path = os.environ.get("TOCSIN_LOAD_LOG", "")
    if not path:
        return
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise SystemExit(f"TOCSIN_LOAD_LOG={path!r} cannot be written: there is no folder {folder}")
    _listen(events.init, lambda environment, **_: _record(environment, Path(path)))


def _listen(hook: EventHook, listener: Callable[..., None]) -> None:
    hook.add_listener(listener)  # type: ignore[no-untyped-call]


def _record(environment: Environment, path: Path) -> None:
    # Imported here, because only a process that generates load has it.
    import gevent  # type: ignore[import-untyped]  # noqa: PLC0415

    if type(environment.runner).__name__ == "MasterRunner":
        return
    recorder = Recorder(path, time.time())

    def request_ended(*, start_time: float, response_time: float, response: Any, exception: Any, **_: Any) -> None:
        status = getattr(response, "status_code", 0) or 0
        recorder.request_ended(start_time, response_time / 1000, status, failed=exception is not None)

    def every_interval() -> None:
        while True:
            gevent.sleep(INTERVAL_SECONDS)
            recorder.interval_ended(time.time(), environment.runner.user_count if environment.runner else 0)

    ticker = gevent.spawn(every_interval)

    def stopped(**_: Any) -> None:
        ticker.kill()
        recorder.stopped(time.time())

    _listen(environment.events.request, request_ended)
    _listen(environment.events.quit, stopped)
