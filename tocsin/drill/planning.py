"""Planning drills: which a system declares, which are asked for, in which order; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tocsin.source import Place
from tocsin.stimuli import Stimulus, stimulus
from tocsin.system import BadSystem, Drill, Environment, Problem, System


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

    @property
    def marker(self) -> str:
        """`load` or `faults`."""
        return self.stimulus.marker

    @property
    def exclusive(self) -> bool:
        """Whether no other drill may run beside it."""
        return self.drill.exclusive is not None


def plan_drills(system: System, environment: str | None) -> tuple[PlannedDrill, ...]:
    """Return every drill that a system declares, planned for an environment.

    Raises BadSystem, with the place of each, for stimuli that do not exist or do not fit the environment.
    """
    name, declared = system.environment(environment)
    problems: list[Problem] = []
    planned: list[PlannedDrill] = []
    for drill_name, drill in system.declaration.drills.items():
        place = system.place("drills", drill_name)
        permitted = drill.model_copy(update={"allow": (*drill.allow, *system.declaration.allow)})
        try:
            what = stimulus(drill.stimulus)
        except ValueError as error:
            problems.append(Problem(system.place("drills", drill_name, "stimulus"), f"drill {drill_name}: {error}"))
            continue
        problems += [Problem(place, f"drill {drill_name}: {said}") for said in _unfit(drill, what, declared)]
        planned.append(
            PlannedDrill(drill_name, permitted, what, place, system.name, name, declared.speed, declared.ours)
        )
    if problems:
        raise BadSystem(tuple(problems))
    return tuple(planned)


def _unfit(drill: Drill, what: Stimulus, environment: Environment) -> Iterable[str]:
    """Yield what a drill names that its environment does not have."""
    places = {*environment.processes, *environment.addresses}
    for load in (what.load, drill.background):
        if load is not None and load.target not in places:
            yield f"load goes to {load.target!r}; this environment has {', '.join(sorted(places)) or 'no address'}"
    if environment.ours:
        for process in what.processes - environment.processes.keys():
            yield f"there is no process {process!r}; this environment starts {', '.join(sorted(environment.processes))}"


def in_order(plans: Iterable[PlannedDrill], seconds: Callable[[PlannedDrill], float]) -> list[PlannedDrill]:
    """Return drills in the order that ends soonest: the longest first, those that want to be alone last."""
    return sorted(plans, key=lambda plan: (plan.exclusive, -seconds(plan), plan.name))
