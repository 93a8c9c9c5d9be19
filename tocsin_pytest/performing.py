"""Performing: the drills of the selected items, once, in the controller, before any item is judged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from tocsin.deadline import DeadlineExceeded
from tocsin.report.console import run_console
from tocsin.runner import RunRequest, perform_run, print_plan
from tocsin.supervisor import Trouble
from tocsin.system import BadSystem
from tocsin_pytest.session import SESSION

PERFORMED = pytest.StashKey[bool]()
ITEM = re.compile(r"(?:^|/)test_(?:load|faults)(?:_waivers)?\.py::test_\w+\[(?P<drill>.+)\]$")
"""The id of an item that needs a drill; what comes before the file depends on where pytest was begun."""


def pytest_collection_finish(session: pytest.Session) -> None:
    """Perform the selected drills in a run without workers."""
    if not hasattr(session.config, "workerinput"):
        _perform(session.config, [item.nodeid for item in session.items])


def pytest_configure_node(node: Any) -> None:
    """Tell a worker which run it belongs to."""
    session: RunRequest | None = node.config.stash.get(SESSION, None)
    if session is not None:
        node.workerinput["tocsin_run"] = str(session.folder)
        node.workerinput["tocsin_started"] = session.started


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: Iterable[str]) -> None:
    """Perform the selected drills when the first worker has collected; all collect the same."""
    _perform(node.config, list(ids))


def _perform(config: pytest.Config, ids: Iterable[str]) -> None:
    session = config.stash.get(SESSION, None)
    if session is None or config.stash.get(PERFORMED, False) or config.getoption("collectonly"):
        return
    config.stash[PERFORMED] = True
    wanted = {match["drill"] for nodeid in ids if (match := ITEM.search(nodeid))}
    plans = tuple(plan for plan in session.plans if plan.name in wanted)
    config.stash[SESSION] = request = replace(session, plans=plans)
    if config.getoption("dry_run"):
        with _uncaptured(config):
            print_plan(run_console(), request)
        pytest.exit("--dry-run: nothing was done", pytest.ExitCode.OK if plans else pytest.ExitCode.NO_TESTS_COLLECTED)
    if not plans or config.getoption("evidence"):
        return
    with _uncaptured(config):
        console = run_console()
        try:
            print_plan(console, request)
            perform_run(console, request)
        except (BadSystem, Trouble, DeadlineExceeded) as trouble:
            raise pytest.UsageError(str(trouble)) from trouble


@contextmanager
def _uncaptured(config: pytest.Config) -> Iterator[None]:
    """Let the live view reach the terminal."""
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        yield
        return
    with capture.global_and_fixture_disabled():
        yield
