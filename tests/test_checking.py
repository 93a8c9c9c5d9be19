"""The plan of the selected drills is checked whole before anything is done: bad input is refused at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_preparation import ALERTMANAGER, PROMETHEUS, REFERENCE, RULES
from tocsin.drill.checking import Checked, check_plans
from tocsin.drill.planning import plan_drills
from tocsin.system import load_system

SYSTEM = """\
schema: 1
name: shop
artefacts: {tests: []}
environments:
  local:
    factor: 60
    processes:
      api: {command: [sh, -c, "serve {port}"]}
      web: {command: ["{python}", -m, "http.server", "{port}"]}
  far:
    prometheus: {url: "http://p:9090"}
    addresses: {web: "http://w:80"}
    hosts: [w]
    allow_load: true
    allow_receivers: [pager]
    ceilings: {users: 50, requests_per_second: 50, seconds: 3000}
allow: [{alert: Down, labels: {job: other}, reason: never mind}]
drills:
  down: {stimulus: {kill: api}, expect: [{alert: Down, receivers: [pager]}]}
  busy:
    stimulus: {load: {profile: browse, target: web, users: 9}}
    background: {profile: browse, target: web}
    allow: [{alert: Errors, reason: they may}]
    expect: [{alert: Down, receivers: [pager, team]}]
  gone: {stimulus: {remove_target: web}, expect: [{alert: Down, receivers: [pager]}]}
"""


def system_yaml(old: str, new: str) -> str:
    """Return the system with a piece of it changed."""
    assert SYSTEM.count(old) == 1, f"{old!r} stands {SYSTEM.count(old)} times"
    return SYSTEM.replace(old, new)


def checked(
    folder: Path, text: str = SYSTEM, *, environment: str = "local", drills: str = "down busy gone", **changed: str
) -> Checked:
    """Check some of the drills; `changed` replaces a file, the dot of its name written as `_`."""
    files = {"prometheus.yml": PROMETHEUS, "alertmanager.yml": ALERTMANAGER, "rules.yml": RULES, "system.yaml": text}
    for name, content in files.items():
        (folder / name).write_text(changed.get(name.replace(".", "_"), content))
    system = load_system(folder)
    plans = [plan for plan in plan_drills(system, environment) if plan.name in drills.split()]
    return check_plans(system, environment, plans)


def test_a_plan_that_is_well_is_let_through(tmp_path: Path) -> None:
    """What the cases below break is neither refused nor foreseen to fail before."""
    assert checked(tmp_path) == Checked(())


OF_ONE = {
    "a receiver that does not exist": (
        system_yaml("receivers: [pager, team]", "receivers: [pagr, team]"),
        "busy",
        "system.yaml:24:40",
        ["'pagr'", "did you mean pager?"],
    ),
    "a receiver like no other": (
        system_yaml("{alert: Down, receivers: [pager, team]}", "{alert: Down, receivers: [pager, ops]}"),
        "busy",
        "system.yaml:24:47",
        ["'ops'", "there are pager, team"],
    ),
    "an allowed alert without a rule": (
        system_yaml("alert: Errors, reason", "alert: Errrors, reason"),
        "busy",
        "system.yaml:23:14",
        ["'Errrors'", "did you mean Errors?"],
    ),
    "a profile that does not exist": (
        system_yaml("{profile: browse, target: web, users: 9}", "{profile: brwse, target: web, users: 9}"),
        "busy",
        "system.yaml:21:23",
        ["no load profile 'brwse'", "did you mean browse?"],
    ),
    "a background that does not exist": (
        system_yaml("background: {profile: browse", "background: {profile: nothing"),
        "busy",
        "system.yaml:22:18",
        ["no load profile 'nothing'"],
    ),
    "what profiles share": (
        system_yaml("background: {profile: browse", "background: {profile: shapes"),
        "busy",
        "system.yaml:22:18",
        ["no load profile 'shapes'"],
    ),
    "load to nobody": (
        system_yaml("browse, target: web, users", "browse, target: wep, users"),
        "busy",
        "system.yaml:21:40",
        ["load goes to 'wep'", "has api, web"],
    ),
    "a process that is not started": (
        system_yaml("{kill: api}", "{kill: apy}"),
        "down",
        "system.yaml:19:10",
        ["no process 'apy'", "starts api, web"],
    ),
    "a job without targets": (
        system_yaml("{remove_target: web}", "{remove_target: wep}"),
        "gone",
        "system.yaml:25:10",
        ["no scrape job 'wep'", "did you mean web?"],
    ),
}
OF_ALL = {
    "an alert allowed in all drills without a rule": (
        system_yaml("alert: Down, labels", "alert: Dwn, labels"),
        "down",
        "system.yaml:17:10",
        ["'Dwn'", "did you mean Down?"],
    ),
    "a program that is not on PATH": (
        system_yaml("[sh, -c", "[no-such-program, -c"),
        "down",
        "system.yaml:8:23",
        ["process api", "no program 'no-such-program' on PATH", "./no-such-program"],
    ),
    "a program that is not in its folder": (
        system_yaml("[sh, -c", "[./serve, -c"),
        "down",
        "system.yaml:8:23",
        ["no program './serve' in the folder where it starts, '.'"],
    ),
    "a program that may not be executed": (
        system_yaml("[sh, -c", "[./rules.yml, -c"),
        "down",
        "system.yaml:8:23",
        ["'./rules.yml' may not be executed; `chmod +x` it"],
    ),
    "a program that is not on the PATH of its own": (
        system_yaml('serve {port}"]}', 'serve {port}"], environment: {PATH: bin}}'),
        "down",
        "system.yaml:8:23",
        ["no program 'sh' on PATH"],
    ),
    "a folder that is not there": (
        system_yaml('serve {port}"]}', 'serve {port}"], directory: nowhere}'),
        "down",
        "system.yaml:8:48",
        ["'nowhere'", "no such folder"],
    ),
}


REFUSED = OF_ONE | OF_ALL
"""What is wrong with one drill, and what is wrong with the system or its environment, whatever drill is selected."""


@pytest.mark.parametrize(("text", "drill", "place", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_meant_is_refused_at_its_place(
    text: str, drill: str, place: str, said: list[str], tmp_path: Path
) -> None:
    """Each mistake is one problem of the drill that has it, at its line and column, with the cure."""
    found = checked(tmp_path, text, drills=drill)

    (problem,) = found.refused
    assert str(problem.place) == place, problem
    for words in said:
        assert words in problem.message, problem


@pytest.mark.parametrize(("text", "drill", "place", "said"), OF_ONE.values(), ids=OF_ONE)
def test_what_is_wrong_with_another_drill_is_of_no_matter(
    text: str, drill: str, place: str, said: list[str], tmp_path: Path
) -> None:
    """Only selected drills are asked to be well."""
    del place, said
    others = {"down", "busy", "gone"} - {drill}

    assert checked(tmp_path, text, drills=" ".join(others)) == Checked(())


def test_programs_are_found_as_they_will_be_executed(tmp_path: Path) -> None:
    """In the folder where a process starts, in a relative folder of its PATH, and where Tocsin's own Python is."""
    (tmp_path / "app" / "bin").mkdir(parents=True)
    for name in ("serve", "bin/run"):
        (tmp_path / "app" / name).write_text("#!/bin/sh\n")
        (tmp_path / "app" / name).chmod(0o755)
    place = "directory: app, environment: {PATH: bin}"
    text = SYSTEM.replace('[sh, -c, "serve {port}"]', f"[run], {place}")
    text = text.replace('"{python}", -m, "http.server", "{port}"]', f"./serve], {place}")

    assert checked(tmp_path, text) == Checked(())


