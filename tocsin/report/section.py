"""A drill's section of report.html: all that is known of it, as text that the template only has to place."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from tocsin.drill.judge import DrillResult, ExpectedResult, Undeclared
from tocsin.drill.timeline import NAMES, ROUNDING, Stages, crossing_terms, resolving_terms
from tocsin.durations import format_duration
from tocsin.evidence import LeftOut, Manifest, RuleFacts
from tocsin.report.picture import draw
from tocsin.report.scene import said_of_stimulus
from tocsin.verdict import Outcome

NOTHING = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and a value, for a list of them."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class _Figure:
    caption: str
    svg: Markup


@dataclass(frozen=True, slots=True)
class _Stage:
    """One line of the table of an alert's stages."""

    name: str
    at: str
    """Seconds since the stimulus."""
    took: str
    budget: str
    terms: str
    late: bool
    missing: bool


@dataclass(frozen=True, slots=True)
class _Alert:
    """An expected alert of a drill."""

    title: str
    labels: str
    verdict: str
    reason: str
    outcome: str
    place: str
    expression: str
    production: str
    hold: str
    stages: tuple[_Stage, ...]


@dataclass(frozen=True, slots=True)
class _Told:
    """An alert in a notification, as the receiver read it."""

    at: str
    receiver: str
    status: str
    alert: str
    labels: str
    summary: str
    description: str


@dataclass(frozen=True, slots=True)
class _Stray:
    """An alert that started and was not expected."""

    alert: str
    labels: str
    pending: str
    firing: str
    reason: str


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    href: str
    size: str


@dataclass(frozen=True, slots=True)
class Section:
    """Everything that the page says of one drill."""

    name: str
    anchor: str
    verdict: str
    open: bool
    reasons: tuple[str, ...]
    stimulus: str
    facts: tuple[Fact, ...]
    figures: tuple[_Figure, ...]
    no_figure: str
    alerts: tuple[_Alert, ...]
    told: tuple[_Told, ...]
    allowed: tuple[_Stray, ...]
    unexpected: tuple[_Stray, ...]
    left_out: tuple[LeftOut, ...]
    evidence: tuple[_File, ...]
    config: tuple[_File, ...]


def section(folder: Path, number: int, drill: DrillResult, *, calm: bool) -> Section:
    """Return the section of a drill; `calm` if no drill of the run wants attention, so that each is open."""
    manifest = drill.evidence.manifest
    origin = manifest.moments.injected if manifest else None
    figures = tuple(_Figure(p.caption, Markup(p.svg)) for p in draw(drill, f"p{number}"))  # noqa: S704 drawn, not read
    files = list(_files(folder, drill.evidence.folder))
    return Section(
        name=drill.name,
        anchor=anchor(drill.name),
        verdict=str(drill.verdict.outcome),
        open=calm or not drill.verdict.passed,
        reasons=tuple(drill.verdict.reason.splitlines()),
        stimulus=said_of_stimulus(manifest.stimulus) if manifest else "not known",
        facts=(*_drill_facts(manifest), *(Fact("Note", note) for note in drill.notes)) if manifest else (),
        figures=figures,
        no_figure="" if figures else _why_no_figure(drill),
        alerts=tuple(_alert(drill, expected, manifest) for expected in drill.expected) if manifest else (),
        told=tuple(_told(drill, origin or 0.0)),
        allowed=tuple(_stray(a, origin or 0.0) for a in drill.allowed),
        unexpected=tuple(_stray(u, origin or 0.0) for u in drill.unexpected),
        left_out=manifest.left_out if manifest else (),
        evidence=tuple(f for f in files if not f.name.startswith("config/")),
        config=tuple(f for f in files if f.name.startswith("config/")),
    )


def _why_no_figure(drill: DrillResult) -> str:
    evidence = drill.evidence
    if evidence.manifest is None or evidence.problem:
        return "There is no picture: the evidence cannot be read."
    return "There is no picture: the stimulus was never applied, so there is nothing to see."


def _drill_facts(manifest: Manifest) -> Iterator[Fact]:
    moments = manifest.moments
    if moments.injected is not None:
        yield Fact("Injected", f"{moments.injected:.2f} s into the run")
    if moments.injected is not None and moments.recovered is not None:
        yield Fact("Lasted", in_seconds(moments.recovered - moments.injected))
    if manifest.disturbance is not None:
        what = {name: done for name, done in manifest.disturbance.items() if name != "when"}
        when = "never" if moments.disturbed is None else f"{moments.disturbed:.2f} s into the run"
        yield Fact("Disturbed", f"{said_of_stimulus(what)}, {when}")
    if moments.ended is not None:
        yield Fact("Whole drill", in_seconds(moments.ended - moments.started))
    yield Fact("Scraped, evaluated", f"every {manifest.scrape_seconds:g} s, {manifest.evaluation_seconds:g} s")
    yield Fact("Declared at", f"{manifest.file}:{manifest.line}")


def _alert(drill: DrillResult, result: ExpectedResult, manifest: Manifest) -> _Alert:
    rule = result.rule
    hold = ""
    if rule is not None:
        here = f", {rule.hold_seconds:g} s here" if manifest.factor != 1 else ""
        hold = f"{rule.production_hold}{here}"
    return _Alert(
        title=result.expected.alert,
        labels=said_of_labels(result.labels),
        verdict=str(outcome_of(drill, result)),
        reason=result.verdict.reason,
        outcome=result.expected.outcome,
        place=f"{rule.file}:{rule.expression_line}" if rule else "",
        expression=rule.expression.strip() if rule else "",
        production=rule.production_expression.strip() if rule else "",
        hold=hold,
        stages=tuple(_stages(result, manifest)),
    )


