"""Settling: a verdict becomes pytest's outcome; the only translator."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import allure
import pytest

from tocsin.case import CaseResult
from tocsin.drill.judge import DrillResult, judge
from tocsin.drill.schedule import evidence_folder
from tocsin.evidence import Evidence, read_evidence
from tocsin.plan import artefact_result
from tocsin.runner import RunRequest
from tocsin.source import Place
from tocsin.system import Kind
from tocsin.verdict import Outcome
from tocsin_pytest.options import SESSION
from tocsin_pytest.reporting import PROPERTY

Settle = Callable[[CaseResult], None]
SettleDrill = Callable[[DrillResult], None]


class Inconclusive(Exception):
    """Nothing was proven. Raised in set-up, so that JUnit has an error and Allure a broken test, not a failure."""


@pytest.fixture
def load_drill(request: pytest.FixtureRequest) -> DrillResult:
    """Give the judgement of a load drill."""
    return _judged(request)


@pytest.fixture
def faults_drill(request: pytest.FixtureRequest) -> DrillResult:
    """Give the judgement of a drill that kills or cuts."""
    return _judged(request)


@pytest.fixture
def artefact_case(request: pytest.FixtureRequest) -> CaseResult:
    """Give what is known of one kind of artefact; skip, by its name, one that the system lacks."""
    session = request.config.stash[SESSION]
    kind: Kind = request.param
    case = artefact_result(session.system, kind)
    if case is None:
        pytest.skip(f"{session.system.name} has no {kind}")
    return case


@pytest.fixture
def settle(request: pytest.FixtureRequest) -> Settle:
    """Give the translator of verdicts."""

    def settled(case: CaseResult) -> None:
        _carry(request.node, case)
        match case.verdict.outcome:
            case Outcome.FAILED:
                pytest.fail(case.verdict.reason, pytrace=False)
            case Outcome.WAIVED:
                pytest.skip(case.verdict.reason)
            case Outcome.INCONCLUSIVE:
                pytest.fail(f"INCONCLUSIVE: {case.verdict.reason}", pytrace=False)
            case Outcome.PASSED:
                pass

    return settled


@pytest.fixture
def settle_drill(request: pytest.FixtureRequest, settle: Settle) -> SettleDrill:
    """Give the translator of a drill's judgement."""
    return lambda result: settle(drill_case(result, request.config.stash[SESSION]))


def _judged(request: pytest.FixtureRequest) -> DrillResult:
    session = request.config.stash[SESSION]
    evidence = read_evidence(evidence_folder(session.folder, request.param))
    result = judge(evidence)
    _show(result, evidence)
    if result.verdict.outcome is Outcome.INCONCLUSIVE:
        _carry(request.node, drill_case(result, session))
        raise Inconclusive(result.verdict.reason)
    return result


def drill_case(result: DrillResult, session: RunRequest) -> CaseResult:
    """Return a drill's judgement as a case."""
    plan = next(p for p in session.plans if p.name == result.name)
    manifest = result.evidence.manifest
    seconds = (manifest.moments.ended or 0.0) - manifest.moments.started if manifest else 0.0
    place = Place(plan.place.file, plan.place.line, plan.place.column)
    return CaseResult(
        f"{result.name}@{place.file}", plan.marker, result.name, place, result.verdict, seconds=max(seconds, 0.0)
    )


def _carry(node: pytest.Item, case: CaseResult) -> None:
    node.user_properties.append((PROPERTY, json.dumps(_plain(case))))


def _plain(case: CaseResult) -> dict[str, Any]:
    return asdict(case)


def _show(result: DrillResult, evidence: Evidence) -> None:
    """Tell Allure the stages as steps, and attach the evidence."""
    for expected in result.expected:
        labels = " ".join(f"{k}={v}" for k, v in sorted(expected.expected.labels.items()))
        with allure.step(f"{expected.expected.alert} {labels}: {expected.expected.outcome}"):
            for stage, moment in expected.stages.written().items():
                shown = f"{moment:.3f} s" if isinstance(moment, float) else moment or "did not happen"
                with allure.step(f"{stage}: {shown}"):
                    pass
    for path in sorted(evidence.folder.glob("*.json*")):
        allure.attach.file(str(path), name=path.name, attachment_type=allure.attachment_type.TEXT)  # type: ignore[no-untyped-call]
