"""How many users there are at what moment: pure functions of the seconds since the start.

Every profile reads the same two variables:

    LOAD_USERS     users at the same time (default: the profile's own)
    LOAD_SECONDS   end by itself after so many seconds (default: go on until stopped with SIGTERM)

This module does not import locust, so that it can be tested in any process.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


class BadParameter(SystemExit):
    """A variable that cannot be used; ends the process with a message and status 1."""


def number(environment: Mapping[str, str], name: str, default: float, *, least: float, most: float) -> float:
    """Return the number in the variable `name`, or `default` if it is not set.

    Raises BadParameter if it is not a number from `least` to `most`.
    """
    text = environment.get(name, "")
    if not text:
        return default
    try:
        given = float(text)
    except ValueError:
        given = math.nan
    if not least <= given <= most:
        raise BadParameter(f"{name}={text!r} is not a number from {least:g} to {most:g}; unset it to use {default:g}")
    return given


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """The same number of users from start to end; they come at once, and leave at once."""

    users: int
    seconds: float = math.inf

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, users: int) -> Steady:
        """Read LOAD_USERS and LOAD_SECONDS; `users` is the profile's own number. Raises BadParameter."""
        return cls(
            users=int(number(environment, "LOAD_USERS", users, least=1, most=10_000)),
            seconds=number(environment, "LOAD_SECONDS", math.inf, least=0.1, most=math.inf),
        )

    def tick(self, run_time: float) -> tuple[int, float] | None:
        """Return users and users started per second after `run_time` seconds; None says that it is over."""
        return (self.users, float(self.users)) if run_time < self.seconds else None


class Share:
    """Picks an exact share of what passes, spread evenly; `at_once`, from the first one on: 0.5 is every other one.

    Chance would pick the same share only on average; in a window of few requests it crosses a threshold that the
    share itself keeps well under.
    """

    def __init__(self, share: float, *, at_once: bool = True) -> None:
        self._share = share
        self._due = 1.0 if at_once else share

    def pick(self) -> bool:
        """Return whether the next one is picked."""
        if self._share <= 0:
            return False
        picked = self._due >= 1.0 - 1e-9
        self._due += self._share - (1.0 if picked else 0.0)
        return picked
