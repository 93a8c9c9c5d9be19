"""One question to one container, answered: from episodes to a case with its verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tocsin.case import CaseResult
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.probes import PROBES
from tocsin.probes.behaviour.episode import read_episodes
from tocsin.probes.behaviour.places import folder_of
from tocsin.probes.behaviour.questions import NotAsked, Question, Remark, Seen, Unproven, questions
from tocsin.probes.behaviour.subject import Subject
from tocsin.probes.versions import NEWEST, OLDEST, Version, read_version
from tocsin.system import Waiver
from tocsin.verdict import PASSED, Verdict, failed, inconclusive

CONTAINER = "container"
"""In place of a probe, where a question is about the container."""
_RANK = [*Severity]

WaivedBy = Callable[[Verdict, Iterable[str], Iterable[Waiver], date], Verdict]


@dataclass(frozen=True, slots=True)
class Bar:
    """What fails, and what of it is accepted."""

    fail_on: Severity | None
    waivers: tuple[Waiver, ...]
    today: date
    waived: WaivedBy


@dataclass(frozen=True, slots=True)
class Answered:
    """A question to a container, and all that came of it."""

    subject: Subject
    question: Question
    remarks: tuple[Remark, ...] = ()
    not_asked: str = ""
    """Why there is nothing to ask."""
    unproven: str = ""
    """Why there is no answer, or only a part of one."""

    def key(self, remark: Remark) -> str:
        """Return the name by which a waiver knows a remark."""
        about = remark.kind.value if remark.kind is not None else CONTAINER
        return f"{PROBES}@{self.subject.name}#{self.question.id}/{about}"

    def severity(self, remark: Remark) -> Severity:
        """Return how grave a remark is."""
        return remark.severity or self.question.severity


def seen_of(model: Model, subject: Subject, folder: Path) -> Seen:
    """Return what was seen of a container. Raises OSError or ValueError if that cannot be read."""
    declared = model.system.declaration.probes.kubernetes if model.system else "1.37"
    episodes = read_episodes(folder_of(folder, subject.name))
    # A cluster that was asked is foreseen as it is; one that is newer than what is known here, as the newest of these.
    found = read_version(next((each.kubernetes for each in episodes.values() if each.kubernetes), declared))
    return Seen(subject, episodes, Version(min(max(found.minor, OLDEST), NEWEST)))


def answered(seen: Seen, name: str) -> Answered:
    """Ask a question."""
    question = questions()[name]
    remarks: list[Remark] = []
    try:
        for remark in question.function(seen):
            remarks.append(remark)  # noqa: PERF402 what was found before it ends for want of more is kept
    except NotAsked as reason:
        return Answered(seen.subject, question, not_asked=str(reason))
    except Unproven as reason:
        return Answered(seen.subject, question, tuple(remarks), unproven=str(reason))
    return Answered(seen.subject, question, tuple(remarks))


def failing(answer: Answered, bar: Bar) -> list[Remark]:
    """Return what fails of an answer: what is grave enough, and what a waiver names."""
    waived = {waiver.finding for waiver in bar.waivers}
    most = -1 if bar.fail_on is None else _RANK.index(bar.fail_on)
    return [each for each in answer.remarks if _RANK.index(answer.severity(each)) <= most or answer.key(each) in waived]


def case_of(answer: Answered, bar: Bar, seen: Seen, picture: str = "") -> CaseResult:
    """Return an answer as a case."""
    found = failing(answer, bar)
    verdict = PASSED
    if found:
        keys = [answer.key(each) for each in found]
        verdict = bar.waived(failed(told(answer, found, seen)), keys, bar.waivers, bar.today)
    elif answer.unproven:
        verdict = inconclusive(f"{answer.subject.name} {answer.question.id}: {answer.unproven}")
    severity = min((answer.severity(each) for each in found), key=_RANK.index, default=Severity.ERROR)
    place = seen.place(found[0].kind) if found else answer.subject.place
    name = f"{answer.question.id}@{answer.subject.name}"
    return CaseResult(
        name, PROBES, f"{answer.subject.name} {answer.question.id}", place, verdict, severity, picture=picture
    )


def told(answer: Answered, remarks: Sequence[Remark], seen: Seen) -> str:
    """Return what is wrong, where, why it matters, and how to mend it."""
    lines = [f"{answer.subject.name}: {answer.question.id}"]
    for each in remarks:
        about = f"the {each.kind} probe" if each.kind is not None else "the container"
        lines.append(f"{answer.severity(each)}: {about} ({seen.place(each.kind)}): {each.message}")
    lines.append(f"  why  {answer.question.title}")
    lines += [f"  fix  {text}" for text in dict.fromkeys(each.fix or answer.question.fix for each in remarks)]
    return "\n".join(lines)


def waiver_verdict(waiver: Waiver, answers: Iterable[Answered], today: date) -> Verdict:
    """Tell whether a waiver of something about probes is needed: it has to name a remark, and not be over."""
    named = f"the waiver of {waiver.finding} ({waiver.owner})"
    if today > waiver.until:
        return failed(f"{named}: its last day was {waiver.until.isoformat()}")
    own = [each for each in answers if waiver.finding.startswith(f"{PROBES}@{each.subject.name}#{each.question.id}/")]
    if not own:
        return failed(f"{named}: there is no such container or question; remove it")
    if any(waiver.finding == each.key(remark) for each in own for remark in each.remarks):
        return PASSED
    unproven = next((each.unproven for each in own if each.unproven), "")
    if unproven:
        return inconclusive(f"{named}: it was not answered ({unproven})")
    return failed(f"{named}: nothing of the kind was found; remove the waiver")
