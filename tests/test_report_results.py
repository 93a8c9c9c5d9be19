"""results.json follows its schema to the last field, whoever writes it and whatever happened."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console

from tests.drill_worlds import World
from tocsin.drill.planning import plan_drills
from tocsin.evidence import LeftOut
from tocsin.runner import RunRequest, cases_of_run, conclude_run
from tocsin.system import load_system

SYSTEM = """\
schema: 1
name: small
environments:
  local: {processes: {backend: {command: [backend]}}}
drills:
  down: {stimulus: {kill: backend}, expect: [{alert: Down, labels: {severity: critical}, receivers: [pager]}]}
  busy: {stimulus: {load: {profile: browse, target: backend}}, hold: 10m, expect: []}
waivers: [{finding: 'drill@system.yaml#down', owner: ann, reason: known, until: 2027-01-31}]
"""
RULES = """\
groups:
  - name: g
    rules:
      - {alert: Down, expr: up == 0}
      - {alert: Other, expr: up == 2}
"""
Outcome = Literal["passed", "waived", "inconclusive", "failed"]
Stage = float | None | Literal["not observable"]
Seconds = Annotated[float, Field(ge=0)]


class Strict(BaseModel):
    """A part of results.json: exactly these fields, of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class SystemPart(Strict):
    """Which system it was."""

    name: str
    path: str
    environment: str


class CasePart(Strict):
    """One question and its answer."""

    id: str
    suite: str
    verdict: Outcome
    severity: Literal["error", "warning", "info"]
    subject: str
    file: str
    line: int
    message: str
    seconds: Seconds
    picture: str


class AlertPart(Strict):
    """An alert, and how far it was proven."""

    id: str
    name: str
    group: str
    file: str
    line: int
    level: Literal["none", "simulated", "delivered", "drilled"]


class StagesPart(Strict):
    """When each stage happened."""

    injected: Stage
    crossed: Stage
    scraped: Stage
    pending: Stage
    firing: Stage
    received: Stage
    notified: Stage
    recovered: Stage
    resolved: Stage
    resolution_notified: Stage


class ExpectedPart(Strict):
    """An alert that a drill expects. `budget` and `reason` were added to the schema."""

    alert_id: str
    labels: dict[str, str]
    outcome: Literal["notified", "inhibited", "muted"]
    receivers: list[str]
    stages: StagesPart
    minimum_seconds: float | None
    took_seconds: float | None
    budget: dict[str, float]
    verdict: Outcome
    reason: str
    note: str


class UndeclaredPart(Strict):
    """An alert that no drill expects. `reason` was added to the schema."""

    alert_id: str
    labels: dict[str, str]
    stages: dict[Literal["pending", "firing"], float | None]
    reason: str


class DrillPart(Strict):
    """A drill. `earlier` was added to the schema."""

    id: str
    name: str
    marker: Literal["load", "faults", "security"] | None
    stimulus: dict[str, Any] | None
    verdict: Outcome
    reason: str
    earlier: list[str]
    minimum_seconds: float | None
    took_seconds: float | None
    expected: list[ExpectedPart]
    allowed: list[UndeclaredPart]
    unexpected: list[UndeclaredPart]


class LeftOutPart(Strict):
    """A rule that no drill loaded, or a relabelling that none applied."""

    id: str
    kind: Literal["rule", "relabelling"]
    name: str
    file: str
    line: int
    reason: str


class ResultsPart(Strict):
    """The whole file. `resources` and `left_out` were added to the schema."""

    schema_: Literal[1] = Field(alias="schema")
    tocsin: str
    system: SystemPart
    engines: dict[str, str]
    started: str
    seconds: Seconds
    counts: dict[Outcome, int]
    cases: list[CasePart]
    alerts: list[AlertPart]
    drills: list[DrillPart]
    resources: dict[str, float]
    left_out: list[LeftOutPart]


def concluded(folder: Path, today: date, out: IO[str] | None = None, **worlds: dict[str, Any]) -> ResultsPart:
    """Conclude a run of hand-written evidence as the command does, and read what it wrote."""
    folder.joinpath("system.yaml").write_text(SYSTEM)
    folder.joinpath("rules.yml").write_text(RULES)
    for name, world in worlds.items():
        marker = "load" if name == "busy" else "faults"
        changes = {**world, "manifest": {"drill": name, "marker": marker, **world.get("manifest", {})}}
        World(**changes).write(folder / "run" / "evidence" / name)
    system = load_system(folder)
    plans = plan_drills(system, "local")
    started = datetime(today.year, today.month, today.day, 23, 59, tzinfo=UTC).timestamp()
    request = RunRequest(system, "local", plans, folder / "run", started)
    cases = cases_of_run(request)
    conclude_run(Console(file=out or io.StringIO(), width=140), request, cases, started + 40)
    return ResultsPart.model_validate(json.loads((request.folder / "results.json").read_text()))


