"""Planning drills: which a system declares, which are asked for, in which order; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tocsin.drill.replicas import unfit
from tocsin.source import Place, Route
from tocsin.stimuli import OnWorkload, Stimulus, stimulus
from tocsin.system import BadSystem, Drill, Environment, Load, Problem, System

NODE_EXPORTER = "node_exporter"
"""An engine that a drill may take away although there is no other: nothing is told by it."""


@dataclass(frozen=True, slots=True)
class PlannedDrill:
    """A drill with all that its declaration says, ready to be performed in one environment."""

    name: str
    drill: Drill
    stimulus: Stimulus
    place: Place
    system: str
    environment: str
    factor: float
    ours: bool
    problems: tuple[Problem, ...] = ()
    """Why it cannot be performed in this environment; of no matter to the others."""
    disturbance: Stimulus | None = None
    """What the monitoring itself suffers besides."""
    processes: frozenset[str] | None = None
    """The system's processes that a stack of its own starts; None: all."""
    earlier: tuple[str, ...] = ()
    """Why earlier attempts of the same run proved nothing."""

    @property
    def marker(self) -> str:
        """`load`, `faults` or `security`; what kills or cuts a part of the monitoring is a fault too."""
        return self.drill.marker or (self.disturbance or self.stimulus).marker

    @property
    def fault(self) -> str:
        """The name of what kills or cuts; of a drill that does neither, its stimulus's."""
        disturbance = self.drill.disturbance
        if disturbance is not None and self.stimulus.marker != "faults":
            return next(iter(disturbance.stimulus))
        return self.drill.stimulus_name

    @property
    def disturbed(self) -> frozenset[str]:
        """The processes that the drill takes down at some time."""
        return self.stimulus.processes | (self.disturbance.processes if self.disturbance else frozenset())

    @property
    def exclusive(self) -> bool:
        """Whether no other drill may run beside it."""
        return self.drill.exclusive is not None


def plan_drills(system: System, environment: str | None) -> tuple[PlannedDrill, ...]:
    """Return every drill that a system declares, planned for an environment.

    What a drill names and its environment lacks is among its `problems`: it matters once the drill is selected.
    Raises BadSystem, with the place of each, for stimuli that do not exist.
    """
    name, declared = system.environment(environment)
    problems: list[Problem] = []
    planned: list[PlannedDrill] = []
    for drill_name, drill in system.declaration.drills.items():
        place = system.place("drills", drill_name)
        permitted = drill.model_copy(update={"allow": (*drill.allow, *system.declaration.allow)})
        try:
            what = stimulus(drill.stimulus)
            besides = stimulus(drill.disturbance.stimulus) if drill.disturbance else None
        except ValueError as error:
            problems.append(Problem(system.place("drills", drill_name, "stimulus"), f"drill {drill_name}: {error}"))
            continue
        stimuli = [each for each in (what, besides) if each is not None]
        problems += [Problem(place, f"drill {drill_name}: {said}") for said in unfit(drill, stimuli, declared)]
        if drill.marker and any(each.marker != "load" for each in stimuli):
            culprit = drill.stimulus_name if what.marker != "load" else "its disturbance"
            said = f"drill {drill_name}: `marker: {drill.marker}` is for load, and {culprit} kills or cuts"
            problems.append(Problem(place, f"{said}; leave the marker out: `-m faults` alone may select it"))
        if unknown := [name for name in drill.needs if declared.ours and name not in declared.processes]:
            said = f"drill {drill_name}: `needs` names {unknown[0]!r}, which is no process of environment {name}"
            problems.append(Problem(system.place("drills", drill_name, "needs"), said))
        lacking = (
            Problem(system.place("drills", drill_name, *route), f"drill {drill_name}: {said}")
            for route, said in _unfit(drill, what, declared)
        )
        planned.append(
            PlannedDrill(
                name=drill_name,
                drill=permitted,
                stimulus=what,
                place=place,
                system=system.name,
                environment=name,
                factor=declared.speed,
                ours=declared.ours,
                problems=tuple(lacking),
                processes=_started(drill, what, declared),
                disturbance=besides,
            )
        )
    if problems:
        raise BadSystem(tuple(problems))
    return tuple(planned)


def _unfit(drill: Drill, what: Stimulus, environment: Environment) -> Iterator[tuple[Route, str]]:
    """Yield what a drill names that its environment does not have, and where in the drill."""
    places = environment.processes.keys() if environment.ours else environment.addresses.keys()
    for route, load in loads_at(drill, what):
        if load.target not in places:
            said = f"load goes to {load.target!r}; this environment has {', '.join(sorted(places)) or 'no address'}"
            yield (*route, "target"), said
    if environment.ours:
        engines = set(drill.replicas.several) if drill.replicas else set()
        engines |= {NODE_EXPORTER} & {*drill.exporters.values(), *environment.exporters.values()}
        for process in what.processes - environment.processes.keys() - engines:
            started = ", ".join(sorted(environment.processes))
            said = f"there is no process {process!r}; this environment starts {started}"
            yield ("stimulus",), said
        if isinstance(what, OnWorkload):
            said = (
                f"{drill.stimulus_name} is done to a workload of a cluster, and this environment starts processes; use"
                " `kill: PROCESS`, or perform it in an environment with `prometheus` and `cluster`"
            )
            yield ("stimulus",), said


def _started(drill: Drill, what: Stimulus, environment: Environment) -> frozenset[str]:
    """Return the processes that a drill's own stack starts."""
    named = {*drill.needs, *what.processes, *(load.target for _, load in loads_at(drill, what))}
    return frozenset(name for name, process in environment.processes.items() if not process.optional or name in named)


def loads_at(drill: Drill, what: Stimulus) -> Iterator[tuple[Route, Load]]:
    """Yield the loads that a drill puts on its system, each with where it stands in the drill."""
    if what.load is not None:
        yield ("stimulus", drill.stimulus_name), what.load
    if drill.background is not None:
        yield ("background",), drill.background


def receivers_at(drill: Drill) -> Iterator[tuple[Route, str]]:
    """Yield the receivers that a drill expects to be told, each with where it stands in the drill."""
    for i, expected in enumerate(drill.expect):
        for j, receiver in enumerate(expected.receivers):
            yield ("expect", i, "receivers", j), receiver


def in_order(plans: Iterable[PlannedDrill], seconds: Callable[[PlannedDrill], float]) -> list[PlannedDrill]:
    """Return drills in the order that ends soonest: the longest first, those that want to be alone last."""
    return sorted(plans, key=lambda plan: (plan.exclusive, -seconds(plan), plan.name))
