"""Waivers: what a system's owners accept until a day. What is waived stays visible; what covers nothing fails."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from tocsin.plan import DRILL, READABLE, artefact_findings
from tocsin.source import nearest
from tocsin.system import Kind, System, Waiver
from tocsin.verdict import Outcome, Verdict, failed


def waived(verdict: Verdict, keys: Iterable[str], waivers: Iterable[Waiver], today: date) -> Verdict:
    """Return Waived in place of Failed if every finding (by its key) has a waiver whose last day is not over.

    Nothing else can be waived: an Inconclusive verdict says nothing about the system that could be accepted.
    """
    if verdict.outcome is not Outcome.FAILED:
        return verdict
    valid = {waiver.finding: waiver for waiver in waivers if today <= waiver.until}
    used = [valid.get(key) for key in keys]
    if not used or any(waiver is None for waiver in used):
        return verdict
    said = "; ".join(
        dict.fromkeys(f"waived by {w.owner} until {w.until.isoformat()}: {w.reason}" for w in used if w is not None)
    )
    return Verdict(Outcome.WAIVED, f"{said}\n{verdict.reason}")


def unneeded(verdict: Verdict, key: str, system: System) -> Verdict:
    """Return Failed in place of Passed if a waiver says that this finding is there: it covers nothing any more."""
    for index, waiver in enumerate(system.declaration.waivers):
        if waiver.finding == key and verdict.outcome is Outcome.PASSED:
            place = system.place("waivers", index)
            return failed(f"passed, but the waiver at {place} ({waiver.owner}) says that it fails: remove the waiver")
    return verdict


def waiver_problem(waiver: Waiver, system: System, today: date) -> str:
    """Say what is wrong with a waiver as far as files alone can tell; nothing if it is well."""
    if today > waiver.until:
        return f"its last day was {waiver.until.isoformat()}: mend what it covered, or have {waiver.owner} renew it"
    check, _, rest = waiver.finding.partition("@")
    subject = rest.rpartition("#")[2]
    if check == DRILL:
        drills = system.declaration.drills
        if subject in drills:
            return ""  # whether it fails is seen when it is performed
        meant = nearest(subject, drills)
        return f"there is no drill {subject!r}" + (f"; did you mean {meant[0]}?" if meant else "")
    if check != READABLE:
        return f"there is no check {check!r}; known: {DRILL}, {READABLE}"
    found = {f.key for kind in Kind for f in artefact_findings(system, kind) or ()}
    return "" if waiver.finding in found else "it covers no finding: remove it, or correct its key"
