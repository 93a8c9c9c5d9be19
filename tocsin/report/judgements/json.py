"""Judgements for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tocsin.report.judgements import Shown


def render_one(shown: Shown) -> str:
    """Return the judgement of one body."""
    return json.dumps(_plain(shown), indent=1, ensure_ascii=False)


def render_many(shown: Sequence[Shown], left_out: Sequence[tuple[str, str]]) -> str:
    """Return the judgements of several targets, and which were not asked, with the reason."""
    whole = {
        "targets": [{"target": each.source, **_plain(each)} for each in shown],
        "not_asked": [{"target": name, "reason": reason} for name, reason in left_out],
    }
    return json.dumps(whole, indent=1, ensure_ascii=False)


def _plain(shown: Shown) -> dict[str, Any]:
    known: dict[str, Any] = {
        "verdicts": {
            "ingest": dict(shown.ingest),
            "specification": shown.specification,
            "sense": shown.sense,
        },
        "samples": shown.samples,
        "findings": [
            {
                "check": each.check,
                "severity": str(each.severity),
                "line": each.line,
                "column": each.column,
                "series": each.series,
                "message": each.message,
                "why": each.why,
                "fix": each.fix,
            }
            for each in shown.complaints
        ],
    }
    return known | ({"unjudged": shown.unjudged} if shown.unjudged else {})
