"""One group that opens a sitting of SEATS people at once, and keeps it until the end.

The seats are taken in one request and given back in one, so that every threshold under SEATS is crossed by the same
scrape. If this process is killed, the backend frees the seats when the lease ends (3 s).

Variables: SEATS (default 75, of the 100 that there are) and LOAD_SECONDS, see shapes.py. There is always one user.
"""

from __future__ import annotations

import os

import groups
import recording
import shapes
import steady
from locust import events

STEADY = shapes.Steady(users=1, seconds=shapes.Steady.from_environment(os.environ, users=1).seconds)
SEATS = int(shapes.number(os.environ, "SEATS", 75, least=1, most=1000))

recording.attach(events)
steady.stop_on_sigterm(events)


class Group(groups.Group):
    """Whoever opened the sitting for everybody."""

    seats = SEATS


class Shape(steady.SteadyShape):
    """One group throughout."""

    steady = STEADY
