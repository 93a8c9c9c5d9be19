"""What is foreseen of probes, what attempts came to, and what an exercise showed, as text for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tocsin.probes.behaviour.cases import Answered, told
from tocsin.probes.behaviour.questions import Seen
from tocsin.probes.behaviour.questions.measures import p99
from tocsin.probes.handlers import ExplainedAttempt
from tocsin.probes.outlook import Outlook
from tocsin.probes.specification import ProbeSpec
from tocsin.report.excerpts import paragraph

Tries = tuple[ProbeSpec, Sequence[ExplainedAttempt]]
"""A probe, and the attempts of it."""


def foreseen(one: Outlook) -> Iterator[str]:
    """Yield what a kubelet would do with a container."""
    yield f"{one.name} ({one.place}), Kubernetes {one.version}; seconds"
    for probe in one.spec.probes:
        yield f"  {_numbers(probe)}"
    for name, figure in one.figures.items():
        yield from paragraph(f"{name}: ", str(figure))


def _numbers(probe: ProbeSpec) -> str:
    said = f"{probe.kind} {probe.handler}: every {probe.period:g}, timeout {probe.timeout:g}, {probe.failures} failures"
    return f"{said}, after {probe.delay:g}" if probe.delay else said


def attempted(name: str, tries: Sequence[Tries]) -> Iterator[str]:
    """Yield what attempts came to: outcomes, times, and what the kubelet would say of those that failed."""
    yield name
    for probe, made in tries:
        counts = ", ".join(f"{number} {outcome}" for outcome, number in Counter(a.outcome for a in made).items())
        slowest = max((each.seconds for each in made), default=0.0)
        yield f"  {probe.kind}: {counts}; up to {slowest:.3f} s of {probe.timeout:g} s"
        for message in dict.fromkeys(each.message for each in made if not each.outcome.healthy):
            yield from paragraph("    ", message)


def exercised(seen: Seen, answers: Sequence[Answered]) -> Iterator[str]:
    """Yield the answers to all questions to a container."""
    yield f"{seen.subject.name} ({seen.subject.place})"
    idle = seen.episodes.get("idle")
    for probe in seen.probes if idle else ():
        made = idle.of(probe.kind) if idle else ()
        yield f"  {probe.kind}: {len(made)} attempts, 99 of 100 within {p99(made):.3f} s of {probe.timeout:g} s"
    for each in answers:
        if each.remarks:
            yield from told(each, each.remarks, seen).split("\n")
        word = "not asked" if each.not_asked else "open" if each.unproven else "found" if each.remarks else "well"
        reason = each.not_asked or each.unproven
        yield f"  {each.question.id}: {word}{f' ({reason})' if reason else ''}"
