"""Findings as JUnit XML: a case for each check, which fails with what counts."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from tocsin.checks import checks
from tocsin.static import Examination, Judged
from tocsin.verdict import Outcome


def render(examination: Examination) -> str:
    """Return the findings as one suite; a check whose findings are all waived is skipped."""
    found: dict[str, list[Judged]] = {check: [] for check in checks()}
    for each in examination.judged:
        found.setdefault(each.finding.check, []).append(each)
    suite = ET.Element("testsuite", name="tocsin check", tests=str(len(found)))
    failures = skipped = 0
    for check, judged in found.items():
        case = ET.SubElement(suite, "testcase", classname="tocsin.static", name=check)
        failed = [each for each in judged if each.verdict.outcome is Outcome.FAILED]
        rest = [each for each in judged if each.verdict.outcome is not Outcome.FAILED]
        if failed:
            failures += 1
            message = f"{len(failed)} findings" if len(failed) > 1 else failed[0].finding.message
            ET.SubElement(case, "failure", message=_clean(message)).text = _clean(_lines(failed))
        elif judged and all(each.verdict.outcome is Outcome.WAIVED for each in judged):
            skipped += 1
            ET.SubElement(case, "skipped", message=_clean(judged[0].verdict.reason.splitlines()[0]))
        if rest:
            ET.SubElement(case, "system-out").text = _clean(_lines(rest))
    suite.set("failures", str(failures))
    suite.set("skipped", str(skipped))
    suite.set("errors", "0")
    ET.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suite, encoding="unicode")


def _lines(judged: Sequence[Judged]) -> str:
    return "\n".join(
        f"{each.verdict.outcome} {f.severity} {f.place}: {f.message} {f.fix}".strip()
        for each in judged
        for f in (each.finding,)
    )


def _clean(text: str) -> str:
    """Return a text without the characters that XML 1.0 cannot hold (w3.org/TR/xml, production 2)."""
    return "".join(c for c in text if c in "\t\n\r" or ("\x20" <= c < "\ud800") or c > "\udfff")
