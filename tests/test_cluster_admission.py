"""What a drill on a cluster's workloads takes: two permissions, a readable argument, and a judge who knows pods."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.drill_worlds import World
from tocsin.drill.admission import refusals
from tocsin.drill.checking import check_plans
from tocsin.drill.planning import PlannedDrill, plan_drills
from tocsin.drill.preparation import prepare
from tocsin.drill.stack import FreshStack
from tocsin.engines.kubernetes_pods import selector_of
from tocsin.engines.trouble import EngineTrouble
from tocsin.evidence import Recording, Target
from tocsin.stimuli import OnWorkload, stimulus
from tocsin.system import System, load_system
from tocsin.verdict import Outcome

REFERENCE = Path(__file__).parents[1] / "fixtures" / "systems" / "dharmamind"
SYSTEM = """\
schema: 1
name: shop
artefacts: {tests: []}
environments:
  local:
    factor: 60
    processes:
      api: {command: [sh, -c, "serve {port}"]}
  far:
    prometheus: {url: "http://p:9090"}
    alertmanager: {url: "http://a:9093"}
    sink: {url: "http://s:80"}
    allow_receivers: [pager]
    allow_faults: [no_pods, end_container, kill]
    cluster: {namespace: shop, allow: [kill, outage]}
drills:
  gone: {stimulus: {no_pods: api}, expect: [{alert: Down, receivers: [pager]}]}
  ended: {stimulus: {end_container: {workload: api, times: 4}}, expect: [{alert: Down, receivers: [pager]}]}
  killed: {stimulus: {kill: api}, expect: [{alert: Down, receivers: [pager]}]}
  both:
    stimulus: {no_pods: api}
    replicas: {prometheus: 2}
    disturbance: {when: before, kill: prometheus-2}
    expect: [{alert: Down, receivers: [pager]}]
"""


def planned(folder: Path, drill: str, environment: str = "far", **changed: str) -> tuple[System, PlannedDrill]:
    """Return the system and the plan of one of its drills; `changed` are pieces of its text, by field."""
    text = SYSTEM
    for field, value in changed.items():
        (line,) = (line for line in text.splitlines() if line.strip().startswith(f"{field}:"))
        text = text.replace(line + "\n", f"    {value}\n" if value else "")
    (folder / "system.yaml").write_text(text)
    system = load_system(folder)
    return system, next(plan for plan in plan_drills(system, environment) if plan.name == drill)


@pytest.mark.parametrize("drill", ["gone", "ended"])
def test_with_both_permissions_it_is_admitted(tmp_path: Path, drill: str) -> None:
    """And only `-m faults` selects it."""
    system, plan = planned(tmp_path, drill)
    assert refusals(system, "far", [plan]) == ()
    assert plan.marker == "faults"
    assert plan.stimulus.jobs == {"api"}


REFUSED = {
    "not listed": (
        "gone",
        {"allow_faults": "allow_faults: [kill]"},
        "system.yaml:14:",
        ["`allow_faults` does not list no_pods", "write `allow_faults: [kill, no_pods]`"],
    ),
    "nothing listed": (
        "ended",
        {"allow_faults": ""},
        "system.yaml:10:",
        ["`allow_faults` does not list end_container", "write `allow_faults: [end_container]`"],
    ),
    "no cluster": (
        "gone",
        {"cluster": ""},
        "system.yaml:9:",
        ["environment far has none", "write `cluster: {kubeconfig: FILE, namespace: NAME, allow: [outage]}`"],
    ),
    "no power to take pods": (
        "gone",
        {"cluster": "cluster: {allow: [ask, kill]}"},
        "system.yaml:15:",
        ["takes the power `outage`", "write `allow: [ask, kill, outage]`", "rbac-prober.yaml"],
    ),
    "no power to end": (
        "ended",
        {"cluster": "cluster: {}"},
        "system.yaml:15:",
        ["takes the power `kill`", "write `allow: [kill]`"],
    ),
    "a receiver": ("gone", {"allow_receivers": ""}, "system.yaml:10:", ["it would tell receiver pager"]),
    "another fault": (
        "killed",
        {},
        "system.yaml:14:",
        ["kill is only possible on a system that Tocsin started itself"],
    ),
    "a disturbance besides": (
        "both",
        {},
        "system.yaml:14:",
        ["its disturbance is only possible on a system that Tocsin started itself"],
    ),
}


@pytest.mark.parametrize(("drill", "changed", "place", "said"), REFUSED.values(), ids=REFUSED)
def test_whatever_is_lacking_is_refused_with_what_to_write(
    tmp_path: Path, drill: str, changed: dict[str, str], place: str, said: list[str]
) -> None:
    """Each at its place, before anything is asked."""
    system, plan = planned(tmp_path, drill, **changed)
    (refused,) = refusals(system, "far", [plan])
    assert str(refused).startswith(place)
    assert [each for each in said if each not in refused.message] == []


def test_all_that_is_lacking_is_told_at_once(tmp_path: Path) -> None:
    """Who lacks both permissions need not ask twice."""
    system, plan = planned(tmp_path, "gone", allow_faults="", cluster="cluster: {}")
    assert len(refusals(system, "far", [plan])) == 2


def test_a_stack_of_processes_has_no_cluster(tmp_path: Path) -> None:
    """The plan says so once, at the drill's line, with what to write in its place."""
    system, plan = planned(tmp_path, "gone", "local")
    for name in ("prometheus.yml", "rules.yml", "alertmanager.yml"):
        (tmp_path / name).write_text(_FILES[name])
    said = [
        problem for problem in check_plans(load_system(tmp_path), "local", [plan]).refused if "gone" in str(problem)
    ]
    assert [str(problem).startswith("system.yaml:17:") for problem in said] == [True]
    assert "this environment starts processes; use `kill: PROCESS`" in said[0].message
    assert system.environment("local")[1].ours


