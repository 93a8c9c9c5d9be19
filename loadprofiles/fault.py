"""Ordinary requests that each carry one fault, which LOAD_FAULT spells as the header X-Drill-Fault does.

Variables: LOAD_FAULT (default latency=0.2), LOAD_FAULT_SHARE (default 1: of the requests, exact
and evenly spread), LOAD_PATH (default /api/meditations), LOAD_PACE_SECONDS (default 0.5: between the starts of a
user's requests), LOAD_USERS (default 1) and LOAD_SECONDS, see shapes.py. The first request carries the fault.
"""

from __future__ import annotations

import os

import bound
import recording
import shapes
import steady
from locust import constant_pacing, events, task

STEADY = shapes.Steady.from_environment(os.environ, users=1)
FAULT = os.environ.get("LOAD_FAULT", "") or "latency=0.2"
PATH = os.environ.get("LOAD_PATH", "") or "/api/meditations"
CARRYING = shapes.Share(shapes.number(os.environ, "LOAD_FAULT_SHARE", 1.0, least=0.0, most=1.0))
PACE_SECONDS = shapes.number(os.environ, "LOAD_PACE_SECONDS", 0.5, least=0.0, most=60.0)

recording.attach(events)
steady.stop_on_sigterm(events)


class Visitor(bound.BoundUser):
    """Somebody in whose presence something breaks."""

    wait_time = constant_pacing(PACE_SECONDS)

    @task
    def ask(self) -> None:
        """Ask, with or without the fault."""
        self.client.get(PATH, headers={"X-Drill-Fault": FAULT} if CARRYING.pick() else {})


class Shape(steady.SteadyShape):
    """The same number of visitors throughout."""

    steady = STEADY
