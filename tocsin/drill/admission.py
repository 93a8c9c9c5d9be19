"""Admission: what may be done to a system that runs already. Refused beforehand, and held to while load runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from tocsin.drill.loads import Loads
from tocsin.drill.planning import PlannedDrill
from tocsin.drill.schedule import expected_seconds
from tocsin.engines.ceilings import exceeded
from tocsin.source import Place
from tocsin.stimuli import OnWorkload
from tocsin.system import BadSystem, Ceilings, Environment, Load, Problem, System

EVERY = 0.2
"""Seconds between two looks at what the profiles record."""


def admit(system: System, environment: str, plans: Sequence[PlannedDrill]) -> None:
    """Return if these drills may be performed; raises BadSystem with every reason why not, each at its line."""
    if problems := refusals(system, environment, plans):
        raise BadSystem(problems)


def refusals(system: System, environment: str, plans: Sequence[PlannedDrill]) -> tuple[Problem, ...]:
    """Return why drills may not be performed in an environment; nothing in one that we start ourselves."""
    declared = system.environment(environment)[1]
    if declared.ours:
        return ()
    desk = _Desk(system, environment, declared)
    return tuple(dict.fromkeys((*desk.instruments(), *(p for plan in plans for p in desk.problems(plan)))))


def loads_of(plan: PlannedDrill) -> tuple[Load, ...]:
    """Return the loads that a drill puts on its system at once."""
    return tuple(load for load in (plan.stimulus.load, plan.drill.background) if load is not None)


def users_of(plan: PlannedDrill) -> int:
    """Return the most users that a drill lets in at once; a profile's own option goes over `users`."""
    return sum(_users(load) for load in loads_of(plan))


