"""Simulation as pytest items: one an alert, and one for each of the owner's own test files.

Every process proves its own items, some neighbours with them, because an engine's process costs as much as ten alerts
do. What one has proven the others read from the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tocsin.artefacts.rules import case_ids
from tocsin.atomic import write_whole
from tocsin.case import CaseResult
from tocsin.engines.rule_engines import rule_engine
from tocsin.model import Model
from tocsin.report.proofs.text import explained
from tocsin.simulation.owners_cases import owners_case, test_files
from tocsin.simulation.proofs import AlertProof, alert_case, finding_key
from tocsin.simulation.sharing import SharedProofs
from tocsin.simulation.storage import cache_folder
from tocsin.waivers import needed, waived
from tocsin_pytest.session import PICTURES, SESSION, lacking

_MODEL = pytest.StashKey[Model]()
_PROOFS = pytest.StashKey[SharedProofs]()


def alert_params(config: pytest.Config) -> Iterator[object]:
    """Yield the alerts of the system, each by its case id."""
    model = _model(config)
    ids = case_ids(model.rules)
    for case in ids:
        yield pytest.param(case, id=case)
    if not ids:
        yield _lacking(config, "has no alerting rules", "no-alerts")


def test_params(config: pytest.Config) -> Iterator[object]:
    """Yield the owner's test files."""
    files = test_files(_model(config))
    for name in files:
        yield pytest.param(name, id=name)
    if not files:
        yield _lacking(config, "has no promtool tests of its own", "no-tests")


test_params.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever it is called


@pytest.fixture
def alert_proof(request: pytest.FixtureRequest) -> CaseResult:
    """Give what is proven of an alert."""
    session = request.config.stash[SESSION]
    proof = _proofs(request.config).of(request.param)
    case = _with_picture(request.config, alert_case(proof, explained), proof)
    waivers = session.system.declaration.waivers
    key = finding_key(proof)
    verdict = waived(case.verdict, [key], waivers, session.today)
    return replace(case, verdict=needed(verdict, key, waivers))


def _with_picture(config: pytest.Config, case: CaseResult, proof: AlertProof) -> CaseResult:
    """Return the case of an alert that is not proven with the picture of its test, if it has one."""
    if case.verdict.passed:
        return case
    from tocsin.report.proofs.picture import picture_of  # noqa: PLC0415 loads Matplotlib, which few runs need

    proofs = _proofs(config)
    drawn = picture_of(proofs.subject(proof.id), proof, rule_engine().generation)
    if not drawn:
        return case
    name = f"{PICTURES}/{proofs.names[proof.id]}.svg"
    path = config.stash[SESSION].folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, [drawn.encode()])
    shown = f"{case.verdict.reason}\n  picture: {path}"
    return replace(case, picture=name, verdict=replace(case.verdict, reason=shown))


@pytest.fixture
def owners_test(request: pytest.FixtureRequest) -> CaseResult:
    """Give what the engine says of a test file of the owner's."""
    return owners_case(rule_engine(), _model(request.config), request.param)


def _lacking(config: pytest.Config, said: str, name: str) -> object:
    return lacking(f"{config.stash[SESSION].system.name} {said}", name)


def _model(config: pytest.Config) -> Model:
    if _MODEL not in config.stash:
        system = config.stash[SESSION].system
        config.stash[_MODEL] = Model.of(system.directory, system)
    return config.stash[_MODEL]


def _proofs(config: pytest.Config) -> SharedProofs:
    if _PROOFS not in config.stash:
        config.stash[_PROOFS] = SharedProofs(_model(config), (rule_engine(),), cache_folder())
    return config.stash[_PROOFS]
