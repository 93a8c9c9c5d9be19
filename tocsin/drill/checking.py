"""Checking the plan: what is wrong with the selected drills, as far as files tell, before anything is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tocsin.artefacts.rules import read_groups
from tocsin.drill.admission import refusals
from tocsin.drill.planning import PlannedDrill, loads_at, receivers_at
from tocsin.drill.preparation import Sources, read_sources
from tocsin.engines.profiles import profile_path
from tocsin.source import offered
from tocsin.stimuli import OnWorkload
from tocsin.system import Allowed, BadSystem, Problem, System


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known of drills before they are performed."""

    refused: tuple[Problem, ...]
    """Bad input, or what may not be done: none of them is performed."""
    foreseen: tuple[Problem, ...] = ()
    """Why drills are going to fail: they are performed, for their evidence tells more."""


def check_plans(system: System, environment: str, plans: Sequence[PlannedDrill]) -> Checked:
    """Return what is wrong with these drills in an environment, each problem at its place; nothing is asked.

    A receiver that is nowhere in Alertmanager's file cannot be meant, and is refused; one that an alert is not routed
    to is for the drill to find. An expected alert without a rule is for the drill too: its rule may have been renamed
    away, and that is a fault of the monitoring. An allowed one without a rule allows nothing, and is refused, unless
    some drill expects it too: then that one tells of it.
    """
    if not plans:
        return Checked(())
    named = [problem for plan in plans for problem in (*plan.problems, *_profiles(system, plan))]
    if not system.environment(environment)[1].ours:
        return Checked(_once((*refusals(system, environment, plans), *named)))
    try:
        sources = read_sources(system, environment)
    except BadSystem as error:
        return Checked(_once((*error.problems, *named)))
    alerts = frozenset(_alerts(sources))
    refused = (
        *named,
        *_unknown_receivers(system, plans, sources.routing.receivers),
        *_unknown_allowed(system, plans, alerts),
        *_unknown_jobs(system, plans, sources.processes.jobs),
        *_unknown_exporters(system, plans, [job.name for job in sources.scraping.jobs]),
    )
    return Checked(_once(refused), _once(_without_rule(system, plans, alerts)))


def _once(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(dict.fromkeys(problems))


def _profiles(system: System, plan: PlannedDrill) -> Iterator[Problem]:
    """Yield the load profiles that do not exist."""
    for route, load in loads_at(plan.drill, plan.stimulus):
        try:
            profile_path(system.directory, load.profile, system.place("drills", plan.name, *route, "profile"))
        except BadSystem as error:
            yield from error.problems


def _alerts(sources: Sources) -> Iterator[str]:
    for document in sources.rule_documents:
        yield from (rule.name for group in read_groups(document) for rule in group.rules if rule.alerting)


def _unknown_receivers(system: System, plans: Iterable[PlannedDrill], known: Iterable[str]) -> Iterator[Problem]:
    names = sorted(known)
    for plan in plans:
        for route, receiver in receivers_at(plan.drill):
            if receiver not in names:
                said = f"drill {plan.name} expects receiver {receiver!r} to be told, which Alertmanager does not have"
                yield Problem(system.place("drills", plan.name, *route), f"{said}; {offered(receiver, names)}")


def _unknown_allowed(system: System, plans: Sequence[PlannedDrill], alerts: Iterable[str]) -> Iterator[Problem]:
    """Yield the allowed alerts that no rule gives, of the drills and of the system itself."""
    declared = system.declaration
    expected = {each.alert for drill in declared.drills.values() for each in drill.expect}
    lists: list[tuple[tuple[str, ...], Sequence[Allowed]]] = [(("allow",), declared.allow)]
    lists += [(("drills", plan.name, "allow"), declared.drills[plan.name].allow) for plan in plans]
    names = sorted(alerts)
    for route, allowed in lists:
        for i, each in enumerate(allowed):
            if each.alert not in names and each.alert not in expected:
                said = f"alert {each.alert!r} is allowed, and no rule has that name, so this allows nothing"
                yield Problem(system.place(*route, i, "alert"), f"{said}; {offered(each.alert, names)}")


def _unknown_jobs(system: System, plans: Iterable[PlannedDrill], known: Iterable[str]) -> Iterator[Problem]:
    """Yield the drills that take away targets of a scrape job which has none here."""
    names = sorted(known)
    for plan in plans:
        if isinstance(plan.stimulus, OnWorkload):
            continue  # which is refused here for what it is
        for job in sorted(plan.stimulus.jobs - {*names, *plan.drill.exporters}):
            said = f"drill {plan.name}: no scrape job {job!r} has targets in this environment; {offered(job, names)}"
            yield Problem(system.place("drills", plan.name, "stimulus"), said)


def _unknown_exporters(system: System, plans: Iterable[PlannedDrill], known: Iterable[str]) -> Iterator[Problem]:
    """Yield the drills of which an engine is to be the target of a scrape job that Prometheus does not have."""
    names = sorted(known)
    for plan in plans:
        for job in sorted(plan.drill.exporters.keys() - set(names)):
            said = f"drill {plan.name}: there is no scrape job {job!r}; {offered(job, names)}"
            yield Problem(system.place("drills", plan.name, "exporters", job), said)


def _without_rule(system: System, plans: Iterable[PlannedDrill], alerts: Iterable[str]) -> Iterator[Problem]:
    """Yield the expected alerts that no rule gives."""
    names = sorted(alerts)
    for plan in plans:
        for i, expected in enumerate(plan.drill.expect):
            if expected.alert not in names:
                place = system.place("drills", plan.name, "expect", i, "alert")
                said = f"drill {plan.name} expects {expected.alert}, and no rule has that name"
                yield Problem(place, f"{said}; was it renamed? {offered(expected.alert, names)}")
