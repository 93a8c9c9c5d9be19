"""Reporting: cases are gathered in the controller, written when the session ends, and make its exit code."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tocsin.case import CaseResult
from tocsin.finding import Severity
from tocsin.report.console import run_console
from tocsin.runner import conclude_run
from tocsin.source import Place
from tocsin.verdict import Outcome, Verdict
from tocsin_pytest.session import SESSION

INCONCLUSIVE = 10
"""Exit code: nothing failed, and something stayed unproven."""
PROPERTY = "tocsin"
"""The name under which an item carries its case to the controller."""


class Reporting:
    """What a session's items told, and the reports and the exit code that follow from it."""

    def __init__(self) -> None:
        self.cases: dict[str, CaseResult] = {}
        self.outcomes: dict[str, set[str]] = {}
        self.nothing_asked = False
        """Whether all that was selected is lacking in the system."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather the case that an item carries; under xdist it comes from the workers."""
        self.outcomes.setdefault(report.nodeid, set()).add(report.outcome)
        for name, value in report.user_properties:
            if name == PROPERTY:
                self.cases[report.nodeid] = _case(json.loads(str(value)))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Set the exit code: 10 if only proof is missing, 5 if all that was selected was lacking."""
        failed = {nodeid for nodeid, outcomes in self.outcomes.items() if "failed" in outcomes}
        unproven = {nodeid for nodeid, case in self.cases.items() if case.verdict.outcome is Outcome.INCONCLUSIVE}
        if session.exitstatus == pytest.ExitCode.TESTS_FAILED and failed and failed <= unproven:
            session.exitstatus = INCONCLUSIVE
        if session.exitstatus == pytest.ExitCode.OK and self.outcomes and not self._answered():
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
            self.nothing_asked = True

    def _answered(self) -> bool:
        """Tell whether any item gave an answer, and was not skipped for want of something to ask."""
        skipped = {nodeid for nodeid, outcomes in self.outcomes.items() if "skipped" in outcomes}
        waived = {nodeid for nodeid, case in self.cases.items() if case.verdict.outcome is Outcome.WAIVED}
        return bool(self.outcomes.keys() - skipped | waived)

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        """Write the reports of the run and print the closing table."""
        if self.outcomes:
            terminalreporter.ensure_newline()
            if self.nothing_asked:
                terminalreporter.write_line(
                    "NOTHING WAS ASKED: the system has nothing of what was selected (-rs lists it), so this is no pass",
                    yellow=True,
                )
            conclude_run(run_console(), config.stash[SESSION], tuple(self.cases.values()))


def _case(plain: dict[str, Any]) -> CaseResult:
    verdict = Verdict(Outcome(plain["verdict"]["outcome"]), plain["verdict"]["reason"])
    known = {**plain, "verdict": verdict, "place": Place(**plain["place"]), "severity": Severity(plain["severity"])}
    return CaseResult(**known)