def _users(load: Load) -> int:
    """Return the users as a profile reads them (`500.0` is 500); with what is no number it does not start."""
    try:
        return int(float(load.options.get("LOAD_USERS", "") or load.users))
    except (ValueError, OverflowError):
        return load.users


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where drills are let through, or not."""

    system: System
    name: str
    environment: Environment

    def place(self, *route: str | int) -> Place:
        """Return where a part of the environment stands."""
        return self.system.place("environments", self.name, *route)

    def instruments(self) -> Iterator[Problem]:
        """Yield what its own addresses lack."""
        if self.environment.sink and not self.environment.alertmanager:
            said = (
                "a sink without an `alertmanager`: only its routes tell how long a notification may take; add its url"
            )
            yield Problem(self.place("sink"), said)

    def problems(self, plan: PlannedDrill) -> Iterator[Problem]:
        """Yield why a drill may not be performed."""
        if plan.marker == "faults" and (refused := tuple(self._fault(plan))):
            yield from refused
            return
        yield from self._receivers(plan)
        held = [e for e in plan.drill.expect if e.outcome != "notified"]
        if held and self.environment.alertmanager is None:
            said = (
                f"drill {plan.name} expects {held[0].alert} to be {held[0].outcome}, which Alertmanager alone can tell"
            )
            yield Problem(self.place(), f"{said}; add its url: `alertmanager: {{url: ...}}`")
        loads = loads_of(plan)
        if not loads:
            return
        if not self.environment.allow_load:
            said = f"environment {self.name} does not allow load: set `allow_load: true`, if its owners agree"
            yield Problem(self.place("allow_load"), said)
        for load in loads:
            yield from self._host(load)
        yield from self._ceilings(plan)

    def _fault(self, plan: PlannedDrill) -> Iterator[Problem]:
        """Yield why something may not be killed or cut here."""
        if isinstance(plan.stimulus, OnWorkload) and plan.disturbance is None:
            yield from self._on_workload(plan, plan.stimulus)
            return
        name = plan.fault
        if name not in self.environment.allow_faults:
            said = f"drill {plan.name} is refused: `allow_faults` does not list {name}; drill load alone with -m load"
            yield Problem(self.place("allow_faults"), said)
            return
        what = name if plan.disturbance is None else "its disturbance"
        said = (
            f"drill {plan.name} is refused: {what} is only possible on a system that Tocsin started itself, and "
            f"environment {self.name} runs already; perform it in an environment with `processes`"
        )
        yield Problem(self.place("allow_faults"), said)

    def _on_workload(self, plan: PlannedDrill, stimulus: OnWorkload) -> Iterator[Problem]:
        """Yield which permissions it lacks to do something to a workload: it takes both."""
        name, cluster = plan.fault, self.environment.cluster
        refused = f"drill {plan.name} is refused"
        if name not in self.environment.allow_faults:
            listed = ", ".join((*self.environment.allow_faults, name))
            said = f"`allow_faults` does not list {name}; if its owners agree, write `allow_faults: [{listed}]`"
            yield Problem(self.place("allow_faults"), f"{refused}: {said}")
        if cluster is None:
            said = (
                f"{name} is done to a workload of a cluster, and environment {self.name} has none; if the system is in "
                f"one, write `cluster: {{kubeconfig: FILE, namespace: NAME, allow: [{stimulus.power}]}}`"
            )
            yield Problem(self.place(), f"{refused}: {said}")
        elif stimulus.power not in cluster.allow:
            listed = ", ".join((*cluster.allow, stimulus.power))
            said = (
                f"{name} takes the power `{stimulus.power}`, which `allow` of its cluster does not list; if its owners "
                f"agree, write `allow: [{listed}]`, and bind deploy/rbac-prober.yaml"
            )
            yield Problem(self.place("cluster", "allow"), f"{refused}: {said}")

    def _receivers(self, plan: PlannedDrill) -> Iterator[Problem]:
        expected = {r for e in plan.drill.expect if e.outcome == "notified" for r in e.receivers}
        for receiver in sorted(expected - set(self.environment.allow_receivers)):
            yield Problem(self.place("allow_receivers"), not_allowed(plan, receiver))

    def _host(self, load: Load) -> Iterator[Problem]:
        address = self.environment.addresses.get(load.target)
        if address is None:
            return  # what an environment does not have is told where the drill names it
        place = self.place("addresses", load.target)
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            yield Problem(place, f"{address!r} is no address that load can go to: write http://HOST:PORT")
        elif parts.hostname not in self.environment.hosts:
            listed = ", ".join(self.environment.hosts) or "none"
            said = f"load would go to {parts.hostname}, which `hosts` does not list (it lists {listed})"
            yield Problem(place, said)

    def _ceilings(self, plan: PlannedDrill) -> Iterator[Problem]:
        ceilings = self.environment.ceilings
        if ceilings is None:
            if self.environment.allow_load:
                said = "`allow_load: true` needs `ceilings: {users: N, requests_per_second: N, seconds: N}`"
                yield Problem(self.place("allow_load"), said)
            return
        if (users := users_of(plan)) > ceilings.users:
            said = (
                f"drill {plan.name} needs {users} users at once, background included; the ceiling is {ceilings.users}"
            )
            yield Problem(self.place("ceilings", "users"), said)
        if (seconds := expected_seconds([plan])) > ceilings.seconds:
            said = f"drill {plan.name} may take {seconds:.0f} s by its budgets; the ceiling is {ceilings.seconds:g} s"
            yield Problem(self.place("ceilings", "seconds"), said)


def not_allowed(plan: PlannedDrill, receiver: str) -> str:
    """Say that a drill would tell a receiver that may not be told."""
    return f"drill {plan.name} is refused: it would tell receiver {receiver}, which `allow_receivers` does not list"


class LoadWatch:
    """Looks at the load from its start, on a thread of its own, and stops all of it when it goes over a ceiling."""

    def __init__(self, ceilings: Ceilings, loads: Loads, clock: Callable[[], float]) -> None:
        self.ceilings = ceilings
        self.reason = ""
        """Which ceiling the load went over; empty if it kept under all."""
        self._loads = loads
        self._clock = clock
        self._over = threading.Event()
        self._since: float | None = None
        self._thread: threading.Thread | None = None

    def begin(self) -> float:
        """Watch from now on, if it is not watched yet; return for how many seconds load may still go on."""
        now = self._clock()
        if self._since is None:
            self._since = now
            self._thread = threading.Thread(target=self._watch, args=(now,), name="ceilings", daemon=True)
            self._thread.start()
        return max(self._since + self.ceilings.seconds - now, EVERY)

    def end(self) -> None:
        """Stop watching. Idempotent."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self, since: float) -> None:
        while not self._over.wait(EVERY):
            if not self._loads.running:
                continue
            self.reason = exceeded(self.ceilings, self._loads.lines(), since=since, now=self._clock())
            if self.reason:
                self._loads.stop_all()
                return
