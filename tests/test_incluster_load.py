"""Whether load is sent to a workload of a cluster, and what is made of the restarts that follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sick_processes.system import SMALL, system
from tocsin.probes.behaviour.bench import Scene
from tocsin.probes.behaviour.episode import InstanceSeen, Marked, PodSeen
from tocsin.probes.behaviour.subject import subjects
from tocsin.probes.behaviour.tape import Tape
from tocsin.probes.incluster.experiments import experiments
from tocsin.probes.incluster.under_load import mark_restarts, storm_seconds
from tocsin.probes.marks import MarkKind

ALLOWED: dict[str, Any] = {
    "cluster": {"allow": ["ask"]},
    "addresses": {"shop": "http://shop.example.org:8080"},
    "hosts": ["shop.example.org"],
    "allow_load": True,
    "ceilings": {"users": 20, "requests_per_second": 100, "seconds": 30},
}
DECLARED = {"load": {"profile": "pages", "users": 12, "seconds": "20s"}}


def scene(folder: Path, environment: dict[str, Any], said: dict[str, Any]) -> Scene:
    """Return the shop in a cluster."""
    model = system(folder, environment=environment, said=said)
    assert model.system is not None
    (subject,) = subjects(model, "local")
    return Scene(subject, model.system, "local", model.system.environment("local")[1], SMALL, folder)


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "allowed": ({}, DECLARED, ""),
    "undeclared": ({}, {}, "no load is declared for shop/shop"),
    "not allowed": ({"allow_load": False}, DECLARED, "environment local does not allow load: set `allow_load: true`"),
    "no ceilings": ({"ceilings": None}, DECLARED, "needs `ceilings: {users: N,"),
    "over a ceiling": (
        {},
        {"load": {"profile": "pages", "users": 21, "seconds": "20s"}},
        "is more than environment local allows",
    ),
    "no address": ({"addresses": {}}, DECLARED, "where clients reach shop: add `addresses: {shop: http://HOST:PORT}`"),
    "another host": ({"hosts": ["localhost"]}, DECLARED, "load would go to shop.example.org, which `hosts`"),
}


@pytest.mark.parametrize("kind", ["load", "storm"])
@pytest.mark.parametrize(("changed", "said", "why"), REFUSED.values(), ids=REFUSED)
def test_load_goes_only_where_its_owner_allows_it(
    tmp_path: Path, kind: str, changed: dict[str, Any], said: dict[str, Any], why: str
) -> None:
    """What is lacking is told by the word that would mend it; nothing is made without."""
    environment = {key: value for key, value in (ALLOWED | changed).items() if value is not None}
    (found,) = (each for each in experiments(scene(tmp_path, environment, said)) if each.kind == kind)
    assert (found.perform is None) == bool(why)
    assert why in found.lacking
    assert bool(found.lacking) == bool(why)


def test_a_storm_lasts_no_longer_than_load_may(tmp_path: Path) -> None:
    """Not the effort's 45 seconds."""
    assert storm_seconds(scene(tmp_path, ALLOWED, DECLARED)) == 30


def test_the_restarts_of_the_pod_that_was_first_are_marked() -> None:
    """Of two that were restarted; one that was not there, or runs on, marks nothing."""
    tape = Tape("storm", "shop/shop")
    late = PodSeen("late", before=True, instances=(InstanceSeen(0, -9.0, 20.0, 137, "Error"), InstanceSeen(1, 21.0)))
    first = PodSeen(
        "first",
        before=True,
        instances=(InstanceSeen(3, -9.0, 7.0, 137, "Error"), InstanceSeen(4, 8.0, 14.0, 0, ""), InstanceSeen(5, 25.0)),
    )
    tape.pods = [late, PodSeen("calm", before=True, instances=(InstanceSeen(0, -9.0),)), first]
    mark_restarts(tape)
    assert tape.marks == [
        Marked(MarkKind.RESTART, 1, 8.0, "first: Error, exit code 137"),
        Marked(MarkKind.RESTART, 2, 25.0, "first: ended, exit code 0"),
    ]


def test_a_calm_storm_marks_nothing() -> None:
    """No pod was restarted."""
    tape = Tape("storm", "shop/shop")
    tape.pods = [PodSeen("calm", before=True, instances=(InstanceSeen(2, -9.0),))]
    mark_restarts(tape)
    assert tape.marks == []
