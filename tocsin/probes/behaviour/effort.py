"""How much is done in an experiment: how many attempts, how far apart, for how long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Numbers of attempts, and times in seconds."""

    attempts: int = 200
    """Of each probe while nothing happens, and under load."""
    spacing: float = 0.05
    """Between the beginnings of two attempts of a probe; of a start and of an end, too."""
    boot: float = 120.0
    """How long a start is watched at most, where no startup probe has a budget."""
    longest_boot: float = 600.0
    """How long a start is watched at most, whatever its budget."""
    well: float = 60.0
    """How long it may take to get well again after something was undone."""
    outage_attempts: int = 20
    outage_spacing: float = 0.25
    outage_least: float = 6.0
    """How long a dependency is gone at least, ..."""
    outage_most: float = 30.0
    """... and at most, if each probe was asked three times by then."""
    requests: float = 20.0
    """Requests a second, while a container is told to end."""
    before: float = 1.0
    """For how long requests come before it is told."""
    beyond: float = 10.0
    """For how long a hang goes on after it should have been noticed."""
    restarts: int = 3
    """How many of a storm are waited for, ..."""
    storm: float = 180.0
    """... and for how long."""
    seed: int = 1
    """Of what is left to chance: when the ticks of a kubelet are."""


ORDINARY = Effort()
"""What is done where nothing else is asked for."""
