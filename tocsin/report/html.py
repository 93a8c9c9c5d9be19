"""report.html: one page that needs nothing else, with the verdict, the picture and the evidence of every drill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tocsin import __version__
from tocsin.case import CaseResult
from tocsin.drill.judge import DrillResult
from tocsin.evidence import Manifest
from tocsin.report.picture import BANDS, clean
from tocsin.report.results import Results, as_json, left_out
from tocsin.report.scene import said_of_stimulus
from tocsin.report.section import NOTHING, Fact, anchor, in_seconds, outcome_of, said_of_labels, section
from tocsin.verdict import PASSED, RANK, Outcome

FILE = "report.html"
SIGNS = {Outcome.PASSED: "✓", Outcome.WAIVED: "~", Outcome.INCONCLUSIVE: "?", Outcome.FAILED: "✕"}
LEVELS = ("drilled", "delivered", "simulated", "none")
"""How far alerts were proven, from best to worst."""


def write_report(folder: Path, results: Results) -> Path:
    """Write report.html into a run's folder, in one rename, and return where it is."""
    return write_page(folder, render(folder, results))


def write_page(folder: Path, page: str) -> Path:
    """Write what was rendered into a run's folder, in one rename, and return where it is."""
    path = folder / FILE
    draft = path.with_name(path.name + ".part")
    draft.write_text(page, encoding="utf-8")
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
        "headline": _headline(drills, results.cases),
        "worst": str(drills[0].verdict.outcome) if drills else "inconclusive",
        "facts": list(_facts(folder, results)),
        "signs": {str(outcome): sign for outcome, sign in SIGNS.items()},
        "summary": [row for drill in drills for row in _summary(drill)],
        "coverage": _Coverage.of(results),
        "cases": _other_cases(results),
        "silent": [case.id for case in results.cases if case.verdict == PASSED],
        "drills": [section(folder, number, drill, calm=calm) for number, drill in enumerate(drills, 1)],
        "nothing": NOTHING,
        "bands": BANDS,
    }
    return environment.get_template("report.html").render(page)


# The head of the page


def _headline(drills: Sequence[DrillResult], cases: Sequence[CaseResult]) -> str:
    counts = Counter(each.verdict.outcome for each in (drills or cases))
    if not drills and not cases:
        return "No drill was performed"
    if not drills:
        said = [f"{counts[outcome]} {outcome}" for outcome in reversed(RANK) if counts[outcome]]
        return f"No drill was performed; of {_count(len(cases), 'case')}: {', '.join(said)}"
    if set(counts) == {Outcome.PASSED}:
        return "The drill passed" if len(drills) == 1 else f"All {len(drills)} drills passed"
    said = [f"{counts[outcome]} {outcome}" for outcome in reversed(RANK) if counts[outcome]]
    return f"Of {_count(len(drills), 'drill')}: {', '.join(said)}"


