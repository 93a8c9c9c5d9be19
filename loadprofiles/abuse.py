"""What somebody sends who means no good: guessed passphrases, floods, forbidden pages, requests that are none.

Variables: ABUSE (logins, flood, forbidden or malformed; default logins), ABUSE_PER_SECOND (default 20: of all users
together, evenly), LOAD_USERS (default 4) and LOAD_SECONDS, see shapes.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import bound
import recording
import shapes
import steady
from locust import constant_pacing, events, task

STEADY = shapes.Steady.from_environment(os.environ, users=4)
PER_SECOND = shapes.number(os.environ, "ABUSE_PER_SECOND", 20, least=0.1, most=1000)

recording.attach(events)
steady.stop_on_sigterm(events)


def guess_passphrase(client: Any) -> None:
    """Try to become a member by guessing."""
    client.post("/api/sessions", json={"kind": "member", "name": "ananda", "passphrase": "guessed"})


def ask_again(client: Any) -> None:
    """Ask for what costs something, again and again."""
    client.post("/api/chat", json={"message": "again"})


def look_where_forbidden(client: Any) -> None:
    """Ask for what only members may see."""
    client.get("/api/admin/accounts")


def send_nonsense(client: Any) -> None:
    """Send what is not JSON."""
    client.post("/api/chat", data='{"message": ', headers={"Content-Type": "application/json"})


KINDS: dict[str, Callable[[Any], None]] = {
    "logins": guess_passphrase,
    "flood": ask_again,
    "forbidden": look_where_forbidden,
    "malformed": send_nonsense,
}
KIND = os.environ.get("ABUSE", "") or "logins"
if KIND not in KINDS:
    raise shapes.BadParameter(f"ABUSE={KIND!r} is none of {', '.join(KINDS)}")


class Abuser(bound.BoundUser):
    """One of those who mean no good."""

    wait_time = constant_pacing(STEADY.users / PER_SECOND)

    @task
    def abuse(self) -> None:
        """Do it once more."""
        KINDS[KIND](self.client)


class Shape(steady.SteadyShape):
    """The same number of abusers throughout."""

    steady = STEADY
