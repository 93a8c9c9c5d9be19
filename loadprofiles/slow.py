"""Requests that each take longer than the threshold of the response time.

Closed loop: a user asks again only when it has been answered, so their number over the latency is the rate. The users
are put out of step before their first request; in step, their answers would come in bursts, and a rate over a window
shorter than the gap would see none of them.

Variables: LOAD_LATENCY_SECONDS (default 2.25: in the bucket from 2 to 2.5, so that an interpolated quantile is never
far from the truth), LOAD_USERS (default 20) and LOAD_SECONDS, see shapes.py.
"""

from __future__ import annotations

import itertools
import os
import random

import bound
import gevent  # type: ignore[import-untyped]
import recording
import shapes
import steady
from locust import between, events, task

STEADY = shapes.Steady.from_environment(os.environ, users=20)
LATENCY_SECONDS = shapes.number(os.environ, "LOAD_LATENCY_SECONDS", 2.25, least=0.0, most=30.0)
STEP_SECONDS = LATENCY_SECONDS + 0.1

recording.attach(events)
steady.stop_on_sigterm(events)


class Visitor(bound.BoundUser):
    """Somebody who waits for the companion's answer."""

    wait_time = between(0.0, 0.2)
    arrivals = itertools.count()

    def on_start(self) -> None:
        """Begin at a moment of one's own; the very first user begins at once."""
        if next(self.arrivals):
            gevent.sleep(random.uniform(0.0, STEP_SECONDS))

    @task
    def chat(self) -> None:
        """Say something, and wait."""
        headers = {"X-Drill-Fault": f"latency={LATENCY_SECONDS:g}"}
        self.client.post("/api/chat", json={"message": "I cannot sleep."}, headers=headers)


class Shape(steady.SteadyShape):
    """The same number of visitors throughout."""

    steady = STEADY
