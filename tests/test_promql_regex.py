"""What patterns of matchers stand for, in bounded time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.promql.regex import MOST_ALTERNATIVES, alternatives, matches

PATTERNS = st.recursive(
    st.sampled_from(["a", "b", "ab", r"\.", "[ab]", "c?"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map("|".join).map("({})".format),
        inner.map("(?:{})".format),
        inner.map("(?:{})?".format),
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a|b", {"a", "b"}),
        ("", {""}),
        ("a|", {"a", ""}),
        ("^(prod|staging)$", {"prod", "staging"}),
        (r"a\.b", {"a.b"}),
        ("x(a|b)?", {"x", "xa", "xb"}),
        ("5..", None),
        ("a.*", None),
        (r"\d", None),
        ("[a-c]", None),
        ("(?i)a", None),
        ("a{2}", None),
    ],
)
def test_a_pattern_is_spelt_out(pattern: str, expected: set[str] | None) -> None:
    assert alternatives(pattern) == (None if expected is None else frozenset(expected))


@given(pattern=PATTERNS, value=st.text("abc.", max_size=6))
def test_what_is_spelt_out_is_what_matches(pattern: str, value: str) -> None:
    """Exactly the texts that are spelt out match the pattern, to Python and to us."""
    spelt = alternatives(pattern)
    expected = re.fullmatch(pattern, value) is not None
    if spelt is not None:
        assert len(spelt) <= MOST_ALTERNATIVES
        assert (value in spelt) == expected
        assert all(re.fullmatch(pattern, text) for text in spelt)
    assert matches(pattern, value) in (expected, None)


@given(pattern=st.text("ab.*+?()[]|^$\\{}1,-", max_size=12), value=st.text("ab", max_size=8))
def test_any_text_is_a_pattern_to_ask_about(pattern: str, value: str) -> None:
    """Nothing raises; and where an answer is given that Python can check, it is Python's."""
    found = matches(pattern, value)
    if found is not None and alternatives(pattern) is None:
        assert found == (re.fullmatch(pattern, value) is not None)


def test_no_pattern_costs_unbounded_time() -> None:
    """A pattern that makes a backtracking engine try everything is left unanswered."""
    started = time.process_time()
    assert matches("(a+)+b", "a" * 200) is None
    assert matches("(a|a?)+" * 20, "a" * 200) is None
    assert alternatives("(a|b)" * 5000) is None
    assert alternatives("(" * 5000) is None
    assert time.process_time() - started < 1
