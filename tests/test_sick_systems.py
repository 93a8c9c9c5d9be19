"""Each sick system is diagnosed as its DIAGNOSIS.txt says, of one disease only, and is healthy once that is mended.

Who changes a message renews the diagnoses with

    for system in fixtures/systems/sick-*; do (cd "$system" && tocsin check . > DIAGNOSIS.txt); done

and reads `git diff`: it is what somebody reads at three in the morning.
"""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tocsin.checks import checks
from tocsin.engines.binaries import Engine, find_engine
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.report.findings import render
from tocsin.static import Examination, Request, examine
from tocsin.supervisor import run_once
from tocsin.system import FILE, load_system

SYSTEMS = Path(__file__).parents[1] / "fixtures" / "systems"
SICK = {path.name.removeprefix("sick-"): path for path in sorted(SYSTEMS.glob("sick-*"))}
OURS = {"DIAGNOSIS.txt", "cure.yaml"}
REQUEST = Request(today=date(2026, 1, 1), fail_on=Severity.ERROR)

SEES_MORE_THAN_ONE = {
    "absent-always-satisfied",  # rules and scrape jobs
    "alert-rings-during-start",  # rules and workloads
    "counter-without-rate",  # rules and the application's source
    "external-label-overridden",  # rules and Prometheus's configuration
    "first-event-missed",  # rules and the application's source
    "group-by-label-unknown",  # routes and rules
    "group-interval-over-lookback",  # rules and the flags of Prometheus
    "hpa-ignores-starting-pods",  # a workload and its autoscaler
    "hpa-minimum-one",  # an autoscaler and its workload
    "inhibition-mutes-unrelated-alerts",  # Alertmanager's configuration and rules
    "inhibition-never-applies",  # the same
    "liveness-like-readiness",  # a container and the Service in front of it
    "monitor-not-picked-up",  # a monitor and the Prometheus that selects it
    "monitor-selects-nothing",  # a monitor and Services
    "mute-interval-swallows-alerts",  # Alertmanager's configuration and rules
    "panel-window-too-short",  # a dashboard and scrape jobs
    "pdb-blocks-drain",  # a disruption budget and its workload
    "pdb-counts-unready",  # the same
    "probe-refused-by-mesh",  # a workload and the mesh's policy
    "quantile-threshold-above-top-bucket",  # rules and the application's source
    "range-over-retention",  # rules and the flags of Prometheus
    "rate-of-gauge",  # rules and the application's source
    "rate-window-too-short",  # rules and scrape jobs
    "readiness-ignored",  # a Service and workloads
    "readiness-needs-peers",  # a workload and its headless Service
    "readiness-port-not-served",  # a container and the Service in front of it
    "readiness-probe-missing",  # the same
    "readiness-shared-dependency",  # a workload and the Service in front of it
    "readiness-too-patient",  # the same
    "receiver-without-integration",  # receivers and rules
    "repeat-interval-without-effect",  # routes and the flags of Alertmanager
    "requests-lost-at-shutdown",  # a workload and the Service in front of it
    "scrape-annotation-misfit",  # what a pod asks the scraper for, and its probes
    "targets-compared-at-start",  # rules and scrape jobs
    "test-disagrees-with-rules",  # unit tests and rules
    "unit-mismatch",  # dashboards and recording rules
}
"""Checks that look at one artefact and judge it by another kind. Those of the whole model or a stack do so anyway."""


@cache
def model(name: str) -> Model:
    """Return what the files of a sick system say."""
    directory = SICK[name]
    return Model.of(directory, load_system(directory) if (directory / FILE).is_file() else None)


@cache
def examination(name: str) -> Examination:
    """Return what is found in a sick system."""
    return examine(model(name), REQUEST)


def cure(name: str) -> dict[str, Any]:
    """Return what mends a sick system: in `file`, `replace` becomes `by`."""
    return dict(yaml.safe_load((SICK[name] / "cure.yaml").read_text()))


def cured(name: str) -> dict[str, str]:
    """Return the one text that differs in the healthy twin of a sick system."""
    said = cure(name)
    text = (SICK[name] / said["file"]).read_text()
    assert text.count(said["replace"]) == 1, f"the cure of {name} does not fit its file"
    return {said["file"]: text.replace(said["replace"], said["by"])}


