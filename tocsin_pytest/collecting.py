"""Collecting: an argument of a suite's function names the cases that it is called with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from tocsin.runner import RunRequest
from tocsin.system import Kind
from tocsin_pytest.options import SESSION

ONLY_WHEN_NAMED = frozenset({"pipeline", "load", "faults", "security"})


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Turn `load_drill`, `faults_drill`, `artefact_case` and `waiver_case` into the cases that the system has."""
    session = metafunc.config.stash.get(SESSION, None)
    cases: dict[str, Callable[[RunRequest], Iterator[object]]] = {
        "load_drill": lambda s: _drills(s, "load"),
        "faults_drill": lambda s: _drills(s, "faults"),
        "artefact_case": lambda _: _artefacts(),
        "waiver_case": _waivers,
    }
    for argument in cases.keys() & set(metafunc.fixturenames):
        if session is None:
            raise pytest.UsageError("no system was named: say --system DIR, or set TOCSIN_SYSTEM")
        metafunc.parametrize(argument, list(cases[argument](session)), indirect=True)


def _drills(session: RunRequest, marker: str) -> Iterator[object]:
    names = [plan.name for plan in session.plans if plan.marker == marker]
    for name in names:
        yield pytest.param(name, id=name)
    if not names:
        where = f"environment {session.environment}" if session.environment else "no environment"
        yield _lacking(f"{session.system.name} ({where}) declares no {marker} drills", f"no-{marker}-drills")


def _artefacts() -> Iterator[object]:
    for kind in Kind:
        yield pytest.param(kind, id=str(kind))


def _waivers(session: RunRequest) -> Iterator[object]:
    waivers = session.system.declaration.waivers
    for index, waiver in enumerate(waivers):
        yield pytest.param(index, id=waiver.finding)
    if not waivers:
        yield _lacking(f"{session.system.name} waives nothing", "no-waivers")


def _lacking(reason: str, name: str) -> object:
    return pytest.param(None, id=name, marks=pytest.mark.skip(reason=reason))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what runs only when -m names it."""
    named = set(re.findall(r"\w+", config.getoption("markexpr") or ""))
    withheld = ONLY_WHEN_NAMED - named
    left_out = [item for item in items if withheld & {mark.name for mark in item.iter_markers()}]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