def test_an_expected_alert_without_a_rule_is_for_the_drill_to_fail(tmp_path: Path) -> None:
    """Its rule may have been renamed away, a fault of the monitoring: it is foreseen, and not refused."""
    renamed = RULES.replace("alert: Down", "alert: IsDown")
    text = SYSTEM.replace("allow: [{alert: Down, labels: {job: other}, reason: never mind}]\n", "")

    found = checked(tmp_path, text, drills="down", rules_yml=renamed)

    assert found.refused == ()
    (problem,) = found.foreseen
    assert "drill down expects Down, and no rule has that name; was it renamed? did you mean IsDown?" in problem.message
    assert str(problem.place) == "system.yaml:18:43"


def test_what_a_drill_expects_is_not_refused_where_another_allows_it(tmp_path: Path) -> None:
    """An alert whose rule was renamed away is told of once, by the drill that expects it."""
    renamed = RULES.replace("alert: Down", "alert: IsDown")

    found = checked(tmp_path, drills="down", rules_yml=renamed)

    assert found.refused == ()
    assert len(found.foreseen) == 1


@pytest.mark.parametrize(("environment", "marker"), [("local", ""), ("staging", "load")])
def test_the_reference_is_well(environment: str, marker: str) -> None:
    """Nothing of its own drills is refused or foreseen to fail; on staging, nothing of its load."""
    system = load_system(REFERENCE)
    plans = [plan for plan in plan_drills(system, environment) if marker in (plan.marker, "")]

    assert check_plans(system, environment, plans) == Checked(())


def test_an_alert_routed_to_another_receiver_is_for_the_drill_to_fail(tmp_path: Path) -> None:
    """The receiver exists, so nothing is refused."""
    elsewhere = ALERTMANAGER.replace("- receiver: pager", "- receiver: team")

    assert checked(tmp_path, alertmanager_yml=elsewhere) == Checked(())


def test_files_and_drills_are_told_of_at_once(tmp_path: Path) -> None:
    """What is wrong with a file does not hide what is wrong with a drill."""
    text = system_yaml("background: {profile: browse", "background: {profile: nothing")

    found = checked(tmp_path, text, alertmanager_yml=ALERTMANAGER.replace("- receiver: pager", "- receiver: pagr"))

    assert [problem.place.file for problem in found.refused] == ["alertmanager.yml", "system.yaml"]


@pytest.mark.parametrize(
    ("drills", "said"),
    [("busy", []), ("busy shut", ["load goes to 'api'; this environment has web"])],
    ids=["not selected", "selected"],
)
def test_a_drill_without_an_address_refuses_itself_alone(drills: str, said: list[str], tmp_path: Path) -> None:
    """Of a system that runs already, an unselected drill whose target has no address keeps nobody else from going."""
    shut = "  shut:\n    stimulus: {load: {profile: browse, target: api, users: 1}}\n    hold: 1m\n"
    text = SYSTEM.replace("receivers: [pager, team]", "receivers: [pager]") + shut

    found = checked(tmp_path, text, environment="far", drills=drills)

    assert [problem.message.partition("drill shut: ")[2] for problem in found.refused] == said


def test_a_profile_is_sought_before_a_running_system_is_asked(tmp_path: Path) -> None:
    """Load that does not exist is refused there too."""
    text = SYSTEM.replace("receivers: [pager, team]", "receivers: [pager]").replace(
        "background: {profile: browse", "background: {profile: nothing"
    )

    (problem,) = checked(tmp_path, text, environment="far", drills="busy").refused

    assert "no load profile 'nothing'" in problem.message
