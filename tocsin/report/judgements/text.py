"""Judgements for the reader at 3 a.m.: three verdicts, then the line, the piece underlined, what follows, the cure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tocsin.exposition.judgement import Complaint
from tocsin.finding import Severity
from tocsin.report.excerpts import paragraph, underlined
from tocsin.report.judgements import Shown

MOST_ALIKE = 5
"""Findings of one check that are shown in full; the others are counted."""
_DOES = {
    "accept": "takes the scrape",
    "reject": "drops the whole scrape; up is 0",
    "crash": "its process ends",
}
_PIECE = re.compile(r'[\w:.]+="(?:[^"\\]|\\.)*"|[\w:.+-]+(?:\{[^{}]*\})?|\S')


def render(shown: Sequence[Shown], left_out: Sequence[tuple[str, str]] = ()) -> str:
    """Return judgements as text, without a last line break."""
    blocks = ["\n\n".join(_judged(each)) for each in shown]
    if left_out:
        blocks.append("\n".join(f"not asked: {name}: {reason}" for name, reason in left_out))
    if len(shown) > 1:
        blocks.append(_summary(shown))
    return "\n\n".join(blocks)


def told(shown: Shown, complaints: Sequence[Complaint]) -> str:
    """Return some complaints in full."""
    return "\n".join("\n".join(_block(each, shown)) for each in sorted(complaints, key=_rank))


def _judged(shown: Shown) -> Iterator[str]:
    yield "\n".join(_head(shown))
    told: dict[str, int] = {}
    for complaint in sorted(shown.complaints, key=_rank):
        if complaint.severity is Severity.INFO:
            continue
        told[complaint.check] = told.get(complaint.check, 0) + 1
        if told[complaint.check] <= MOST_ALIKE:
            yield "\n".join(_block(complaint, shown))
    rest = [f"{count - MOST_ALIKE} more of {check}" for check, count in told.items() if count > MOST_ALIKE]
    rest += [_line(each, shown) for each in shown.complaints if each.severity is Severity.INFO]
    if rest:
        yield "\n".join(rest)
    yield _counted(shown)


def _rank(complaint: Complaint) -> tuple[int, int, int]:
    return [*Severity].index(complaint.severity), complaint.line, complaint.column


def _head(shown: Shown) -> Iterator[str]:
    yield shown.source
    if shown.unjudged:
        yield f"  not judged: {shown.unjudged}"
    for name, verdict in shown.ingest.items():
        yield f"  ingest         {name}: {verdict} ({_DOES[verdict]})"
    if not shown.unjudged:
        yield f"  specification  {shown.specification}"
        yield f"  sense          {shown.sense}"
        yield f"  samples        {shown.samples:,}"


def _block(complaint: Complaint, shown: Shown) -> Iterator[str]:
    yield _visible(f"{complaint.severity}[{complaint.check}] {complaint.series}".rstrip())
    yield from _excerpt(complaint, shown)
    yield from _paragraph("", complaint.message)
    yield from _paragraph("why  ", complaint.why)
    yield from _paragraph("fix  ", complaint.fix)


def _place(complaint: Complaint, shown: Shown) -> str:
    return f"{shown.source}:{complaint.line}:{complaint.column}" if complaint.line else shown.source


def _excerpt(complaint: Complaint, shown: Shown) -> Iterator[str]:
    yield f"  --> {_place(complaint, shown)}"
    line = shown.lines.get(complaint.line)
    if line is None:
        return
    yield from underlined(_visible(line), complaint.line, complaint.column, _meant)


def _meant(text: str) -> int:
    found = _PIECE.match(text)
    return len(found[0]) if found else 1


def _visible(line: str) -> str:
    """Return a line in which each character takes one column, those that a terminal would act on too."""
    return "".join(
        each if each.isprintable() else "\N{SYMBOL FOR SUBSTITUTE}" if each != "\t" else " " for each in line
    )


def _paragraph(title: str, text: str) -> Iterator[str]:
    return paragraph(title, _visible(text), break_on_hyphens=False)


def _line(complaint: Complaint, shown: Shown) -> str:
    return f"info: {_place(complaint, shown)} {complaint.check}: {_visible(complaint.message)}"


def _counted(shown: Shown) -> str:
    counts = {severity: sum(each.severity is severity for each in shown.complaints) for severity in Severity}
    said = [f"{count} {severity}{'s' * (count != 1)}" for severity, count in counts.items() if count]
    return ", ".join(said) or "nothing found"


def _summary(shown: Sequence[Shown]) -> str:
    complaints = [each for one in shown for each in one.complaints]
    counts = {severity: sum(each.severity is severity for each in complaints) for severity in Severity}
    said = [f"{count} {severity}{'s' * (count != 1)}" for severity, count in counts.items() if count]
    return f"{len(shown)} targets: {', '.join(said) or 'nothing found'}"
