"""People who leaf through the pages of the frontend; for the frontend what browse.py is for the backend.

Variables: LOAD_USERS (default 4; each asks for about 2.5 pages a second) and LOAD_SECONDS, see shapes.py.
"""

from __future__ import annotations

import os

import bound
import recording
import shapes
import steady
from locust import between, events, task

STEADY = shapes.Steady.from_environment(os.environ, users=4)

recording.attach(events)
steady.stop_on_sigterm(events)


class Reader(bound.BoundUser):
    """Somebody at the web site."""

    wait_time = between(0.2, 0.6)

    @task(2)
    def home(self) -> None:
        """Open the first page."""
        self.client.get("/")

    @task(1)
    def meditations(self) -> None:
        """See which meditations there are."""
        self.client.get("/meditations")

    @task(1)
    def sit(self) -> None:
        """See how many seats are free."""
        self.client.get("/sit")


class Shape(steady.SteadyShape):
    """The same number of readers throughout."""

    steady = STEADY
