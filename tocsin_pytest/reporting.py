"""Reporting: cases are gathered in the controller, written when the session ends, and make its exit code."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import pytest

from tocsin.case import CaseResult
from tocsin.finding import Severity
from tocsin.report.console import run_console
from tocsin.runner import cases_of_run, conclude_run
from tocsin.source import Place
from tocsin.verdict import Outcome, Verdict
from tocsin_pytest.session import INTERRUPTED, SESSION

INCONCLUSIVE = 10
"""Exit code: nothing failed, and something stayed unproven."""
NOT_SHOWN = (Outcome.PASSED, Outcome.WAIVED)
"""The outcomes whose reasons pytest does not print by itself."""
PROPERTY = "tocsin"
"""The name under which an item carries its case to the controller."""


@dataclass(frozen=True, slots=True)
class Crash:
    """What pytest puts on one line, and JUnit into the attribute `message`."""

    message: str


class Reason:
    """Why an item did not pass, as pytest shows it: by words on a terminal, by lines in a log."""

    def __init__(self, verdict: Verdict) -> None:
        self.text = verdict.reason
        self.reprcrash = Crash(f"{verdict.outcome}: {verdict.reason}")

    def __str__(self) -> str:
        return self.text

    def toterminal(self, out: Any) -> None:
        """Print it; lines that a terminal would break within a word are broken between words."""
        for line in self.text.splitlines():
            wide = out.fullwidth if out.hasmarkup else sys.maxsize
            for piece in wrap(line, wide, break_long_words=False, break_on_hyphens=False) or [""]:
                out.line(piece)


class Reporting:
    """What a session's items told, and the reports and the exit code that follow from it."""

    def __init__(self) -> None:
        self.cases: dict[str, CaseResult] = {}
        self.outcomes: dict[str, set[str]] = {}
        self.nothing_asked = False
        """Whether all that was selected is lacking in the system."""
        self.not_collected = False
        """Whether something could not be collected, which JUnit tells."""
        self._session: pytest.Session | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the case that an item carries off it, and show its reason; under xdist it comes from a worker."""
        self.outcomes.setdefault(report.nodeid, set()).add(report.outcome)
        carried = [value for name, value in report.user_properties if name == PROPERTY]
        report.user_properties = [known for known in report.user_properties if known[0] != PROPERTY]
        if carried:
            self.cases[report.nodeid] = case = _case(json.loads(str(carried[-1])))
            if report.failed:
                shown: Any = Reason(case.verdict)  # all that pytest asks of what it shows
                report.longrepr = shown

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Set the exit code: 10 if only proof is missing, 5 if all that was selected was lacking."""
        self._session = session
        self.not_collected = not self.outcomes and bool(session.testsfailed)
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
        if config.stash.get(INTERRUPTED, False):
            request = config.stash[SESSION]
            terminalreporter.ensure_newline()
            conclude_run(run_console(), request, cases_of_run(request), time.time())
        elif self.outcomes:
            terminalreporter.ensure_newline()
            if self.nothing_asked:
                terminalreporter.write_line(
                    "NOTHING WAS ASKED: the system has nothing of what was selected (-rs lists it), so this is no pass",
                    yellow=True,
                )
            cases = [case for _, case in sorted(self.cases.items())]  # in one order, however many workers there were
            results = conclude_run(run_console(), config.stash[SESSION], cases, time.time(), NOT_SHOWN)
            self._unproven_by(results.cases)

    def _unproven_by(self, cases: Sequence[CaseResult]) -> None:
        """Set the exit code if a drill became inconclusive only when it was to be shown."""
        shown = {case.verdict.outcome for case in cases} - {case.verdict.outcome for case in self.cases.values()}
        if Outcome.INCONCLUSIVE in shown and self._session and self._session.exitstatus == pytest.ExitCode.OK:
            self._session.exitstatus = INCONCLUSIVE


def _case(plain: dict[str, Any]) -> CaseResult:
    verdict = Verdict(Outcome(plain["verdict"]["outcome"]), plain["verdict"]["reason"])
    known = {**plain, "verdict": verdict, "place": Place(**plain["place"]), "severity": Severity(plain["severity"])}
    return CaseResult(**known)
