"""How every profile of this folder starts and ends, as locust wants it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, ClassVar

import gevent  # type: ignore[import-untyped]
import shapes
from locust import LoadTestShape

if TYPE_CHECKING:
    from locust.env import Environment
    from locust.event import Events


class SteadyShape(LoadTestShape):
    """Asks `steady` at each tick; a profile's own shape derives from this and names its `steady`."""

    abstract = True
    steady: ClassVar[shapes.Steady]

    def tick(self) -> tuple[int, float] | None:
        """Return users and users started per second, or None when it is over."""
        return self.steady.tick(self.get_run_time())  # type: ignore[no-untyped-call]


def stop_on_sigterm(events: Events) -> None:
    """Let SIGTERM end the run in order: users stop, their on_stop runs, the recording is closed, status 0 or 1.

    Locust's own handler does the same, but a headless run with a shape waits for the shape's end before it installs
    that (locust.main.start_automatic_run), so the signal would kill the process and leave everything open.
    """

    def started(environment: Environment, **_: Any) -> None:
        if environment.runner is not None:
            gevent.signal_handler(signal.SIGTERM, environment.runner.quit)

    events.init.add_listener(started)  # type: ignore[no-untyped-call]
