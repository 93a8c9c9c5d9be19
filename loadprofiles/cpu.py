"""Requests that keep one core of the backend busy all the time.

Each asks for LOAD_CPU_SECONDS of burning (default 0.1), and the backend burns them one after the other. With more
than one user there is always a next one waiting, and nobody waits longer than LOAD_USERS (default 4) times that; so
answers stay well under the threshold of the response time, and when the load stops the burning soon stops too.
LOAD_PAUSE_SECONDS (default 0) of pause between a user's requests makes it a lesser load. LOAD_SECONDS: see shapes.py.
"""

from __future__ import annotations

import os

import bound
import recording
import shapes
import steady
from locust import constant, events, task

STEADY = shapes.Steady.from_environment(os.environ, users=4)
CPU_SECONDS = shapes.number(os.environ, "LOAD_CPU_SECONDS", 0.1, least=0.001, most=5.0)
PAUSE_SECONDS = shapes.number(os.environ, "LOAD_PAUSE_SECONDS", 0.0, least=0.0, most=60.0)

recording.attach(events)
steady.stop_on_sigterm(events)


class Visitor(bound.BoundUser):
    """Somebody whose every question is hard."""

    wait_time = constant(PAUSE_SECONDS)

    @task
    def chat(self) -> None:
        """Ask a hard question."""
        headers = {"X-Drill-Fault": f"cpu={CPU_SECONDS:g}"}
        self.client.post("/api/chat", json={"message": "What is mind?"}, headers=headers)


class Shape(steady.SteadyShape):
    """The same number of visitors throughout."""

    steady = STEADY
