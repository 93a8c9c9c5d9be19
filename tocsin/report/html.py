"""report.html: one page that needs nothing else, with the verdict, the picture and the evidence of every drill."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tocsin import __version__
from tocsin.case import CaseResult
from tocsin.drill.judge import DrillResult, ExpectedResult, Undeclared
from tocsin.drill.timeline import NAMES, ROUNDING, Stages
from tocsin.durations import format_duration
from tocsin.evidence import LeftOut, Manifest, RuleFacts
from tocsin.report.picture import BANDS, PAINTS, clean, draw, said_of_stimulus
from tocsin.report.results import Results, as_json
from tocsin.verdict import RANK, Outcome

FILE = "report.html"
SIGNS = {Outcome.PASSED: "✓", Outcome.WAIVED: "~", Outcome.INCONCLUSIVE: "?", Outcome.FAILED: "✕"}
LEVELS = ("drilled", "delivered", "simulated", "none")
"""How far alerts were proven, from best to worst."""
NOTHING = "–"


def write_report(folder: Path, results: Results) -> Path:
    """Write report.html into a run's folder, in one rename, and return where it is."""
    path = folder / FILE
    draft = path.with_name(path.name + ".part")
    draft.write_text(render(folder, results), encoding="utf-8")
    draft.replace(path)
    return path


def render(folder: Path, results: Results) -> str:
    """Return the page; links to evidence are relative to `folder`, in which it will stand."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else clean(str(value)),
    )
    drills = sorted(results.drills, key=lambda d: (-RANK.index(d.verdict.outcome), d.name))
    calm = all(drill.verdict.passed for drill in drills)
    page = {
        "title": f"Fire drill of {results.system}",
        "headline": _headline(drills),
        "worst": str(drills[0].verdict.outcome) if drills else "inconclusive",
        "facts": list(_facts(folder, results)),
        "signs": {str(outcome): sign for outcome, sign in SIGNS.items()},
        "summary": [row for drill in drills for row in _summary(drill)],
        "coverage": _Coverage.of(results),
        "cases": _other_cases(results),
        "drills": [_section(folder, number, drill, calm=calm) for number, drill in enumerate(drills, 1)],
        "bands": BANDS,
        "paints": PAINTS,
    }
    return environment.get_template("report.html").render(page)


# The head of the page


@dataclass(frozen=True, slots=True)
class _Fact:
    name: str
    value: str


def _headline(drills: Sequence[DrillResult]) -> str:
    counts = Counter(drill.verdict.outcome for drill in drills)
    if not drills:
        return "No drill was performed"
    if set(counts) == {Outcome.PASSED}:
        return "The drill passed" if len(drills) == 1 else f"All {len(drills)} drills passed"
    said = [f"{counts[outcome]} {outcome}" for outcome in reversed(RANK) if counts[outcome]]
    return f"Of {_count(len(drills), 'drill')}: {', '.join(said)}"


def _facts(folder: Path, results: Results) -> Iterator[_Fact]:
    manifests = [d.evidence.manifest for d in results.drills if d.evidence.manifest]
    yield _Fact("System", results.system)
    yield _Fact("Environment", results.environment or NOTHING)
    for factor in sorted({m.factor for m in manifests}):
        yield _Fact("Time", _said_of_factor(factor))
    yield _Fact("Started", datetime.fromtimestamp(results.started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"))
    yield _Fact("Took", _long(results.seconds))
    counts = Counter(case.verdict.outcome for case in results.cases)
    cases = ", ".join(f"{counts[outcome]} {outcome}" for outcome in reversed(RANK) if counts[outcome])
    yield _Fact("Cases", cases or "none")
    engines = [f"{name} {version}" for name, version in sorted(results.engines.items())]
    yield _Fact("Engines", ", ".join(engines) or "none was started")
    peak = results.resources.get("peak_pss_bytes") or results.resources.get("peak_rss_bytes")
    if peak:
        yield _Fact("Memory at its peak", f"{float(peak) / 2**20:.0f} MiB")
    yield _Fact("Run", folder.name)
    yield _Fact("Tocsin", __version__)


def _said_of_factor(factor: float) -> str:
    return "as in production" if factor == 1 else f"{factor:g} times faster than production"


def _long(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


# The table of verdicts


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the table: an expected alert of a drill."""

    drill: str
    anchor: str
    first: bool
    stimulus: str
    alert: str
    labels: str
    receivers: str
    took: str
    least: str
    budget: str
    verdict: str
    """Of the alert; of the drill, where it has no verdict on alerts."""


