"""Every check across scrapes finds its disease in its bad example, and nothing in its good one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.exposition.judging import judge
from tocsin.exposition.many import Across, across, checks, complaints
from tocsin.exposition.many.record.reading import Reading
from tocsin.exposition.many.record.scrapes import Record
from tocsin.finding import Severity

CHECKS = checks()


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_the_bad_example_is_found(check: Across) -> None:
    """By the check itself, and all that else is found in it is a note."""
    found = complaints(check.bad)

    assert check.id in {one.check for one in found}
    assert {one.check for one in found if one.severity is not Severity.INFO} <= {check.id}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_the_good_example_is_clean(check: Across) -> None:
    """No check finds anything."""
    assert complaints(check.good) == ()


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_the_examples_are_kept_by_prometheus(check: Across) -> None:
    """What is wrong is wrong across scrapes."""
    for scrape in check.good.every:
        assert all(verdict == "accept" for verdict in judge(scrape.chunks(), scrape.syntax, now=1.7e9).ingest.values())


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_check_is_documented(check: Across) -> None:
    """It says why, with the source of the rule, and how to mend it, in sentences."""
    assert check.why.endswith((".)", ")"))
    assert "(" in check.why
    assert check.title.endswith(".")
    assert check.fix.endswith(".")


def test_a_check_needs_a_reason_and_a_subject() -> None:
    """A function without a docstring, or about something that a record has not, is refused."""

    def mute(watched: object) -> list[object]:
        return [watched]

    def astray(scrapes: object) -> list[object]:
        """Say something."""
        return [scrapes]

    for function in (mute, astray):
        with pytest.raises(TypeError, match="the check"):
            across(severity=Severity.ERROR, fix="", bad=Record(), good=Record())(function)  # type: ignore[arg-type]


def test_nothing_was_seen() -> None:
    """Nothing is found in nothing, nor where every scrape failed."""
    assert complaints(Record()) == ()
    for check in CHECKS.values():
        failed = [replace(scrape, status=0, problem="no answer") for scrape in check.bad.every]
        assert Reading().of(failed[0]).problem in {"", Reading().of(check.bad.every[0]).problem}


def test_the_syntax_of_examples() -> None:
    """OpenMetrics is read as such."""
    assert {scrape.syntax for check in CHECKS.values() for scrape in check.bad.every} == set(Syntax)


def test_an_example_is_shown_by_its_beginning() -> None:
    """On the page of its check, scrape by scrape."""
    files = CHECKS["series-grow"].bad.files

    assert next(iter(files)) == "/metrics, scrape 1, 0.01 s"
    assert [text.count("\n") for text in files.values()] == [2, 12, 13]
