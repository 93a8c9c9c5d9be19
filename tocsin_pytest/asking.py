"""Endpoints as pytest items: one question to one target. The targets are asked once in a run, by whoever is first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from tocsin.case import CaseResult
from tocsin.exposition.cases import ENDPOINTS, Bar, all_said, case_of, waiver_verdict
from tocsin.exposition.judgement import Complaint
from tocsin.exposition.verdicts import QUESTIONS, Said
from tocsin.exposition.visiting import Planned, planned, visit
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.report.judgements import lines_of, shown_of
from tocsin.report.judgements.text import told
from tocsin.waivers import waived
from tocsin_pytest.session import SESSION, lacking, waiver_params
from tocsin_pytest.settling import proven

_MODEL = pytest.StashKey[Model]()
_SAID = pytest.StashKey[dict[str, Said]]()


def endpoint_params(config: pytest.Config) -> Iterator[object]:
    """Yield every question to every target."""
    session = config.stash[SESSION]
    targets = _targets(config)
    for target in targets:
        for question in QUESTIONS:
            yield pytest.param((target.name, question), id=f"{target.name}-{question}")
    if not targets:
        where = f"environment {session.environment}" if session.environment else "no environment was named, so it"
        yield lacking(f"{session.system.name}: {where} has no targets that can be asked", "no-targets")


def endpoint_waiver_params(config: pytest.Config) -> Iterator[object]:
    """Yield the waivers of what is wrong with targets."""
    yield from waiver_params(config.stash[SESSION], ENDPOINTS, "targets")


@pytest.fixture
def endpoint_case(request: pytest.FixtureRequest) -> CaseResult:
    """Give the answer to one question to one target."""
    name, question = request.param
    config = request.config
    session = config.stash[SESSION]
    fail_on = config.getoption("fail_on")
    bar = Bar(
        fail_on=None if fail_on == "never" else Severity(fail_on),
        waivers=session.system.declaration.waivers,
        today=session.today,
        waived=waived,
    )
    target = next(each for each in _targets(config) if each.name == name)
    return proven(request.node, case_of(target, question, _said(config)[name], bar, _told))


@pytest.fixture
def endpoint_waiver(request: pytest.FixtureRequest) -> CaseResult:
    """Give whether a waiver of something about a target is needed."""
    session = request.config.stash[SESSION]
    index: int = request.param
    waiver = session.system.declaration.waivers[index]
    verdict = waiver_verdict(waiver, _said(request.config), session.today)
    place = session.system.place("waivers", index)
    case = CaseResult(f"waiver-is-needed@{waiver.finding}", ENDPOINTS, waiver.finding, place, verdict)
    return proven(request.node, case)


def _told(said: Said, complaints: Sequence[Complaint]) -> str:
    first = said.asked.first
    lines = lines_of(said.asked.chunks(first), complaints) if first else {}
    return told(replace(shown_of(said), lines=lines), complaints)


def _model(config: pytest.Config) -> Model:
    if _MODEL not in config.stash:
        system = config.stash[SESSION].system
        config.stash[_MODEL] = Model.of(system.directory, system)
    return config.stash[_MODEL]


def _targets(config: pytest.Config) -> tuple[Planned, ...]:
    environment = config.stash[SESSION].environment
    return planned(_model(config), environment) if environment else ()


def _said(config: pytest.Config) -> dict[str, Said]:
    """Return what is said of every target: asked once, under a lock, and judged by each process from the evidence."""
    if _SAID not in config.stash:
        session = config.stash[SESSION]
        model, folder = _model(config), evidence_of(session.folder)
        if old := config.getoption("evidence"):
            folder = evidence_of(config.invocation_params.dir / old)
        else:
            session.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(session.folder / "endpoints.lock"):
                visit(model, session.environment, folder, now=session.started)
        config.stash[_SAID] = all_said(model, _targets(config), folder)
    return config.stash[_SAID]


def evidence_of(run: Path) -> Path:
    """Return where a run keeps what its targets answered."""
    return run / "endpoints"
