"""How much of a line is underlined where a finding has a place and no width."""

from __future__ import annotations

import pytest

from tocsin.finding import Finding, Severity
from tocsin.report.findings import render
from tocsin.source import Place
from tocsin.static import Examination, Judged
from tocsin.verdict import PASSED


def underlined(line: str, column: int, width: int = 1) -> str:
    """Return what is underlined of a line."""
    finding = Finding(
        "a-check", "", Place("a.yml", 1, column), "It is wrong.", Severity.ERROR, width=width, why="So.", fix="Mend it."
    )
    text = render(Examination((Judged(finding, PASSED),), {"alerts": 1}, (), lambda _: line), "text")
    marks = text.split("\n")[3].partition("| ")[2]
    shown = text.split("\n")[2].partition("| ")[2]
    return "".join(c for c, mark in zip(shown, marks, strict=False) if mark == "^")


@pytest.mark.parametrize(
    ("line", "column", "width", "expected"),
    [
        ("  verbs: [get, list] # both", 10, 1, "[get, list]"),
        ("  selector: {app: {a: b}}", 13, 1, "{app: {a: b}}"),
        ("  selector: {app: [", 13, 1, "{"),
        ("  - weekdays: [sunday]", 5, 1, "weekdays"),
        ("  minReplicas: 1", 16, 1, "1"),
        ("  expr: up > 1", 12, 1, ">"),
        ("  expr: up > 1", 9, 2, "up"),
        ("", 1, 1, ""),
        ("ab", 9, 1, ""),
    ],
)
def test_what_is_meant_is_underlined(line: str, column: int, width: int, expected: str) -> None:
    """A list or a mapping to its end, a key to its end, else what the check says."""
    assert underlined(line, column, width) == expected


def test_a_finding_without_a_subject_leaves_no_blank() -> None:
    """The line of the check ends with the check."""
    finding = Finding("a-check", "", Place("a.yml"), "It is wrong.", Severity.ERROR, why="So.", fix="Mend it.")
    text = render(Examination((Judged(finding, PASSED),), {"alerts": 1}, (), lambda _: "x: 1"), "text")

    assert text.split("\n")[0] == "error[a-check]"
