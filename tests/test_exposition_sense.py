"""Every check of a scrape's sense finds its disease in its bad example, at the line that it names, and only there."""

from __future__ import annotations

import pytest

from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.exposition.judgement import Complaint
from tocsin.exposition.judging import judge
from tocsin.exposition.sense import Body, Sense, senses

NOW = 1_795_000_000.0
SENSES = senses()


def found(sense: Sense, body: Body) -> list[Complaint]:
    """Return what a check finds in a body."""
    syntax = Syntax.OPENMETRICS if body.openmetrics else Syntax.TEXT
    return list(sense.complaints(judge([body.text.encode()], syntax, now=NOW).digest, now=NOW))


@pytest.mark.parametrize("sense", SENSES.values(), ids=SENSES)
def test_the_bad_example_is_found(sense: Sense) -> None:
    """At the line that the example names, with a column that is in it, or in the scrape as a whole."""
    lines = sense.bad.text.split("\n")
    shown = found(sense, sense.bad)

    assert shown, "the bad example was not found"
    for one in shown:
        assert (one.column == 0) if one.line == 0 else (1 <= one.column <= len(lines[one.line - 1]))
    assert any(sense.bad.at in lines[one.line - 1] if one.line else not sense.bad.at for one in shown), shown


@pytest.mark.parametrize("sense", SENSES.values(), ids=SENSES)
def test_the_good_example_is_clean(sense: Sense) -> None:
    """Not one finding of the check itself."""
    assert found(sense, sense.good) == []


@pytest.mark.parametrize("sense", SENSES.values(), ids=SENSES)
def test_both_examples_are_kept_by_prometheus(sense: Sense) -> None:
    """What is wrong is the sense alone: the good one is to the letter as well."""
    for body in (sense.bad, sense.good):
        syntax = Syntax.OPENMETRICS if body.openmetrics else Syntax.TEXT
        judgement = judge([body.text.encode()], syntax, now=NOW)
        assert all(verdict == "accept" for verdict in judgement.ingest.values()), judgement.complaints
    assert judgement.specification, judgement.complaints


@pytest.mark.parametrize("sense", SENSES.values(), ids=SENSES)
def test_a_check_is_documented(sense: Sense) -> None:
    """It says why, with the source of the rule, and how to mend it, in sentences."""
    assert sense.why.endswith((".)", ")"))
    assert "(" in sense.why
    assert sense.title.endswith(".")
    assert sense.fix.endswith(".")