def _facts(folder: Path, results: Results) -> Iterator[Fact]:
    manifests = [d.evidence.manifest for d in results.drills if d.evidence.manifest]
    yield Fact("System", results.system)
    yield Fact("Environment", results.environment or NOTHING)
    for factor in sorted({m.factor for m in manifests}):
        yield Fact("Time", _said_of_factor(factor))
    yield Fact("Started", datetime.fromtimestamp(results.started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"))
    yield Fact("Took", _long(results.seconds))
    counts = Counter(case.verdict.outcome for case in results.cases)
    cases = ", ".join(f"{counts[outcome]} {outcome}" for outcome in reversed(RANK) if counts[outcome])
    yield Fact("Cases", cases or "none")
    engines = [f"{name} {version}" for name, version in sorted(results.engines.items())]
    yield Fact("Engines", ", ".join(engines) or "none was started")
    peak = results.resources.get("peak_pss_bytes") or results.resources.get("peak_rss_bytes")
    if peak:
        yield Fact("Memory at its peak", f"{float(peak) / 2**20:.0f} MiB")
    yield Fact("Run", folder.name)
    yield Fact("Tocsin", __version__)


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


def _all_done(manifest: Manifest) -> str:
    """Return the stimulus, and what the monitoring suffered besides."""
    said = said_of_stimulus(manifest.stimulus)
    if manifest.disturbance is None:
        return said
    what = {name: done for name, done in manifest.disturbance.items() if name != "when" and done is not None}
    when = "before" if manifest.disturbance.get("when") == "before" else "once firing"
    return f"{said}; {when}, {said_of_stimulus(what)}"


def _summary(drill: DrillResult) -> Iterator[_Row]:
    manifest = drill.evidence.manifest
    stimulus = _all_done(manifest) if manifest else "not known"
    for i, expected in enumerate(drill.expected):
        notified = expected.expected.outcome == "notified"
        budget = sum(expected.budget.values()) if expected.budget and notified else None
        receivers = ", ".join(expected.receivers)
        yield _Row(
            drill=drill.name,
            anchor=anchor(drill.name),
            first=i == 0,
            stimulus=stimulus,
            alert=expected.expected.alert,
            labels=said_of_labels(expected.expected.labels),
            receivers=receivers or (f"none: {expected.expected.outcome}" if not notified else NOTHING),
            took=in_seconds(expected.took_seconds if notified else None),
            least=in_seconds(expected.minimum_seconds),
            budget=in_seconds(budget),
            verdict=str(outcome_of(drill, expected)),
        )
    if not drill.expected:
        nothing = manifest is not None and not manifest.expect
        expects = ", ".join(e.alert for e in manifest.expect) if manifest else "not known"
        yield _Row(
            drill=drill.name,
            anchor=anchor(drill.name),
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
        reasons = {rule.id: rule.reason for rule in left_out(results.drills)}
        unproven = tuple(
            _Unproven(
                alert=alert["name"],
                labels=_distinction(alert["id"], alert["group"]),
                group=alert["group"],
                place=f"{alert['file']}:{alert['line']}",
                why=_why(alert["id"], results.drills, reasons),
            )
            for alert in alerts
            if alert["level"] == "none"
        )
        levels = tuple(_Level(n, counts[n], f"{100 * counts[n] / max(1, len(alerts)):.2f}") for n in LEVELS)
        return cls(len(alerts), len(alerts) - counts["none"], levels, unproven)


def _distinction(alert: str, group: str) -> str:
    """Return what a case id has after its group: the labels that differ, or an ordinal."""
    return alert.rpartition(f"::{group}")[2].strip("{}")


def _why(alert: str, drills: Iterable[DrillResult], reasons: Mapping[str, str]) -> str:
    if alert in reasons:
        return f"left out of drills: {reasons[alert]}"
    subjects = [(d, e) for d in drills for e in d.expected if e.rule is not None and e.rule.id == alert]
    told = sorted({d.name for d, e in subjects if e.expected.outcome == "notified"})
    if told:
        return f"its drill did not pass: {', '.join(told)}"
    if subjects:
        return f"only ever expected to be {subjects[0][1].expected.outcome} ({subjects[0][0].name})"
    return "no drill of this run expects it"


@dataclass(frozen=True, slots=True)
class _Case:
    id: str
    suite: str
    place: str
    verdict: str
    reason: str
    picture: str


def _other_cases(results: Results) -> list[_Case]:
    """Return the cases that are not drills and have something to say, the worst first."""
    drills = {(d["id"], d["marker"]) for d in as_json(results)["drills"]}
    others = [case for case in results.cases if (case.id, case.suite) not in drills]

    def rank(case: CaseResult) -> tuple[int, str, str]:
        return (-RANK.index(case.verdict.outcome), case.suite, case.id)

    told = [case for case in others if case.verdict.outcome is not Outcome.PASSED or case.verdict.reason]
    return [
        _Case(c.id, c.suite, f"{c.place.file}:{c.place.line}", str(c.verdict.outcome), c.verdict.reason, c.picture)
        for c in sorted(told, key=rank)
    ]
