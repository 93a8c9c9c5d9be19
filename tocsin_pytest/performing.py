"""Performing: the drills of the selected items, once, in the controller, before any item is judged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from tocsin.deadline import DeadlineExceeded
from tocsin.drill.runs import begin_run, has_begun
from tocsin.report.console import run_console
from tocsin.runner import RunRequest, perform_run, print_plan
from tocsin.supervisor import Trouble
from tocsin.system import BadSystem
from tocsin_pytest.beginning import old_evidence
from tocsin_pytest.session import DRILL_MARKERS, INTERRUPTED, SESSION

PERFORMED = pytest.StashKey[bool]()
ITEM = re.compile(rf"(?:^|/)test_(?:{'|'.join(DRILL_MARKERS)})(?:_waivers)?\.py::test_\w+\[(?P<drill>.+)\]$")
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
    selected = list(ids)
    wanted = {match["drill"] for nodeid in selected if (match := ITEM.search(nodeid))}
    plans = tuple(plan for plan in session.plans if plan.name in wanted)
    config.stash[SESSION] = request = replace(session, plans=plans)
    old, dry = old_evidence(config), config.getoption("dry_run")
    if selected and not dry and (old is not None or not plans):
        begin_run(request.folder, old)
    elif plans or dry:
        with _uncaptured(config):
            _planned_and_performed(config, request, only_planned=dry)
    if dry:
        pytest.exit("--dry-run: nothing was done", pytest.ExitCode.OK if plans else pytest.ExitCode.NO_TESTS_COLLECTED)


def _planned_and_performed(config: pytest.Config, request: RunRequest, *, only_planned: bool) -> None:
    """Print the plan, and perform it; what is refused is a usage error, and an interruption goes through."""
    console = run_console()
    try:
        print_plan(console, request)
        if not only_planned:
            perform_run(console, request)
    except (BadSystem, Trouble, DeadlineExceeded) as trouble:
        raise pytest.UsageError(str(trouble)) from trouble
    except KeyboardInterrupt:
        config.stash[INTERRUPTED] = has_begun(request.folder)
        raise


@contextmanager
def _uncaptured(config: pytest.Config) -> Iterator[None]:
    """Let the live view reach the terminal."""
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        yield
        return
    with capture.global_and_fixture_disabled():
        yield
