"""Settling: a verdict becomes pytest's outcome; the only translator."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from dataclasses import asdict, replace

import allure
import pytest

from tocsin.case import CaseResult
from tocsin.checks import checks
from tocsin.drill.judge import DrillResult, defective, judge_folder
from tocsin.drill.schedule import evidence_folder
from tocsin.plan import artefact_case as case_of_kind
from tocsin.plan import artefact_findings
from tocsin.runner import case_of_drill, case_of_waiver
from tocsin.static import WAIVER, case_of
from tocsin.system import Kind, Waiver
from tocsin.verdict import PASSED, Outcome, failed
from tocsin.waivers import waived, waiver_message, waiver_problem
from tocsin_pytest.reporting import PROPERTY
from tocsin_pytest.session import SESSION, artefacts_of, examination_of

Settle = Callable[[CaseResult], None]
SettleDrill = Callable[[DrillResult], None]


class Inconclusive(Exception):
    """Nothing was proven. Raised in set-up, so that JUnit has an error and Allure a broken test, not a failure."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the reason of an inconclusive item alone: the way through our own code says nothing to its reader."""
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, Inconclusive):
        report.longrepr = shown = call.excinfo.getrepr(style="value")
        if shown.reprcrash is not None:
            shown.reprcrash.message = f"inconclusive: {call.excinfo.value}"
    return report


@pytest.fixture
def load_drill(request: pytest.FixtureRequest) -> DrillResult:
    """Give the judgement of a load drill."""
    return _judged(request)


@pytest.fixture
def faults_drill(request: pytest.FixtureRequest) -> DrillResult:
    """Give the judgement of a drill that kills or cuts."""
    return _judged(request)


@pytest.fixture
def security_drill(request: pytest.FixtureRequest) -> DrillResult:
    """Give the judgement of a drill whose load is an attacker's."""
    return _judged(request)


@pytest.fixture
def load_waiver(request: pytest.FixtureRequest) -> CaseResult:
    """Give whether the waiver of a load drill is needed."""
    return _waiver_judged(request)


@pytest.fixture
def faults_waiver(request: pytest.FixtureRequest) -> CaseResult:
    """Give whether the waiver of a drill that kills or cuts is needed."""
    return _waiver_judged(request)


@pytest.fixture
def security_waiver(request: pytest.FixtureRequest) -> CaseResult:
    """Give whether the waiver of a drill whose load is an attacker's is needed."""
    return _waiver_judged(request)


@pytest.fixture
def artefact_case(request: pytest.FixtureRequest) -> CaseResult:
    """Give what is known of one kind of artefact; skip, by its name, one that the system lacks."""
    session = request.config.stash[SESSION]
    system = session.system
    kind: Kind = request.param
    findings = artefact_findings(system, artefacts_of(request.config), kind)
    if findings is None:
        declared = kind in system.declaration.artefacts
        pytest.skip(f"{system.name} {'declares that it has' if declared else 'has'} no {kind}")
    case = case_of_kind(system, kind, findings)
    keys = [finding.key for finding in findings]
    return replace(case, verdict=waived(case.verdict, keys, system.declaration.waivers, session.today))


@pytest.fixture
def check_case(request: pytest.FixtureRequest) -> CaseResult:
    """Give what a check found."""
    check = checks()[request.param]
    judged = [each for each in examination_of(request.config).judged if each.finding.check == check.id]
    return case_of(check, judged)


@pytest.fixture
def report_case(request: pytest.FixtureRequest) -> CaseResult:
    """Give what the reports of other linters say, and what stumbled."""
    known = checks().keys() | {WAIVER}
    judged = [each for each in examination_of(request.config).judged if each.finding.check not in known]
    return replace(case_of(next(iter(checks().values())), judged), id="other-linters", subject="other-linters")