WORLDS: dict[str, dict[str, Any]] = {
    "passed": {},
    "failed": {"notified": {}, "resolution": {}},
    "never crossed": {"true": None, "active": None, "received": None, "notified": {}, "resolution": {}},
    "inconclusive": {"counters": (2.0, 5.0)},
    "undeclared": {"expect": [], "manifest": {"expect": ()}},
    "cut off": {"manifest": {"complete": False}},
}


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_every_ending_follows_the_schema(tmp_path: Path, world: dict[str, Any]) -> None:
    """Whatever became of a drill, each field is there, and none that nobody was told of."""
    found = concluded(tmp_path, date(2027, 6, 1), busy=world)

    assert [case.subject for case in found.cases] == ["busy"]
    assert bool(found.drills[0].unexpected) is (world is WORLDS["undeclared"])
    assert sum(found.counts.values()) == 1
    assert found.counts[found.cases[0].verdict] == 1
    assert datetime.fromisoformat(found.started).tzinfo is not None


def test_a_passed_drill_tells_its_story(tmp_path: Path) -> None:
    """Stages, figures and proof level are those of the evidence."""
    found = concluded(tmp_path, date(2027, 6, 1), busy={})

    drill = found.drills[0]
    assert (drill.id, drill.marker, drill.verdict) == ("busy@system.yaml", "load", "passed")
    assert (drill.minimum_seconds, drill.took_seconds) == (1.5, 1.67)
    assert drill.expected[0].stages.notified == 21.77
    assert drill.expected[0].receivers == ["pager"]
    levels = {alert.name: alert.level for alert in found.alerts}
    assert levels == {"Down": "drilled", "Other": "none"}


RELABELLING = LeftOut(
    id="relabelling@prometheus.yml::web#2",
    name="relabelling 2 of job web",
    file="prometheus.yml",
    line=9,
    reason="it reads __meta_team",
    kind="relabelling",
)
RULE = LeftOut(id="Slow@rules.yml::g", name="Slow", file="rules.yml", line=7, reason="undecided: it is slow")


def test_what_was_left_out_is_told_once(tmp_path: Path) -> None:
    """Rules and relabelling are in results.json and on the page; a relabelling is noted under the table too."""
    out = io.StringIO()
    manifest = {"left_out": (RULE, RELABELLING)}

    found = concluded(tmp_path, date(2027, 6, 1), out, busy={"manifest": manifest}, down={"manifest": manifest})

    assert [(each.kind, each.name, each.line) for each in found.left_out] == [
        ("rule", "Slow", 7),
        ("relabelling", "relabelling 2 of job web", 9),
    ]
    note = "note: relabelling 2 of job web (prometheus.yml:9) was left out: it reads __meta_team"
    assert out.getvalue().count(note) == 1
    assert "Slow" not in out.getvalue()
    page = (tmp_path / "run" / "report.html").read_text()
    assert page.count("it reads __meta_team") == 2, "once for each drill"


@pytest.mark.parametrize(
    ("today", "world", "verdict", "needed"),
    [
        (date(2027, 1, 31), {"notified": {}, "resolution": {}}, "waived", "passed"),
        (date(2027, 2, 1), {"notified": {}, "resolution": {}}, "failed", "failed"),
        (date(2027, 1, 31), {"counters": (2.0, 5.0)}, "inconclusive", "inconclusive"),
        (date(2027, 1, 31), {}, "passed", "failed"),
    ],
    ids=["on its last day", "a day later", "nothing proven", "nothing to cover"],
)
def test_a_waiver_shows_in_cases_and_drills(
    tmp_path: Path, today: date, world: dict[str, Any], verdict: str, needed: str
) -> None:
    """The drill has what its owners accept, and the waiver is a case of its own."""
    found = concluded(tmp_path, today, down=world)

    assert [case.verdict for case in found.cases] == [verdict, needed]
    assert [drill.verdict for drill in found.drills] == [verdict]
    assert found.cases[1].subject == "drill@system.yaml#down"
    assert sum(found.counts.values()) == 2
    if verdict == "waived":
        assert "waived by ann until 2027-01-31: known" in found.cases[0].message
