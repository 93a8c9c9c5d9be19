"""Findings for machines."""

from __future__ import annotations

import json
from typing import Any

from tocsin.static import Examination, Judged


def render(examination: Examination) -> str:
    """Return the findings as one JSON object."""
    found = {
        "findings": [_finding(each) for each in examination.judged],
        "artefacts": dict(examination.artefacts),
        "unreadable": [
            {
                "file": each.place.file,
                "line": each.place.line,
                "column": each.place.column,
                "kind": each.kind,
                "severity": each.severity,
                "message": each.message,
            }
            for each in examination.unread
        ],
    }
    return json.dumps(found, indent=2, ensure_ascii=False)


def _finding(each: Judged) -> dict[str, Any]:
    finding = each.finding
    return {
        "check": finding.check,
        "severity": str(finding.severity),
        "verdict": str(each.verdict.outcome),
        "file": finding.place.file,
        "line": finding.place.line,
        "column": finding.place.column,
        "subject": finding.subject,
        "message": finding.message,
        "why": finding.why,
        "fix": finding.fix,
        "key": finding.key,
        "related": [{"file": p.file, "line": p.line, "column": p.column} for p in finding.related],
        **({"waived": each.verdict.reason} if str(each.verdict.outcome) == "waived" else {}),
    }
