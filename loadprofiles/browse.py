"""People who look around and chat: nothing of it comes near a threshold.

Used as the background of the other profiles, and as the whole load of a control drill. Variables: LOAD_USERS
(default 10; each sends about 2.5 requests a second, 25 in all) and LOAD_SECONDS, see shapes.py.
"""

from __future__ import annotations

import os
import random

import bound
import recording
import shapes
import steady
from locust import between, events, task

STEADY = shapes.Steady.from_environment(os.environ, users=10)
SAID = ("I am restless today.", "I cannot sleep.", "Where do I begin?", "Thank you.")
MEDITATIONS = ("breath", "body", "kindness", "walking")

recording.attach(events)
steady.stop_on_sigterm(events)


class Visitor(bound.BoundUser):
    """Somebody with the app open."""

    wait_time = between(0.2, 0.6)

    @task(3)
    def chat(self) -> None:
        """Say something to the companion."""
        self.client.post("/api/chat", json={"message": random.choice(SAID)})

    @task(3)
    def choose(self) -> None:
        """Look through the meditations."""
        self.client.get("/api/meditations")

    @task(2)
    def begin(self) -> None:
        """Open one meditation."""
        name = random.choice(MEDITATIONS)
        self.client.get(f"/api/meditations/{name}", name="/api/meditations/{meditation_id}")

    @task(1)
    def look_for_a_seat(self) -> None:
        """See whether there is room in the sittings."""
        self.client.get("/api/sittings")


class Shape(steady.SteadyShape):
    """The same number of visitors throughout."""

    steady = STEADY
