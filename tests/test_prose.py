"""Numbers in prose."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.artefacts.prose import claims


@pytest.mark.parametrize(
    ("text", "kind", "dimension", "value"),
    [
        ("More than 5 % of the requests fail", "threshold", "share", 0.05),
        ("more than a tenth of the chats", "threshold", "share", 0.1),
        ("more than half of the sessions", "threshold", "share", 0.5),
        ("usage is > 85%", "threshold", "share", 0.85),
        ("under 7.2 percent", "threshold", "share", 0.072),
        ("Answers take more than 2 s", "threshold", "time", 2.0),
        ("expires in less than 14 days", "threshold", "time", 14 * 86400.0),
        ("latency above 500ms", "threshold", "time", 0.5),
        ("less than 2GiB free", "threshold", "bytes", 2 * 2.0**30),
        ("more than 500 000 series", "threshold", "count", 500_000.0),
        ("more than 1,500 connections", "threshold", "count", 1500.0),
        ("over 10k entries", "threshold", "count", 10_000.0),
        ("More than five requests a second", "threshold", "count", 5.0),
        ("has been down for two minutes", "duration", "time", 120.0),
        ("has been down for more than 5m.", "duration", "time", 300.0),
        ("for a minute: it is dead", "duration", "time", 60.0),
        ("for a quarter of an hour", "duration", "time", 900.0),
        ("has been busy for half an hour", "duration", "time", 1800.0),
        ("in the last 10 minutes", "duration", "time", 600.0),
        ("over the last hour", "duration", "time", 3600.0),
    ],
)
def test_a_number_is_read_with_its_unit(text: str, kind: str, dimension: str, value: float) -> None:
    found = list(claims(text))

    assert [(each.kind, each.dimension) for each in found] == [(kind, dimension)]
    assert found[0].value == pytest.approx(value)
    assert text[found[0].start : found[0].end].strip() == found[0].text


@pytest.mark.parametrize(
    "text",
    [
        "wait for 10 minutes",
        "silence it for 2 hours",
        "the buffer holds for a while",
        "$value > $limit",
        "at 100 % it is full",
        "over 0,5 s",
        "over 5M objects",
    ],
)
def test_what_is_no_claim_is_none(text: str) -> None:
    assert list(claims(text)) == []


def test_a_number_without_a_noun_says_so() -> None:
    assert [(each.text, each.bare) for each in claims("load above 2 for ten minutes")] == [
        ("for ten minutes", False),
        ("above 2", True),
    ]


@given(st.text(alphabet="0123456789 .,%kMmshdover than more for half an hour\n", max_size=200))
def test_any_text_is_read(text: str) -> None:
    for claim in claims(text):
        assert 0 <= claim.start < claim.end <= len(text)
        assert claim.value >= 0
