"""The `tocsin` command: what it prints, and its exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.drill_worlds import World

ROOT = Path(__file__).parents[1]
SYSTEM = """\
schema: 1
name: small
environments:
  local: {processes: {backend: {command: [sh]}}}
drills:
  down: {stimulus: {kill: backend}, expect: [{alert: Down, labels: {severity: critical}, receivers: [pager]}]}
"""
FILES = {
    "prometheus.yml": "scrape_configs: [{job_name: backend}]\n",
    "rules.yml": "groups: [{name: g, rules: [{alert: Down, expr: up == 0, labels: {severity: critical}}]}]\n",
    "alertmanager.yml": "route: {receiver: pager}\nreceivers: [{name: pager}]\n",
}
SILENT: dict[str, Any] = {"notified": {}, "resolution": {}}
TROUBLED: dict[str, Any] = {"counters": (2.0, 5.0)}


def tocsin(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-m", "tocsin.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def written(folder: Path, system: str) -> None:
    """Write a small system with its files."""
    for name, text in {**FILES, "system.yaml": system}.items():
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("worlds", "code", "said"),
    [
        ({"a": {}, "b": {}}, 0, "passed"),
        ({"a": {}, "b": SILENT}, 1, "the sink of pager heard nothing"),
        ({"a": {}, "b": TROUBLED}, 10, "dropped alerts on their way"),
        ({"a": SILENT, "b": TROUBLED}, 1, "dropped alerts on their way"),
    ],
    ids=["passed", "failed", "inconclusive", "failed and inconclusive"],
)
def test_rejudge_says_what_the_evidence_says(
    tmp_path: Path, worlds: dict[str, dict[str, Any]], code: int, said: str
) -> None:
    """The exit code is that of the worst verdict, every reason is printed, and nothing is written."""
    for name, world in worlds.items():
        World(manifest={"drill": name}, **world).write(tmp_path / "evidence" / name)
    before = sorted(tmp_path.rglob("*"))

    done = tocsin("rejudge", tmp_path)

    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_rejudge_takes_the_folder_of_one_drill(tmp_path: Path) -> None:
    """The evidence of one drill is enough."""
    World().write(tmp_path / "down")

    done = tocsin("rejudge", tmp_path / "down")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1.67 s" in done.stdout


def test_evidence_that_is_not_whole_proves_nothing(tmp_path: Path) -> None:
    """A drill that was cut short is inconclusive, whatever it saw until then."""
    World(manifest={"complete": False}).write(tmp_path / "evidence" / "down")

    done = tocsin("rejudge", tmp_path)

    assert done.returncode == 10, done.stdout
    assert "not complete" in done.stdout


MISTAKES = {
    "no command": ((), SYSTEM, "usage: tocsin"),
    "no such folder": (("rejudge", "{folder}/none"), SYSTEM, "is not a folder of evidence"),
    "a run that has none": (("rejudge", "{folder}/empty"), SYSTEM, "holds no evidence of any drill"),
    "a folder of something else": (("rejudge", "{folder}"), SYSTEM, "holds no evidence of any drill"),
    "no system": (("drill", "{folder}/empty"), SYSTEM, "there is no system.yaml"),
    "no such environment": (("drill", "{folder}", "--environment", "moon"), SYSTEM, "has no environment 'moon'"),
    "no such drill": (("drill", "{folder}", "dwn"), SYSTEM, "there is no drill 'dwn'; did you mean down?"),
    "no drills": (("drill", "{folder}"), SYSTEM.partition("drills:")[0], "there is nothing to do"),
    "an unknown field": (("drill", "{folder}"), f"{SYSTEM}colour: red\n", "system.yaml:7:1: colour"),
    "an unknown stimulus": (("drill", "{folder}"), SYSTEM.replace("{kill:", "{melt:"), "system.yaml:6:"),
    "a receiver that does not exist": (("drill", "{folder}"), SYSTEM.replace("[pager]", "[pagr]"), "mean pager?"),
    "a receiver, looked at": (("drill", "{folder}", "--dry-run"), SYSTEM.replace("[pager]", "[pagr]"), "mean pager?"),
    "a program that does not exist": (("drill", "{folder}"), SYSTEM.replace("[sh]", "[nothing]"), "system.yaml:4:43:"),
    "a program, to be up": (("up", "{folder}"), SYSTEM.replace("[sh]", "[nothing]"), "no program 'nothing'"),
    "a factor that slows down": (("up", "{folder}", "--factor", "0.5"), SYSTEM, "must be 1 or more"),
}


@pytest.mark.parametrize(("arguments", "system", "said"), MISTAKES.values(), ids=MISTAKES)
def test_bad_input_ends_with_two_and_one_message(
    tmp_path: Path, arguments: tuple[str, ...], system: str, said: str
) -> None:
    """What and where, on standard error, without a traceback; and no run is kept."""
    written(tmp_path, system)
    (tmp_path / "empty" / "evidence").mkdir(parents=True)

    done = tocsin(*(argument.format(folder=tmp_path) for argument in arguments), cwd=tmp_path)

    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "reports").exists()


def test_a_dry_run_prints_the_plan_and_keeps_nothing(tmp_path: Path) -> None:
    """The plan says what would be done to what, and for how long at most."""
    written(tmp_path, SYSTEM)

    done = tocsin("drill", tmp_path, "--dry-run", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "1 drill of small in local" in done.stdout
    assert "kill backend" in done.stdout
    assert not (tmp_path / "reports").exists()


def test_a_run_that_is_refused_leaves_latest_where_it_is(tmp_path: Path) -> None:
    """No folder is made for it, and what was there before stays."""
    written(tmp_path, SYSTEM.replace("[pager]", "[pagr]"))
    (tmp_path / "reports" / "old").mkdir(parents=True)
    (tmp_path / "reports" / "latest").symlink_to("old")

    done = tocsin("drill", tmp_path, cwd=tmp_path)

    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout.index("down [faults]") < done.stdout.index("refused: system.yaml:")
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == ["latest", "old"]
    assert (tmp_path / "reports" / "latest").readlink() == Path("old")


def test_a_dry_run_tells_which_drill_cannot_pass(tmp_path: Path) -> None:
    """A rule that was renamed away is the drill's to find, so it is told and not refused."""
    written(tmp_path, SYSTEM)
    (tmp_path / "rules.yml").write_text(FILES["rules.yml"].replace("Down", "IsDown"))

    done = tocsin("drill", tmp_path, "--dry-run", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "will fail: system.yaml:6:47: drill down expects Down" in done.stdout
    assert "did you mean IsDown?" in done.stdout