_FILES = {
    "prometheus.yml": "scrape_configs: [{job_name: api}]\nrule_files: [rules.yml]\n",
    "rules.yml": "groups: [{name: g, rules: [{alert: Down, expr: up == 0}]}]\n",
    "alertmanager.yml": "route: {receiver: pager}\nreceivers: [{name: pager}]\n",
}


def test_a_stack_says_that_it_has_no_cluster(tmp_path: Path) -> None:
    """To whoever asks it nevertheless; that nothing was done is easily undone."""
    prepared = prepare(load_system(REFERENCE), "local")
    stack = FreshStack(prepared, Recording(tmp_path), name="x", stop=threading.Event())
    with closing(stack):
        for what in (stimulus({"no_pods": "backend"}), stimulus({"end_container": "backend"})):
            with pytest.raises(EngineTrouble, match=r"backend.*: this stack is of processes.*has no cluster.*`kill: "):
                what.start(stack)
            assert what.stop(stack) > 0


FORMS: dict[str, tuple[dict[str, Any], str, str | None, set[str], bool]] = {
    "a name": ({"no_pods": "api"}, "api", None, {"api"}, False),
    "its jobs": ({"no_pods": {"workload": "api", "jobs": ["web", "api"]}}, "api", None, {"web", "api"}, True),
    "no jobs": ({"no_pods": {"workload": "api", "jobs": []}}, "api", None, set(), True),
    "a container": ({"end_container": {"workload": "api", "container": "c"}}, "api", "c", {"api"}, False),
    "the first container": ({"end_container": "api"}, "api", "", {"api"}, False),
}


@pytest.mark.parametrize(("declared", "workload", "container", "jobs", "named"), FORMS.values(), ids=FORMS)
def test_an_argument_names_a_workload(
    declared: dict[str, Any], workload: str, container: str | None, jobs: set[str], *, named: bool
) -> None:
    """By its name alone, or with more; the scrape job of its pods has its name, if none is named."""
    made = stimulus(declared)
    assert isinstance(made, OnWorkload)
    assert (made.workload, made.container, made.jobs, made.jobs_named) == (workload, container, jobs, named)


def test_a_stimulus_on_processes_is_none_on_workloads() -> None:
    """By which admission tells them apart."""
    assert not isinstance(stimulus({"kill": "api"}), OnWorkload)


MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({"no_pods": None}, "no_pods takes the name of a workload"),
    "no name": ({"no_pods": ""}, "no_pods takes the name of a workload"),
    "a list": ({"end_container": ["api"]}, "end_container takes the name of a workload"),
    "jobs alone": ({"no_pods": {"jobs": ["api"]}}, "takes the name of a workload"),
    "a job that is no list": ({"no_pods": {"workload": "api", "jobs": "api"}}, "takes `jobs` as a list"),
    "a job that is no name": ({"no_pods": {"workload": "api", "jobs": [1]}}, "takes `jobs` as a list"),
    "a field of the other": ({"no_pods": {"workload": "api", "times": 2}}, "no_pods does not know times"),
    "a container that is no name": ({"end_container": {"workload": "api", "container": 1}}, "takes `container` as"),
    "no time": ({"end_container": {"workload": "api", "times": 0}}, "takes `times` from 1 to 20"),
    "too many times": ({"end_container": {"workload": "api", "times": 21}}, "takes `times` from 1 to 20"),
    "a half": ({"end_container": {"workload": "api", "times": 1.5}}, "takes `times` from 1 to 20"),
    "a truth": ({"end_container": {"workload": "api", "times": True}}, "takes `times` from 1 to 20"),
}


@pytest.mark.parametrize(("declared", "said"), MALFORMED.values(), ids=MALFORMED)
def test_another_argument_is_refused_with_the_form(declared: dict[str, Any], said: str) -> None:
    """So that nobody has to look it up."""
    with pytest.raises(ValueError, match=said) as refused:
        stimulus(declared)
    assert "`no_pods: backend`" in str(refused.value) or "`end_container: backend`" in str(refused.value)


