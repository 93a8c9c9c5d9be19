"""JSON with places: every value is where the text has it, and what is no JSON says where it stops being some."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.artefacts.json_text import read_json
from tocsin.part import Part
from tocsin.source import Place, Unreadable

SCALARS = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.sampled_from((None, 1, "\t")), st.booleans())
def test_every_value_is_at_its_place(value: Any, indent: str | int | None, ascii_only: bool) -> None:
    """What stands at the place of each value, read by itself, is that value; the same of each key."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    lines = text.split("\n")
    decoder = json.JSONDecoder()

    for part in Part.whole(read_json(text, "x.json")).walk():
        rest = "\n".join([lines[part.place.line - 1][part.place.column - 1 :], *lines[part.place.line :]])
        assert decoder.raw_decode(rest)[0] == part.value
        if part.route and isinstance(part.route[-1], str):
            at = part.key_place
            assert decoder.raw_decode(lines[at.line - 1][at.column - 1 :])[0] == part.route[-1]


def test_a_number_keeps_its_text() -> None:
    """As it was written, and a text is itself."""
    document = Part.whole(read_json('{"a": 0.50, "b": true, "c": "1e3", "d": null}', "x.json"))

    assert [document.string(key) for key in "abcd"] == ["0.50", "true", "1e3", ""]


def test_a_key_that_is_there_twice_is_told() -> None:
    """The last value counts, as everywhere."""
    document = read_json('{"a": {"b": 1,\n  "b": 2}}', "x.json")

    assert document.value == {"a": {"b": 2}}
    assert document.repeated == ((("a", "b"), Place("x.json", 2, 3)),)


@pytest.mark.parametrize(("text", "place"), [("{", Place("x.json", 1, 2)), ('{"a": 1,\n b}', Place("x.json", 2, 2))])
def test_what_is_no_json_says_where(text: str, place: Place) -> None:
    """The line and the column at which it cannot go on."""
    with pytest.raises(Unreadable) as caught:
        read_json(text, "x.json")

    assert caught.value.place == place


@pytest.mark.parametrize(
    ("text", "readable"),
    [("[" * 100_000, False), ("1" * 5000, False), ('"\\ud800"', True), ("NaN", True), ("", False), ("[[], {}]", True)],
)
def test_odd_texts_are_read_or_refused(text: str, readable: bool) -> None:
    """Nothing else ever happens; what Python's own reader takes, Grafana's may not, but that is not said here."""
    if readable:
        assert read_json(text, "x.json").place() == Place("x.json", 1, 1)
    else:
        with pytest.raises(Unreadable):
            read_json(text, "x.json")
