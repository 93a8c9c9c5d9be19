"""Collecting: an argument of a suite's function names the cases that it is called with."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tocsin.checks import checks
from tocsin.exposition.cases import ENDPOINTS
from tocsin.plan import drill_key
from tocsin.probes import PROBES
from tocsin.runner import RunRequest
from tocsin.system import Kind
from tocsin_pytest.asking import endpoint_params, endpoint_waiver_params
from tocsin_pytest.options import SUITES
from tocsin_pytest.probing import probe_params, probe_waiver_params
from tocsin_pytest.proving import alert_params, test_params
from tocsin_pytest.session import DRILL_MARKERS, SESSION, lacking

ONLY_WHEN_NAMED = frozenset({"pipeline", ENDPOINTS, PROBES, *DRILL_MARKERS})
WAIVERS = re.compile(rf"test_(?P<marker>{'|'.join(DRILL_MARKERS)})_waivers\.py")
"""The module that asks whether the waivers of a marker's drills are needed."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the waivers of drills where no drill is waived: nothing is asked, and nothing is lacking.

    Endpoints and probes are left out where they are not asked for: it takes all of a system's files to know them.
    """
    asked = asked_for(config.getoption("markexpr") or "")
    if any(collection_path == SUITES / marker and marker not in asked for marker in (ENDPOINTS, PROBES)):
        return True
    match = WAIVERS.fullmatch(collection_path.name)
    session = config.stash.get(SESSION, None)
    if match is None or session is None or not collection_path.is_relative_to(SUITES):
        return None
    return None if _waived_drills(session, match["marker"]) else True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Turn what an argument names (`load_drill`, `artefact_case`, ...) into the cases that the system has."""
    session = metafunc.config.stash.get(SESSION, None)
    cases: dict[str, Callable[[RunRequest], Iterable[object]]] = {
        **{f"{marker}_drill": partial(_drills, marker=marker) for marker in DRILL_MARKERS},
        **{f"{marker}_waiver": partial(_waived_drills, marker=marker) for marker in DRILL_MARKERS},
        "alert_proof": lambda _: alert_params(metafunc.config),
        "owners_test": lambda _: test_params(metafunc.config),
        "endpoint_case": lambda _: endpoint_params(metafunc.config),
        "endpoint_waiver": lambda _: endpoint_waiver_params(metafunc.config),
        "probe_case": lambda _: probe_params(metafunc.config),
        "probe_waiver": lambda _: probe_waiver_params(metafunc.config),
        "artefact_case": lambda _: _artefacts(),
        "check_case": lambda _: _checks(),
        "report_case": _reports,
        "waiver_case": _waivers,
    }
    for argument in cases.keys() & set(metafunc.fixturenames):
        if session is None:
            raise pytest.UsageError("no system was named: say --system DIR, or set TOCSIN_SYSTEM")
        metafunc.parametrize(argument, list(cases[argument](session)), indirect=True)


def asked_for(expression: str) -> frozenset[str]:
    """Return the markers that an expression of -m asks for: `not static` asks for none, `not (not load)` for load."""
    try:
        parsed = ast.parse(expression.strip() or "False", mode="eval").body
    except SyntaxError:
        return frozenset()  # pytest says what is wrong with it
    return frozenset(_wanted(parsed, wanted=True))


def _wanted(node: ast.AST, *, wanted: bool) -> Iterator[str]:
    match node:
        case ast.Name(id=name) if wanted:
            yield name
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield from _wanted(operand, wanted=not wanted)
        case ast.BoolOp(values=values):
            for value in values:
                yield from _wanted(value, wanted=wanted)


def _drills(session: RunRequest, marker: str) -> Iterator[object]:
    names = [plan.name for plan in session.plans if plan.marker == marker]
    for name in names:
        yield pytest.param(name, id=name)
    if not names:
        where = f"environment {session.environment}" if session.environment else "no environment"
        yield lacking(f"{session.system.name} ({where}) declares no {marker} drills", f"no-{marker}-drills")


def _waived_drills(session: RunRequest, marker: str) -> list[str]:
    """Return the names of the drills that have a waiver."""
    waived = {waiver.finding for waiver in session.system.declaration.waivers}
    return [plan.name for plan in session.plans if plan.marker == marker and drill_key(plan.name) in waived]


def _artefacts() -> Iterator[object]:
    for kind in Kind:
        yield pytest.param(kind, id=str(kind))


def _checks() -> Iterator[object]:
    for check in checks():
        yield pytest.param(check, id=check)


def _reports(session: RunRequest) -> Iterator[object]:
    reports = session.system.declaration.static.reports
    if reports:
        yield pytest.param(None, id="reports")
    else:
        yield lacking(f"{session.system.name} names no reports of other linters", "no-reports")


def _waivers(session: RunRequest) -> Iterator[object]:
    waivers = session.system.declaration.waivers
    for index, waiver in enumerate(waivers):
        yield pytest.param(index, id=waiver.finding)
    if not waivers:
        yield lacking(f"{session.system.name} waives nothing", "no-waivers")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out of the suites what runs only when -m names it; others' tests are theirs, whatever their markers."""
    withheld = ONLY_WHEN_NAMED - asked_for(config.getoption("markexpr") or "")
    left_out = {
        item
        for item in items
        if item.path.is_relative_to(SUITES) and withheld & {mark.name for mark in item.iter_markers()}
    }
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
