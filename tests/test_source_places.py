"""The place of a character of a scalar, in every style in which YAML writes one."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tocsin.source import Place, place_within, read_document

WORDS = st.lists(st.text("abz{}()'\"\\é:#$-", min_size=1, max_size=8), min_size=1, max_size=12)
BLANKS = (" ", " ", " ", "\n", "  ")


@given(words=WORDS, blanks=st.lists(st.sampled_from(BLANKS), min_size=12, max_size=12), style=st.sampled_from("'\"|>"),
       width=st.integers(8, 40), at=st.integers(0, 200))  # fmt: skip
def test_the_character_stands_there(words: list[str], blanks: list[str], style: str, width: int, at: int) -> None:
    """Whatever the style and wherever the lines are folded; or the place is the scalar's own, never another's."""
    value = words[0] + "".join(blank + word for blank, word in zip(blanks, words[1:], strict=False))
    text = yaml.dump({"before": "x", "key": value}, default_style=style, width=width, allow_unicode=True)
    document = read_document(text, "f.yml")
    assert document.value["key"] == value
    offset = min(at, len(value) - 1)

    found = place_within(text, document.place("key"), value, offset)

    lines = text.split("\n")
    shown = lines[found.line - 1][found.column - 1 : found.column]
    if found == document.place("key") or value[offset] in " \n":
        assert document.place("key") <= found
        return
    assert shown in (value[offset], "\\") if style == '"' else shown == value[offset]


@pytest.mark.parametrize(
    ("text", "piece", "place"),
    [
        ("a: >-\n  one two\n  three four\n", "three", Place("f", 3, 3)),
        ("a: >-\n  one two\n  three four\n", "four", Place("f", 3, 9)),
        ("a: one\n  two three\n", "three", Place("f", 2, 7)),
        ('a: "one\n  two \\"x\\" three"\n', "three", Place("f", 2, 13)),
        ("a: 'it''s\n\n  here'\n", "here", Place("f", 3, 3)),
        ('a: "on\\\n  e two"\n', "two", Place("f", 2, 5)),
        ('a: "x\\ny: z"\n', "z", Place("f", 1, 11)),
    ],
)
def test_a_piece_of_a_folded_scalar_has_its_own_line(text: str, piece: str, place: Place) -> None:
    document = read_document(text, "f")
    value = document.value["a"]
    assert place_within(text, document.place("a"), value, value.index(piece)) == place