def _summary(drill: DrillResult) -> Iterator[_Row]:
    manifest = drill.evidence.manifest
    stimulus = said_of_stimulus(manifest.stimulus) if manifest else "not known"
    for i, expected in enumerate(drill.expected):
        notified = expected.expected.outcome == "notified"
        budget = sum(expected.budget.values()) if expected.budget and notified else None
        receivers = ", ".join(expected.receivers)
        yield _Row(
            drill=drill.name,
            anchor=_anchor(drill.name),
            first=i == 0,
            stimulus=stimulus,
            alert=expected.expected.alert,
            labels=_labels(expected.expected.labels),
            receivers=receivers or (f"none: {expected.expected.outcome}" if not notified else NOTHING),
            took=_seconds(expected.took_seconds if notified else None),
            least=_seconds(expected.minimum_seconds),
            budget=_seconds(budget),
            verdict=str(_outcome(drill, expected)),
        )
    if not drill.expected:
        nothing = manifest is not None and not manifest.expect
        expects = ", ".join(e.alert for e in manifest.expect) if manifest else "not known"
        yield _Row(
            drill=drill.name,
            anchor=_anchor(drill.name),
            first=True,
            stimulus=stimulus,
            alert="nothing may fire" if nothing else expects,
            labels="",
            receivers=NOTHING,
            took=NOTHING,
            least=NOTHING,
            budget=NOTHING,
            verdict=str(drill.verdict.outcome),
        )


def _outcome(drill: DrillResult, expected: ExpectedResult) -> Outcome:
    """Return what an alert proves: nothing, if its drill proves nothing."""
    inconclusive = drill.verdict.outcome is Outcome.INCONCLUSIVE
    return Outcome.INCONCLUSIVE if inconclusive else expected.verdict.outcome


def _anchor(name: str) -> str:
    return "drill-" + re.sub(r"[^A-Za-z0-9_-]+", "-", name)


def _seconds(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f} s"


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f'{k}="{v}"' for k, v in sorted(labels.items()) if k != "alertname")


# Alert coverage, and the cases that are no drills


@dataclass(frozen=True, slots=True)
class _Level:
    name: str
    count: int
    share: str


@dataclass(frozen=True, slots=True)
class _Unproven:
    alert: str
    labels: str
    """What tells it from its namesakes in one group."""
    group: str
    place: str
    why: str


@dataclass(frozen=True, slots=True)
class _Coverage:
    total: int
    proven: int
    levels: tuple[_Level, ...]
    unproven: tuple[_Unproven, ...]

    @classmethod
    def of(cls, results: Results) -> _Coverage:
        """Count the alerts by how far they were proven."""
        alerts = as_json(results)["alerts"]
        counts = Counter(alert["level"] for alert in alerts)
        left_out = {rule.id: rule.reason for rule in _left_out(results.drills)}
        unproven = tuple(
            _Unproven(
                alert=alert["name"],
                labels=_distinction(alert["id"], alert["group"]),
                group=alert["group"],
                place=f"{alert['file']}:{alert['line']}",
                why=_why(alert["id"], results.drills, left_out),
            )
            for alert in alerts
            if alert["level"] == "none"
        )
        levels = tuple(_Level(n, counts[n], f"{100 * counts[n] / max(1, len(alerts)):.2f}") for n in LEVELS)
        return cls(len(alerts), len(alerts) - counts["none"], levels, unproven)


def _distinction(alert: str, group: str) -> str:
    """Return what a case id has after its group: the labels that differ, or an ordinal."""
    return alert.rpartition(f"::{group}")[2].strip("{}")


def _why(alert: str, drills: Iterable[DrillResult], left_out: Mapping[str, str]) -> str:
    if alert in left_out:
        return f"left out of drills: {left_out[alert]}"
    subjects = [(d, e) for d in drills for e in d.expected if e.rule is not None and e.rule.id == alert]
    told = sorted({d.name for d, e in subjects if e.expected.outcome == "notified"})
    if told:
        return f"its drill did not pass: {', '.join(told)}"
    if subjects:
        return f"only ever expected to be {subjects[0][1].expected.outcome} ({subjects[0][0].name})"
    return "no drill of this run expects it"


def _left_out(drills: Iterable[DrillResult]) -> list[LeftOut]:
    found = {rule.id: rule for d in drills if d.evidence.manifest for rule in d.evidence.manifest.left_out}
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _Case:
    id: str
    suite: str
    place: str
    verdict: str
    reason: str


