"""The static examination: every check over a model, and what owners say of the findings. Starts and asks nothing."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase

from tocsin.baseline import Baseline
from tocsin.case import CaseResult
from tocsin.checks import Check, checks
from tocsin.finding import Finding, Severity
from tocsin.foreign_reports import read_report
from tocsin.model import Model
from tocsin.source import Place
from tocsin.suppressions import Suppressions
from tocsin.system import FILE
from tocsin.verdict import PASSED, Outcome, Verdict, failed, worst
from tocsin.waivers import waived

SEVERITIES = (Severity.INFO, Severity.WARNING, Severity.ERROR)
"""From the least to the gravest."""
WAIVER = "waiver-covers-a-finding"
"""The check of the waivers themselves."""
COMPLETED = "check-completed"
"""The check that stands for a check that stumbled."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding, and whether it counts: failed at or above the bar, waived, or passed below it."""

    finding: Finding
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that holds an artefact and was not examined."""

    place: Place
    kind: str
    """`template`, or what it was meant to be."""
    severity: str
    """`error`; `note` of a template."""
    message: str


@dataclass(frozen=True, slots=True)
class Request:
    """How to judge findings."""

    today: date
    fail_on: Severity | None = Severity.ERROR
    """The least severity that fails; None if none does."""
    baseline: Baseline | None = None
    ids: Collection[str] | None = None
    """The checks that are asked for; all of them if None."""
    keep: Callable[[Finding], bool] | None = None
    """Which findings are shown."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What came of it."""

    judged: Sequence[Judged]
    artefacts: Mapping[str, int]
    unread: Sequence[Unread]
    texts: Callable[[str], str] = field(repr=False, compare=False)
    """A file's text by its name, for excerpts."""

    @property
    def failed(self) -> bool:
        """Whether any finding counts."""
        return any(each.verdict.outcome is Outcome.FAILED for each in self.judged)

    def counts(self) -> Mapping[str, int]:
        """Return how many findings that are not waived there are of each severity, gravest first."""
        open_ = [each.finding.severity for each in self.judged if each.verdict.outcome is not Outcome.WAIVED]
        return {str(severity): open_.count(severity) for severity in reversed(SEVERITIES)}


def examine(model: Model, request: Request) -> Examination:
    """Examine a model. Raises BadSystem if a report that system.yaml names cannot be read."""
    wanted = [one for one in checks().values() if request.ids is None or one.id in request.ids]
    found = [finding for one in wanted for finding in findings_of(one, model)]
    if request.ids is None:
        found += foreign(model)
        found += unneeded_waivers(model, found, request.today)
    found = sorted(dict.fromkeys(found), key=lambda f: (f.place, f.check, f.message))
    if request.keep is not None:
        found = [finding for finding in found if request.keep(finding)]
    return Examination(tuple(judge(found, model, request)), artefact_counts(model), tuple(unread(model)), model.text)


def findings_of(check: Check, model: Model) -> Iterator[Finding]:
    """Yield what a check finds. A check that stumbles is a defect of ours, which must not cost the other findings."""
    try:
        yield from check.findings(model)
    except Exception as error:  # noqa: BLE001 whatever it was, the others go on
        last = traceback.extract_tb(error.__traceback__)[-1]
        said = (
            f"{check.id} stumbled over this system: {type(error).__name__}: {error} ({last.name}, line {last.lineno})"
        )
        yield Finding(
            COMPLETED,
            check.id,
            Place(FILE),
            said,
            why="A defect of Tocsin: what this check would have found is not known.",
            fix="Report it, with the file if you can; waive this finding until it is mended.",
        )


def foreign(model: Model) -> list[Finding]:
    """Return what the reports of other linters say that system.yaml names."""
    found: list[Finding] = []
    for file in model.declaration.static.reports:
        found += read_report(model.folder.directory / file, file)
    return found


def judge(found: Sequence[Finding], model: Model, request: Request) -> Iterator[Judged]:
    """Yield each finding with its verdict."""
    suppressions = Suppressions(model)
    known = request.baseline.old(found) if request.baseline else set()
    for i, finding in enumerate(found):
        verdict = _verdict(finding, model, request)
        if verdict.outcome is Outcome.FAILED:
            verdict = waived(verdict, [finding.key], model.declaration.waivers, request.today)
        origin = checks()[finding.check].origin if finding.check in checks() else ""
        said = suppressions.covering(finding, origin, request.today)
        if verdict.outcome is not Outcome.WAIVED and said is not None:
            verdict = Verdict(Outcome.WAIVED, f"passed over at {said.place}: {said.reason}")
        if verdict.outcome is not Outcome.WAIVED and i in known and request.baseline:
            verdict = Verdict(Outcome.WAIVED, f"known: it is in the baseline {request.baseline.file}")
        yield Judged(finding, verdict)