@dataclass(frozen=True, slots=True)
class _Budget:
    """What a stage may take since an earlier one: the sum of its terms, in seconds."""

    since: str
    terms: Mapping[str, float]
    declared: bool = False


def _budgets(manifest: Manifest, result: ExpectedResult) -> dict[str, _Budget]:
    """Return the budgets that the judge holds stages to, by stage."""
    expected, rule = result.expected, result.rule
    if rule is None:
        return {}
    found = {"crossed": _crossing(manifest, rule, expected.crossed_within)}
    if expected.outcome == "notified":
        found["notified"] = _Budget("crossed", result.budget)
        found["resolved"] = _resolving(manifest, rule, expected.resolved_within)
    return found


def _crossing(manifest: Manifest, rule: RuleFacts, declared: float | None) -> _Budget:
    if declared is not None:
        return _Budget("injected", {"declared": declared}, declared=True)
    return _Budget("injected", crossing_terms(manifest, rule))


def _resolving(manifest: Manifest, rule: RuleFacts, declared: float | None) -> _Budget:
    if declared is not None:
        return _Budget("recovered", {"declared": declared}, declared=True)
    return _Budget("recovered", resolving_terms(manifest, rule))


SINCE = {
    "crossed": "injected",
    "scraped": "crossed",
    "pending": "crossed",
    "firing": "pending",
    "received": "firing",
    "notified": "crossed",
    "resolved": "recovered",
    "resolution_notified": "resolved",
}
"""From which earlier stage a stage's time is counted."""


def _stages(result: ExpectedResult, manifest: Manifest) -> Iterator[_Stage]:
    budgets = _budgets(manifest, result)
    stages = result.stages
    for name in NAMES:
        budget = budgets.get(name)
        took = _between(stages, SINCE.get(name), name)
        total = sum(budget.terms.values()) if budget and budget.terms else None
        yield _Stage(
            name=name.replace("_", " "),
            at="not sent, as expected" if name == "resolution_notified" and _silent(result) else _at(stages, name),
            took=NOTHING if took is None else f"{took:.3f} s since {SINCE[name]}",
            budget=NOTHING if total is None else f"{total:.3f} s",
            terms=_terms(budget, manifest.factor),
            missing=getattr(stages, name) is None,
            late=took is not None and total is not None and took > total + ROUNDING,
        )


def _silent(result: ExpectedResult) -> bool:
    """Tell whether nobody was to be told of the end, and nobody was."""
    return result.expected.ends_in_silence and result.verdict.passed


def _at(stages: Stages, name: str) -> str:
    moment = getattr(stages, name)
    if name in stages.not_observable:
        return "not observable"
    if moment is None:
        return "did not happen"
    return f"{moment - (stages.injected or 0.0):.3f}"


def _between(stages: Stages, since: str | None, name: str) -> float | None:
    begin = getattr(stages, since) if since else None
    end = getattr(stages, name)
    return None if begin is None or end is None else end - begin


def _terms(budget: _Budget | None, factor: float) -> str:
    if budget is None or not budget.terms:
        return ""
    if budget.declared:
        return f"declared in the drill as {format_duration(sum(budget.terms.values()) * factor)}"
    return " + ".join(f"{name} {seconds:.3f}" for name, seconds in budget.terms.items())


def _told(drill: DrillResult, origin: float) -> Iterator[_Told]:
    for notification in sorted(drill.evidence.notifications, key=lambda n: n.time):
        for alert in notification.alerts:
            labels = _strings(alert.get("labels"))
            annotations = _strings(alert.get("annotations"))
            yield _Told(
                at=f"{notification.time - origin:.2f}",
                receiver=f"{notification.receiver} ({notification.integration})",
                status=str(alert.get("status", "")),
                alert=labels.get("alertname", ""),
                labels=said_of_labels(labels),
                summary=annotations.get("summary", ""),
                description=annotations.get("description", ""),
            )


def _strings(value: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def _stray(undeclared: Undeclared, origin: float) -> _Stray:
    def since(moment: float | None) -> str:
        return NOTHING if moment is None else f"{moment - origin:.2f}"

    return _Stray(
        alert=undeclared.labels.get("alertname", undeclared.alert_id),
        labels=said_of_labels(undeclared.labels),
        pending=since(undeclared.pending),
        firing=since(undeclared.firing),
        reason=undeclared.reason,
    )


def _files(folder: Path, evidence: Path) -> Iterator[_File]:
    """Yield the files of a drill's evidence; links are relative, so that the run's folder can be moved."""
    for path in sorted(p for p in evidence.rglob("*") if p.is_file()):
        href = Path(os.path.relpath(path, folder)).as_posix()
        size = path.stat().st_size
        shown = f"{size / 1024:.0f} KiB" if size >= 1024 else f"{size} B"
        yield _File(path.relative_to(evidence).as_posix(), quote(href), shown)


def outcome_of(drill: DrillResult, expected: ExpectedResult) -> Outcome:
    """Return what an alert proves: nothing, if its drill proves nothing."""
    inconclusive = drill.verdict.outcome is Outcome.INCONCLUSIVE
    return Outcome.INCONCLUSIVE if inconclusive else expected.verdict.outcome


def anchor(name: str) -> str:
    """Return the id of a drill's section."""
    return "drill-" + re.sub(r"[^A-Za-z0-9_-]+", "-", name)


def in_seconds(value: float | None) -> str:
    """Return a time in seconds as a table shows it."""
    return NOTHING if value is None else f"{value:.2f} s"


def said_of_labels(labels: Mapping[str, str]) -> str:
    """Return labels as a selector has them; the alert's name stands elsewhere."""
    return ", ".join(f'{k}="{v}"' for k, v in sorted(labels.items()) if k != "alertname")