@pytest.fixture
def waiver_case(request: pytest.FixtureRequest) -> CaseResult:
    """Give what is known of a waiver."""
    session = request.config.stash[SESSION]
    index: int = request.param
    waiver: Waiver = session.system.declaration.waivers[index]
    problem = waiver_problem(
        waiver,
        session.system,
        artefacts_of(request.config),
        session.today,
        checks=checks(),
        found=lambda: [each.finding.key for each in examination_of(request.config).judged],
    )
    verdict = failed(waiver_message(waiver, problem)) if problem else PASSED
    place = session.system.place("waivers", index)
    return CaseResult(f"waiver@{waiver.finding}", "static", waiver.finding, place, verdict)


@pytest.fixture
def settle(request: pytest.FixtureRequest) -> Settle:
    """Give the translator of verdicts."""

    def settled(case: CaseResult) -> None:
        _carry(request.node, case)
        _attach_picture(request, case)
        match case.verdict.outcome:
            case Outcome.FAILED:
                pytest.fail(case.verdict.reason, pytrace=False)
            case Outcome.WAIVED:
                pytest.skip(case.verdict.reason)
            case Outcome.INCONCLUSIVE:
                raise Inconclusive(case.verdict.reason)
            case Outcome.PASSED:
                pass

    return settled


@pytest.fixture
def settle_drill(request: pytest.FixtureRequest, settle: Settle) -> SettleDrill:
    """Give the translator of a drill's judgement."""

    def settled(result: DrillResult) -> None:
        settle(case_of_drill(_shown(result), request.config.stash[SESSION]))

    return settled


def _judged(request: pytest.FixtureRequest) -> DrillResult:
    session = request.config.stash[SESSION]
    result = judge_folder(evidence_folder(session.folder, request.param))
    if result.verdict.outcome is Outcome.INCONCLUSIVE:
        result = _shown(result)
        _carry(request.node, case_of_drill(result, session))
        raise Inconclusive(result.verdict.reason)
    return result


def _waiver_judged(request: pytest.FixtureRequest) -> CaseResult:
    session = request.config.stash[SESSION]
    case = case_of_waiver(judge_folder(evidence_folder(session.folder, request.param)), session)
    if case is None:
        raise LookupError(f"the drill {request.param} was collected as waived, and is not")
    if case.verdict.outcome is Outcome.INCONCLUSIVE:
        _carry(request.node, case)
        raise Inconclusive(case.verdict.reason)
    return case


def proven(node: pytest.Item, case: CaseResult) -> CaseResult:
    """Return a case for its item's body; one that proves nothing ends the item here, in its set-up."""
    if case.verdict.outcome is Outcome.INCONCLUSIVE:
        _carry(node, case)
        _attach_picture(node, case)
        raise Inconclusive(case.verdict.reason)
    return case


def _attach_picture(node: pytest.Item | pytest.FixtureRequest, case: CaseResult) -> None:
    """Give Allure the picture of a case that has one."""
    if case.picture:
        path = node.config.stash[SESSION].folder / case.picture
        allure.attach.file(str(path), name=path.name, attachment_type=allure.attachment_type.SVG)  # type: ignore[no-untyped-call]


def _carry(node: pytest.Item, case: CaseResult) -> None:
    node.user_properties.append((PROPERTY, json.dumps(asdict(case))))


def _shown(result: DrillResult) -> DrillResult:
    """Tell Allure of a drill, and return its result: inconclusive, if a defect of ours keeps it from being shown."""
    try:
        _show(result)
    except Exception as error:  # noqa: BLE001 the other items, and the reports, must not be lost with it
        return defective(result.name, result.evidence.folder, "shown", error)
    return result


def _show(result: DrillResult) -> None:
    """Tell Allure the stages as steps, and attach the evidence."""
    for expected in result.expected:
        labels = " ".join(f"{k}={v}" for k, v in sorted(expected.expected.labels.items()))
        with allure.step(f"{expected.expected.alert} {labels}: {expected.expected.outcome}"):
            for stage, moment in expected.stages.written().items():
                shown = f"{moment:.3f} s" if isinstance(moment, float) else moment or "did not happen"
                with allure.step(f"{stage}: {shown}"):
                    pass
    for path in sorted(result.evidence.folder.glob("*.json*")):
        allure.attach.file(str(path), name=path.name, attachment_type=allure.attachment_type.TEXT)  # type: ignore[no-untyped-call]
