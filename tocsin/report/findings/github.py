"""Findings as workflow commands of GitHub Actions, which shows them beside the lines of a pull request.

(docs.github.com, "Workflow commands for GitHub Actions": `::error file=,line=,col=,title=::message`.)
"""

from __future__ import annotations

from tocsin.finding import Severity
from tocsin.static import Examination, Judged
from tocsin.verdict import Outcome

COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render(examination: Examination) -> str:
    """Return a command for each finding that is not waived."""
    return "\n".join(_command(each) for each in examination.judged if each.verdict.outcome is not Outcome.WAIVED)


def _command(each: Judged) -> str:
    finding = each.finding
    fields = {
        "file": finding.place.file,
        "line": str(finding.place.line),
        "col": str(finding.place.column),
        "title": f"{finding.check}: {finding.subject}",
    }
    said = ",".join(f"{name}={_property(value)}" for name, value in fields.items())
    message = f"{finding.message}\n{finding.why}\nFix: {finding.fix}"
    return f"::{COMMANDS[finding.severity]} {said}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
