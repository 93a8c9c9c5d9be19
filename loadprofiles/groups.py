"""A group that sits together: the user behind every profile that takes seats."""

from __future__ import annotations

from typing import ClassVar

import bound
from locust import constant_pacing, task

OPENED = 201
RENEWED = 200


class Group(bound.BoundUser):
    """Takes `seats` at once, renews the lease each second, and gives them back at the end.

    If there is no room (a lease of an earlier run has not ended yet), or the sitting is gone, it asks again.
    """

    abstract = True
    wait_time = constant_pacing(1.0)
    seats: ClassVar[int]
    sitting: str | None = None

    @task
    def sit(self) -> None:
        """Take the seats, or keep them."""
        if self.sitting is None:
            answer = self.client.post("/api/sittings", json={"participants": self.seats})
            self.sitting = answer.json()["id"] if answer.status_code == OPENED else None
        else:
            answer = self.client.put(f"/api/sittings/{self.sitting}", name="/api/sittings/{sitting_id}")
            self.sitting = self.sitting if answer.status_code == RENEWED else None

    def on_stop(self) -> None:
        """Give the seats back."""
        if self.sitting is not None:
            self.client.delete(f"/api/sittings/{self.sitting}", name="/api/sittings/{sitting_id}")
