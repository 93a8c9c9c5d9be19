"""Findings as SARIF 2.1.0 (docs.oasis-open.org/sarif/sarif/v2.1.0), which code hosts show and keep track of."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from tocsin import __version__
from tocsin.checks import checks
from tocsin.finding import Severity
from tocsin.source import Place
from tocsin.static import Examination, Judged
from tocsin.verdict import Outcome

LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(examination: Examination) -> str:
    """Return the findings as one SARIF log with one run; what is waived is suppressed there."""
    used = sorted({each.finding.check for each in examination.judged})
    rules = [_rule(check) for check in used]
    run = {
        "tool": {"driver": {"name": "tocsin", "version": __version__, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, used.index(each.finding.check)) for each in examination.judged],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _rule(check: str) -> dict[str, Any]:
    known = checks().get(check)
    if known is None:
        return {"id": check, "shortDescription": {"text": check}}
    return {
        "id": check,
        "shortDescription": {"text": known.title},
        "fullDescription": {"text": known.why},
        "help": {"text": known.fix},
        "defaultConfiguration": {"level": LEVELS[known.severity]},
    }


def _result(each: Judged, index: int) -> dict[str, Any]:
    finding = each.finding
    result = {
        "ruleId": finding.check,
        "ruleIndex": index,
        "level": LEVELS[finding.severity],
        "message": {"text": f"{finding.message} {finding.fix}".strip()},
        "locations": [{**_location(finding.place, finding.width), "logicalLocations": [_logical(finding.subject)]}],
        "partialFingerprints": {"findingKey/v1": finding.key},
    }
    if finding.related:
        result["relatedLocations"] = [_location(place, 1) for place in finding.related]
    if each.verdict.outcome is Outcome.WAIVED:
        result["suppressions"] = [{"kind": "external", "justification": each.verdict.reason}]
    return result


def _location(place: Place, width: int) -> dict[str, Any]:
    region = {"startLine": place.line, "startColumn": place.column, "endColumn": place.column + width}
    return {"physicalLocation": {"artifactLocation": {"uri": quote(place.file)}, "region": region}}


def _logical(subject: str) -> dict[str, str]:
    return {"fullyQualifiedName": subject}
