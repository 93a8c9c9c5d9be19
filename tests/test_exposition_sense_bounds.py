"""However large or strange a scrape is, its sense is judged within bounds, and judging it never fails."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.artefacts.exposition.syntax import Syntax
from tocsin.exposition.digest import MOST_VALUES, Digest, FamilyDigest, LabelDigest, NameDigest
from tocsin.exposition.sense import MOST_REMARKS, Body, Remark, complaints, sense, senses
from tocsin.finding import Severity

NAMES = st.sampled_from(["a", "b_total", "c_seconds", "d_info", "go_x", "node_y", "e_errors_total", "target_info"])
TEXTS = st.text(max_size=30) | st.sampled_from(["total", "", "1.2.3.4", "a@b.com", "/x/1?a=b", "4111111111111111"])
VALUES = st.floats(allow_nan=False) | st.sampled_from([0.0, 1.0, 1.7e12])


@st.composite
def names(draw: st.DrawFn, name: str) -> NameDigest:
    """Return the samples of one name."""
    count = draw(st.integers(1, 9))
    labels = draw(st.dictionaries(TEXTS, st.dictionaries(TEXTS, st.integers(1, 99), max_size=4), max_size=4))
    low, high = sorted((draw(VALUES), draw(VALUES)))
    return NameDigest(
        name=name,
        line=draw(st.integers(1, 99)),
        count=count,
        labels={
            label: LabelDigest(values, draw(st.booleans()), draw(st.integers(0, count)))
            for label, values in labels.items()
            if values
        },
        minimum=low,
        maximum=high,
        first=draw(TEXTS),
        timestamps=draw(st.integers(0, count)),
    )


@st.composite
def digests(draw: st.DrawFn) -> Digest:
    """Return what is kept of some body, whether or not any body could be it."""
    found = Digest(draw(st.sampled_from(Syntax)))
    for name in draw(st.lists(NAMES | TEXTS, max_size=5, unique=True)):
        kind = draw(st.sampled_from(["counter", "gauge", "histogram", "summary", "unknown", "untyped", "info", "x"]))
        family = FamilyDigest(name, kind, line=1, help=draw(st.none() | TEXTS), type_line=draw(st.integers(0, 9)))
        for one in draw(st.lists(st.sampled_from(["", "_bucket", "_created"]), max_size=2, unique=True)):
            family.names[name + one] = draw(names(name + one))
        found.families[name] = family
    return found


@settings(max_examples=300, deadline=None)
@given(digests(), st.none() | st.floats(0, 2e9))
def test_any_digest_is_judged(digest: Digest, now: float | None) -> None:
    """Without an exception, and each complaint is whole."""
    for one in complaints(digest, now=now):
        assert one.check in senses()
        assert one.message
        assert one.why
        assert one.fix
        assert (one.column == 0) == (one.line == 0)


def wide(families: int, values: int) -> Digest:
    """Return what is kept of a body with many families, labels and values."""
    found = Digest(Syntax.TEXT)
    for number in range(families):
        name = f"x{number}_total"
        kept = {f"value-{number}-{one}": one + 1 for one in range(values)}
        label = LabelDigest(kept, more=True, series=10**6)
        found.families[name] = FamilyDigest(name, "counter", help="X.", type_line=1, line=1)
        found.families[name].names[name] = NameDigest(name, 1, 10**6, {"a": label}, 1.0, 2.0)
    return found


def test_what_one_check_says_is_bounded() -> None:
    """The rest is counted."""
    digest = Digest(Syntax.TEXT)
    for number in range(300):
        digest.families[f"x{number}"] = FamilyDigest(f"x{number}", "counter", help="X.", type_line=number + 1)
    shown = [one for one in complaints(digest) if one.check == "counter-without-total"]

    assert len(shown) == MOST_REMARKS + 1
    assert shown[-1].message.startswith("200 more")
    assert shown[-1].line == 0


def test_the_number_of_samples_costs_nothing() -> None:
    """A digest of ten samples and one of ten thousand million are judged by as many looks at labels and values."""
    few, many = wide(3, 10), wide(3, 10)
    for family in many.families.values():
        for name in family.names.values():
            name.count *= 1_000
            name.labels["a"].series *= 1_000
    assert [replace(one, message="") for one in complaints(few)] == [
        replace(one, message="") for one in complaints(many)
    ]


def test_all_values_that_are_kept_are_looked_at() -> None:
    """A secret among a thousand values is found."""
    digest = wide(1, MOST_VALUES - 1)
    digest.families["x0_total"].names["x0_total"].labels["a"].values["AKIA" + "IOSFODNN7EXAMPLE"] = 7

    assert [one.line for one in complaints(digest) if one.check == "credential-exposed"] == [7]


def test_a_check_needs_a_reason_and_a_subject() -> None:
    """Else its author hears of it at once."""

    def no_reason(family: FamilyDigest) -> list[Remark]:
        return [Remark(family.line, family.name, "")]

    def no_subject(body: Digest) -> list[Remark]:
        """Something follows from it."""
        return [Remark(len(body.families), "", "")]

    for function in (no_reason, no_subject):
        with pytest.raises(TypeError, match=function.__name__):
            sense(severity=Severity.INFO, fix="", bad=Body(""), good=Body(""))(function)