def case_of(check: Check, judged: Sequence[Judged]) -> CaseResult:
    """Return the case of one check: failed by what counts, waived if nothing else is left, with the rest told."""
    place = judged[0].finding.place if judged else Place(FILE)
    verdict = worst(each.verdict for each in judged) if judged else PASSED
    counted = [each for each in judged if each.verdict.outcome is verdict.outcome]
    said = "\n".join(_said(each) for each in counted)
    return CaseResult(
        check.id, "static", check.id, place, Verdict(verdict.outcome, said), max_severity(judged, check.severity)
    )


def max_severity(judged: Sequence[Judged], default: Severity) -> Severity:
    """Return the gravest severity of findings; of none, the default."""
    return max((each.finding.severity for each in judged), key=SEVERITIES.index, default=default)


def _said(each: Judged) -> str:
    finding = each.finding
    waived_by = f" ({each.verdict.reason.splitlines()[0]})" if each.verdict.outcome is Outcome.WAIVED else ""
    return f"{finding.severity} {finding.place}: {finding.message} {finding.fix}{waived_by}".rstrip()


def _verdict(finding: Finding, model: Model, request: Request) -> Verdict:
    bar: Severity | None = request.fail_on
    for pattern, own in model.declaration.static.vendored.items():
        if fnmatchcase(finding.place.file, pattern):
            bar = None if own == "never" else Severity(own)
    below = bar is None or SEVERITIES.index(finding.severity) < SEVERITIES.index(bar)
    waiver = any(waiver.finding == finding.key for waiver in model.declaration.waivers)
    if below and not waiver:
        return PASSED
    return failed(finding.message)


def artefact_counts(model: Model) -> dict[str, int]:
    """Return how many artefacts there are of each kind that there is any of."""
    counts = {
        "prometheus": len(model.prometheus_configs),
        "scrape_jobs": sum(len(config.jobs) for config in model.prometheus_configs),
        "rule_groups": len(model.rule_groups),
        "alerts": len(model.alerts),
        "recording_rules": len(model.recording_rules),
        "alertmanager": len(model.alertmanager_configs),
        "routes": sum(len(config.routes) for config in model.alertmanager_configs),
        "receivers": sum(len(config.receivers) for config in model.alertmanager_configs),
        "tests": len(model.promtool_tests),
        "manifests": len(model.objects),
        "workloads": len(model.workloads),
        "dashboards": len(model.dashboards),
        "panels": sum(len(dashboard.panels) for dashboard in model.dashboards),
        "compose": len(model.compose_files),
        "runbooks": len(model.runbooks),
    }
    return {kind: count for kind, count in counts.items() if count}


def unread(model: Model) -> Iterator[Unread]:
    """Yield the files that hold artefacts and could not be examined."""
    for file, kind in model.sorted.unreadable:
        place = file.problem.place if file.problem else Place(file.name)
        yield Unread(place, str(kind), "error", file.problem.message if file.problem else "cannot be read")
    for file in model.sorted.templates:
        said = "is YAML only once it has been rendered; render it, and examine what comes out"
        yield Unread(Place(file.name), "template", "note", said)


def unneeded_waivers(model: Model, found: Iterable[Finding], today: date) -> Iterator[Finding]:
    """Yield the waivers of findings that are over, or that cover nothing; those of drills are not asked here."""
    if model.system is None:
        return
    keys = {finding.key for finding in found}
    for i, waiver in enumerate(model.system.declaration.waivers):
        check, _, rest = waiver.finding.partition("@")
        if check not in checks() and "/" not in check:
            continue
        if today > waiver.until:
            said = f"its last day was {waiver.until.isoformat()}"
        elif waiver.finding not in keys:
            said = "it covers no finding"
        else:
            continue
        yield Finding(
            WAIVER,
            rest,
            model.system.place("waivers", i),
            f"the waiver of {waiver.finding} ({waiver.owner}): {said}",
            why="What is waived for no reason would hide the next finding of that name.",
            fix="Remove the waiver, correct its key, or have its owner renew it.",
        )
