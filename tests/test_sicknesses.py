"""Ten ways to break the reference system, each found by the right drill, with a message that names the cause."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.performed_drills import performed
from tocsin.system import load_system
from tocsin.verdict import Outcome

SYSTEMS = Path(__file__).parents[1] / "fixtures" / "systems"
SICKNESSES: dict[str, dict[str, Any]] = yaml.safe_load((SYSTEMS / "sicknesses.yaml").read_text())

pytestmark = pytest.mark.xdist_group("exclusive")


def broken(sickness: dict[str, Any], directory: Path) -> Path:
    """Copy the reference system and break it."""
    copy = directory / "system"
    shutil.copytree(SYSTEMS / "dharmamind", copy, ignore=shutil.ignore_patterns("__pycache__"))
    path = copy / sickness["break"]["file"]
    text = path.read_text()
    assert text.count(sickness["break"]["replace"]) == 1, "the sickness does not fit the reference system any more"
    path.write_text(text.replace(sickness["break"]["replace"], sickness["break"]["by"]))
    return copy


@pytest.mark.parametrize("sickness", SICKNESSES.values(), ids=SICKNESSES)
def test_a_sickness_is_found_by_its_drill_and_named(sickness: dict[str, Any], tmp_path: Path) -> None:
    """The drill fails, and its reason says what is wrong and where."""
    system, name = load_system(broken(sickness, tmp_path)), sickness["drill"]

    verdict = performed(system, [name], tmp_path / "run")[name].verdict

    assert verdict.outcome is Outcome.FAILED, verdict
    for said in sickness["diagnosis"]:
        assert said in verdict.reason, verdict.reason
