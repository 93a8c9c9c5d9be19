"""Stimuli: what is done to a system and undone. One class a file, found by discovery; see `World` for their powers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, ClassVar, Protocol, runtime_checkable

from tocsin.system import Load


class World(Protocol):
    """All that a stimulus can do to a running system. Moments are Unix time, in seconds."""

    def kill(self, process: str) -> float:
        """Kill a process of the system, or a replica of an engine (SIGKILL), and return when it was gone."""

    def revive(self, process: str) -> float:
        """Start a killed process again at its old address; return when it was ready. Harmless if it runs."""

    def remove_target(self, job: str) -> float:
        """Take a scrape job's targets out of service discovery; return when that was done."""

    def restore_target(self, job: str) -> float:
        """Put a scrape job's targets back; return when that was done. Harmless if they are there."""

    def partition(self, alertmanagers: Sequence[str]) -> float:
        """Cut Alertmanagers off from each other; return when that was done, once none of them sees another."""

    def rejoin(self, alertmanagers: Sequence[str]) -> float:
        """Let them hear each other again; return when that was done, once they do. Harmless if they can."""

    def start_load(self, part: str, load: Load) -> float:
        """Start a Locust profile as the named part of the drill; return when it sent its first request."""

    def stop_load(self, part: str) -> float:
        """Stop that load; return when its last request was over. Harmless if none runs."""


@runtime_checkable
class Stimulus(Protocol):
    """Something done to a system and undone."""

    marker: ClassVar[str]
    """The pytest marker of its drills: `load`, or `faults` for what kills or cuts."""

    noticed_within: ClassVar[float]
    """Real seconds until Prometheus can notice it, or its end, whatever the factor."""

    @property
    def processes(self) -> frozenset[str]:
        """Processes that it takes down; their targets fail on purpose."""

    @property
    def jobs(self) -> frozenset[str]:
        """Scrape jobs whose targets it takes away."""

    @property
    def load(self) -> Load | None:
        """The load that it applies."""

    def start(self, world: World) -> float:
        """Do it, and return the moment at which it landed."""

    def stop(self, world: World) -> float:
        """Undo it, and return the moment from which the system was whole. May be called before, and twice."""


@cache
def known_stimuli() -> Mapping[str, type[Any]]:
    """Return every stimulus by its name in system.yaml, which is its module's."""
    modules = {m.name: import_module(f"{__name__}.{m.name}") for m in iter_modules(__path__)}
    return {name: module.STIMULUS for name, module in modules.items()}


def stimulus(declared: Mapping[str, Any]) -> Stimulus:
    """Return the stimulus that a drill declares as `{name: argument}`.

    Raises ValueError with what is known or what its argument must be.
    """
    name, argument = next(iter(declared.items()))
    kind = known_stimuli().get(name)
    if kind is None:
        raise ValueError(f"there is no stimulus {name!r}; known: {', '.join(sorted(known_stimuli()))}")
    made = kind.declared(argument)
    assert isinstance(made, Stimulus)  # noqa: S101 a broken module of ours, not bad input
    return made
