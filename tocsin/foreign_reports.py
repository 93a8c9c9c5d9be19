"""What other linters found: their reports, read as findings, so that one list and one kind of waiver holds them all.

pint (`pint --json`, internal/reporter/json.go), kube-linter (`--format json`, pkg/diagnostic/diagnostic.go), anything
that writes SARIF 2.1.0, and the lines that dashboard-linter prints (lint/results.go).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tocsin.finding import Finding, Severity
from tocsin.source import Place
from tocsin.system import BadSystem, Problem

_SARIF = {"error": Severity.ERROR, "warning": Severity.WARNING, "note": Severity.INFO, "none": Severity.INFO}
_PINT = {"fatal": Severity.ERROR, "bug": Severity.ERROR, "warning": Severity.WARNING, "information": Severity.INFO}
_PINT_NUMBERS = ("information", "warning", "bug", "fatal")
_PRINTED = re.compile(r"\[(?P<sign>❌|⚠️)[^\]]*\] (?P<message>Dashboard '(?P<dashboard>[^']*)'.*)")


def read_report(path: Path, file: str) -> tuple[Finding, ...]:
    """Return the findings of a report; raises BadSystem if it is none that is known.

    Other tools mean other things by an error than an alert that cannot arrive, so theirs are warnings at most.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSystem((Problem(Place(file), f"is a report that cannot be read: {error}"),)) from error
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        found = tuple(_printed(text, file))
        if not found and "Dashboard" not in text and text.strip():
            said = (
                "is no report that Tocsin knows: give it JSON of pint or kube-linter, SARIF, or dashboard-linter's text"
            )
            raise BadSystem((Problem(Place(file), said),)) from None
        return found
    return tuple(_capped(finding) for finding in _read(value, file))


def _capped(finding: Finding) -> Finding:
    severity = Severity.WARNING if finding.severity is Severity.ERROR else finding.severity
    return Finding(finding.check, finding.subject, finding.place, finding.message, severity, why=finding.why,
                   fix=finding.fix)  # fmt: skip


def _read(value: Any, file: str) -> Iterator[Finding]:
    if isinstance(value, dict) and isinstance(value.get("runs"), list):
        yield from _sarif(value)
    elif isinstance(value, dict) and "Reports" in value:
        yield from _kube_linter(value)
    elif isinstance(value, list):
        for each in value:
            yield from _pint(each)
    else:
        said = "is no report that Tocsin knows: it is JSON of neither pint nor kube-linter, and no SARIF"
        raise BadSystem((Problem(Place(file), said),))


def _sarif(value: Mapping[str, Any]) -> Iterator[Finding]:
    for run in _mappings(value["runs"]):
        tool = str(_at(run, "tool", "driver", "name") or "sarif").lower()
        for result in _mappings(run.get("results")):
            if result.get("suppressions"):
                continue
            rule = str(result.get("ruleId") or "finding")
            location = next(iter(_mappings(result.get("locations"))), {})
            file = str(_at(location, "physicalLocation", "artifactLocation", "uri") or "").removeprefix("file://")
            line = _at(location, "physicalLocation", "region", "startLine")
            logical = next(iter(_mappings(location.get("logicalLocations"))), {})
            yield Finding(
                f"{tool}/{rule}",
                str(logical.get("fullyQualifiedName") or rule),
                Place(file or "report", line if isinstance(line, int) and line > 0 else 1),
                str(_at(result, "message", "text") or rule),
                _SARIF.get(str(result.get("level")), Severity.WARNING),
                why=f"Found by {tool}.",
            )


def _kube_linter(value: Mapping[str, Any]) -> Iterator[Finding]:
    for each in _mappings(value.get("Reports")):
        found = _at(each, "Object", "K8sObject")
        known: Mapping[str, Any] = found if isinstance(found, dict) else {}
        kind = _at(known, "GroupVersionKind", "Kind")
        subject = "/".join(str(part or "-") for part in (kind, known.get("Namespace"), known.get("Name")))
        file = str(_at(each, "Object", "Metadata", "FilePath") or "report")
        check = str(each.get("Check") or "finding")
        message = str(_at(each, "Diagnostic", "Message") or check)
        fix = str(each.get("Remediation") or "")
        why = "Found by kube-linter."
        yield Finding(f"kube-linter/{check}", subject, Place(file), message, Severity.WARNING, why=why, fix=fix)


def _pint(each: Any) -> Iterator[Finding]:
    if not isinstance(each, dict):
        return
    plain = {str(key).lower(): value for key, value in each.items()}
    inner = plain.get("problem")
    problem = {str(k).lower(): v for k, v in inner.items()} if isinstance(inner, dict) else plain
    lines = problem.get("lines")
    first = lines.get("First") or lines.get("first") if isinstance(lines, dict) else next(iter(lines or ()), 1)
    severity = problem.get("severity")
    if isinstance(severity, int) and 0 <= severity < len(_PINT_NUMBERS):
        severity = _PINT_NUMBERS[severity]
    said = problem.get("summary") or problem.get("text") or (inner if isinstance(inner, str) else "")
    check = str(problem.get("reporter") or "finding")
    yield Finding(
        f"pint/{check}",
        str(_at(plain, "rule", "name") or check),
        Place(
            str(plain.get("reportedpath") or plain.get("path") or "report"),
            first if isinstance(first, int) and first > 0 else 1,
        ),
        str(said or check),
        _PINT.get(str(severity).lower(), Severity.WARNING),
        why=str(problem.get("details") or "Found by pint."),
    )


def _printed(text: str, file: str) -> Iterator[Finding]:
    for number, line in enumerate(text.split("\n"), 1):
        match = _PRINTED.search(line)
        if match is not None:
            severity = Severity.WARNING if match["sign"] == "❌" else Severity.INFO
            why = "Found by dashboard-linter."
            place = Place(file, number)
            yield Finding("dashboard-linter/rule", match["dashboard"], place, match["message"], severity, why=why)


def _at(value: Any, *route: str) -> Any:
    for step in route:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, dict))