@pytest.mark.parametrize("name", SICK)
def test_the_diagnosis_is_the_expected_one(name: str) -> None:
    """Message, place, underlined piece, reason and cure, letter by letter."""
    assert render(examination(name), "text") + "\n" == (SICK[name] / "DIAGNOSIS.txt").read_text()


@pytest.mark.parametrize("name", SICK)
def test_there_is_one_disease_only(name: str) -> None:
    """Nothing else is found, and the exit code is that of `tocsin check .`."""
    found = {each.finding.check for each in examination(name).judged}

    assert found == {name}
    assert int(examination(name).failed) == cure(name)["exit"]
    assert examination(name).unread == () or name == "unreadable-file"


@pytest.mark.parametrize("name", SICK)
def test_the_cure_heals(name: str) -> None:
    """With the one replacement, nothing is found any more."""
    healthy = Model(model(name).folder.with_texts(cured(name)), model(name).system)

    assert render(examine(healthy, REQUEST), "text").startswith("nothing found; looked at ")


@pytest.mark.parametrize("name", SICK)
def test_a_system_is_small_and_whole(name: str) -> None:
    """A reader has it in one look: the diagnosis, the cure, and no more than seven files of the system."""
    files = {path.relative_to(SICK[name]).as_posix() for path in SICK[name].rglob("*") if path.is_file()}

    assert files >= OURS
    assert 1 <= len(files - OURS) <= 7


def test_each_is_named_after_a_check() -> None:
    """So that what the diagnosis must be stands in the folder's name."""
    assert set(SICK) <= set(checks())
    assert set(checks()) >= SEES_MORE_THAN_ONE


@pytest.mark.parametrize(
    "name", [c.id for c in checks().values() if c.subject in ("model", "stack") or c.id in SEES_MORE_THAN_ONE]
)
def test_a_check_across_artefacts_has_its_system(name: str) -> None:
    """Two small examples do not show how files disagree; a system does."""
    assert name in SICK, f"write fixtures/systems/sick-{name} (fixtures/systems/README.md says how)"


@pytest.mark.parametrize("subject", sorted({check.subject for check in checks().values()}))
def test_a_family_of_checks_has_its_system(subject: str) -> None:
    """Of whatever checks look at, at least one sick one is shown."""
    assert any(checks()[name].subject == subject for name in SICK)


def engine_files(kind: str) -> list[tuple[str, str]]:
    """Return the systems with a file that an engine reads, and the file's name."""
    patterns = {"prometheus": "**/prometheus.yml", "alertmanager": "**/alertmanager.yml", "tests": "**/*_test.yml"}
    found = ((name, path) for name in SICK for path in SICK[name].glob(patterns[kind]))
    return [(name, path.relative_to(SICK[name]).as_posix()) for name, path in found if "provisioning" not in path.parts]


@pytest.mark.parametrize(
    ("kind", "engine", "words"),
    [
        ("prometheus", Engine.PROMTOOL, ["check", "config"]),
        ("alertmanager", Engine.AMTOOL, ["check-config"]),
        ("tests", Engine.PROMTOOL, ["test", "rules"]),
    ],
)
def test_the_engines_take_the_healthy_twins(kind: str, engine: Engine, words: list[str], tmp_path: Path) -> None:
    """What is healthy here is healthy to promtool and amtool as well; all in one call, for it costs half a second."""
    files = []
    for name, file in engine_files(kind):
        twin = tmp_path / name
        for path in (path for path in SICK[name].rglob("*") if path.is_file()):
            there = twin / path.relative_to(SICK[name])
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(path.read_bytes())
        for changed, text in cured(name).items():
            (twin / changed).write_text(text)
        files.append(str(twin / file))

    done = run_once([find_engine(engine), *words, *files], cwd=tmp_path, env=None, seconds=60)

    assert files
    assert done.code == 0, re.sub(r"(?m)^\s*SUCCESS.*\n?|^Checking.*\n?", "", done.stdout + done.stderr)
