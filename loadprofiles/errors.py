"""Requests of which a share runs into an error that the backend does not catch.

Variables: LOAD_ERROR_SHARE (default 0.5; of each process, exact and evenly spread, see shapes.Share), LOAD_USERS
(default 10; each sends about 5 requests a second) and LOAD_SECONDS, see shapes.py. The first request is an error.
"""

from __future__ import annotations

import os

import bound
import recording
import shapes
import steady
from locust import between, events, task

STEADY = shapes.Steady.from_environment(os.environ, users=10)
FAILING = shapes.Share(shapes.number(os.environ, "LOAD_ERROR_SHARE", 0.5, least=0.0, most=1.0))

recording.attach(events)
steady.stop_on_sigterm(events)


class Visitor(bound.BoundUser):
    """Somebody whose chat breaks now and then."""

    wait_time = between(0.1, 0.3)

    @task
    def chat(self) -> None:
        """Say something to the companion."""
        headers = {"X-Drill-Fault": "error"} if FAILING.pick() else {}
        self.client.post("/api/chat", json={"message": "Where do I begin?"}, headers=headers)


class Shape(steady.SteadyShape):
    """The same number of visitors throughout."""

    steady = STEADY
