"""What load may come to on a system that runs already, and whether it went over that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tocsin.system import Ceilings

SHORTEST = 0.25
"""Seconds of the shortest interval that tells a rate; the last one of a profile may be a fraction of that."""
CONSECUTIVE = 2
"""Intervals in a row that must be over the ceiling of requests: one may hold what waited for a stalled answer."""


def exceeded(ceilings: Ceilings, lines: Iterable[Mapping[str, Any]], *, since: float, now: float) -> str:
    """Return which ceiling the load went over, with both figures; empty if it kept under all.

    `lines` are what the profiles recorded, `since` is when the first of them was started.
    """
    if now - since > ceilings.seconds:
        return f"load went on for {now - since:.1f} s; ceilings.seconds is {ceilings.seconds:g}"
    users: dict[str, int] = {}
    rates: dict[str, float] = {}
    over: Counter[str] = Counter()
    for line in sorted(lines, key=lambda line: line["time"]):
        part = str(line.get("part", ""))
        if line.get("event") == "stopped":
            users.pop(part, None)
            rates.pop(part, None)
        if line.get("event") != "interval" or line.get("seconds", 0.0) < SHORTEST:
            continue
        users[part], rates[part] = line.get("users", 0), line.get("requests", 0) / line["seconds"]
        if sum(users.values()) > ceilings.users:
            return f"{sum(users.values())} users were at work at once; ceilings.users is {ceilings.users}"
        total = sum(rates.values())
        over[part] = over[part] + 1 if total > ceilings.requests_per_second else 0
        if over[part] >= CONSECUTIVE:
            return f"{total:.0f} requests a second; ceilings.requests_per_second is {ceilings.requests_per_second:g}"
    return ""
