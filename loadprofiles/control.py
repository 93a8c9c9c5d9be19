"""Everything that the other profiles do, under every threshold: nothing may fire.

2 % of the visitors' requests fail (threshold 5 %), a visitor waits 0.8 s (2 s), about 40 % of a core burns (80 %),
about 45 % of the memory is in use (85 %), and 45 of 100 seats are taken (50). So a rule that fires on the kind of
the load, and not on its amount, is found out.

Variables: LOAD_USERS (default 14: four with one trouble each, the rest visitors) and LOAD_SECONDS, see shapes.py.
"""

from __future__ import annotations

import os

import bound
import groups
import recording
import shapes
import steady
from locust import between, constant_pacing, events, task

STEADY = shapes.Steady.from_environment(os.environ, users=14)
FAILING = shapes.Share(0.02, at_once=False)

recording.attach(events)
steady.stop_on_sigterm(events)


class Visitor(bound.BoundUser):
    """Somebody with the app open."""

    wait_time = between(0.2, 0.4)

    @task
    def chat(self) -> None:
        """Say something to the companion."""
        headers = {"X-Drill-Fault": "error"} if FAILING.pick() else {}
        self.client.post("/api/chat", json={"message": "Where do I begin?"}, headers=headers)


class Waiting(bound.BoundUser):
    """Somebody whose answers take their time."""

    fixed_count = 1
    wait_time = constant_pacing(1.0)

    @task
    def chat(self) -> None:
        """Say something, and wait."""
        headers = {"X-Drill-Fault": "latency=0.8"}
        self.client.post("/api/chat", json={"message": "I cannot sleep."}, headers=headers)


class Thinking(bound.BoundUser):
    """Somebody whose questions are hard, but few."""

    fixed_count = 1
    wait_time = constant_pacing(0.25)

    @task
    def chat(self) -> None:
        """Ask a hard question."""
        headers = {"X-Drill-Fault": "cpu=0.1"}
        self.client.post("/api/chat", json={"message": "What is mind?"}, headers=headers)


class Remembering(bound.BoundUser):
    """Somebody whose answers leave something behind, for a while."""

    fixed_count = 1
    wait_time = constant_pacing(0.25)

    @task
    def chat(self) -> None:
        """Say something that is remembered."""
        headers = {"X-Drill-Fault": "memory=8388608;hold=2"}
        self.client.post("/api/chat", json={"message": "Remember this."}, headers=headers)


class Group(groups.Group):
    """A group that leaves more than half of the seats free."""

    fixed_count = 1
    seats = 45


class Shape(steady.SteadyShape):
    """The same number of users throughout."""

    steady = STEADY
