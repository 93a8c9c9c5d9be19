"""Waivers: what a system's owners accept until a day. What is waived stays visible; what covers nothing fails."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import date

from tocsin.artefacts.files import Artefacts
from tocsin.exposition.cases import ENDPOINTS
from tocsin.plan import DRILL, READABLE, alerts, artefact_findings
from tocsin.probes import PROBES
from tocsin.simulation import SIMULATION
from tocsin.source import nearest, offered
from tocsin.system import Kind, System, Waiver
from tocsin.verdict import PASSED, Outcome, Verdict, failed, inconclusive


def waived(verdict: Verdict, keys: Iterable[str], waivers: Iterable[Waiver], today: date) -> Verdict:
    """Return Waived in place of Failed if every finding (by its key) has a waiver whose last day is not over.

    Nothing else can be waived: an Inconclusive verdict says nothing about the system that could be accepted.
    """
    if verdict.outcome is not Outcome.FAILED:
        return verdict
    named = {waiver.finding: waiver for waiver in sorted(waivers, key=lambda w: w.until)}  # the longest counts
    used = [named.get(key) for key in keys]
    over = [w for w in used if w is not None and today > w.until]
    if over:
        ended = "; ".join(f"(waived by {w.owner} until {w.until.isoformat()}: that day is over)" for w in over)
        return Verdict(verdict.outcome, f"{verdict.reason}\n{ended}")
    if not used or None in used:
        return verdict
    said = "; ".join(
        dict.fromkeys(f"waived by {w.owner} until {w.until.isoformat()}: {w.reason}" for w in used if w is not None)
    )
    return Verdict(Outcome.WAIVED, f"{said}\n{verdict.reason}")


def needed(verdict: Verdict, key: str, waivers: Iterable[Waiver]) -> Verdict:
    """Return Failed in place of Passed if there is a waiver of a finding that is not there."""
    named = next((waiver for waiver in waivers if waiver.finding == key), None)
    if named is None or verdict.outcome is not Outcome.PASSED:
        return verdict
    return failed(waiver_message(named, "nothing of the kind was found, so it covers nothing: remove the waiver"))


def drill_waiver_verdict(waiver: Waiver, drill: Verdict, today: date) -> Verdict:
    """Tell, by the judgement of a drill as its evidence has it, whether its waiver is needed.

    Failed if the drill passed or the last day is over; Inconclusive if the drill was: nobody knows then.
    """
    if ended := _ended(waiver, today):
        return failed(waiver_message(waiver, ended))
    if drill.outcome is Outcome.PASSED:
        return failed(waiver_message(waiver, "the drill passed, so it covers nothing: remove the waiver"))
    if drill.outcome is Outcome.INCONCLUSIVE:
        return inconclusive(waiver_message(waiver, "the drill was inconclusive, so nobody knows if it is needed"))
    return PASSED


def waiver_message(waiver: Waiver, problem: str) -> str:
    """Return what is wrong with a waiver, with its key and its owner."""
    return f"the waiver of {waiver.finding} ({waiver.owner}): {problem}"


def _ended(waiver: Waiver, today: date) -> str:
    if today <= waiver.until:
        return ""
    return f"its last day was {waiver.until.isoformat()}: mend what it covered, or have {waiver.owner} renew it"


def waiver_problem(
    waiver: Waiver,
    system: System,
    artefacts: Artefacts,
    today: date,
    *,
    checks: Collection[str] = (),
    found: Callable[[], Collection[str]] = tuple,
) -> str:
    """Say what is wrong with a waiver as far as files alone can tell; nothing if it is well.

    `checks` are the ids of the checks that there are besides; `found` gives the keys of their findings.
    """
    if ended := _ended(waiver, today):
        return ended
    check, _, rest = waiver.finding.partition("@")
    subject = rest.rpartition("#")[2]
    if check == DRILL:
        drills = system.declaration.drills
        if subject in drills:
            return ""  # whether it fails is seen when it is performed: `drill_waiver_verdict`
        meant = nearest(subject, drills)
        return f"there is no drill {subject!r}" + (f"; did you mean {meant[0]}?" if meant else "")
    if check in (ENDPOINTS, PROBES):
        return ""  # whether it covers something is seen when that is asked: `waiver_verdict`
    if check == SIMULATION:
        named = {f"{SIMULATION}@{file}#{group}/{name}" for _, name, group, file, _ in alerts(artefacts)}
        return "" if waiver.finding in named else "there is no such alert: remove it, or correct its key"
    if check in checks or "/" in check:  # a slash: of another linter, whose checks only its report knows
        return "" if waiver.finding in found() else "it covers no finding: remove it, or correct its key"
    if check != READABLE:
        return (
            f"there is no check {check!r}; {offered(check, [DRILL, ENDPOINTS, PROBES, READABLE, SIMULATION, *checks])}"
        )
    own = {f.key for kind in Kind for f in artefact_findings(system, artefacts, kind) or ()}
    return "" if waiver.finding in own else "it covers no finding: remove it, or correct its key"
