"""Findings for the reader at 3 a.m.: the line, the piece underlined, what follows, and the cure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.report.excerpts import paragraph, underlined
from tocsin.source import Place
from tocsin.static import Examination, Judged
from tocsin.verdict import Outcome


def render(examination: Examination) -> str:
    """Return the findings as text: those that count in full, those that do not in a line."""
    blocks = ["\n".join(_block(each, examination)) for each in examination.judged if _in_full(each)]
    rest = [_line(each) for each in examination.judged if not _in_full(each)]
    templates = [each for each in examination.unread if each.kind == "template"]
    if templates:
        rest.append(f"note: {len(templates)} unrendered templates were not examined, such as {templates[0].place.file}")
    return "\n\n".join([*blocks, *(["\n".join(rest)] if rest else []), _summary(examination)])


def _in_full(each: Judged) -> bool:
    return each.verdict.outcome is not Outcome.WAIVED and str(each.finding.severity) != "info"


def _block(each: Judged, examination: Examination) -> Iterator[str]:
    finding = each.finding
    yield f"{finding.severity}[{finding.check}] {finding.subject}".rstrip()
    yield from _excerpt(examination.texts(finding.place.file), finding.place, finding.width)
    yield from paragraph("", finding.message)
    for place in finding.related:
        yield f"  see  {place}"
    yield from paragraph("why  ", finding.why)
    yield from paragraph("fix  ", finding.fix)


def _excerpt(text: str, place: Place, width: int) -> Iterator[str]:
    yield f"  --> {place}"
    lines = text.split("\n")
    if not 1 <= place.line <= len(lines) or not text:
        return
    line = lines[place.line - 1].rstrip("\r").replace("\t", " ")
    yield from underlined(line, place.line, place.column, lambda text: width if width > 1 else _meant(text))


def _meant(text: str) -> int:
    """Return how many characters are meant by a place alone: a list, or a word such as a mapping's first key."""
    word = re.match(r"[\w.-]+", text)
    if word:
        return word.end()
    depth = 0
    for i, character in enumerate(text if text[:1] in ("[", "{") else ""):
        depth += (character in "[{") - (character in "]}")
        if not depth:
            return i + 1
    return 1


def _line(each: Judged) -> str:
    finding = each.finding
    if each.verdict.outcome is Outcome.WAIVED:
        return f"waived: {finding.place} {finding.check}: {finding.message} ({each.verdict.reason.splitlines()[0]})"
    return f"{finding.severity}: {finding.place} {finding.check}: {finding.message}"


def _summary(examination: Examination) -> str:
    waived = sum(each.verdict.outcome is Outcome.WAIVED for each in examination.judged)
    counts = [f"{count} {severity}" + "s" * (count != 1) for severity, count in examination.counts().items() if count]
    counts += [f"{waived} waived"] if waived else []
    looked = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in examination.artefacts.items())
    return f"{', '.join(counts) or 'nothing found'}; looked at {looked or 'nothing'}"
