"""A process that is optional runs in the drills that need it, and in no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.drill.monitoring import setup_of
from tocsin.drill.planning import plan_drills
from tocsin.system import BadSystem, load_system

SYSTEM = """
schema: 1
name: shop
environments:
  local:
    processes:
      shop: {command: [serve, "{logs.url}"]}
      logs: {command: [keep], jobs: [], optional: true}
      mail: {command: [send], jobs: [], optional: true}
drills:
  one: {%s, hold: 1m}
"""


def written(directory: Path, drill: str, text: str = SYSTEM) -> Path:
    """Write a system with one drill."""
    (directory / "system.yaml").write_text(text % drill)
    return directory


@pytest.mark.parametrize(
    ("drill", "started"),
    [
        ("stimulus: {kill: shop}", {"shop"}),
        ("stimulus: {kill: shop}, needs: [mail]", {"shop", "mail"}),
        ("stimulus: {kill: logs}", {"shop", "logs"}),
        ("stimulus: {load: {profile: browse, target: logs}}", {"shop", "logs"}),
        ("stimulus: {kill: shop}, background: {profile: browse, target: mail}", {"shop", "mail"}),
        ("stimulus: {kill: logs}, needs: [mail, logs]", {"shop", "logs", "mail"}),
    ],
)
def test_a_drill_starts_what_it_names(drill: str, started: set[str], tmp_path: Path) -> None:
    """By its needs, its stimulus and its loads; what is not optional always runs."""
    (plan,) = plan_drills(load_system(written(tmp_path, drill)), "local")
    assert setup_of(plan).processes == started


@pytest.mark.parametrize(
    ("drill", "text", "said"),
    [
        (
            "stimulus: {kill: shop}, needs: [post]",
            SYSTEM,
            "`needs` names 'post', which is no process of environment local",
        ),
        (
            "stimulus: {kill: shop}",
            SYSTEM.replace("[keep], jobs: []", "[keep]"),
            "an optional process is no target of a scrape job, for it may be absent: add `jobs: []`",
        ),
    ],
    ids=["an unknown need", "an optional target"],
)
def test_what_cannot_be_is_refused_at_its_place(drill: str, text: str, said: str, tmp_path: Path) -> None:
    """The message says what is wrong and where."""
    with pytest.raises(BadSystem) as refused:
        plan_drills(load_system(written(tmp_path, drill, text)), "local")
    assert said in str(refused.value)
    assert "system.yaml:" in str(refused.value)
