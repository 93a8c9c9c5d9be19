"""Waivers: what is accepted, by whom, until when; and what a waiver can never do."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tocsin.plan import artefact_case, artefact_findings, read
from tocsin.system import Kind, System, Waiver, load_system
from tocsin.verdict import PASSED, Outcome, Verdict, failed, inconclusive
from tocsin.waivers import drill_waiver_verdict, waived, waiver_problem

SYSTEM = """\
schema: 1
name: small
artefacts: {rules: [a.yml, b.yml]}
environments:
  local: {processes: {backend: {command: [backend]}}}
drills:
  down: {stimulus: {kill: backend}, expect: [{alert: Down, labels: {severity: critical}, receivers: [pager]}]}
"""
TWICE = "groups:\n  - name: a\n    name: b\n"
SOUND = "groups:\n  - {name: a, rules: [{alert: Down, expr: up == 0}]}\n"
A, B = "every-file-is-readable@a.yml#rules", "every-file-is-readable@b.yml#rules"
LAST = date(2027, 1, 31)


def waiver(finding: str, until: date = LAST) -> Waiver:
    """Return a waiver."""
    return Waiver(finding=finding, owner="ann", reason="known", until=until)


def system(folder: Path, a: str = TWICE, b: str = SOUND, *waivers: str) -> System:
    """Return a system with two rule files."""
    lines = [f"  - {{finding: '{finding}', owner: ann, reason: known, until: 2027-01-31}}\n" for finding in waivers]
    (folder / "system.yaml").write_text(SYSTEM + "".join(["waivers:\n", *lines] if lines else []))
    (folder / "a.yml").write_text(a)
    (folder / "b.yml").write_text(b)
    return load_system(folder)


@pytest.mark.parametrize(
    ("verdict", "keys", "waivers", "today", "outcome"),
    [
        (failed("x"), [A], [waiver(A)], LAST, Outcome.WAIVED),
        (failed("x"), [A], [waiver(A)], date(2027, 2, 1), Outcome.FAILED),
        (failed("x"), [A], [waiver(B)], LAST, Outcome.FAILED),
        (failed("x"), [A, B], [waiver(A)], LAST, Outcome.FAILED),
        (failed("x"), [A, B], [waiver(A), waiver(B)], LAST, Outcome.WAIVED),
        (failed("x"), [A], [waiver(A, date(2020, 1, 1)), waiver(A)], LAST, Outcome.WAIVED),
        (failed("x"), [A], [waiver(A), waiver(A, date(2020, 1, 1))], LAST, Outcome.WAIVED),
        (failed("x"), [], [waiver(A)], LAST, Outcome.FAILED),
        (inconclusive("x"), [A], [waiver(A)], LAST, Outcome.INCONCLUSIVE),
        (PASSED, [A], [waiver(A)], LAST, Outcome.PASSED),
    ],
)
def test_a_failure_is_waived_if_all_of_it_is(
    verdict: Verdict, keys: list[str], waivers: list[Waiver], today: date, outcome: Outcome
) -> None:
    """Every finding needs a waiver whose last day is not over; only a failure can be waived."""
    found = waived(verdict, keys, waivers, today)

    assert found.outcome is outcome
    if outcome is Outcome.WAIVED:
        assert "waived by ann until 2027-01-31: known" in found.reason
        assert "x" in found.reason


def test_an_unreadable_file_can_be_waived_by_its_key(tmp_path: Path) -> None:
    """The keys of the findings are what a waiver names; a second bad file is not covered by it."""
    for b, outcome in ((SOUND, Outcome.WAIVED), (TWICE, Outcome.FAILED)):
        small = system(tmp_path, TWICE, b, A)
        findings = artefact_findings(small, read(small), Kind.RULES) or []
        case = artefact_case(small, Kind.RULES, findings)

        found = waived(case.verdict, [finding.key for finding in findings], small.declaration.waivers, LAST)

        assert found.outcome is outcome, found


@pytest.mark.parametrize(
    ("a", "finding", "today", "said"),
    [
        (TWICE, A, LAST, ""),
        (SOUND, A, LAST, "it covers no finding"),
        (TWICE, A, date(2027, 2, 1), "its last day was 2027-01-31"),
        (TWICE, B, LAST, "it covers no finding"),
        (TWICE, "drill@system.yaml#down", LAST, ""),
        (TWICE, "drill@system.yaml#dwn", LAST, "did you mean down?"),
        (TWICE, "spelling@a.yml#rules", LAST, "there is no check 'spelling'"),
    ],
)
def test_what_files_tell_of_a_waiver(tmp_path: Path, a: str, finding: str, today: date, said: str) -> None:
    """A waiver that covers nothing, or no longer, has something wrong with it; one that covers has not."""
    small = system(tmp_path, a, SOUND, finding)

    problem = waiver_problem(small.declaration.waivers[0], small, read(small), today)

    assert said in problem
    assert bool(problem) is bool(said)


def test_a_waiver_that_is_over_is_named_with_what_fails() -> None:
    """Its reader learns why what was quiet yesterday is loud today."""
    found = waived(failed("x"), [A], [waiver(A)], date(2027, 2, 1))

    assert found.reason == "x\n(waived by ann until 2027-01-31: that day is over)"


@pytest.mark.parametrize(
    ("drill", "today", "outcome"),
    [
        (failed("x"), LAST, Outcome.PASSED),
        (failed("x"), date(2027, 2, 1), Outcome.FAILED),
        (PASSED, LAST, Outcome.FAILED),
        (inconclusive("x"), LAST, Outcome.INCONCLUSIVE),
        (inconclusive("x"), date(2027, 2, 1), Outcome.FAILED),
    ],
)
def test_the_waiver_of_a_drill_is_needed_while_it_fails(drill: Verdict, today: date, outcome: Outcome) -> None:
    """Nobody knows where the drill proved nothing; whose day is over is not needed in any case."""
    assert drill_waiver_verdict(waiver("drill@system.yaml#down"), drill, today).outcome is outcome
