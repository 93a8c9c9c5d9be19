"""Requests whose memory the backend keeps for a while after it has answered.

Held at any moment: LOAD_USERS (default 6) x LOAD_MEMORY_BYTES (default 8 MiB) x LOAD_HOLD_SECONDS (default 2) /
0.25 s between a user's requests. With the defaults that is 384 MiB, more than the backend lets itself be asked for
(94 % of its limit): it fills within a second, stays under that ceiling by less than one request's bytes, and is free
again LOAD_HOLD_SECONDS after the end. LOAD_SECONDS: see shapes.py.
"""

from __future__ import annotations

import os

import bound
import recording
import shapes
import steady
from locust import constant_pacing, events, task

STEADY = shapes.Steady.from_environment(os.environ, users=6)
MEMORY_BYTES = int(shapes.number(os.environ, "LOAD_MEMORY_BYTES", 8 * 1024 * 1024, least=1, most=2**29))
HOLD_SECONDS = shapes.number(os.environ, "LOAD_HOLD_SECONDS", 2.0, least=0.0, most=30.0)

recording.attach(events)
steady.stop_on_sigterm(events)


class Visitor(bound.BoundUser):
    """Somebody whose every answer leaves something behind."""

    wait_time = constant_pacing(0.25)

    @task
    def chat(self) -> None:
        """Say something that is remembered."""
        headers = {"X-Drill-Fault": f"memory={MEMORY_BYTES};hold={HOLD_SECONDS:g}"}
        self.client.post("/api/chat", json={"message": "Remember this."}, headers=headers)


class Shape(steady.SteadyShape):
    """The same number of visitors throughout."""

    steady = STEADY
