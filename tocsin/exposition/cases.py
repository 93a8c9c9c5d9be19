"""One question to one target, answered: from what was asked to a case with its verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tocsin.case import CaseResult
from tocsin.exposition.contract import Contract, changes, read_contract
from tocsin.exposition.judgement import Complaint
from tocsin.exposition.needs import Start, complaint_of, lacking_at_start
from tocsin.exposition.sense import senses
from tocsin.exposition.verdicts import QUESTIONS, Said, said_of
from tocsin.exposition.visiting import Planned, visited
from tocsin.finding import Severity
from tocsin.model import Model
from tocsin.system import Waiver
from tocsin.verdict import PASSED, Verdict, failed, inconclusive

ENDPOINTS = "endpoints"
"""The marker, and the first word of what a waiver names: `endpoints@TARGET#CHECK/SUBJECT`."""
_RANK = [*Severity]
_OF_BODY = frozenset(QUESTIONS) - {"http"}

Told = Callable[[Said, Sequence[Complaint]], str]
"""Makes the reason of what failed."""
WaivedBy = Callable[[Verdict, Iterable[str], Iterable[Waiver], date], Verdict]


@dataclass(frozen=True, slots=True)
class Bar:
    """What fails, and what of it is accepted."""

    fail_on: Severity | None
    waivers: tuple[Waiver, ...]
    today: date
    waived: WaivedBy


def key_of(target: str, complaint: Complaint) -> str:
    """Return the name by which a waiver knows a complaint about a target."""
    return f"{ENDPOINTS}@{target}#{complaint.check}/{complaint.subject}"


def all_said(model: Model, targets: Sequence[Planned], folder: Path) -> dict[str, Said]:
    """Judge all that was asked, with what contracts and expressions say; by target.

    Raises OSError, ValueError, KeyError or TypeError if something of it cannot be read.
    """
    said = {target.name: said_of(visited(folder, target.name)) for target in targets}
    contracts = {target.name: contract_of(model, target.job.name) for target in targets}
    starts = [
        Start(target.job.name, one.judgement.digest, _lazy(contracts[target.name]))
        for target in targets
        if (one := said[target.name]).judgement is not None
    ]
    lacking = list(lacking_at_start(model, starts))
    found = {}
    for target in targets:
        one, contract = said[target.name], contracts[target.name]
        told = [complaint for job, complaint in lacking if job == target.job.name]
        if contract is not None and one.judgement is not None:
            broken = changes(contract.digest, one.judgement.digest, contract.lazily_born)
            told += [complaint_of(change, model, contract.path.name) for change in broken]
        found[target.name] = one.with_contract(told)
    return found


def contract_of(model: Model, job: str) -> Contract | None:
    """Return the saved body of a job that the system's folder has."""
    body = next((each for each in model.metrics.bodies if each.job == job), None)
    return read_contract(model.folder.directory / body.file) if body else None


def _lazy(contract: Contract | None) -> dict[str, str]:
    return dict(contract.lazily_born) if contract else {}


def failing(said: Said, question: str, bar: Bar, target: str) -> list[Complaint]:
    """Return what fails of the answer to a question: what is grave enough, and what a waiver names."""
    waived = {waiver.finding for waiver in bar.waivers}
    most = -1 if bar.fail_on is None else _RANK.index(bar.fail_on)
    complaints = _breaches(said) if question == "specification" else said.complaints.get(question, ())
    return [each for each in complaints if _RANK.index(each.severity) <= most or key_of(target, each) in waived]


def _breaches(said: Said) -> Sequence[Complaint]:
    """Return what makes a body leave its format's specification, and what only comes near to it.

    Much of it is told by another question, for it is worse there: a line that no server reads, a series that is there
    twice. It leaves the specification as well, so both cases fail, and one waiver covers both.
    """
    told = said.complaints.get("specification", ())
    if said.judgement is None or said.judgement.specification:
        return told
    unread = said.complaints.get("ingest", ())
    graver = [each for each in said.complaints.get("sense", ()) if each.check not in senses()]
    return [*told, *unread] or graver


def case_of(target: Planned, question: str, said: Said, bar: Bar, told: Told) -> CaseResult:
    """Return the answer to one question to one target."""
    found = failing(said, question, bar, target.name)
    verdict = PASSED
    if found:
        keys = [key_of(target.name, each) for each in found]
        verdict = bar.waived(failed(told(said, found)), keys, bar.waivers, bar.today)
    elif question == "ingest" and said.unjudged and said.ingest:
        verdict = failed(f"no server keeps the scrape: {said.unjudged}; the case of http says what is wrong")
    elif said.unjudged and (question in _OF_BODY or not said.asked.answers):
        verdict = inconclusive(f"{target.name}: {said.unjudged}")
    elif question == "many" and not said.unjudged and (said.seldom or not said.often):
        verdict = inconclusive(f"{target.name}: {said.seldom or 'it was asked once, and not scraped often'}")
    severity = min((each.severity for each in found), key=_RANK.index, default=Severity.ERROR)
    return CaseResult(
        f"{question}@{target.name}", ENDPOINTS, f"{target.name} {question}", target.place, verdict, severity
    )


def waiver_verdict(waiver: Waiver, said: dict[str, Said], today: date) -> Verdict:
    """Tell whether a waiver of something about a target is needed: it has to name a complaint, and not be over."""
    target = waiver.finding.partition("@")[2].partition("#")[0]
    if today > waiver.until:
        return failed(f"the waiver of {waiver.finding} ({waiver.owner}): its last day was {waiver.until.isoformat()}")
    one = said.get(target)
    if one is None:
        return failed(f"the waiver of {waiver.finding} ({waiver.owner}): there is no such target; remove it")
    if waiver.finding in {key_of(target, each) for each in one.all}:
        return PASSED
    if one.unjudged:
        return inconclusive(f"the waiver of {waiver.finding}: {target} was not judged ({one.unjudged})")
    return failed(f"the waiver of {waiver.finding} ({waiver.owner}): nothing of the kind was found; remove the waiver")
