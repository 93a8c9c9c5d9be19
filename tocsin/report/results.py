"""results.json: what a run found, for machines. Times are seconds since the run's start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tocsin import __version__
from tocsin.atomic import write_json
from tocsin.case import CaseResult
from tocsin.drill.judge import DrillResult, ExpectedResult, Undeclared
from tocsin.evidence import LeftOut, Manifest
from tocsin.verdict import Outcome

FILE = "results.json"


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """An alerting rule of the system, for alert coverage."""

    id: str
    name: str
    group: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Results:
    """All that a run found."""

    system: str
    path: str
    environment: str
    engines: Mapping[str, str]
    started: float
    """Unix time, in seconds."""
    seconds: float
    cases: Sequence[CaseResult]
    alerts: Sequence[AlertFacts]
    drills: Sequence[DrillResult]
    resources: Mapping[str, Any] = field(default_factory=dict)


def write_results(folder: Path, results: Results) -> Path:
    """Write results.json into a run's folder, in one rename."""
    path = folder / FILE
    write_json(path, as_json(results))
    return path


def as_json(results: Results) -> dict[str, Any]:
    """Return results as the schema has them."""
    counts = Counter(case.verdict.outcome for case in results.cases)
    return {
        "schema": 1,
        "tocsin": __version__,
        "system": {"name": results.system, "path": results.path, "environment": results.environment},
        "engines": dict(results.engines),
        "started": datetime.fromtimestamp(results.started, UTC).isoformat(timespec="milliseconds"),
        "seconds": round(results.seconds, 3),
        "counts": {str(outcome): counts.get(outcome, 0) for outcome in Outcome},
        "cases": [_case(case) for case in results.cases],
        "alerts": list(_alerts(results.alerts, results.drills, results.cases)),
        "drills": [_drill(drill) for drill in results.drills],
        "resources": dict(results.resources),
        "left_out": [_left_out(each) for each in left_out(results.drills)],
    }


def left_out(drills: Iterable[DrillResult]) -> list[LeftOut]:
    """Return the rules that were not loaded in some drill, and the relabelling that was not applied, each once."""
    found = {each.id: each for d in drills if d.evidence.manifest for each in d.evidence.manifest.left_out}
    return list(found.values())


def _left_out(each: LeftOut) -> dict[str, Any]:
    known = {"id": each.id, "kind": each.kind, "name": each.name}
    return {**known, "file": each.file, "line": each.line, "reason": each.reason}


def _case(case: CaseResult) -> dict[str, Any]:
    return {
        "id": case.id,
        "suite": case.suite,
        "verdict": str(case.verdict.outcome),
        "severity": str(case.severity),
        "subject": case.subject,
        "file": case.place.file,
        "line": case.place.line,
        "message": case.verdict.reason,
        "seconds": round(case.seconds, 3),
        "picture": case.picture,
    }


def _alerts(
    alerts: Iterable[AlertFacts], drills: Iterable[DrillResult], cases: Iterable[CaseResult]
) -> Iterable[dict[str, Any]]:
    """Give each alert the highest level at which it was proven; a drill proves it if its own stages passed."""
    simulated = {c.id for c in cases if c.suite == "simulation" and c.verdict.outcome is Outcome.PASSED}
    proven = {
        e.rule.id
        for drill in drills
        if drill.verdict.outcome is Outcome.PASSED
        for e in drill.expected
        if e.rule is not None and e.expected.outcome == "notified"
    }
    for alert in alerts:
        level = "drilled" if alert.id in proven else "simulated" if alert.id in simulated else "none"
        yield {
            "id": alert.id,
            "name": alert.name,
            "group": alert.group,
            "file": alert.file,
            "line": alert.line,
            "level": level,
        }


def _drill(drill: DrillResult) -> dict[str, Any]:
    manifest: Manifest | None = drill.evidence.manifest
    slowest = drill.slowest
    return {
        "id": f"{drill.name}@{manifest.file if manifest else 'system.yaml'}",
        "name": drill.name,
        "marker": manifest.marker if manifest else None,
        "stimulus": manifest.stimulus if manifest else None,
        "verdict": str(drill.verdict.outcome),
        "reason": drill.verdict.reason,
        "earlier": list(manifest.earlier) if manifest else [],
        "minimum_seconds": _rounded(slowest.minimum_seconds) if slowest else None,
        "took_seconds": _rounded(slowest.took_seconds) if slowest else None,
        "expected": [_expected(e) for e in drill.expected],
        "allowed": [_undeclared(u) for u in drill.allowed],
        "unexpected": [_undeclared(u) for u in drill.unexpected],
    }


def _expected(result: ExpectedResult) -> dict[str, Any]:
    return {
        "alert_id": result.rule.id if result.rule else result.expected.alert,
        "labels": dict(result.labels),
        "outcome": result.expected.outcome,
        "receivers": list(result.receivers),
        "stages": result.stages.written(),
        "minimum_seconds": _rounded(result.minimum_seconds),
        "took_seconds": _rounded(result.took_seconds),
        "budget": {name: round(seconds, 3) for name, seconds in result.budget.items()},
        "verdict": str(result.verdict.outcome),
        "reason": result.verdict.reason,
        "note": result.note,
    }


def _undeclared(undeclared: Undeclared) -> dict[str, Any]:
    return {
        "alert_id": undeclared.alert_id,
        "labels": dict(undeclared.labels),
        "reason": undeclared.reason,
        "stages": {"pending": _rounded(undeclared.pending), "firing": _rounded(undeclared.firing)},
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