@pytest.mark.parametrize(
    ("declared", "asked"),
    [
        ({"no_pods": "api"}, [("zero", "api"), ("restore", "api")]),
        (
            {"end_container": {"workload": "api", "container": "c", "times": 3}},
            [("end", "api", "c", 3), ("restore", "api")],
        ),
    ],
)
def test_it_is_done_and_undone(declared: dict[str, Any], asked: list[tuple[object, ...]]) -> None:
    """By one power of the world each, and one way back for both."""
    told: list[tuple[object, ...]] = []

    class Workloads:
        def scale_to_zero(self, *what: object) -> float:
            told.append(("zero", *what))
            return 1.0

        def end_container(self, *what: object) -> float:
            told.append(("end", *what))
            return 1.0

        def restore_workload(self, *what: object) -> float:
            told.append(("restore", *what))
            return 2.0

    made: Any = stimulus(declared)
    assert (made.start(Workloads()), made.stop(Workloads())) == (1.0, 2.0)
    assert told == asked


SELECTORS: dict[str, tuple[dict[str, Any], str]] = {
    "labels": ({"matchLabels": {"app": "api", "tier": "web"}}, "app=api,tier=web"),
    "one of": ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]}, "app in (a,b)"),
    "none of": ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}, "app notin (a)"),
    "any": ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, "app"),
    "without": ({"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "DoesNotExist"}]}, "a=b,!c"),
}


@pytest.mark.parametrize(("selector", "query"), SELECTORS.values(), ids=SELECTORS)
def test_a_selector_is_asked_as_the_api_reads_it(selector: dict[str, Any], query: str) -> None:
    """Else other pods would be taken for the workload's."""
    assert selector_of({"spec": {"selector": selector}}) == query


# How such a drill is judged.

BEFORE = Target(job="backend", instance="10.0.0.1:8080", drilled=True)
OTHER = Target(job="frontend", instance="10.0.0.2:8080", drilled=True)


@pytest.mark.parametrize(
    ("ours", "target", "outcome"),
    [(False, BEFORE, Outcome.PASSED), (False, OTHER, Outcome.INCONCLUSIVE), (True, BEFORE, Outcome.INCONCLUSIVE)],
    ids=["its job", "another job", "a stack of ours"],
)
def test_pods_that_come_under_other_addresses_are_known_by_their_job(
    tmp_path: Path, *, ours: bool, target: Target, outcome: Outcome
) -> None:
    """The world's target fails its scrapes, and what was found before the drill had another address."""
    verdict = World(manifest={"ours": ours, "targets": (target,)}).write(tmp_path).verdict
    assert verdict.outcome is outcome, verdict.reason


class Leaving(World):
    """A world in which the target leaves service discovery at the stimulus, and comes back at the end."""

    def series(self) -> list[dict[str, Any]]:
        found = super().series()
        for each in found:
            if each["labels"]["__name__"] in ("up", "scrape_duration_seconds"):
                each["samples"] = [[t, v] for t, v in each["samples"] if not 20 < t < 28]
        return found


@pytest.mark.parametrize(
    ("kind", "ours", "outcome"),
    [(Leaving, False, Outcome.PASSED), (World, False, Outcome.FAILED), (Leaving, True, Outcome.FAILED)],
    ids=["left", "scraped all along", "a stack of ours has stale markers"],
)
def test_what_leaves_discovery_is_known_late(
    tmp_path: Path, *, kind: type[World], ours: bool, outcome: Outcome
) -> None:
    """Prometheus writes that a target is gone 1.1 intervals after the moment that it stamps it with.

    The alert is told of 2 s after it crossed, where 1.85 s are granted to one whose target stays.
    """
    world = kind(
        expression='absent(up{job="backend"})',
        active=(20.5, 28.0),
        received=21.51,
        notified={"pager": 22.1},
        manifest={"ours": ours, "targets": (BEFORE,), "complete": True},
    )
    world.scraped = True
    found = world.write(tmp_path)
    (expected,) = found.expected
    assert expected.verdict.outcome is outcome, expected.verdict.reason


@pytest.mark.parametrize(
    ("landing", "last", "said"),
    [(5.0, 28.0, ""), (0.0, 28.0, "from injected to crossed"), (5.0, 32.0, "from recovered to resolved")],
    ids=["that long", "at once", "and the end late"],
)
def test_what_a_stimulus_takes_is_granted_to_its_begin(tmp_path: Path, landing: float, last: float, said: str) -> None:
    """Three seconds from the stimulus to the crossing are late if it was whole at once; its end is granted nothing."""
    world = World(
        active=(23.25, last),
        true=(23.1, last + 0.09),
        received=24.26,
        notified={"pager": 24.77},
        resolution={"pager": last + 3.8},
        manifest={"ours": False, "targets": (BEFORE,), "landing_seconds": landing},
    )
    verdict = world.write(tmp_path).verdict
    assert (verdict.outcome is Outcome.PASSED) == (not said), verdict.reason
    assert said in verdict.reason
