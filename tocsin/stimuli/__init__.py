"""Stimuli: what is done to a system and undone. One class a file, found by discovery; see `World` for their powers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from tocsin.system import Load

Power = Literal["kill", "outage"]
"""Of what an environment's `cluster` may allow, that which stimuli need."""
TARGETS_SEEN_WITHIN = 10.5
"""Seconds until a Prometheus at its defaults scrapes a target that comes, or leaves one that goes.

Discovery hands targets over every 5 s (discovery/manager.go, updatert), and scraping takes them up every 5 s
(scrape/manager.go, reloader).
"""


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

    def scale_to_zero(self, workload: str) -> float:
        """Have a workload of the cluster run no pods; return when that was asked for, once the last one is gone."""

    def end_container(self, workload: str, container: str, times: int) -> float:
        """End the main process of a container of one pod so many times; return when it was first told to, at the end.

        It is told again as soon as it runs again, and runs again once more when this returns. `container` is empty for
        the first one.
        """

    def restore_workload(self, workload: str) -> float:
        """Put a workload back as it was; return when all its pods were ready. Harmless if nothing was done to it."""

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


@runtime_checkable
class OnWorkload(Stimulus, Protocol):
    """A stimulus that is done to a workload of a cluster: what makes pods there, by its name."""

    power: ClassVar[Power]
    """What the environment's `cluster` must `allow`."""

    @property
    def workload(self) -> str:
        """The workload's name."""

    @property
    def container(self) -> str | None:
        """The container that it is done to, empty for the first; None if it is done to whole pods."""

    @property
    def jobs_named(self) -> bool:
        """Whether its jobs were named, rather than guessed from the workload's name."""


@dataclass(frozen=True, slots=True)
class WorkloadArgument:
    """The argument of a stimulus that is done to a workload, read."""

    workload: str
    jobs: frozenset[str] | None
    """The scrape jobs of its pods; None if none were named."""
    rest: Mapping[str, Any]
    """What else it says."""


def workload_argument(argument: Any, form: str, *others: str) -> WorkloadArgument:
    """Read what names a workload: its name alone, or a mapping with it, with `jobs`, and with other fields.

    Raises ValueError that shows the `form` which it must have.
    """
    told = {"workload": argument} if isinstance(argument, str) else argument
    if not isinstance(told, Mapping) or not isinstance(told.get("workload"), str) or not told["workload"]:
        raise ValueError(f"takes the name of a workload: {form}")
    if unknown := sorted(map(str, told.keys() - {"workload", "jobs", *others})):
        raise ValueError(f"does not know {', '.join(unknown)}: {form}")
    jobs = told.get("jobs")
    named = isinstance(jobs, (list, tuple)) and all(isinstance(job, str) and job for job in jobs)
    if jobs is not None and not named:
        raise ValueError(f"takes `jobs` as a list of scrape jobs: {form}")
    rest = {name: told[name] for name in others if name in told}
    return WorkloadArgument(told["workload"], None if jobs is None else frozenset(jobs), rest)


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
