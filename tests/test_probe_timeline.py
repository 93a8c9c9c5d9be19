"""Timelines: values of what is foreseen, followed or observed, and an SVG that is well formed and says it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from tests.probe_scenarios import live, ready, run, until
from tocsin.probes.application import Application
from tocsin.probes.attempt import BROKEN, HANGS, OK, REFUSED, WARNED, Behaviour
from tocsin.probes.ground import REAL_1_20
from tocsin.probes.marks import Mark, MarkKind
from tocsin.probes.prediction import predict
from tocsin.probes.setup import Setup
from tocsin.probes.simulator import simulate
from tocsin.probes.specification import ContainerSpec, ProbeKind
from tocsin.probes.timeline import Timeline, svg
from tocsin.probes.window import Window

SVG = "{http://www.w3.org/2000/svg}"


def drawn(timeline: Timeline) -> ET.Element:
    """Return the SVG of a timeline as it is parsed."""
    return ET.fromstring(svg(timeline))  # noqa: S314 -- our own


def titles(root: ET.Element) -> list[str]:
    """Return all that it says when it is pointed at."""
    return [each.text or "" for each in root.iter(f"{SVG}title")]


def test_one_life() -> None:
    """Attempts are dots, by outcome; kills crosses; where it is ready, a bar."""
    answers = Behaviour.in_turn(OK, WARNED, BROKEN, HANGS, REFUSED, REFUSED)
    found = run(live(), ready(), live=answers, ready=until(1000), horizon=70, stops_in=4.0)
    timeline = Timeline.of_life("a <b>", found, 70)
    root = drawn(timeline)
    circles = list(root.iter(f"{SVG}circle"))
    assert len(circles) == len(found.attempts or ())
    assert sum(each.get("fill") == "none" for each in circles) == 1
    said = titles(root)
    assert said[0] == "a <b>"
    assert "liveness at 30 s: failure" in said
    assert "ready from 0 s to 54 s" in said
    assert "kill 1: 50 s" in said
    assert timeline.ready == ((0, 54), (60, 70))


def test_a_prediction() -> None:
    """What is foreseen is a bar as wide as it is unknown; what may not come is paler."""
    blip = Behaviour.of((0, OK), (20, REFUSED), (25, OK))
    made = Setup(ContainerSpec(probes=(ready(failures=1),)), (Application(readiness=blip),))
    timeline = Timeline.of_prediction("foreseen", predict(made, REAL_1_20, 60))
    root = drawn(timeline)
    bars = list(root.iter(f"{SVG}rect"))
    assert {each.get("fill-opacity") for each in bars} >= {"0.55", "0.25"}
    assert any(text.endswith("if at all") for text in titles(root))
    assert all(float(each.get("width", "")) >= 2 for each in bars)
    assert not list(root.iter(f"{SVG}circle"))


def test_an_observation() -> None:
    """What was seen is drawn where it was seen, and the axis has round numbers."""
    marks = [(Mark(MarkKind.READINESS, 1), Window.at(3.5)), (Mark(MarkKind.RESTART, 1), Window.at(40.0))]
    root = drawn(Timeline.of_observation("seen", marks, 90))
    assert "ready (change 1): 3.5 s" in titles(root)
    assert [each.text for each in root.iter(f"{SVG}text")][-3:] == ["70 s", "80 s", "90 s"]


def test_it_is_small() -> None:
    found = run(live(period=5), ready(period=5), horizon=300)
    assert len(svg(Timeline.of_life("five minutes", found, 300))) < 30_000


def test_several_lives_are_no_timeline() -> None:
    """Attempts make sense of one life only."""
    made = Setup(ContainerSpec(probes=(ready(),)), (Application(),))
    cell = {ProbeKind.READINESS: Window(0, 1)}
    found = simulate(made, 60, origins=cell, chance=REAL_1_20.latencies.whole)
    with pytest.raises(ValueError, match="several lives"):
        Timeline.of_life("many", found, 60)