def _other_cases(results: Results) -> list[_Case]:
    """Return the cases that are not drills, the worst first."""
    drills = {(d["id"], d["marker"]) for d in as_json(results)["drills"]}
    others = [case for case in results.cases if (case.id, case.suite) not in drills]

    def rank(case: CaseResult) -> tuple[int, str, str]:
        return (-RANK.index(case.verdict.outcome), case.suite, case.id)

    return [
        _Case(c.id, c.suite, f"{c.place.file}:{c.place.line}", str(c.verdict.outcome), c.verdict.reason)
        for c in sorted(others, key=rank)
    ]


# One drill


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
class _Section:
    name: str
    anchor: str
    verdict: str
    open: bool
    reasons: tuple[str, ...]
    stimulus: str
    facts: tuple[_Fact, ...]
    figures: tuple[_Figure, ...]
    no_figure: str
    alerts: tuple[_Alert, ...]
    told: tuple[_Told, ...]
    allowed: tuple[_Stray, ...]
    unexpected: tuple[_Stray, ...]
    left_out: tuple[LeftOut, ...]
    evidence: tuple[_File, ...]
    config: tuple[_File, ...]


def _section(folder: Path, number: int, drill: DrillResult, *, calm: bool) -> _Section:
    manifest = drill.evidence.manifest
    origin = manifest.moments.injected if manifest else None
    figures = tuple(_Figure(p.caption, Markup(p.svg)) for p in draw(drill, f"p{number}"))  # noqa: S704 drawn, not read
    files = list(_files(folder, drill.evidence.folder))
    return _Section(
        name=drill.name,
        anchor=_anchor(drill.name),
        verdict=str(drill.verdict.outcome),
        open=calm or not drill.verdict.passed,
        reasons=tuple(drill.verdict.reason.splitlines()),
        stimulus=said_of_stimulus(manifest.stimulus) if manifest else "not known",
        facts=tuple(_drill_facts(manifest)) if manifest else (),
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


def _drill_facts(manifest: Manifest) -> Iterator[_Fact]:
    moments = manifest.moments
    if moments.injected is not None:
        yield _Fact("Injected", f"{moments.injected:.2f} s after the run's start")
    if moments.injected is not None and moments.recovered is not None:
        yield _Fact("Lasted", _seconds(moments.recovered - moments.injected))
    if moments.ended is not None:
        yield _Fact("Whole drill", _seconds(moments.ended - moments.started))
    yield _Fact("Scraped, evaluated", f"every {manifest.scrape_seconds:g} s, {manifest.evaluation_seconds:g} s")
    yield _Fact("Declared at", f"{manifest.file}:{manifest.line}")


def _alert(drill: DrillResult, result: ExpectedResult, manifest: Manifest) -> _Alert:
    rule = result.rule
    hold = ""
    if rule is not None:
        here = f", {rule.hold_seconds:g} s here" if manifest.factor != 1 else ""
        hold = f"{rule.production_hold}{here}"
    return _Alert(
        title=result.expected.alert,
        labels=_labels(result.labels),
        verdict=str(_outcome(drill, result)),
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


def _budgets(result: ExpectedResult) -> dict[str, _Budget]:
    """Return the budgets that the judge holds stages to, by stage."""
    expected, rule = result.expected, result.rule
    if rule is None:
        return {}
    found = {"crossed": _crossing(rule, expected.crossed_within)}
    if expected.outcome == "notified":
        found["notified"] = _Budget("crossed", result.budget)
        found["resolved"] = _resolving(rule, expected.resolved_within)
    return found


def _crossing(rule: RuleFacts, declared: float | None) -> _Budget:
    if declared is not None:
        return _Budget("injected", {"declared": declared}, declared=True)
    return _Budget("injected", {"window": rule.window_seconds, "two scrapes": 2 * rule.scrape_seconds})


def _resolving(rule: RuleFacts, declared: float | None) -> _Budget:
    if declared is not None:
        return _Budget("recovered", {"declared": declared}, declared=True)
    terms = {"window": rule.window_seconds, "two scrapes": 2 * rule.scrape_seconds}
    terms |= {"keep_firing_for": rule.keep_firing_seconds, "one evaluation": rule.interval_seconds}
    return _Budget("recovered", terms)


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
    budgets = _budgets(result)
    stages = result.stages
    for name in NAMES:
        budget = budgets.get(name)
        took = _between(stages, SINCE.get(name), name)
        total = sum(budget.terms.values()) if budget and budget.terms else None
        yield _Stage(
            name=name.replace("_", " "),
            at=_at(stages, name),
            took=NOTHING if took is None else f"{took:.3f} s since {SINCE[name]}",
            budget=NOTHING if total is None else f"{total:.3f} s",
            terms=_terms(budget, manifest.factor),
            late=took is not None and total is not None and took > total + ROUNDING,
        )


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
                labels=_labels(labels),
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
        labels=_labels(undeclared.labels),
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
